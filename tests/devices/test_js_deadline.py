"""A run with a time of its own, a worker that does not start, a sandbox that stops: who waits, who not."""

import itertools
import os
import random
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
from devices.javascript.sandbox import Limits, Sandbox, Source

# what the worker spends is bounded by the clock, so on a busy machine an honest frame can be late
PATIENT = Limits(call_s=10.0)
KINDS = """function decodeUplink(input) {
  var kind = input.bytes[0], data = {kind: kind, number: input.bytes[1]};
  if (kind === 1) { var end = 3e5; for (var i = 0, x = 0; i < end; i++) x += i % 7; data.x = x; }
  if (kind === 2) for (;;);
  if (kind === 3) 'a'.repeat(3e6).indexOf('a'.repeat(1e6) + 'b');
  if (kind === 4) throw new Error('no');
  if (kind === 5) data.long = 'y'.repeat(250000);
  if (kind === 6) data.a = new Uint8Array(1e9);
  return {data: data};
}"""
SALT = itertools.count()


def kinds():
    """A script nobody has seen yet, so that no example is in another's quarantine."""
    return Source.of(f"{KINDS} // {next(SALT)}")


def frames(*kinds_):
    return [Frame(1, bytes([kind, number])) for number, kind in enumerate(kinds_)]


@pytest.fixture(scope="module")
def brisk():
    with Sandbox(Limits(call_s=0.3)) as sandbox:
        yield sandbox


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 5, 6]), max_size=12),
    st.sampled_from([0.0, 0.02, 0.2, 0.7, float("inf")]),
    st.booleans(),
)
def test_every_frame_has_one_answer_that_is_its_own(brisk, sent, within_s, fresh):
    """Good, slow, endless, throwing, long and greedy ones in any order, with any time."""
    brisk.start()
    outcomes = brisk.run(kinds(), frames(*sent), within_s=within_s, fresh=fresh)
    assert len(outcomes) == len(sent)
    for number, (kind, outcome) in enumerate(zip(sent, outcomes, strict=True)):
        if outcome.data is not None:
            assert (outcome.data["kind"], outcome.data["number"]) == (kind, number)
            assert kind not in {2, 3, 4, 6}
        else:
            assert len(outcome.errors) == 1
    if sent:
        assert outcomes[0].wait_s is None, "each run gets on"
    if within_s == float("inf"):
        assert all(each.wait_s is None for each in outcomes)
    waiting = [each.wait_s for each in outcomes if each.wait_s is not None]
    assert waiting == [0.0] * len(waiting)
    # in their order: what is left is left at the end
    assert all(each.wait_s is not None for each in outcomes[len(outcomes) - len(waiting) :])


def test_a_frame_that_the_deadline_cuts_off_is_not_to_blame(brisk):
    brisk.start()
    source = kinds()
    good, cut, after = brisk.run(source, frames(0, 3, 0), within_s=0.1)
    assert good.data
    assert (cut.wait_s, after.wait_s) == (0.0, 0.0)
    assert not cut.killed
    # the next run begins with it, and then it has its whole limit
    brisk.start()
    cut, after = brisk.run(source, frames(0, 3, 0)[1:], within_s=0.1)
    assert cut.killed == "timeout"
    assert cut.wait_s is None
    assert after.wait_s == 0.0


def test_a_slow_codec_gets_on_without_losing_its_worker():
    """One frame takes longer than the whole time: one a run, each within the call's limit."""
    with Sandbox(PATIENT) as sandbox:
        sandbox.start()
        pid, source, left = sandbox._worker.process.pid, kinds(), frames(*[1] * 6)
        runs = 0
        while left:
            runs += 1
            outcomes = sandbox.run(source, left, within_s=0.001)
            answered = [each for each in outcomes if each.wait_s is None]
            assert answered
            assert all(each.data["x"] for each in answered)
            left = left[len(answered) :]
        assert runs > 1
        assert sandbox._worker.process.pid == pid


