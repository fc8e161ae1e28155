"""Links to the next page: of the request itself, and of what an expansion shows."""

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote_plus

from api.sta.filter_text import format_expression
from api.sta.options import Expansion, Options, Order

_SAFE = "$,()/'=:;@!*?"
_SAFE_VALUE = re.sub("[=;]", "", _SAFE)
"""= and ; need no encoding in a value, but read as a pair to simple clients."""
_PLACE = ("$skip", "$skiptoken", "$top")


def next_of_request(address: str, query: str, place: Sequence[tuple[str, str]]) -> str:
    """The address of a request, its query as it came, with another place in the collection.

    Every option stays as it was written; only what may not stand in an address is encoded.
    """
    names = {name for name, _ in place} | {"$skip", "$skiptoken"}
    kept = [
        quote(each, safe=f"{_SAFE}%+")
        for each in query.split("&")
        if each and unquote_plus(each.partition("=")[0]).strip().lower() not in names
    ]
    return f"{address}?{'&'.join([*kept, *(f'{name}={quote(value, safe=_SAFE)}' for name, value in place)])}"


def query_of(pairs: Sequence[tuple[str, str]]) -> str:
    """Options as a query, encoded."""
    return "&".join(f"{name}={quote(value, safe=_SAFE_VALUE)}" for name, value in pairs)


def pairs_of(options: Options) -> list[tuple[str, str]]:
    """An expansion's options, but for the place in its collection."""
    pairs = []
    if options.filter is not None:
        pairs.append(("$filter", format_expression(options.filter)))
    if options.expand:
        pairs.append(("$expand", ",".join(map(_expansion, options.expand))))
    if options.select:
        pairs.append(("$select", ",".join("/".join(each) for each in options.select)))
    if options.orderby:
        pairs.append(("$orderby", ",".join(map(_order, options.orderby))))
    if options.top is not None:
        pairs.append(("$top", str(options.top)))
    if options.count is not None:
        pairs.append(("$count", "true" if options.count else "false"))
    return pairs


def _expansion(expansion: Expansion) -> str:
    pairs = pairs_of(expansion.options)
    if expansion.options.skip:
        pairs.append(("$skip", str(expansion.options.skip)))
    inner = ";".join(f"{name}={value}" for name, value in pairs)
    return f"{expansion.link}({inner})" if inner else expansion.link


def _order(order: Order) -> str:
    return f"{format_expression(order.key)} {'desc' if order.descending else 'asc'}"
