"""Where a codec's output differs from the expected one, by the rules of JavaScript's JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TOLERANCE = 1e-6
_MOST_NODES = 100_000
_MOST_DEPTH = 100


class _Missing:
    def __repr__(self) -> str:
        return "missing"


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two outputs differ. `path`: `data.a[3].b`; MISSING: no such key."""

    path: str
    expected: Any
    got: Any


def differences(expected: Any, got: Any, path: str) -> list[Difference]:
    """Every place where the two differ, in the order of the expected one.

    Equal are numbers within 1e-6 of the larger, and null and a missing key; 1 and true are not. Lists of
    unequal length are one difference. Both are as `plain` gives them.
    """
    found: list[Difference] = []
    pending = [(path, expected, got)]
    while pending:
        here, a, b = pending.pop()
        if isinstance(a, dict) and isinstance(b, dict):
            keys = [*a, *(key for key in b if key not in a)]
            pending += [
                (_step(here, key), a.get(key, MISSING), b.get(key, MISSING)) for key in reversed(keys)
            ]
        elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            pending += [(f"{here}[{i}]", a[i], b[i]) for i in reversed(range(len(a)))]
        elif not _equal(a, b):
            found.append(Difference(here, a, b))
    return found


def _step(path: str, key: str) -> str:
    return f"{path}.{key}" if key.isidentifier() else f"{path}[{key!r}]"


def _equal(a: Any, b: Any) -> bool:
    nothing = (None, MISSING)
    if a in nothing or b in nothing:
        return a in nothing and b in nothing
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=TOLERANCE)
    return type(a) is type(b) and bool(a == b)


def plain(value: Any) -> Any:
    """A value from YAML or JSON as JavaScript's JSON would give it: keys are text, NaN and infinity null.

    Raises ValueError for what JSON cannot say, and for more than a payload can mean (100,000 values, 100
    levels): a few lines of YAML can name their own list a million times.
    """
    nodes = 0

    def convert(each: Any, depth: int) -> Any:
        nonlocal nodes
        nodes += 1
        if nodes > _MOST_NODES or depth > _MOST_DEPTH:
            raise ValueError("holds too many values")
        if isinstance(each, Mapping):
            return {_key(key): convert(inner, depth + 1) for key, inner in each.items()}
        if isinstance(each, Sequence) and not isinstance(each, str | bytes):
            return [convert(inner, depth + 1) for inner in each]
        if each is None or isinstance(each, bool | str):
            return each
        if isinstance(each, int | float):
            return _number(each)
        raise ValueError(f"{type(each).__name__} is no value of JSON")

    return convert(value, 0)


def _number(value: float) -> float | None:
    try:
        as_double = float(value)
    except OverflowError:
        return None
    if not math.isfinite(as_double):
        return None
    return value


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int | float):
        return str(int(key)) if isinstance(key, int) or key.is_integer() else repr(key)
    if isinstance(key, tuple):
        return ",".join(_key(part) for part in key)
    return repr(key)
