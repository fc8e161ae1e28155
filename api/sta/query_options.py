"""Query options of a SensorThings request, at its top and within $expand. OGC 18-088, section 9.3."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote_to_bytes

from api.sta.errors import BadRequestError, UnsupportedError
from api.sta.filter_lexer import check_text
from api.sta.filter_names import LINKS, path_segments
from api.sta.filter_parser import MAX_NESTING, parse_filter, parse_orderby
from api.sta.options import Expansion, Options, ResultFormat
from api.sta.url_path import close_names

LARGEST = 10**18
"""A larger $top or $skip counts as this one."""

_NESTED = ("$filter", "$expand", "$select", "$orderby", "$top", "$skip", "$count")
_SERVED = (*_NESTED, "$resultFormat", "$skiptoken")
_NOT_SERVED = {
    "$apply": "",
    "$batch": "",
    "$compute": "",
    "$deltatoken": "",
    "$format": "$resultFormat chooses the format",
    "$id": "",
    "$index": "",
    "$levels": "write the levels out: Thing($expand=Locations)",
    "$resultmetadata": "",
    "$schemaversion": "",
    "$search": "compare with contains in $filter",
    "$skipfilter": "follow @iot.nextLink",
}
_FORMATS = {each.value.lower(): each for each in ResultFormat}
_PIECE = re.compile(r"'[^']*(?:''[^']*)*'|[(),;']")
_EXPANSION = re.compile(r"([^()]*)(?:\((.*)\)[ \t\r\n]*)?", re.DOTALL)
_SELECTABLE = re.compile(r"[@$]?[^\W\d][\w.@:-]*(?:/[\w.@:$-]+)*")
_COUNT = re.compile(r"[0-9]+")
_DIGITS = 19


def parse_options(query: str | bytes | Sequence[tuple[str, str]]) -> Options:
    """Options of a query string as it came (percent-encoded, + or %20 a space), or of decoded pairs.

    Names with $ may be written in any case; one without $ is no option of the standard and is ignored, since
    clients put keys and cache breakers there. Within $expand it is an error. A number of $top or $skip beyond
    LARGEST counts as LARGEST: how many are served is not decided here. `$select=*` is everything, an empty
    option an error. `$expand=A/B,A/C` is one expansion of A; a link may be given options once. Positions of
    nested options count from the start of the outermost $expand.

    Raises BadRequestError (400), and UnsupportedError (501) for options of OData that are not served.
    """
    pairs = _pairs(query) if isinstance(query, str | bytes) else query
    return _options([_Value(name, value, name) for name, value in pairs if name.startswith("$")], _SERVED, 0)


@dataclass(frozen=True, slots=True)
class _Value:
    """An option's value; `option` and `at` say where it stands, for errors."""

    name: str
    text: str
    option: str
    at: int = 0

    def error(self, message: str, hint: str = "") -> BadRequestError:
        return BadRequestError(message, hint, at=self.at, option=self.option)


def _pairs(query: str | bytes) -> Iterator[tuple[str, str]]:
    raw = query.encode("utf-8", "surrogatepass") if isinstance(query, str) else query
    for part in raw.replace(b"+", b" ").split(b"&"):
        name, _, value = part.partition(b"=")
        name_text = unquote_to_bytes(name).decode("utf-8", "replace").strip()
        try:
            yield name_text, unquote_to_bytes(value).decode()
        except UnicodeDecodeError as error:
            if name_text.startswith("$"):
                raise BadRequestError(
                    f"{name_text} is no UTF-8", "encode it as UTF-8, then with %", option=name_text
                ) from error


def _options(values: Iterable[_Value], served: Sequence[str], depth: int) -> Options:
    found: dict[str, Any] = {}
    for each in values:
        name = _known_name(each, served)
        value = replace(each, name=name, option=name if depth == 0 else each.option)
        if name in found:
            raise value.error(f"{name} is given twice", "leave one out")
        found[name] = _read(value, depth)
    return Options(
        filter=found.get("$filter"),
        expand=found.get("$expand", ()),
        select=found.get("$select", ()),
        orderby=found.get("$orderby", ()),
        top=found.get("$top"),
        skip=found.get("$skip", 0),
        count=found.get("$count"),
        result_format=found.get("$resultFormat", ResultFormat.JSON),
        skip_token=found.get("$skiptoken"),
    )


def _known_name(value: _Value, served: Sequence[str]) -> str:
    lower = value.name.lower()
    for name in served:
        if name.lower() == lower:
            return name
    if lower in _NOT_SERVED:
        raise UnsupportedError(f"{lower} is not served", _NOT_SERVED[lower], at=value.at, option=value.option)
    if value.name in _SERVED:
        raise value.error(f"{value.name} belongs to the whole request", "put it behind & instead of ;")
    raise value.error(f"there is no option {value.name[:80]!r}", close_names(value.name, served))


def _read(value: _Value, depth: int) -> Any:
    check_text(value.text, value.name, option=value.option, offset=value.at)
    match value.name:
        case "$filter":
            found: Any = parse_filter(value.text, option=value.option, offset=value.at)
        case "$orderby":
            found = parse_orderby(value.text, option=value.option, offset=value.at)
        case "$expand":
            found = _expand(value, depth + 1)
        case "$select":
            found = _select(value)
        case "$top" | "$skip":
            found = _number(value)
        case "$count":
            found = _boolean(value)
        case "$resultFormat":
            found = _format(value)
        case _:
            found = value.text
    return found


