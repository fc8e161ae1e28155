"""The worker process of the JavaScript sandbox: what it may, how it ends, and who is to blame."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.decoded import Frame
from devices.javascript import process
from devices.javascript.quarantine import Quarantine
from devices.javascript.sandbox import Limits, Sandbox, Source
from devices.javascript.turns import Turns

ROOT = Path(__file__).parents[2]
LOOP = "for (;;);"
NATIVE_LOOP = "'a'.repeat(3e6).indexOf('a'.repeat(1e6) + 'b');"
PATIENT = Limits(call_s=10.0)  # a busy machine is no endless loop


def codec(body):
    return Source.of(f"function decodeUplink(input) {{ const bytes = input.bytes; {body} }}")


ECHO = codec("return { data: { b: bytes } };")


@pytest.fixture(scope="module")
def patient():
    with Sandbox(PATIENT) as sandbox:
        yield sandbox


def one(sandbox, source, payload=b"\x01", **options):
    [outcome] = sandbox.run(source, [Frame(1, payload)], **options)
    return outcome


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def status(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.split() for name, _, value in (line.partition(":") for line in lines)}


def ended_at_work(pid, number):
    """A thread that ends a worker while it runs a script; before that it sleeps."""

    def end():
        while status(pid)["State"][0] != "R":
            time.sleep(0.001)
        os.kill(pid, number)

    thread = threading.Thread(target=end)
    thread.start()
    return thread


# What it may


def test_the_worker_can_open_nothing_start_nothing_and_gain_no_rights(patient):
    assert one(patient, ECHO).data == {"b": [1]}
    pid = patient._worker.process.pid
    limits = Path(f"/proc/{pid}/limits").read_text()
    for name in ("Max open files", "Max processes", "Max file size", "Max core file size"):
        [line] = [each for each in limits.splitlines() if each.startswith(name)]
        assert line.removeprefix(name).split()[:2] == ["0", "0"]
    [line] = [each for each in limits.splitlines() if each.startswith("Max address space")]
    assert line.split()[3:5] == [str(PATIENT.memory_bytes)] * 2
    assert status(pid)["NoNewPrivs"] == ["1"]
    assert status(pid)["Threads"] == ["1"]


def test_the_worker_gets_no_secret_and_no_file_of_the_service(tmp_path, monkeypatch):
    monkeypatch.setenv("MQTT_PASSWORD", "secret")
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    with (tmp_path / "open").open("w") as file, Sandbox(PATIENT) as sandbox:
        os.set_inheritable(file.fileno(), True)
        sandbox.start()
        pid = sandbox._worker.process.pid
        assert Path(f"/proc/{pid}/environ").read_bytes() == b""
        held = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]
        assert len(held) == 3
        assert all(each.startswith("pipe:") or each == "/dev/null" for each in held)


def test_local_time_is_utc_on_every_machine(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    with Sandbox(PATIENT) as sandbox:
        source = codec(
            "const d = new Date(0); return { data: { h: d.getHours(), o: d.getTimezoneOffset() } };"
        )
        assert one(sandbox, source).data == {"h": 0, "o": 0}


def test_it_works_where_file_numbers_are_high():
    """A service with many connections: select() would refuse these."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2000:
        pytest.skip("this machine allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with Sandbox(PATIENT) as sandbox:
            assert one(sandbox, ECHO).data == {"b": [1]}
            assert sandbox._worker._out > 1024
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# How it ends


def test_a_worker_killed_between_calls_costs_nothing(patient):
    one(patient, ECHO)
    os.kill(patient._worker.process.pid, signal.SIGKILL)
    patient._worker.process.wait(60)
    assert one(patient, ECHO, b"\x02").data == {"b": [2]}


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGKILL, "memory"), (signal.SIGSEGV, "crash")])
def test_a_worker_ended_by_others_in_a_call_is_an_outcome(number, kind):
    """SIGKILL is what a kernel short of memory sends."""
    with Sandbox(PATIENT) as sandbox:
        one(sandbox, ECHO)
        killer = ended_at_work(sandbox._worker.process.pid, number)
        outcome = one(sandbox, codec(NATIVE_LOOP))
        killer.join()
        assert outcome.killed == kind
        assert one(sandbox, ECHO).data == {"b": [1]}


def test_a_worker_that_cannot_start_is_an_outcome_and_tried_again_after_pauses(tmp_path, monkeypatch):
    clock, program = Clock(), process._WORKER
    broken = tmp_path / "worker.py"
    broken.write_text("raise SystemExit(3)")
    monkeypatch.setattr(process, "_WORKER", broken)
    with Sandbox(PATIENT, clock) as sandbox:
        sandbox.start()
        pauses = []
        for _ in range(12):
            assert one(sandbox, ECHO).killed == "crash"
            assert "does not start" in one(sandbox, ECHO).errors[0]
            pauses.append(sandbox._no_start_before - clock.now)
            clock.now = sandbox._no_start_before
        assert pauses == sorted(pauses)
        assert pauses[0] < 1 < pauses[-1] <= 30
        monkeypatch.setattr(process, "_WORKER", program)
        assert one(sandbox, ECHO).data == {"b": [1]}


