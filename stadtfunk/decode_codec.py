"""`stadtfunk decode --codec FILE.js`: uplinks in JSON lines through one codec in the sandbox."""

import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TextIO

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator

from devices.decoded import Frame
from devices.instant import rfc3339_us
from devices.javascript.outcome import Outcome
from devices.javascript.sandbox import Sandbox, Source


class Line(BaseModel):
    """One uplink on a line of its own; `recvTime` is now where it is missing."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    f_port: Annotated[int, Field(ge=0, le=255, validation_alias=AliasChoices("fPort", "f_port"), strict=True)]
    payload: Annotated[bytes, Field(validation_alias="bytes", max_length=4096)]
    received_us: Annotated[int | None, Field(validation_alias="recvTime")] = None

    @field_validator("payload", mode="before")
    @classmethod
    def _hex(cls, value: Any) -> bytes:
        if not isinstance(value, str):
            raise ValueError("hex is a text")  # noqa: TRY004 - pydantic wants a ValueError
        return bytes.fromhex(value)

    @field_validator("received_us", mode="before")
    @classmethod
    def _time(cls, value: Any) -> int | None:
        if value is None:
            return None
        time_us = rfc3339_us(value) if isinstance(value, str) else None
        if time_us is None:
            raise ValueError("is no RFC 3339 time with offset")
        return time_us


def read_source(file: Path) -> Source | str:
    """The script, or why there is none."""
    try:
        return Source.of(file.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        return f"{file}: {error}"


def decode_lines(
    source: Source,
    lines: TextIO,
    out: TextIO,
    sandbox: Sandbox,
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> None:
    """An answer for every line, in order, each as soon as it is there; empty lines are passed over."""
    for text in lines:
        if not text.strip():
            continue
        try:
            line = Line.model_validate(json.loads(text))
        except (ValidationError, ValueError, RecursionError) as error:
            answer = _refused(error)
        else:
            received_us = now_us() if line.received_us is None else line.received_us
            [answer] = sandbox.run(source, [Frame(line.f_port, line.payload, received_us)])
        said = {"data": answer.data, "warnings": list(answer.warnings), "errors": list(answer.errors)}
        print(json.dumps(said, ensure_ascii=False), file=out, flush=True)


def _refused(error: Exception) -> Outcome:
    if isinstance(error, ValidationError):
        faults = (f"{'.'.join(map(str, each['loc'])) or 'line'}: {each['msg']}" for each in error.errors())
        return Outcome(None, errors=(f"bad line: {'; '.join(faults)}",))
    return Outcome(None, errors=(f"bad line: no JSON: {error}",))


def run(file: Path) -> int:
    """Standard input through the codec in `file`; 0 once every line has its answer, 2 without a codec."""
    source = read_source(file)
    if isinstance(source, str):
        print(source, file=sys.stderr)
        return 2
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # a bad byte is a bad line, not the end
    with Sandbox() as sandbox:
        decode_lines(source, sys.stdin, sys.stdout, sandbox)
    return 0
