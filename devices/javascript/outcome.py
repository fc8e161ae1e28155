"""What a codec made of one frame, and how the worker's words become it."""

import json
from dataclasses import dataclass, field
from typing import Any

import msgspec

_LIMITS = frozenset({"timeout", "memory", "crash"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a codec made of one frame.

    `data` as decodeUplink, Decode or Decoder gave it, None where it failed; `normalized` the data of
    normalizeUplink, where the codec has one and it was asked for. `errors`: what the codec returned or
    threw; of a call that ran into a limit exactly one, which starts with `timeout:`, `memory:` or `crash:`.
    `wait_s`: the codec has not answered and this frame is not to blame; it is worth another try after so many
    seconds. None: this is the answer.
    """

    data: dict[str, Any] | None
    normalized: Any | None = None
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    wait_s: float | None = field(default=None, compare=False)

    @property
    def killed(self) -> str:
        """`timeout`, `memory` or `crash` where a call ran into a limit, "" where it answered."""
        head = self.errors[0].partition(":")[0] if self.data is None and self.errors else ""
        return head if head in _LIMITS else ""


class _Answer(msgspec.Struct):
    d: dict[str, Any] | None = None
    n: Any = None
    w: tuple[str, ...] = ()
    e: tuple[str, ...] = ()


_decode_answer = msgspec.json.Decoder(_Answer).decode


def failed(words: str, wait_s: float | None = None) -> Outcome:
    """No data, and one error."""
    return Outcome(None, None, (), (words,), wait_s)


def answered(body: bytes) -> Outcome:
    """The worker's JSON as an Outcome. A codec writes it, so nothing about it is taken for granted."""
    try:
        answer = _decode_answer(body)
    except msgspec.MsgspecError:
        # A string may hold half of a surrogate pair, which JavaScript escapes and no other reader takes.
        try:
            mended = json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8", "replace")
            answer = _decode_answer(mended)
        except (ValueError, RecursionError) as error:
            return failed(f"the result cannot be read: {error}")
    except RecursionError:
        return failed("the result is nested too deeply")
    if answer.e:
        return Outcome(None, None, answer.w, tuple(map(_codec_said, answer.e)))
    if answer.d is None:
        return failed("the codec returned no data")
    return Outcome(answer.d, answer.n, answer.w, ())


def _codec_said(error: str) -> str:
    """An error in the codec's words, which cannot pass for a limit."""
    return f"codec: {error}" if error.partition(":")[0] in _LIMITS else error
