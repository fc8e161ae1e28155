"""Pages of a collection: an opaque cursor that new data cannot shift, and RFC 8288 Link headers."""

import base64
import binascii
import bisect
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlencode

import orjson
from fastapi import Request

from api.problems import Problem

Item = TypeVar("Item")
Key: TypeAlias = tuple[str | int, ...]

_LARGEST = 2**63 - 1


def encode_cursor(key: Key) -> str:
    """A cursor that stands after the item with this key."""
    return base64.urlsafe_b64encode(orjson.dumps(key)).rstrip(b"=").decode()


def decode_cursor(cursor: str | None, *shape: type) -> Key | None:
    """The key of a cursor whose parts have these types; raises Problem 400 for anything else."""
    if cursor is None:
        return None
    try:
        key = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        key = None
    if not isinstance(key, list) or tuple(map(type, key)) != shape:
        raise bad_cursor()
    if any(isinstance(part, int) and part > _LARGEST for part in key):  # JSON has more than a store takes
        raise bad_cursor()
    return tuple(key)


def bad_cursor() -> Problem:
    """The answer to a cursor that is not ours, or not of this query."""
    return Problem(
        400, "this cursor does not belong to this query", "follow the Link header rel=next as it is"
    )


def page(
    items: Sequence[Item], key: Callable[[Item], Key], after: Key | None, limit: int
) -> tuple[Sequence[Item], Key | None]:
    """At most `limit` items after a key, of items in the order of their keys; and the key to go on from."""
    start = 0 if after is None else bisect.bisect_right(items, after, key=key)
    chosen = items[start : start + limit]
    return chosen, key(chosen[-1]) if chosen and start + limit < len(items) else None


def cut(rows: Sequence[Item], key: Callable[[Item], Key], limit: int) -> tuple[Sequence[Item], Key | None]:
    """At most `limit` of what a store gave that was asked for one more; and the key to go on from."""
    chosen = rows[:limit]
    return chosen, key(chosen[-1]) if len(rows) > limit else None


def link_next(request: Request, key: Key | None, **resolved: Any) -> str | None:
    """Value of the Link header to the next page; `resolved` replaces parameters that were left to default."""
    if key is None:
        return None
    kept = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor" and k not in resolved]
    kept += [(k, v) for k, v in resolved.items() if v is not None]
    target = f"{request.url.path}?{urlencode([*kept, ('cursor', encode_cursor(key))])}"
    # Starlette takes no Host header for a host that is none, so nothing can break out of the brackets
    return f'<{request.url.scheme}://{request.url.netloc}{target}>; rel="next"'
