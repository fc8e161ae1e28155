"""Runs makers' codecs in a worker process: an endless loop, a memory bomb or a crash costs one uplink.

The engine (QuickJS-NG) limits time, memory and stack by itself, but not inside its own native loops, and it
can crash. So the last word is the parent's: a frame that has no answer within the limit ends the worker, and
the frames after it go to the next one.
"""

import hashlib
import os
import select
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec

from devices.decoded import Frame

QUARANTINE_S = 600.0
_MOST_QUARANTINED = 1_000
_START_S = 20.0
_PAUSE_S = 1.0
_CHUNK = 50
_WORKER = Path(__file__).with_name("worker.py")
_KILLED = ("timeout", "memory", "crash")


@dataclass(frozen=True, slots=True)
class Source:
    """One script; `sha256` (hex, of its UTF-8 text) names it."""

    sha256: str
    text: str

    @classmethod
    def of(cls, text: str) -> Self:
        """The source with this text."""
        return cls(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), text)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a codec answered to one frame.

    `data` is None where it failed; `normalized` the data of `normalizeUplink`, where that was asked for and
    the codec has it. A killed call has one error, which starts with `timeout:`, `memory:` or `crash:`.
    """

    data: dict[str, Any] | None
    normalized: Any | None = None
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def killed(self) -> str:
        """`timeout`, `memory` or `crash` where the call was ended, "" where it answered."""
        head = self.errors[0].partition(":")[0] if self.data is None and self.errors else ""
        return head if head in _KILLED else ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may take: seconds of wall clock, bytes of the whole worker, bytes of its stack."""

    call_s: float = 0.5
    memory_bytes: int = 256 << 20
    stack_bytes: int = 512 << 10


class _Answer(msgspec.Struct):
    data: Any = None
    normalized: Any = None
    warnings: list[str] = []
    errors: list[str] = []


class _Died(Exception):  # noqa: N818 - a jump to the place that starts the next worker
    """`loading`: it ended before the first frame, so that no frame is to blame."""

    def __init__(self, outcome: Outcome, *, loading: bool = False) -> None:
        super().__init__(outcome.errors[0])
        self.outcome = outcome
        self.loading = loading


_answer = msgspec.json.Decoder(_Answer)
_encode, _decode = msgspec.msgpack.encode, msgspec.msgpack.decode


class Sandbox:
    """Thread-safe. One worker, started when it is first needed and again after it had to be killed.

    A frame that had its worker killed is not tried again for ten minutes: who sends it again costs nothing.
    Others get their turn between chunks of 50 frames, and after every frame that took too long.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = Limits() if limits is None else limits
        self.kills = 0
        self._turn = threading.Lock()
        self._next = threading.Lock()
        self._not_before = 0.0
        self._worker: _Worker | None = None
        self._quarantine: OrderedDict[tuple[str, int, bytes], tuple[float, Outcome]] = OrderedDict()

    def start(self) -> None:
        """Start the worker now, so that the first call need not wait for it."""
        with self._turn:
            self._running()

    def stop(self) -> None:
        """End the worker. A later call starts another."""
        with self._turn:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(
        self, source: Source, frames: Sequence[Frame], *, normalize: bool = False, fresh: bool = False
    ) -> list[Outcome]:
        """What the script answers to each frame, in their order; never raises, whatever they are.

        `fresh`: every frame in a context of its own, at about a millisecond each.
        """
        outcomes: list[Outcome] = []
        while len(outcomes) < len(frames):
            with self._next:  # who waits for a turn waits in here, and who had one queues behind
                self._turn.acquire()
            try:
                chunk = frames[len(outcomes) : len(outcomes) + _CHUNK]
                outcomes += self._chunk(source, chunk, normalize, fresh)
            finally:
                self._turn.release()
        return outcomes

    def _chunk(self, source: Source, frames: Sequence[Frame], normalize: bool, fresh: bool) -> list[Outcome]:
        """Answers to the first frames, at least to one."""
        if known := self._quarantined(source, frames[0]):
            return [known]
        try:
            worker = self._running()
        except _Died as died:  # nobody's fault but the machine's
            self._not_before = time.monotonic() + _PAUSE_S
            return [died.outcome] * len(frames)
        outcomes: list[Outcome] = []
        try:
            worker.run(source, frames, normalize, fresh, outcomes)
        except _Died as died:
            self._end()
            self.kills += 1
            outcomes += [died.outcome] * (len(frames) if died.loading else 1)
        if outcomes[-1].killed:
            self._remember(source, frames[len(outcomes) - 1], outcomes[-1])
        return outcomes

    def _running(self) -> "_Worker":
        if self._worker is None or self._worker.process.poll() is not None:
            self._end()
            if time.monotonic() < self._not_before:
                raise _Died(_failed("crash", "the worker does not start"))
            self._worker = _Worker(self.limits)
        return self._worker

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def _quarantined(self, source: Source, frame: Frame) -> Outcome | None:
        until, outcome = self._quarantine.get((source.sha256, frame.f_port, frame.payload), (0.0, None))
        return outcome if time.monotonic() < until else None

    def _remember(self, source: Source, frame: Frame, outcome: Outcome) -> None:
        key = source.sha256, frame.f_port, frame.payload
        self._quarantine[key] = time.monotonic() + QUARANTINE_S, outcome
        self._quarantine.move_to_end(key)
        if len(self._quarantine) > _MOST_QUARANTINED:
            self._quarantine.popitem(last=False)


def warm_differs(sandbox: Sandbox, source: Source, frames: Sequence[Frame]) -> bool:
    """Whether a codec's answer depends on what it was asked before: in a row, backwards, each afresh."""
    alone = sandbox.run(source, frames, fresh=True)
    in_a_row = sandbox.run(source, frames)
    backwards = sandbox.run(source, frames[::-1])[::-1]
    return not alone == in_a_row == backwards