def test_a_run_ends_in_time_whatever_the_worker_sends(tmp_path, monkeypatch):
    """As one would that an attacker has taken over: answers that never end, drop by drop or in a flood."""
    script = tmp_path / "worker.py"
    for body in (
        "while True: os.write(1, b'\\0\\0\\0\\1L')",
        "os.write(1, b'\\0\\x70\\0\\0A')\nwhile True: os.write(1, b' '); time.sleep(0.001)",
        "os.write(1, b'\\0\\0\\0\\1L')\nwhile True: os.write(1, b'\\0\\0\\0\\1N')",
    ):
        script.write_text(f"import os, time; os.write(1, b'\\0\\0\\0\\1R'); os.read(0, 99999)\n{body}")
        monkeypatch.setattr(process, "_WORKER", script)
        with Sandbox(Limits(call_s=0.5)) as sandbox:
            begun = time.monotonic()
            outcomes = sandbox.run(kinds(), frames(*[0] * 5), within_s=1.0)
            assert time.monotonic() - begun < 60.0
            assert len(outcomes) == 5
            assert not any(each.data for each in outcomes)


# A worker that does not start


def test_no_frame_is_to_blame_for_a_worker_that_does_not_start(tmp_path, monkeypatch):
    program, broken = process._WORKER, tmp_path / "worker.py"
    broken.write_text("raise SystemExit(3)")
    monkeypatch.setattr(process, "_WORKER", broken)
    with Sandbox(PATIENT) as sandbox:
        source = kinds()
        outcomes = sandbox.run(source, frames(0, 0))
        assert {each.killed for each in outcomes} == {"crash"}
        assert all(0 < each.wait_s <= 30 for each in outcomes)
        assert "does not start" in sandbox.fault
        monkeypatch.setattr(process, "_WORKER", program)
        time.sleep(outcomes[0].wait_s)
        assert all(each.data for each in sandbox.run(source, frames(0, 0)))
        assert sandbox.fault == ""


def test_no_files_left_is_not_a_crash_of_a_codec():
    """The kernel refuses the pipes to a worker; in a process of its own, whose limit it is."""
    program = (
        "import os, resource\n"
        "from devices.decoded import Frame; from devices.javascript.sandbox import *\n"
        "sandbox = Sandbox()\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "source = Source.of('function decodeUplink() { return {data: {}} }')\n"
        "[outcome] = sandbox.run(source, [Frame(1, b'')])\n"
        "print(outcome.wait_s > 0, outcome.errors[0])\n"
    )
    root = Path(__file__).parents[2]
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=root, check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    ).stdout  # fmt: skip
    assert said.startswith("True crash: the worker does not start: ")


def test_a_worker_that_is_slow_to_start_is_waited_for_in_several_runs(tmp_path, monkeypatch):
    slow = tmp_path / "worker.py"
    slow.write_text(f"import time\ntime.sleep(1.0)\n{process._WORKER.read_text()}")
    monkeypatch.setattr(process, "_WORKER", slow)
    with Sandbox(PATIENT) as sandbox:
        source = kinds()
        [first] = sandbox.run(source, frames(0), within_s=0.1)
        assert first.wait_s == 0.0
        pid = sandbox._worker.process.pid
        for _ in range(200):
            [outcome] = sandbox.run(source, frames(0), within_s=0.1)
            if outcome.data:
                break
        assert outcome.data
        assert sandbox._worker.process.pid == pid


def test_a_worker_that_ends_while_nobody_waits_for_its_start_has_not_started(tmp_path, monkeypatch):
    broken = tmp_path / "worker.py"
    broken.write_text("import time; time.sleep(3.0)")
    monkeypatch.setattr(process, "_WORKER", broken)
    with Sandbox(PATIENT) as sandbox:
        assert sandbox.run(kinds(), frames(0), within_s=0.0)[0].wait_s == 0.0
        sandbox._worker.process.wait(60)
        [outcome] = sandbox.run(kinds(), frames(0), within_s=0.0)
        assert outcome.wait_s > 0
        assert "does not start" in outcome.errors[0]


# Innocents


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_an_equal_payload_waits_until_the_quarantine_ends_and_the_one_that_killed_does_not():
    clock = Clock()
    source = Source.of("function decodeUplink(i) { if (+i.recvTime % 2) for (;;); return {data: {a: 1}}; }")
    with Sandbox(Limits(call_s=0.5), clock) as sandbox:
        killer, equal = Frame(1, b"\x01", 1000), Frame(1, b"\x01", 2000)
        killed, waits = sandbox.run(source, [killer, equal])
        assert (killed.killed, killed.wait_s) == ("timeout", None)
        assert (waits.killed, waits.wait_s) == ("timeout", 60.0)
        clock.now += 59
        assert sandbox.run(source, [equal])[0].wait_s == 1.0
        clock.now += 2
        assert sandbox.run(source, [equal])[0].data == {"a": 1}


