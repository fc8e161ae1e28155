"""JSON Patch (RFC 6902): its six operations, by JSON Pointers (RFC 6901)."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import orjson

from api.sta.errors import BadRequestError

Operation: TypeAlias = Mapping[str, Any]
MOST_OPERATIONS = 1000
MOST_BYTES = 4 << 20
"""Of all that `add`, `replace` and `copy` bring in: copies of copies grow without end."""
_HINT = 'write such as [{"op": "replace", "path": "/name", "value": "..."}]'


def apply(document: Any, operations: Any) -> Any:
    """The document as the operations leave it; itself it stays as it was. Raises BadRequestError."""
    if not isinstance(operations, list) or len(operations) > MOST_OPERATIONS:
        raise BadRequestError(f"a patch is a list of at most {MOST_OPERATIONS} operations", _HINT)
    document = _copy(document)
    left = MOST_BYTES
    for number, operation in enumerate(operations):
        try:
            document, taken = _run(document, operation)
        except _NotThereError as error:
            raise BadRequestError(f"operation {number} of the patch: {error}", _HINT) from error
        left -= taken
        if left < 0:
            raise BadRequestError(f"the patch makes more than {MOST_BYTES >> 20} MB", "patch less at a time")
    return document


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: 1 is 1.0, but not true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


class _NotThereError(Exception):
    """An operation that cannot be done."""


def _run(document: Any, operation: Any) -> tuple[Any, int]:
    """The document, and how many bytes came in."""
    if not isinstance(operation, dict):
        raise _NotThereError("is no object")
    run = _OPERATIONS.get(str(operation.get("op")))
    if run is None:
        raise _NotThereError(f"there is no op {str(operation.get('op'))[:40]!r}")
    return run(document, operation, _pointer(operation, "path"))


def _run_add(document: Any, operation: Operation, path: list[str]) -> tuple[Any, int]:
    value, size = _value(operation)
    return _add(document, path, value), size


def _run_replace(document: Any, operation: Operation, path: list[str]) -> tuple[Any, int]:
    value, size = _value(operation)
    _get(document, path)
    return _add(_remove(document, path), path, value), size


def _run_remove(document: Any, _operation: Operation, path: list[str]) -> tuple[Any, int]:
    _get(document, path)
    return _remove(document, path), 0


def _run_test(document: Any, operation: Operation, path: list[str]) -> tuple[Any, int]:
    if not same(_get(document, path), _value(operation)[0]):
        raise _NotThereError(f"{operation['path']} has another value")
    return document, 0


def _run_copy(document: Any, operation: Operation, path: list[str]) -> tuple[Any, int]:
    value, size = _sized(_get(document, _pointer(operation, "from")))
    return _add(document, path, value), size


def _run_move(document: Any, operation: Operation, path: list[str]) -> tuple[Any, int]:
    source = _pointer(operation, "from")
    value = _get(document, source)
    if source == path:
        return document, 0
    if path[: len(source)] == source:
        raise _NotThereError("moves a value into itself")
    return _add(_remove(document, source), path, value), 0


_OPERATIONS: Mapping[str, Callable[[Any, Operation, list[str]], tuple[Any, int]]] = {
    "add": _run_add,
    "replace": _run_replace,
    "remove": _run_remove,
    "test": _run_test,
    "copy": _run_copy,
    "move": _run_move,
}


def _pointer(operation: Operation, name: str) -> list[str]:
    text = operation.get(name)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise _NotThereError(f"{name} is no JSON Pointer such as /properties/key")
    return [each.replace("~1", "/").replace("~0", "~") for each in text.split("/")[1:]]


def _value(operation: Operation) -> tuple[Any, int]:
    if "value" not in operation:
        raise _NotThereError("has no value")
    return _sized(operation["value"])


def _sized(value: Any) -> tuple[Any, int]:
    """A copy of a value, and its size as JSON."""
    try:
        text = orjson.dumps(value)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise _NotThereError("its value is nested too deeply") from error
    return orjson.loads(text), len(text)


def _copy(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))


def _get(document: Any, path: list[str]) -> Any:
    for key in path:
        if isinstance(document, dict) and key in document:
            document = document[key]
        elif isinstance(document, list):
            document = document[_place(document, key, len(document) - 1)]
        else:
            raise _NotThereError(f"there is no /{'/'.join(path)[:200]}")
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    above = _get(document, path[:-1])
    if isinstance(above, dict):
        above[path[-1]] = value
    elif isinstance(above, list):
        at = len(above) if path[-1] == "-" else _place(above, path[-1], len(above))
        above.insert(at, value)
    else:
        raise _NotThereError(f"/{'/'.join(path[:-1])[:200]} has no members")
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        return None
    above = _get(document, path[:-1])
    if isinstance(above, list):
        del above[_place(above, path[-1], len(above) - 1)]
    else:
        del above[path[-1]]
    return document


def _place(values: list[Any], key: str, last: int) -> int:
    if not (key.isascii() and key.isdecimal()) or (key[0] == "0" and key != "0") or len(key) > len(str(last)):
        raise _NotThereError(f"{key[:40]!r} is no place in a list")
    if int(key) > last:
        raise _NotThereError(f"the list has no place {key}: it has {len(values)} values")
    return int(key)
