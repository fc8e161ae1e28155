"""What a codec gave, nested as it likes, as one table of plain values by path."""

from collections.abc import Iterable, Mapping
from typing import Any

_EXACT = 1 << 53
"""Above it JavaScript itself has no exact integers, and JSON writers of 64 bits give up."""


def flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers, texts, booleans and None by dotted path, in the order of the codec: `data.0.value`.

    An empty list or object stays as it is. Where two fields would have one path, the second gets a `'`.
    """
    fields: dict[str, Any] = {}
    # a stack and no recursion: the nesting is the codec's choice
    waiting: list[tuple[str | None, Any]] = [(None, data)]
    while waiting:
        path, value = waiting.pop()
        inside = _inside(value)
        if inside:
            waiting += [(key if path is None else f"{path}.{key}", each) for key, each in reversed(inside)]
        elif path is not None:
            while path in fields:
                path += "'"
            fields[path] = _plain(value)
    return fields


def plain_text(text: str) -> str:
    """Text that UTF-8 can write: JavaScript's may hold half a surrogate pair."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _inside(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(plain_text(str(key)), each) for key, each in value.items()]
    if isinstance(value, list):
        numbered: Iterable[tuple[int, Any]] = enumerate(value)
        return [(str(number), each) for number, each in numbered]
    return []


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT:
        return float(value)
    return value