@pytest.mark.parametrize(
    "script",
    [
        "import os; os.write(1, b'Traceback (most recent call last)')",
        "import os; os.write(1, b'\\0\\0\\0\\1R'); os.read(0, 1); os.write(1, b'\\xff' * 100)",
        "import os; os.write(1, b'\\0\\0\\0\\1R\\0\\0\\0\\2A['); os.read(0, 99999); os.read(0, 99999)",
        "import os; os.write(1, b'\\0\\0\\0\\1R\\0\\0\\0\\1?'); os.read(0, 99999); os.read(0, 99999)",
        "import os; os.close(1); os.read(0, 99999); os.read(0, 99999)",
    ],
)
def test_a_worker_that_speaks_nonsense_is_an_outcome(tmp_path, monkeypatch, script):
    """As one would that an attacker has taken over."""
    file = tmp_path / "worker.py"
    file.write_text(script)
    monkeypatch.setattr(process, "_WORKER", file)
    with Sandbox(Limits(call_s=2.0)) as sandbox:
        outcome = one(sandbox, ECHO)
        assert outcome.data is None
        assert len(outcome.errors) == 1


def test_a_worker_with_too_little_memory_to_work_is_an_outcome():
    with Sandbox(Limits(memory_bytes=1 << 20)) as sandbox:
        for payload in (b"\x01", b"\x02"):
            assert one(sandbox, ECHO, payload).killed in {"crash", "memory"}


def test_a_worker_without_its_service_ends_even_inside_a_native_loop():
    program = (
        "import sys; from devices.decoded import Frame; from devices.javascript.sandbox import *\n"
        "sandbox = Sandbox(Limits(call_s=1.0)); sandbox.start()\n"
        "print(sandbox._worker.process.pid, flush=True)\n"
        f"sandbox.run(Source.of({f'function decodeUplink() {{ {NATIVE_LOOP * 20} }}'!r}), [Frame(1, b'')])\n"
    )
    service = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    with service:
        pid = int(service.stdout.readline())
        time.sleep(0.3)
        service.kill()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if status(pid)["State"][0] == "Z":  # nobody may be there to reap it
                return
        except FileNotFoundError:
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the worker outlived its service")


# Who is to blame


def test_a_script_that_hangs_when_loaded_costs_one_limit_whatever_is_sent():
    with Sandbox(Limits(call_s=0.5)) as sandbox:
        sandbox.start()
        begun = time.monotonic()
        for first in range(0, 400, 100):
            outcomes = sandbox.run(
                Source.of(LOOP), [Frame(1, bytes([i % 256, 7])) for i in range(first, first + 100)]
            )
            assert {each.killed for each in outcomes} == {"timeout"}
        assert time.monotonic() - begun < 120.0  # one limit for each frame would be 200 s
        # it was not tried a second time: the next quarantine would be the third
        assert [each.next_s for each in sandbox._quarantine._entries.values()] == [240.0]


def test_each_frame_has_a_limit_of_its_own():
    """A long batch of a slow codec is no endless loop."""
    slow = codec("let x = 0; for (let i = 0; i < 5e5; i++) x += i % 7; return { data: { x } };")
    with Sandbox(Limits(call_s=1.0)) as sandbox:
        begun = time.monotonic()
        outcomes = sandbox.run(slow, [Frame(1, i.to_bytes(2, "big")) for i in range(150)])
        assert all(each.data for each in outcomes)
        assert time.monotonic() - begun > sandbox.limits.call_s


def test_a_killer_is_not_tried_again_until_its_time_has_come():
    clock, killer = Clock(), codec(f"if (bytes[0] === 9) {LOOP} return {{ data: {{ b: bytes }} }};")
    with Sandbox(Limits(call_s=1.0), clock) as sandbox:
        for quarantined_s in (60.0, 240.0):
            assert one(sandbox, killer, b"\x09").killed == "timeout"
            clock.now += quarantined_s - 1
            outcomes = sandbox.run(killer, [Frame(1, bytes([9 if i % 2 else 1])) for i in range(100)])
            assert [each.killed for each in outcomes] == ["", "timeout"] * 50
            assert all(each.wait_s for each in outcomes[1::2]), "one that was tried has nothing to wait for"
            clock.now += 2
        assert one(sandbox, killer, b"\x01").data == {"b": [1]}


