"""What a codec gave, nested as it likes, as one table of plain values by path."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

MOST_FIELDS = 2_000
MOST_PATHS = 64 << 10
"""Fields of one answer, and characters of all their paths: an uplink has at most 255 bytes."""
_EXACT = 1 << 53
"""Above it JavaScript itself has no exact integers, and JSON writers of 64 bits give up."""


class TooManyFieldsError(Exception):
    """A codec answered with more than can be told apart; caught where its answer is read."""


def flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers, texts, booleans and None by dotted path, in the order of the codec: `data.0.value`.

    An empty list or object stays as it is. Where two fields would have one path, the second ends in `'2`.
    Raises TooManyFieldsError: a short answer with one long key can have paths of gigabytes.
    """
    fields: dict[str, Any] = {}
    doubled: Counter[str] = Counter()
    length = visited = 0
    # a stack and no recursion: the nesting is the codec's choice
    waiting: list[tuple[str | None, Any]] = [(None, data)]
    while waiting:
        path, value = waiting.pop()
        inside = _inside(value)
        visited += 1
        length += len(inside) * len(path or "") + sum(len(key) for key, _ in inside)
        if visited + len(waiting) + len(inside) > MOST_FIELDS or length > MOST_PATHS:
            raise TooManyFieldsError
        if inside:
            waiting += [(key if path is None else f"{path}.{key}", each) for key, each in reversed(inside)]
        elif path is not None:
            name = path
            while name in fields:
                doubled[path] += 1
                name = f"{path}'{doubled[path] + 1}"
            fields[name] = _plain(value)
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
