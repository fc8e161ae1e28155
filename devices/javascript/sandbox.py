"""Codecs in JavaScript, run where they can do no harm: in a process that can be killed at any time."""

import contextlib
import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import msgspec

from devices.decoded import Frame
from devices.javascript.errors import LimitReached
from devices.javascript.process import Process
from devices.javascript.quarantine import Quarantine
from devices.javascript.turns import Turns

UNKNOWN, LOADED, ANSWER, FAULT, TIMEOUT, MEMORY = b"ULAETM"

_LIMITS = frozenset({"timeout", "memory", "crash"})
_AT_ONCE = 256  # frames a turn: some 10 ms
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Source:
    """One script; `sha256` of its text (UTF-8, in hex) names it."""

    sha256: str
    text: str

    @classmethod
    def of(cls, text: str) -> "Source":
        """The script with this text."""
        return cls(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), text)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a codec made of one frame.

    `data` as decodeUplink, Decode or Decoder gave it, None where it failed; `normalized` the data of
    normalizeUplink, where the codec has one and it was asked for. `errors`: what the codec returned or
    threw; of a call that ran into a limit exactly one, which starts with `timeout:`, `memory:` or `crash:`.
    """

    data: dict[str, Any] | None
    normalized: Any | None = None
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def killed(self) -> str:
        """`timeout`, `memory` or `crash` where the call ran into a limit, "" where it answered."""
        head = self.errors[0].partition(":")[0] if self.data is None and self.errors else ""
        return head if head in _LIMITS else ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a codec may use.

    `call_s`: seconds of wall clock for one frame, and as many for loading a codec; `memory_bytes` for the
    whole worker, of which one codec may use half; `stack_bytes` for the engine's stack.
    """

    call_s: float = 0.5
    memory_bytes: int = 256 << 20
    stack_bytes: int = 512 << 10


class _Answer(msgspec.Struct):
    d: dict[str, Any] | None = None
    n: Any = None
    w: tuple[str, ...] = ()
    e: tuple[str, ...] = ()


_decode_answer = msgspec.json.Decoder(_Answer).decode