def _number(value: _Value) -> int:
    text = value.text.strip()
    if not _COUNT.fullmatch(text):
        raise value.error(f"{value.name} is a whole number from 0, not {text[:40]!r}")
    digits = text.lstrip("0")
    return min(int(digits or "0"), LARGEST) if len(digits) <= _DIGITS else LARGEST


def _boolean(value: _Value) -> bool:
    text = value.text.strip().lower()
    if text not in ("true", "false"):
        raise value.error(f"{value.name} is true or false, not {value.text[:40]!r}")
    return text == "true"


def _format(value: _Value) -> ResultFormat:
    found = _FORMATS.get(value.text.strip().lower())
    if found is None:
        raise value.error(f"there is no format {value.text[:40]!r}", f"formats: {', '.join(ResultFormat)}")
    return found


def _select(value: _Value) -> tuple[tuple[str, ...], ...]:
    found: list[tuple[str, ...]] = []
    for piece in _split(value, ","):
        if piece.text == "*":
            return ()
        if piece.text.startswith("distinct:"):
            raise UnsupportedError("distinct is not served", at=piece.at, option=piece.option)
        if not _SELECTABLE.fullmatch(piece.text):
            raise piece.error(
                f"expected a property or a link, not {piece.text[:40]!r}", "$select=name,properties/height"
            )
        found.append(path_segments(piece.text))
    return tuple(dict.fromkeys(found))


def _expand(value: _Value, depth: int) -> tuple[Expansion, ...]:
    return _merged([_expansion(piece, depth) for piece in _split(value, ",")])


def _expansion(piece: _Value, depth: int) -> Expansion:
    match = _EXPANSION.fullmatch(piece.text)
    if match is None:
        raise piece.error("expected a comma behind )", "Things($top=5),Sensor")
    links = match[1].strip().split("/")
    if depth + len(links) - 1 > MAX_NESTING:
        raise piece.error(f"$expand is deeper than {MAX_NESTING} levels")
    for link in links:
        _check_link(link, piece)
    options = Options()
    if match[2] is not None and match[2].strip():
        nested = replace(piece, text=match[2], at=piece.at + match.start(2))
        options = _options(_nested_values(nested), _NESTED, depth + len(links) - 1)
    for link in reversed(links[1:]):
        options = Options(expand=(Expansion(link, options, piece.at),))
    return Expansion(links[0], options, piece.at)


def _check_link(link: str, piece: _Value) -> None:
    if link in LINKS:
        return
    if link in ("*", "$ref", "$count", "$value"):
        raise UnsupportedError(
            f"{link} in $expand is not served", "name the links", at=piece.at, option=piece.option
        )
    if not link:
        raise piece.error("expected a link", f"links: {', '.join(sorted(LINKS))}")
    raise piece.error(f"there is no link {link[:80]!r}", close_names(link, sorted(LINKS)))


def _nested_values(nested: _Value) -> Iterator[_Value]:
    for piece in _split(nested, ";"):
        name, equals, text = piece.text.partition("=")
        name = name.strip()
        if not name.startswith("$"):
            raise piece.error(
                f"expected an option, not {piece.text[:40]!r}", f"options in $expand: {', '.join(_NESTED)}"
            )
        if not equals:
            raise piece.error(f"expected = behind {name[:80]}")
        yield _Value(name, text, nested.option, piece.at + len(piece.text) - len(text))


def _split(value: _Value, separator: str) -> Iterator[_Value]:
    """Pieces between separators outside of quotes and parentheses, blanks around them taken off."""
    begin, opened = 0, []
    for match in _PIECE.finditer(value.text):
        mark = match[0]
        if mark == "'":
            raise _Value(value.name, "", value.option, value.at + match.start()).error(
                "the text that begins here never ends", "close it with '; a ' within a text is doubled"
            )
        if mark == "(":
            opened.append(match.start())
        elif mark == ")" and not opened:
            raise _Value(value.name, "", value.option, value.at + match.start()).error("this ) has no (")
        elif mark == ")":
            opened.pop()
        elif mark == separator and not opened:
            yield _piece(value, begin, match.start())
            begin = match.end()
    if opened:
        raise _Value(value.name, "", value.option, value.at + opened[-1]).error("this ( is never closed")
    yield _piece(value, begin, len(value.text))


def _piece(value: _Value, begin: int, end: int) -> _Value:
    text = value.text[begin:end]
    at = value.at + begin + len(text) - len(text.lstrip())
    if not text.strip():
        raise _Value(value.name, "", value.option, value.at + begin).error(
            f"a part of {value.name} is empty", "take out what separates nothing"
        )
    return replace(value, text=text.strip(), at=at)


def _merged(expansions: Sequence[Expansion]) -> tuple[Expansion, ...]:
    by_link: dict[str, list[Expansion]] = {}
    for each in expansions:
        by_link.setdefault(each.link, []).append(each)
    return tuple(_one(each) for each in by_link.values())


def _one(same: list[Expansion]) -> Expansion:
    """One expansion for a link that is named several times."""
    if len(same) == 1:
        return same[0]
    own = [each for each in same if replace(each.options, expand=()) != Options()]
    if len(own) > 1:
        raise BadRequestError(
            f"{own[1].link} is expanded twice with options",
            "put them into one pair of parentheses",
            at=own[1].at,
            option="$expand",
        )
    options = own[0].options if own else Options()
    below = _merged([each for expansion in same for each in expansion.options.expand])
    return replace(same[0], options=replace(options, expand=below))
