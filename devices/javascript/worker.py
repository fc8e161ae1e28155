"""The child's program: runs codecs handed to it through standard input and answers through standard output.

It is started as a file, without this project on its path, so that it starts fast and holds nothing worth
stealing: no configuration, no environment, no file besides its two pipes. Each message is 4 bytes of length
(big endian) and a body. The first one to come in is the marshalled `Setup`, all others are a `Request`, also
marshalled: (sha256, text or None, frames, normalize, fresh, seconds), a frame being (payload in hex, fPort,
milliseconds since the epoch); text None: the codec is warm; seconds: after the first, no frame is begun that
would not be done by then. An answer's first byte is its kind. (sha256,) alone: that codec need not be kept
warm any longer; it has no answer.
"""

import contextlib
import ctypes
import marshal
import os
import re
import resource
import signal
import struct
import sys
import time
from collections import OrderedDict
from collections.abc import Iterator

# Started without `site`, which takes half of the start: our parent says where the engine is. The package
# `quickjs` around it would also start a thread pool.
sys.path.append(sys.argv[1])
import _quickjs  # type: ignore[import-not-found]  # an extension module without stubs

READY, UNKNOWN, LOADED, ANSWER, FAULT, TIMEOUT, MEMORY, LEFT = b"RULAETMN"

_INTERRUPTED_AT = (
    0.8  # of the call's time: the engine ends a plain loop itself, before this process is killed
)
_ABANDONED_AFTER = 4.0  # times the call's time: this process ends by itself when nobody is left to kill it
_CONTEXT_SHARE = 2  # a codec may use half of the worker's memory
_WARM_SHARE = 4  # and all warm codecs together a quarter between calls
_MAX_WARM = 128
_FATTEST = 4  # a quarter of that quarter
_TEXT_LENGTH = 500
_NOBODY = 65_534
_PR_SET_NO_NEW_PRIVS = 38
_LINE = re.compile(r"<input>:(\d+)")

# Names declared with let, const or class are no properties of the global object: they are asked for by name.
_HOLDERS = """[
    {
        decodeUplink: typeof decodeUplink === 'function' ? decodeUplink : undefined,
        normalizeUplink: typeof normalizeUplink === 'function' ? normalizeUplink : undefined,
        Decoder: typeof Decoder === 'function' ? Decoder : undefined,
        Decode: typeof Decode === 'function' ? Decode : undefined,
    },
    typeof module === 'object' && module !== null ? module.exports : undefined,
    typeof exports === 'object' ? exports : undefined,
    typeof driver === 'object' ? driver : undefined,
]"""

Frame = tuple[str, int, float]
Request = tuple[str, str | None, list[Frame], bool, bool, float]
Setup = tuple[float, int, int, str, str]  # seconds a call, bytes of memory and stack, prelude.js, buffer.js


class _Failed(Exception):  # noqa: N818 - an answer, not an error
    """A call that has no answer of the codec's own: the kind and the words of the answer instead."""

    def __init__(self, kind: int, words: str = "") -> None:
        super().__init__(words)
        self.kind, self.words = kind, words