def test_all_wait_for_a_script_that_could_not_be_loaded_also_the_first():
    clock = Clock()
    with Sandbox(Limits(call_s=0.3), clock) as sandbox:
        outcomes = sandbox.run(Source.of("for (;;);"), frames(0, 0, 0))
        assert [(each.killed, each.wait_s) for each in outcomes] == [("timeout", 60.0)] * 3


# Stopped


def test_stop_ends_the_call_that_is_running_and_no_worker_is_started_again(monkeypatch):
    found, answered, answer = [], threading.Event(), process.Process.answer

    def heard(worker, within_s):
        answer_ = answer(worker, within_s)
        answered.set()
        return answer_

    with Sandbox(Limits(call_s=120.0)) as sandbox:
        source = kinds()
        assert sandbox.run(source, frames(0))[0].data
        pid = sandbox._worker.process.pid
        monkeypatch.setattr(process.Process, "answer", heard)
        thread = threading.Thread(target=lambda: found.extend(sandbox.run(source, frames(0, 3, 3, 0))))
        thread.start()
        assert answered.wait(60)
        sandbox.stop()
        thread.join(60.0)
        assert not thread.is_alive()
        assert found[0].data
        # nobody is to blame, and the call had two minutes
        assert [each.wait_s for each in found[1:]] == [0.0] * 3
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        sandbox.start()
        assert [each.wait_s for each in sandbox.run(source, frames(0, 2))] == [0.0] * 2
        assert sandbox._worker is None


def test_stop_does_not_wait_for_a_worker_that_is_starting(tmp_path, monkeypatch):
    slow = tmp_path / "worker.py"
    slow.write_text("import time\ntime.sleep(600)")
    monkeypatch.setattr(process, "_WORKER", slow)
    monkeypatch.setattr(process, "_START_S", 600.0)
    found, sandbox = [], Sandbox(PATIENT)
    thread = threading.Thread(target=lambda: found.extend(sandbox.run(kinds(), frames(0, 0))))
    thread.start()
    time.sleep(0.2)
    sandbox.stop()
    thread.join(60.0)
    assert not thread.is_alive()
    assert [each.wait_s for each in found] == [0.0, 0.0]
    assert sandbox._worker is None


def test_many_threads_run_while_others_kill_the_worker_and_one_stops(monkeypatch):
    """Whatever happens to the worker, each thread has an answer for each frame, and no process is left."""
    started, chance = [], random.Random(7)
    spawn = process.subprocess.Popen

    def remembered(*arguments, **options):
        started.append(spawn(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(process.subprocess, "Popen", remembered)
    sandbox, source, ended = Sandbox(Limits(call_s=0.5)), kinds(), threading.Event()
    answers = []

    def work(number):
        while not ended.is_set():
            sent = [Frame(1, bytes([kind, number])) for kind in (0, 5, 0, 4, 0)]
            answers.append((number, sandbox.run(source, sent, within_s=0.3)))

    def kill():
        while not ended.wait(chance.uniform(0.0, 1.5)):  # a busy machine takes long to start one
            for each in started[-1:]:
                each.send_signal(signal.SIGKILL)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)] + [threading.Thread(target=kill)]
    for each in threads:
        each.start()
    time.sleep(3.0)
    until = time.monotonic() + 60
    while time.monotonic() < until and not any(
        each.data for _, outcomes in answers.copy() for each in outcomes
    ):
        time.sleep(0.2)
    sandbox.stop()
    ended.set()
    for each in threads:
        each.join(60.0)
        assert not each.is_alive()
    assert len(started) > 1
    assert all(each.returncode is not None for each in started)
    assert {len(outcomes) for _, outcomes in answers} == {5}
    mine = [(number, each.data["number"]) for number, outcomes in answers for each in outcomes if each.data]
    assert mine
    assert all(number == found for number, found in mine)