def test_the_quarantine_is_bounded_and_ends():
    clock = Clock()
    quarantine = Quarantine(clock, kept=3)
    for number in range(5):
        quarantine.add((number,), "why")
    assert [quarantine.why((number,)) for number in range(5)] == [None, None, "why", "why", "why"]
    clock.now += 61
    assert quarantine.why((4,)) is None
    for _ in range(20):
        quarantine.add((4,), "why")
    clock.now += 86_401
    assert quarantine.why((4,)) is None


def test_a_codec_that_hoards_memory_harms_no_other(patient):
    hoarder = Source.of(
        "var kept = []; function decodeUplink(i) {"
        " kept.push('x'.repeat(1 << 20)); return { data: { n: kept.length } }; }"
    )
    one(patient, ECHO)
    pid, found = patient._worker.process.pid, []
    for _ in range(40):
        found += [each.data["n"] for each in patient.run(hoarder, [Frame(1, b"")] * 10)]
        assert one(patient, ECHO).data == {"b": [1]}
    assert max(found) < 100
    assert patient._worker.process.pid == pid
    assert int(status(pid)["VmHWM"][0]) << 10 <= PATIENT.memory_bytes


def test_a_codec_cannot_pass_for_a_limit(patient):
    outcome = one(patient, codec("return { errors: ['timeout: so it says'] };"))
    assert outcome.errors == ("codec: timeout: so it says",)
    assert outcome.killed == ""


@pytest.mark.parametrize(
    "pollution",
    [
        "Object.prototype.toJSON = function () { return undefined; };",
        "Object.prototype.toJSON = function () { return 'x'; };",
        "Object.prototype.toJSON = function () { throw 1; };",
        "Object.prototype.toJSON = function () { for (;;); };",
        "Object.defineProperty(Object.prototype, 'e', { set() { throw 1; } });",
        "String.prototype.charCodeAt = Array.prototype.push = null;",
        "JSON.stringify = Reflect.apply = Array.isArray = String = null;",
        "delete globalThis.Date; delete globalThis.module; delete globalThis.exports; var driver = null;",
        "for (const n of Object.getOwnPropertyNames(globalThis)) { try { globalThis[n] = null; } catch {} }",
    ],
)
def test_a_polluted_context_answers_for_itself_and_no_other_sees_it(pollution):
    with Sandbox(Limits(call_s=1.0)) as sandbox:
        polluted = Source.of(f"function decodeUplink(i) {{ return {{ data: {{ a: 1 }} }}; }}\n{pollution}")
        outcome = one(sandbox, polluted)
        assert outcome.data is not None or len(outcome.errors) == 1
        clean = codec(
            "return { data: { clean: ({}).toJSON === undefined, d: Date.now(), c: 'a'.charCodeAt(0) } };"
        )
        assert one(sandbox, clean).data == {"clean": True, "d": 0, "c": 97}


# What comes back


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
    | st.floats(-(2**53), 2**53),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=6).filter(lambda key: key != "__proto__"), json_values, max_size=4))
def test_what_a_codec_returns_arrives_unchanged(patient, data):
    source = codec(f"return {{ data: JSON.parse({json.dumps(json.dumps(data))}) }};")
    assert one(patient, source).data == data
    assert one(patient, source, fresh=True).data == data


def test_half_a_surrogate_pair_is_no_reason_to_lose_a_reading(patient):
    assert one(patient, codec(r"return { data: { s: '\ud800x', n: 1 } };")).data == {"s": "?x", "n": 1}


def test_a_result_nested_deeper_than_anybody_reads_is_an_error(patient):
    deep = codec("let a = 1; for (let i = 0; i < 3000; i++) a = [a]; return { data: { a } };")
    assert one(patient, deep).errors[0].startswith(("the result", "RangeError"))
    assert one(patient, ECHO).data == {"b": [1]}


def test_a_flood_of_warnings_is_cut(patient):
    outcome = one(patient, codec("return { data: {}, warnings: new Array(1e5).fill('w'.repeat(1e4)) };"))
    assert len(outcome.warnings) <= 100
    assert max(map(len, outcome.warnings)) < 1000


def test_a_fault_in_a_normaliser_leaves_the_data(patient):
    source = Source.of(
        "function decodeUplink(i) { return { data: { t: 1 } }; }"
        "function normalizeUplink(i) { i.data.t = 2; throw new Error('no'); }"
    )
    outcome = one(patient, source, normalize=True)
    assert (outcome.data, outcome.normalized) == ({"t": 1}, None)
    assert outcome.warnings == ("normalizeUplink: Error: no",)


# In turn


def test_turns_go_to_those_who_wait_longest():
    turns, order = Turns(), []

    def work(number):
        with turns:
            order.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    with turns:
        for number, each in enumerate(threads):
            each.start()
            while len(turns._waiting) <= number:
                time.sleep(0.001)
        order.append("first")
    with turns:
        order.append("last")
    for each in threads:
        each.join(10)
    assert order == ["first", *range(8), "last"]
