"""Fields of other people's JSON: of the right kind, or None."""

import math
from collections.abc import Mapping
from typing import Any

import orjson

from devices.measurement import Rejected

_MOST_TEXT = 200


def objects(body: bytes) -> list[Mapping[str, Any]] | Rejected:
    """The objects of a JSON list; what is no object is left out."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        return Rejected("bad_json", str(fault)[:200])
    if not isinstance(parsed, list):
        return Rejected("bad_json", f"a list was expected, found {type(parsed).__name__}")
    return [each for each in parsed if isinstance(each, dict)]


def text(value: object) -> str:
    """Text in one line, "" for anything else."""
    return " ".join(value.split())[:_MOST_TEXT] if isinstance(value, str) else ""


def number(value: object) -> float | None:
    """A finite number, also where it is written as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def table(value: object) -> Mapping[str, Any]:
    """An object, empty for anything else."""
    return value if isinstance(value, dict) else {}


def tables(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def degrees(value: object, most: float) -> float | None:
    """A latitude or longitude; 0 is what portals write where they have none."""
    found = number(value)
    return found if found is not None and 0 < abs(found) <= most else None