class Sandbox:
    """Runs codecs in one worker process, started when first needed and again after a kill.

    Thread-safe: threads take turns, and a turn ends after some frames or with the first that runs into a
    limit, so a bad codec delays the next uplink of another by one time limit. A codec keeps its context from
    call to call, and no other codec ever sees it.
    """

    def __init__(self, limits: Limits = Limits(), clock: Callable[[], float] = time.monotonic) -> None:
        self.limits, self._clock = limits, clock
        self.kills = 0
        self._words = {
            "timeout": f"no answer within {limits.call_s:g} s",
            "memory": f"more than the codec's share of {limits.memory_bytes >> 20} MiB",
            "crash": "the worker does not speak as expected",
        }
        self._turn = Turns()
        self._worker: Process | None = None
        self._warm: set[str] = set()
        self._quarantine = Quarantine(clock)
        self._pause_s, self._no_start_before, self._why_no_start = 0.0, 0.0, ""

    def start(self) -> None:
        """Start the worker now, so that the first uplink need not wait for it. Optional; never raises."""
        with self._turn, contextlib.suppress(LimitReached):  # run() will say so
            self._running()

    def stop(self) -> None:
        """End the worker as soon as the call that is running has ended. A later run() starts another."""
        with self._turn:
            self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(
        self, source: Source, frames: Sequence[Frame], *, normalize: bool = False, fresh: bool = False
    ) -> list[Outcome]:
        """What the codec makes of each frame, in their order; never raises on any script or frame.

        `received_us` of a frame is its recvTime and the time at which the codec's clock stands; `normalize`:
        ask for normalizeUplink too; `fresh`: a new global state for every frame, at 1 to 3 ms each.
        """
        outcomes: list[Outcome | None] = [None] * len(frames)
        at = 0
        while at < len(frames):
            end = min(at + _AT_ONCE, len(frames))
            with self._turn:
                free = []
                for i in range(at, end):
                    why = self._quarantine.why((source.sha256,)) or self._quarantine.why(
                        _key(source, frames[i])
                    )
                    if why is None:
                        free.append(i)
                    else:
                        outcomes[i] = _failed(why)
                answers = self._attempt(source, [frames[i] for i in free], normalize, fresh)
            for i, answer in zip(free, answers, strict=False):
                outcomes[i] = answer
            at = free[len(answers)] if len(answers) < len(free) else end
        return [each for each in outcomes if each is not None]

    def _attempt(
        self, source: Source, frames: Sequence[Frame], normalize: bool, fresh: bool
    ) -> list[Outcome]:
        """Outcomes of the first frames, at least one: up to and with the first that runs into a limit."""
        if not frames:
            return []
        try:
            process = self._running()
        except LimitReached as reached:
            return [_failed(str(reached))] * len(frames)
        outcomes: list[Outcome] = []
        loading = not fresh and source.sha256 not in self._warm
        try:
            for kind, body in self._answers(process, source, frames, normalize, fresh):
                if kind == ANSWER:
                    outcomes.append(_outcome(body))
                elif kind in {LOADED, UNKNOWN}:
                    loading = kind == UNKNOWN
                else:  # a fault: of loading, where no frame will fare better, or of this frame
                    fault = _failed(body.decode("utf-8", "replace"))
                    outcomes += [fault] * (len(frames) if loading else 1)
        except LimitReached as reached:
            if not process.alive:
                self.kills += 1
                self._drop()
            words = f"{reached.kind}: {reached.words or self._words[reached.kind]}"
            key = (source.sha256,) if loading else _key(source, frames[len(outcomes)])
            self._quarantine.add(key, words)
            return [*outcomes, _failed(words)]
        except BaseException:  # Ctrl-C: answers nobody waits for any more would be taken for the next ones
            self._drop()
            raise
        return outcomes

    def _answers(
        self, process: Process, source: Source, frames: Sequence[Frame], normalize: bool, fresh: bool
    ) -> Iterator[tuple[int, bytes]]:
        """What the worker answers, up to the last frame or the first fault; raises LimitReached."""
        call_s = self.limits.call_s
        asked = [(each.payload.hex(), each.f_port, each.received_us / 1000) for each in frames]
        text = source.text if fresh or source.sha256 not in self._warm else None
        process.ask((source.sha256, text, asked, normalize, fresh), call_s)
        left = len(frames)
        while left:
            kind, body = process.answer(call_s)
            if kind == UNKNOWN and text is None:
                text = source.text
                process.ask((source.sha256, text, asked, normalize, fresh), call_s)
            elif kind == LOADED:
                self._warm.add(source.sha256)
            elif kind == ANSWER:
                left -= 1
            else:  # the worker has let go of the codec's context
                self._warm.discard(source.sha256)
                if kind == TIMEOUT:
                    raise LimitReached("timeout")
                if kind != FAULT:
                    process.kill()  # an engine short of memory is not trusted any further
                    raise LimitReached("memory" if kind == MEMORY else "crash")
                left = 0
            yield kind, body

    def _running(self) -> Process:
        """The worker, started where there is none; raises LimitReached, at once in a pause after failure."""
        if self._worker is not None and self._worker.process.poll() is None:
            return self._worker
        self._drop()
        if self._clock() < self._no_start_before:
            raise LimitReached("crash", self._why_no_start)
        limits = self.limits
        try:
            self._worker = Process(limits.call_s, limits.memory_bytes, limits.stack_bytes)
        except LimitReached as reached:
            self._pause_s = min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, 2 * self._pause_s))
            self._no_start_before = self._clock() + self._pause_s
            self._why_no_start = f"the worker does not start: {reached.words or reached.kind}"
            raise LimitReached("crash", self._why_no_start) from None
        self._pause_s = 0.0
        return self._worker

    def _drop(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker = None
            self._warm.clear()


def _key(source: Source, frame: Frame) -> tuple[object, ...]:
    return source.sha256, frame.f_port, frame.payload


def _failed(words: str) -> Outcome:
    return Outcome(None, None, (), (words,))


def _outcome(body: bytes) -> Outcome:
    """The worker's JSON as an Outcome. A codec writes it, so nothing about it is taken for granted."""
    try:
        answer = _decode_answer(body)
    except msgspec.MsgspecError:
        # A string may hold half of a surrogate pair, which JavaScript escapes and no other reader takes.
        try:
            mended = json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8", "replace")
            answer = _decode_answer(mended)
        except (ValueError, RecursionError) as error:
            return _failed(f"the result cannot be read: {error}")
    except RecursionError:
        return _failed("the result is nested too deeply")
    if answer.e:
        return Outcome(None, None, answer.w, tuple(map(_codec_said, answer.e)))
    if answer.d is None:
        return _failed("the codec returned no data")
    return Outcome(answer.d, answer.n, answer.w, ())


def _codec_said(error: str) -> str:
    """An error in the codec's words, which cannot pass for a limit."""
    return f"codec: {error}" if error.partition(":")[0] in _LIMITS else error


def warm_differs(sandbox: Sandbox, source: Source, frames: Sequence[Frame]) -> bool:
    """Whether a codec keeps something from one frame for the next.

    Compares answers in a fresh context each with those of a warm one: in their order, backwards and shuffled
    (the same way every time).
    """
    alone = sandbox.run(source, frames, fresh=True)
    order = list(range(len(frames)))
    shuffled = random.Random(source.sha256).sample(order, len(order))  # noqa: S311 - an order, no secret
    for each in (order, order[::-1], shuffled):
        warm = sandbox.run(source, [frames[i] for i in each])
        if warm != [alone[i] for i in each]:
            return True
    return False
