"""Codecs in JavaScript, run where they can do no harm: in a process that can be killed at any time."""

import contextlib
import hashlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from devices.decoded import Frame
from devices.javascript.errors import LimitReached, NotNow
from devices.javascript.outcome import Outcome, answered, failed
from devices.javascript.process import Process
from devices.javascript.quarantine import Quarantine
from devices.javascript.turns import Turns

UNKNOWN, LOADED, ANSWER, FAULT, TIMEOUT, MEMORY, LEFT = b"ULAETMN"

_AT_ONCE = 256  # frames a turn: some 10 ms
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 30.0
# of the time that is left: so much earlier the worker stops by itself, for when its time is over it is killed
_WORKERS_SHARE = 0.9
# and so much later, for it may be saying just now that it has stopped
_GRACE_S = 0.05


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
class Limits:
    """What a codec may use.

    `call_s`: seconds of wall clock for one frame, and as many for loading a codec; `memory_bytes` for the
    whole worker, of which one codec may use half; `stack_bytes` for the engine's stack.
    """

    call_s: float = 0.5
    memory_bytes: int = 256 << 20
    stack_bytes: int = 512 << 10


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
        # not the turn: `stop` must find the worker of a call that is running
        self._guard = threading.Lock()
        self._stopped = False
        self._worker: Process | None = None
        self._warm: set[str] = set()
        self._quarantine = Quarantine(clock)
        self._pause_s, self._no_start_before, self._why_no_start = 0.0, 0.0, ""

    def start(self) -> None:
        """Start the worker now, so that the first uplink need not wait for it. Optional; never raises."""
        with self._turn, contextlib.suppress(NotNow):  # run() will say so
            self._running(math.inf)

    def stop(self) -> None:
        """End the worker at once, also in the middle of a call. Final: no other is ever started.

        Frames that have no answer by then, and all of a later run(), are answered with a `wait_s`.
        """
        with self._guard:
            self._stopped = True
            if self._worker is not None:
                self._worker.interrupt()
        with self._turn:
            self._drop()

    def forget(self, sha256: str) -> None:
        """Let go of the warm context of a codec that is not in force any more; asked again, it is loaded."""
        with self._turn:
            worker = self._worker
            if sha256 not in self._warm or worker is None or not worker.started:
                return
            self._warm.discard(sha256)
            with contextlib.suppress(LimitReached):  # the next run finds it dead and starts another
                worker.ask((sha256,), self.limits.call_s)

    def load_fault(self, source: Source) -> str:
        """Why a script cannot be loaded, "" where it can; without a frame. Never raises."""
        with self._turn:
            process = None
            try:
                process = self._running(math.inf)
                process.ask((source.sha256, source.text, [], False, False, math.inf), self.limits.call_s)
                kind, body = process.answer(self.limits.call_s)
            except NotNow as why:
                return why.words
            except LimitReached as reached:
                self._let_go(process)
                return f"{reached.kind}: {reached.words or self._words[reached.kind]}"
            self._warm.discard(source.sha256)
            if kind == LOADED:
                self._warm.add(source.sha256)
                return ""
            if kind not in {FAULT, TIMEOUT}:
                self._drop()
            if kind == FAULT:
                return body.decode("utf-8", "replace")
            limit = {TIMEOUT: "timeout", MEMORY: "memory"}.get(kind, "crash")
            return f"{limit}: {self._words[limit]}"

    @property
    def fault(self) -> str:
        """Why the worker does not start, "" while it does."""
        return self._why_no_start if self._pause_s else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(
        self,
        source: Source,
        frames: Sequence[Frame],
        *,
        normalize: bool = False,
        fresh: bool = False,
        within_s: float = math.inf,
    ) -> list[Outcome]:
        """What the codec makes of each frame, in their order; never raises on any script or frame.

        `received_us` of a frame is its recvTime and the time at which the codec's clock stands; `normalize`:
        ask for normalizeUplink too; `fresh`: a new global state for every frame, at 1 to 3 ms each.
        `within_s`: frames that have no answer after so many seconds of wall clock, waiting for a turn
        included, are answered with `wait_s` 0. The first that is asked has its whole limit in any case, so
        each run gets on, unless it is the worker's start that takes longer.
        """
        job = _Job(source, normalize, fresh, time.monotonic() + within_s)
        outcomes: list[Outcome | None] = [None] * len(frames)
        at, asked = 0, False
        while at < len(frames):
            upto = min(at + _AT_ONCE, len(frames))
            with self._turn:
                free = self._free(source, frames, range(at, upto), outcomes)
                answers, why = self._attempt(job, [frames[i] for i in free], sure=not asked)
            asked = asked or bool(free)
            for i, answer in zip(free, answers, strict=False):
                outcomes[i] = answer
            if why is not None:
                waits = failed(why.words, why.wait_s)
                return [waits if each is None else each for each in outcomes]
            at = free[len(answers)] if len(answers) < len(free) else upto
        return [each for each in outcomes if each is not None]

    def _free(
        self, source: Source, frames: Sequence[Frame], places: range, outcomes: list[Outcome | None]
    ) -> list[int]:
        """Places of the frames that may run; the others have their outcomes now."""
        free = []
        for i in places:
            for key in ((source.sha256,), _key(source, frames[i])):
                if why := self._quarantine.why(key):
                    outcomes[i] = failed(why, self._quarantine.left_s(key))
                    break
            else:
                free.append(i)
        return free

    def _attempt(
        self, job: "_Job", frames: Sequence[Frame], *, sure: bool
    ) -> tuple[list[Outcome], NotNow | None]:
        """Outcomes of the first frames: up to and with the first that runs into a limit, at least one.

        And why there is none for the rest, where that is nobody's fault. `sure`: the first one has its whole
        limit, also beyond the end.
        """
        outcomes: list[Outcome] = []
        if not frames:
            return outcomes, None
        process, loading = None, False
        try:
            process = self._running(job.end, sure)
            loading = not job.fresh and job.source.sha256 not in self._warm
            for kind, body in self._answers(process, job, frames, sure):
                if kind == ANSWER:
                    outcomes.append(answered(body))
                elif kind in {LOADED, UNKNOWN}:
                    loading = kind == UNKNOWN
                else:  # a fault: of loading, where no frame will fare better, or of this frame
                    fault = failed(body.decode("utf-8", "replace"))
                    outcomes += [fault] * (len(frames) if loading else 1)
        except NotNow as why:
            self._let_go(process)
            return outcomes, why
        except LimitReached as reached:
            self.kills += self._let_go(process)
            if self._stopped:
                return outcomes, _stopped()
            return [*outcomes, self._blamed(job, None if loading else frames[len(outcomes)], reached)], None
        except BaseException:  # Ctrl-C: answers nobody waits for any more would be taken for the next ones
            self._drop()
            raise
        return outcomes, None

    def _blamed(self, job: "_Job", frame: Frame | None, reached: LimitReached) -> Outcome:
        """What is to blame does not run again for a while: a frame, or None: the script as a whole."""
        words = f"{reached.kind}: {reached.words or self._words[reached.kind]}"
        key = (job.source.sha256,) if frame is None else _key(job.source, frame)
        self._quarantine.add(key, words)
        return failed(words, self._quarantine.left_s(key) if frame is None else None)

    def _let_go(self, process: Process | None) -> bool:
        """Forget the worker where it has ended; say whether."""
        if process is None or process.alive:
            return False
        self._drop()
        return True

    def _answers(
        self, process: Process, job: "_Job", frames: Sequence[Frame], sure: bool
    ) -> Iterator[tuple[int, bytes]]:
        """What the worker answers, up to the last frame or the first fault; raises LimitReached, NotNow."""
        sha256 = job.source.sha256
        asked = [(each.payload.hex(), each.f_port, each.received_us / 1000) for each in frames]
        text = job.source.text if job.fresh or sha256 not in self._warm else None
        left_s = (job.end - time.monotonic()) * _WORKERS_SHARE
        process.ask((sha256, text, asked, job.normalize, job.fresh, left_s), self.limits.call_s)
        left, loaded, end = len(frames), False, job.end
        while left:
            kind, body = self._answer(process, end, sure)
            if kind == UNKNOWN and text is None:
                text = job.source.text
                process.ask((sha256, text, asked, job.normalize, job.fresh, left_s), self.limits.call_s)
            elif kind == LOADED and not loaded:
                loaded = True
                self._warm.add(sha256)
            elif kind == ANSWER:
                if sure:
                    sure, end = False, max(end, time.monotonic())
                left -= 1
            elif kind == LEFT:
                raise _no_time()
            else:  # the worker has let go of the codec's context
                self._warm.discard(sha256)
                if kind == TIMEOUT:
                    raise LimitReached("timeout")
                if kind != FAULT:
                    process.kill()  # an engine short of memory is not trusted any further
                    raise LimitReached("memory" if kind == MEMORY else "crash")
                left = 0
            yield kind, body

    def _answer(self, process: Process, end: float, sure: bool) -> tuple[int, bytes]:
        """The next answer; raises LimitReached, and NotNow where the end comes before the call's limit."""
        call_s = self.limits.call_s
        left_s = call_s if sure else min(call_s, max(0.0, end + _GRACE_S - time.monotonic()))
        try:
            return process.answer(left_s)
        except LimitReached as reached:
            if left_s < call_s and reached.kind == "timeout":
                raise _no_time() from None
            raise

    def _running(self, end: float, sure: bool = True) -> Process:
        """The worker, started where there is none. Raises NotNow: at once in a pause after a failure."""
        if self._stopped:
            raise _stopped()
        if not sure and time.monotonic() >= end:
            raise _no_time()
        worker = self._worker
        if worker is not None and worker.started and worker.process.poll() is not None:
            self._drop()
            worker = None
        if worker is None and self._clock() < self._no_start_before:
            raise NotNow(self._why_no_start, self._no_start_before - self._clock())
        try:
            worker = worker or self._spawn()
            if not worker.ready(max(0.0, end - time.monotonic())):
                raise NotNow("the worker is starting")
        except LimitReached as reached:
            self._drop()
            if self._stopped:
                raise _stopped() from None
            self._pause_s = min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, 2 * self._pause_s))
            self._no_start_before = self._clock() + self._pause_s
            self._why_no_start = f"crash: the worker does not start: {reached.words or reached.kind}"
            raise NotNow(self._why_no_start, self._pause_s) from None
        self._pause_s = 0.0
        return worker

    def _spawn(self) -> Process:
        limits = self.limits
        worker = Process(limits.call_s, limits.memory_bytes, limits.stack_bytes)
        with self._guard:
            if not self._stopped:
                self._worker = worker
                return worker
        worker.kill()
        raise _stopped()

    def _drop(self) -> None:
        with self._guard:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
        self._warm.clear()


@dataclass(frozen=True, slots=True)
class _Job:
    """What a run asks for; `end`: when its time is over, by time.monotonic."""

    source: Source
    normalize: bool
    fresh: bool
    end: float


def _no_time() -> NotNow:
    return NotNow("no time was left")


def _stopped() -> NotNow:
    return NotNow("the sandbox has stopped")


def _key(source: Source, frame: Frame) -> tuple[object, ...]:
    return source.sha256, frame.f_port, frame.payload
