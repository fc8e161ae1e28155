"""Codecs that mean harm, or are merely wrong: each costs its own uplink, and the next one nothing."""

import os
import threading
import time
from pathlib import Path

import pytest
from test_js_worker import ended_at_work

from devices.decoded import Frame
from devices.javascript.sandbox import Limits, Sandbox, Source

LIMITS = Limits()
BODIES = {
    "endless loop": "for (;;);",
    "endless loop in a getter": "return { data: { get a() { for (;;); } } };",
    "endless toJSON": "return { data: { toJSON() { for (;;); } } };",
    "endless loop that catches everything": "for (;;) { try { for (;;); } catch (e) {} }",
    "catastrophic regular expression": "return { data: { a: /^(a+)+$/.test('a'.repeat(40) + 'b') } };",
    "array bomb": "var a = []; for (;;) a.push(new Array(1000).fill(1));",
    "string bomb": "var a = 'x'; for (;;) a = (a + a).slice(0) + 'y'.repeat(1e6);",
    "typed-array bomb": "var a = []; for (;;) a.push(new Uint8Array(8e6).fill(7));",
    "huge join": "return { data: { a: new Array(1e9).join('xy') } };",
    "huge search": "return { data: { a: 'a'.repeat(3e6).indexOf('a'.repeat(1e6) + 'b') } };",
    "huge sort": "var a = []; for (var i = 5e6; i > 0; i--) a.push(i % 7919); return { data: a.sort() };",
    "sparse reverse": "return { data: { a: [].reverse.call({ length: 2 ** 50, 0: 1 }) } };",
    "deep recursion": "function f(n) { return f(n + 1) + 1; } return { data: { a: f(0) } };",
    "deep recursion in JSON": "var a = []; for (var i = 0; i < 1e6; i++) a = [a]; return { data: { a: a } };",
    "deep recursion in a parser": "return { data: JSON.parse('['.repeat(1e6)) };",
    "wide answer": "var a = {}; for (var i = 0; i < 1e5; i++) a['k' + i] = i; return { data: a };",
    "proxy": "return new Proxy({}, { get() { for (;;); } });",
    "promise": "return { data: Promise.resolve(1).then(() => { for (;;); }) };",
}
GOOD = Source.of("function decodeUplink(i) { return { data: { n: i.bytes.length } }; }")


@pytest.fixture
def sandbox():
    with Sandbox(LIMITS) as sandbox:
        sandbox.start()
        yield sandbox


def peak_bytes(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_codec_costs_one_uplink(sandbox, name):
    source = Source.of(f"function decodeUplink(input) {{ {BODIES[name]} }}")
    pid = sandbox._worker.process.pid
    watched = Watch(pid)
    begun = time.monotonic()
    [outcome] = sandbox.run(source, [Frame(1, b"\x01")])
    took = time.monotonic() - begun
    assert watched.stop() <= LIMITS.memory_bytes
    # a minute for a busy machine; an unlimited call would take minutes, or for ever
    assert took < LIMITS.call_s + 60.0
    if outcome.data is None:
        assert len(outcome.errors) == 1
    [good] = sandbox.run(GOOD, [Frame(1, b"\x01\x02")])
    assert good.data == {"n": 2}


class Watch:
    """The greatest memory a process has ever had, asked again and again until it is gone."""

    def __init__(self, pid):
        self.pid, self.most, self.done = pid, peak_bytes(pid), threading.Event()
        self.thread = threading.Thread(target=self._look)
        self.thread.start()

    def _look(self):
        while not self.done.wait(0.01):
            try:
                self.most = max(self.most, peak_bytes(self.pid))
            except (OSError, StopIteration):
                return

    def stop(self):
        self.done.set()
        self.thread.join()
        return self.most


@pytest.mark.parametrize(
    ("body", "kind"), [("for (;;);", "timeout"), ("return { data: { a: new Uint8Array(1e9) } };", "memory")]
)
def test_a_killed_call_says_why(sandbox, body, kind):
    [outcome] = sandbox.run(Source.of(f"function decodeUplink(i) {{ {body} }}"), [Frame(1, b"\x01")])
    assert outcome.data is None
    assert [each.partition(":")[0] for each in outcome.errors] == [kind]
    assert outcome.killed == kind


def test_a_crash_of_the_engine_is_told_as_one():
    """Nothing known crashes this version: somebody else ends the process in the middle of a call."""
    with Sandbox(Limits(call_s=60.0)) as sandbox:
        sandbox.run(GOOD, [Frame(1, b"\x01")])
        killer = ended_at_work(sandbox._worker.process.pid, 11)
        [outcome] = sandbox.run(Source.of("function decodeUplink(i) { for (;;); }"), [Frame(1, b"\x01")])
        killer.join()
    assert outcome.errors[0].startswith("crash: the worker ended with -11")


def test_a_loop_at_the_top_of_a_script_costs_one_time_limit_for_all_its_frames(sandbox):
    begun = time.monotonic()
    outcomes = sandbox.run(Source.of("for (;;);"), [Frame(1, bytes([i])) for i in range(100)])
    assert {each.killed for each in outcomes} == {"timeout"}
    assert time.monotonic() - begun < LIMITS.call_s + 40.0  # one for each frame would be 50 s


def test_only_the_frames_that_loop_are_lost(sandbox):
    source = Source.of(
        "function decodeUplink(i) { if (i.bytes[0] % 5 == 3) for (;;); return { data: { b: i.bytes[0] } }; }"
    )
    outcomes = sandbox.run(source, [Frame(1, bytes([i])) for i in range(10)])
    assert [each.data["b"] if each.data else each.killed for each in outcomes] == [
        0, 1, 2, "timeout", 4, 5, 6, 7, "timeout", 9,
    ]  # fmt: skip


def test_a_frame_that_took_too_long_is_not_tried_again(sandbox):
    source, frames = Source.of("function decodeUplink(i) { for (;;); }"), [Frame(1, b"\x01")]
    sandbox.run(source, frames)
    kills = sandbox.kills
    again = sandbox.run(source, frames * 100)
    assert {each.killed for each in again} == {"timeout"}
    assert sandbox.kills == kills
    assert all(each.wait_s for each in again), "one that was tried has nothing to wait for"


def test_another_codec_waits_for_one_time_limit_at_most():
    """While one thread has a batch of loops, another's frame gets in between."""
    with Sandbox(LIMITS) as sandbox:
        sandbox.start()
        loops = [Frame(1, bytes([i])) for i in range(12)]
        thread = threading.Thread(
            target=sandbox.run, args=(Source.of("function decodeUplink(i) { for (;;); }"), loops)
        )
        thread.start()
        between = 0
        while thread.is_alive():
            [good] = sandbox.run(GOOD, [Frame(1, b"\x01")])
            assert good.data == {"n": 1}
            between += 1
        thread.join()
    assert between >= 5


def test_the_worker_has_nothing_to_take(sandbox):
    environment = Path(f"/proc/{sandbox._worker.process.pid}/environ").read_bytes()
    open_files = {each.name for each in Path(f"/proc/{sandbox._worker.process.pid}/fd").iterdir()}
    assert environment == b""
    assert open_files <= {"0", "1", "2"}
    status = Path(f"/proc/{sandbox._worker.process.pid}/status").read_text()
    if os.geteuid() == 0:
        assert "Uid:\t65534\t65534" in status