class _Worker:
    """One process and the talk with it. Raises _Died with the outcome of the frame at which it ended."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        arguments = (limits.memory_bytes, limits.stack_bytes, limits.call_s)
        self.process = subprocess.Popen(  # noqa: S603 - our own file, by this interpreter
            [sys.executable, "-I", str(_WORKER), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,  # the terminal's Ctrl-C is for the service, which ends its worker itself
            bufsize=0,
        )
        self._buffer = bytearray()
        try:
            self._receive(_START_S)
        except _Died:
            self.end()
            raise

    def end(self) -> None:
        """Kill it; there is nothing in it that needs time."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def run(
        self, source: Source, frames: Sequence[Frame], normalize: bool, fresh: bool, outcomes: list[Outcome]
    ) -> None:
        """Append the answers one by one: those before a kill are kept. After a timeout no more come."""
        rows = [[each.payload.hex(), each.f_port, each.received_us / 1000] for each in frames]
        try:
            kind, said = self._ask([source.sha256, "", normalize, fresh, rows])
            if kind == "unknown":
                kind, said = self._ask([source.sha256, source.text or " ", normalize, fresh, rows])
        except _Died as died:
            raise _Died(died.outcome, loading=True) from died
        if kind != "loaded":
            outcomes += [_failed(kind, said)] * len(frames)
            return
        for _ in frames:
            kind, said = self._receive(self._limits.call_s)
            outcomes.append(_read(said) if kind == "json" else _failed(kind, said))
            if kind == "timeout":
                return

    def _ask(self, request: list[Any]) -> list[str]:
        self._send(request)
        return self._receive(self._limits.call_s)

    def _send(self, request: list[Any]) -> None:
        # a lone surrogate is no text that could be sent: the engine sees what Python's "?" makes of it
        request[1] = request[1].encode("utf-8", "replace").decode()
        body = _encode(request)
        rest = memoryview(len(body).to_bytes(4, "big") + body)
        pipe = self.process.stdin
        try:
            while pipe is not None and rest:
                rest = rest[os.write(pipe.fileno(), rest) :]
        except OSError as error:
            raise _Died(self._crash()) from error

    def _receive(self, within_s: float) -> list[str]:
        pipe = self.process.stdout
        if pipe is None:
            raise _Died(self._crash())
        end = time.monotonic() + within_s
        while True:
            whole = 4 + int.from_bytes(self._buffer[:4], "big") if len(self._buffer) >= 4 else 4  # noqa: PLR2004
            if len(self._buffer) >= whole > 4:  # noqa: PLR2004 - the length's bytes
                body = bytes(self._buffer[4:whole])
                del self._buffer[:whole]
                answer: list[str] = _decode(body)
                return answer
            ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise _Died(_failed("timeout", f"no answer within {within_s:g} s"))
            part = os.read(pipe.fileno(), 1 << 16)
            if not part:
                raise _Died(self._crash())
            self._buffer += part

    def _crash(self) -> Outcome:
        try:
            code = self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            return _failed("crash", "the worker closed its pipe")
        return _failed("crash", f"the worker ended with {code}")


def _read(text: str) -> Outcome:
    try:
        found = _answer.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        return _failed("error", f"the answer cannot be read: {error}")
    data = found.data if isinstance(found.data, dict) else None
    return Outcome(data, found.normalized, tuple(found.warnings), tuple(found.errors))


def _failed(kind: str, said: str) -> Outcome:
    return Outcome(None, errors=(f"{kind}: {said}" if kind in _KILLED else said,))
