"""A network server's JSON, of which nothing that is told beside the uplink itself can cost the uplink.

What is told beside it: signal, gateways and their clocks, names, data rates. What of these is not as it
should be counts as not told. A message in order is decoded once, and the rest of this file is for the others.
"""

import math
from collections.abc import Collection
from contextlib import suppress
from typing import Annotated, Any, TypeVar, get_args

import msgspec

from devices.measurement import Rejected

Figure = Annotated[float, msgspec.Meta(ge=-1e18, le=1e18)]
"""A number that is finite. Texts in place of numbers can be read as NaN and infinite."""

_T = TypeVar("_T")
_AT = " - at `$"


def read_json(
    decoder: msgspec.json.Decoder[_T], payload: bytes, needed: Collection[str] | None = None
) -> _T | Rejected:
    """The message in its Struct, or `malformed_json`, or `wrong_shape` with the path to the fault.

    With `needed`, names of fields in Python, a field is needed if it has no default or is one of these, in
    this Struct and in those inside it; any other that is not of its type gets its default. Without, all are.
    """
    try:
        if not payload.isascii():
            payload.decode()  # msgspec does not look inside the strings it skips
        return decoder.decode(payload)
    except msgspec.ValidationError as fault:
        if needed is None:
            return Rejected("wrong_shape", str(fault))
    except RecursionError:
        return Rejected("malformed_json", "nested too deeply")
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        return Rejected("malformed_json", str(fault))
    return _Lenient(needed, strict=decoder.strict).message(decoder.type, payload)


def figure(value: Any) -> float | None:
    """A finite number, for which a text may stand; None of anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


class _NeededError(Exception):
    """A needed field is not of its type; ends one reading and never leaves it."""


class _Lenient:
    def __init__(self, needed: Collection[str], *, strict: bool) -> None:
        self._needed = needed
        self._strict = strict

    def message(self, struct: type[_T], text: bytes) -> _T | Rejected:
        try:
            found: _T = self._struct(struct, text, "")
        except _NeededError as fault:
            return Rejected("wrong_shape", str(fault))
        except RecursionError:
            return Rejected("malformed_json", "nested too deeply")
        except msgspec.DecodeError as fault:
            return Rejected("malformed_json", str(fault))
        return found

    def _struct(self, struct: Any, text: bytes | msgspec.Raw, path: str) -> Any:
        try:
            told = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        except msgspec.ValidationError as fault:
            raise _needed(fault, path) from fault
        values: dict[str, Any] = {}
        for field in msgspec.structs.fields(struct):
            raw = told.get(field.encode_name)
            if raw is None:
                if field.required:
                    raise _NeededError(f"Object missing required field `{field.encode_name}`{_at(path)}")
                continue
            here = f"{path}.{field.encode_name}"
            try:
                values[field.name] = self._value(field.type, raw, here)
            except _NeededError:
                if field.required or field.name in self._needed:
                    raise
        return struct(**values)

    def _value(self, type_: Any, raw: msgspec.Raw, path: str) -> Any:
        try:
            return msgspec.json.decode(raw, type=type_, strict=self._strict)
        except msgspec.ValidationError as fault:
            alternatives = get_args(type_) or (type_,)
            wrong = _needed(fault, path)
        text = bytes(raw).lstrip()
        if text.startswith(b"{") and (struct := next(filter(_is_struct, alternatives), None)):
            return self._struct(struct, raw, path)
        if text.startswith(b"["):
            inner = [arg for each in (type_, *alternatives) for arg in get_args(each) if _is_struct(arg)]
            if inner and any(getattr(each, "__origin__", None) is list for each in alternatives):
                return self._list(inner[-1], raw, path)
        raise wrong

    def _list(self, struct: Any, raw: msgspec.Raw, path: str) -> list[Any]:
        found = []
        for i, each in enumerate(msgspec.json.decode(raw, type=list[msgspec.Raw])):
            with suppress(_NeededError):
                found.append(self._struct(struct, each, f"{path}[{i}]"))
        return found


def _is_struct(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)


def _needed(fault: msgspec.ValidationError, path: str) -> _NeededError:
    problem, _, inner = str(fault).partition(_AT)
    return _NeededError(f"{problem}{_at(path + inner.removesuffix('`'))}")


def _at(path: str) -> str:
    return f"{_AT}{path}`" if path else ""
