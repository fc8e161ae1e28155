"""The process in which codecs run: `python -I worker.py MEMORY_BYTES STACK_BYTES CALL_S`.

`sandbox` speaks to it. It imports nothing of ours: so it starts quickly and holds nothing worth stealing.
Messages both ways are a length (4 bytes, big-endian) and msgpack.
In: `[sha256, text, normalize, fresh, rows]`, a row `[hex, fPort, ms]`; text empty for a script it has.
Out: `["ready", ""]` once; for each request `["loaded", ""]`, or `["unknown", ""]` or why it cannot load,
and nothing follows; then for each frame `["json", text]` or `["timeout"|"memory"|"error", text]`. After a
timeout it does no more of the request: others may be waiting.
"""

import contextlib
import os
import resource
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import _quickjs  # type: ignore[import-not-found]
import msgspec

MOST_CONTEXTS = 64
MOST_ANSWER = 256 << 10
"""Characters of one answer's JSON; an uplink has at most 255 bytes."""
_SHRINK_BYTES = 4 << 20
_NOBODY = 65_534
_HERE = Path(__file__).parent
_encode, _decode = msgspec.msgpack.encode, msgspec.msgpack.decode


class Contexts:
    """Warm contexts by script, those not used for longest given up first."""

    def __init__(self, memory_bytes: int, stack_bytes: int, call_s: float) -> None:
        self._memory_bytes = memory_bytes
        self._stack_bytes = stack_bytes
        self._call_s = call_s
        self._texts = {
            name: (_HERE / f"{name}.js").read_text("utf-8") for name in ("prelude", "buffer", "driver")
        }
        self._sources: OrderedDict[str, str] = OrderedDict()
        self._warm: OrderedDict[str, tuple[Any, Any]] = OrderedDict()

    def know(self, sha256: str, text: str) -> bool:
        """Whether this script is known, from now on where its text is given."""
        if text:
            self._sources[sha256] = text
            while len(self._sources) > MOST_CONTEXTS:
                old, _ = self._sources.popitem(last=False)
                self._warm.pop(old, None)
        if sha256 not in self._sources:
            return False
        self._sources.move_to_end(sha256)
        return True

    def call(self, sha256: str) -> Any:
        """The script's function of (hex, fPort, ms, normalize), in its warm context."""
        if sha256 not in self._warm:
            self._warm[sha256] = self._new(self._sources[sha256])
        return self._warm[sha256][1]

    def drop(self, sha256: str) -> None:
        """Give the script's context up: the next call gets a new one."""
        self._warm.pop(sha256, None)

    def tidy(self, sha256: str) -> None:
        """Give a context up that has grown, by leaks or by its caches."""
        context = self._warm.get(sha256)
        if context and context[0].memory()["malloc_size"] > _SHRINK_BYTES:
            self.drop(sha256)

    def _new(self, text: str) -> tuple[Any, Any]:
        context = _quickjs.Context()
        context.set_memory_limit(self._memory_bytes)
        context.set_max_stack_size(self._stack_bytes)
        context.set_time_limit(self._call_s)
        context.eval(self._texts["prelude"])
        if "Buffer" in text:
            context.eval(self._texts["buffer"])
        context.eval(text)
        return context, context.eval(self._texts["driver"])


def answer(contexts: Contexts, sha256: str, normalize: bool, frame: list[Any]) -> list[str]:
    """What the script makes of one frame."""
    try:
        text = contexts.call(sha256)(*frame, normalize)
        if not isinstance(text, str):
            return ["error", "the codec returned nothing that can be written as JSON"]
        if len(text) > MOST_ANSWER:
            return ["error", f"the answer is too long: {len(text)} characters, at most {MOST_ANSWER}"]
        text.encode()
    except UnicodeEncodeError:
        return ["error", "the answer is no Unicode text"]
    except MemoryError:
        contexts.drop(sha256)
        return ["memory", "the process has no more"]
    except Exception as error:  # noqa: BLE001 - whatever a script does is an answer
        contexts.drop(sha256)
        return fault(error)
    return ["json", text]


def fault(error: Exception) -> list[str]:
    """The kind of a script's failure, and its words."""
    said = str(error).partition("\n")[0][:500]
    if said.startswith("InternalError: interrupted"):
        return ["timeout", "the script was interrupted"]
    if said in {"null", "InternalError: out of memory"}:
        return ["memory", "the script wanted more than it may have"]
    return ["error", said or type(error).__name__]


def serve(contexts: Contexts, requests: Any, answers: Any) -> None:
    """Answer until the other end is closed."""

    def say(what: list[str]) -> None:
        body = _encode(what)
        answers.write(len(body).to_bytes(4, "big") + body)
        answers.flush()

    say(["ready", ""])
    while len(head := requests.read(4)) == 4:  # noqa: PLR2004 - the length's bytes
        sha256, text, normalize, fresh, frames = _decode(requests.read(int.from_bytes(head, "big")))
        if not contexts.know(sha256, text):
            say(["unknown", ""])
            continue
        loaded = ["loaded", ""]
        try:
            contexts.call(sha256)
        except Exception as error:  # noqa: BLE001 - see above
            loaded = fault(error)
        say(loaded)
        if loaded[0] != "loaded":
            continue
        for frame in frames:
            if fresh:
                contexts.drop(sha256)
            said = answer(contexts, sha256, normalize, frame)
            say(said)
            if said[0] == "timeout":
                break
        contexts.tidy(sha256)


def confine(memory_bytes: int) -> None:
    """No more memory than given, no files to write, no processes, no core dumps, and nobody's rights."""
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_NPROC, 0),
    ):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(what, (most, most))


def main() -> None:
    """Serve standard input and output."""
    memory_bytes, stack_bytes, call_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    # what the interpreter itself needs comes on top of what scripts may have: half of it is theirs
    # and the engine's own limit, in CPU time, comes before the parent's, which costs a new process
    contexts = Contexts(memory_bytes // 2, stack_bytes, 0.8 * call_s)
    requests, answers = os.fdopen(0, "rb"), os.fdopen(1, "wb")
    confine(memory_bytes)
    serve(contexts, requests, answers)


if __name__ == "__main__":
    main()
