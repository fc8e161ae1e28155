"""The worker process as its parent sees it: started, asked, waited for, killed."""

import contextlib
import functools
import importlib.util
import marshal
import os
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from devices.javascript.errors import LimitReached

_WORKER = Path(__file__).with_name("worker.py")
_START_S = 10.0
_MAX_MESSAGE = 8 << 20
_READ_BYTES = 1 << 16
# for an answer that has begun to come: this machine may be late with reading, but an answer must end
_LAST_WORDS_S = 0.1
# SIGKILL that is not ours comes from a kernel (or a container) short of memory.
_BY_SIGNAL: dict[int, str] = {signal.SIGKILL: "memory", signal.SIGALRM: "timeout"}
READY = ord("R")


@functools.cache
def _script(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")


class Process:
    """One worker process. Not thread-safe; every wait has an end.

    What goes wrong is raised as LimitReached, and then the process is dead and this object done.
    """

    alive = True

    def __init__(self, call_s: float, memory_bytes: int, stack_bytes: int) -> None:
        """Start it; raises LimitReached where no process can be had. It may be asked once it is `ready`."""
        # some interpreters find their own library only by this name; nothing else is handed on
        environment = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        engine = importlib.util.find_spec("_quickjs")
        if engine is None or engine.origin is None:
            raise LimitReached("crash", "the package quickjs-ng is not installed")
        try:
            self.process = subprocess.Popen(  # noqa: S603 - our own file
                [sys.executable, "-I", "-S", str(_WORKER), str(Path(engine.origin).parent)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd="/",
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise LimitReached("crash", f"the worker cannot be started: {error}") from error
        assert self.process.stdin is not None  # noqa: S101 - we asked for pipes
        assert self.process.stdout is not None  # noqa: S101 - we asked for pipes
        self._in, self._out = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        self._poll_in, self._poll_out = select.poll(), select.poll()
        self._poll_in.register(self._in, select.POLLOUT)
        self._poll_out.register(self._out, select.POLLIN)
        self._read = bytearray()
        self.started, self._start_end = False, time.monotonic() + _START_S
        self.ask((call_s, memory_bytes, stack_bytes, _script("prelude.js"), _script("buffer.js")), _START_S)

    def ready(self, within_s: float) -> bool:
        """Whether it has started; waits so long for it. Raises LimitReached where it never will."""
        if self.started:
            return True
        left = self._start_end - time.monotonic()
        if not self._poll_out.poll(max(0.0, min(within_s, left)) * 1000) and within_s < left:
            return False
        kind, _ = self.answer(max(0.0, self._start_end - time.monotonic()))
        if kind != READY:
            self._end("crash", "the worker does not speak as expected")
        self.started = True
        return True

    def ask(self, request: tuple[Any, ...], within_s: float) -> None:
        """Send a request; raises LimitReached where the worker does not take it in time."""
        body = marshal.dumps(request)
        message = memoryview(struct.pack(">I", len(body)) + body)
        deadline = time.monotonic() + within_s
        while message:
            try:
                message = message[os.write(self._in, message) :]
            except BlockingIOError:
                self._wait(self._poll_in, deadline)
            except OSError:
                self._died()

    def answer(self, within_s: float) -> tuple[int, bytes]:
        """The next answer: its kind and its body; raises LimitReached where it does not come in time."""
        deadline = 0.0
        while True:
            if length := self._complete():
                kind, body = self._read[4], bytes(self._read[5 : 4 + length])
                del self._read[: 4 + length]
                return kind, body
            deadline = deadline or time.monotonic() + within_s
            try:
                more = os.read(self._out, _READ_BYTES)
            except BlockingIOError:
                self._wait(self._poll_out, deadline)
                continue
            if not more:
                self._died()
            self._read += more
            if time.monotonic() > deadline + _LAST_WORDS_S and not self._complete():
                self._end("timeout")

    def _complete(self) -> int:
        """The length of the answer that has come, 0 for none yet; raises LimitReached for an absurd one."""
        if len(self._read) < 4:  # noqa: PLR2004 - the length of the length
            return 0
        (length,) = struct.unpack_from(">I", self._read)
        if not 0 < length <= _MAX_MESSAGE:
            self._end("crash", "the worker does not speak as expected")
        return length if len(self._read) >= 4 + length else 0

    def interrupt(self) -> None:
        """End it from another thread; whoever waits for its answer hears that it died."""
        self.process.kill()

    def kill(self) -> None:
        """End it, whatever it is doing."""
        self.alive = False
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _wait(self, poll: select.poll, deadline: float) -> None:
        left = deadline - time.monotonic()
        if not poll.poll(max(0.0, left) * 1000) and left <= 0:
            self._end("timeout")

    def _died(self) -> NoReturn:
        """It closed its pipe by itself: say why."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)
        code = self.process.returncode
        if code is None:
            self._end("crash", "the worker closed its pipe")
        self._end(_BY_SIGNAL.get(-code, "crash"), f"the worker ended with {code}")

    def _end(self, kind: str, words: str = "") -> NoReturn:
        self.kill()
        raise LimitReached(kind, words)