class _Codec:
    """One codec in a context of its own."""

    def __init__(self, text: str, setup: Setup) -> None:
        call_s, memory_bytes, stack_bytes, prelude, buffer = setup
        self._context = context = _quickjs.Context()
        context.set_memory_limit(memory_bytes // _CONTEXT_SHARE)
        context.set_max_stack_size(stack_bytes)
        context.set_time_limit(call_s * _INTERRUPTED_AT)
        bind = context.eval(prelude)
        with _engine_faults():
            if re.search(r"\bBuffer\b", text):
                context.eval(buffer)
            context.eval(text)
            self._run = bind(context.eval(_HOLDERS))
        if self._run is None:
            raise _Failed(FAULT, "no decodeUplink, Decoder or Decode in this script")

    def decode(self, frame: Frame, normalize: bool) -> bytes:
        """The answer as JSON; raises _Failed."""
        with _engine_faults():
            answer = self._run(*frame, normalize)
            if isinstance(answer, str):
                return answer.encode()
        if isinstance(answer, int):  # the prelude's word for it
            raise _Failed(MEMORY)
        raise _Failed(FAULT, "the codec's answer cannot be written as JSON")

    def size(self) -> int:
        """Bytes in use."""
        return int(self._context.memory()["memory_used_size"])


@contextlib.contextmanager
def _engine_faults() -> Iterator[None]:
    """What the engine raises, as a _Failed."""
    try:
        yield
    except MemoryError:
        raise _Failed(MEMORY) from None
    except (_quickjs.JSException, ValueError, TypeError) as error:
        words = str(error)
        first = words.split("\n", 1)[0]
        if first == "InternalError: interrupted":
            raise _Failed(TIMEOUT) from None
        if first in {"null", "InternalError: out of memory"}:
            raise _Failed(MEMORY) from None
        line = _LINE.search(words)
        raise _Failed(FAULT, first[:_TEXT_LENGTH] + (f" (line {line[1]})" if line else "")) from None


class _Worker:
    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._abandoned_after_s = _ABANDONED_AFTER * setup[0]
        self._warm_bytes = setup[1] // _WARM_SHARE
        self._warm: OrderedDict[str, tuple[_Codec, int]] = OrderedDict()

    def serve(self) -> None:
        """Answer requests until nobody is left to ask."""
        while message := _receive():
            request = marshal.loads(message)  # noqa: S302 - nobody but our parent can write to this pipe
            if len(request) == 1:
                self._warm.pop(request[0], None)
            else:
                self._batch(*request)

    def _batch(  # noqa: PLR0913, PLR0917 - a request, as it comes
        self,
        sha256: str,
        text: str | None,
        frames: list[Frame],
        normalize: bool,
        fresh: bool,
        within_s: float,
    ) -> None:
        """Answers frame by frame, up to the first that fails by the engine or for which no time is left."""
        end, longest_s = time.monotonic() + within_s, 0.0
        if text is None and sha256 not in self._warm:
            _send(UNKNOWN)
            return
        try:
            codec = None
            if not fresh:
                codec = self._warm.pop(sha256)[0] if text is None else self._load(text)
                if text is not None:
                    _send(LOADED)
            begun = time.monotonic()
            for number, frame in enumerate(frames):
                # to be killed half-way costs a worker and helps nobody; the longest so far stands for it
                if number and begun + longest_s > end:
                    _send(LEFT)
                    break
                _give_up_after(self._abandoned_after_s)
                asked = codec if codec is not None else self._load(text or "")
                _send(ANSWER, asked.decode(frame, normalize))
                done = time.monotonic()
                begun, longest_s = done, max(longest_s, done - begun)
        except _Failed as failed:
            _send(failed.kind, failed.words.encode("utf-8", "replace"))
        except MemoryError:
            _send(MEMORY)
        else:
            if codec is not None:
                self._keep(sha256, codec)
        finally:
            _give_up_after(0)

    def _load(self, text: str) -> _Codec:
        _give_up_after(self._abandoned_after_s)
        return _Codec(text, self._setup)

    def _keep(self, sha256: str, codec: _Codec) -> None:
        """Keep the codec warm; those used longest ago make room, but not for one that has grown fat."""
        size = codec.size()
        if size > self._warm_bytes // _FATTEST:
            return
        self._warm[sha256] = codec, size
        while self._warm and (
            len(self._warm) > _MAX_WARM or sum(size for _, size in self._warm.values()) > self._warm_bytes
        ):
            self._warm.popitem(last=False)


def _give_up_after(seconds: float) -> None:
    """The kernel ends this process then, whatever it is doing; 0: it does not."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _receive() -> bytes | None:
    """The next message of our parent; None when it is gone."""
    head = _read(4)
    return head and _read(struct.unpack(">I", head)[0])


def _read(length: int) -> bytes | None:
    parts = []
    while length:
        part = os.read(0, length)
        if not part:
            return None
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _send(kind: int, body: bytes = b"") -> None:
    message = struct.pack(">IB", len(body) + 1, kind) + body
    while message:
        message = message[os.write(1, message) :]


def _shut_in(memory_bytes: int) -> None:
    """Give up what a codec that breaks out of the engine could use."""
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
    with contextlib.suppress(OSError, AttributeError):  # Linux: no program it starts gets more rights
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    limits = {
        "RLIMIT_AS": memory_bytes,
        "RLIMIT_NOFILE": 0,
        "RLIMIT_NPROC": 0,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_CORE": 0,
    }
    for name, most in limits.items():
        with contextlib.suppress(OSError, ValueError, AttributeError):
            resource.setrlimit(getattr(resource, name), (most, most))


def main() -> None:
    """Serve the parent that started this process."""
    message = _receive()
    if message:
        setup: Setup = marshal.loads(message)  # noqa: S302 - see above
        os.environ["TZ"] = "UTC"  # a codec's local time is the same on every machine
        time.tzset()
        _shut_in(setup[1])
        _send(READY)
        _Worker(setup).serve()


if __name__ == "__main__":
    main()
