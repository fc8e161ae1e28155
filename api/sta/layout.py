"""What of an entity is shown: the columns to select, and how their values become JSON.

An entity is put together from pieces: constant texts, and columns of texts with one for each row. All rows
are assembled at once, so that a row costs no call.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from api.sta import json_texts
from api.sta.errors import BadRequestError
from api.sta.json_texts import Column, Texts, quote
from api.sta.model import EntitySet, Kind, Property, ToOne
from api.sta.options import Options
from api.sta.source import EntitySource
from api.sta.sql import Sql

ID, SELF_LINK = "@iot.id", "@iot.selfLink"
_RENDER: dict[Kind, Callable[..., Texts]] = {
    Kind.TEXT: json_texts.texts,
    Kind.JSON: json_texts.given,
    Kind.GEOMETRY: json_texts.given,
    Kind.INSTANT: json_texts.instants,
    Kind.TIME: json_texts.times,
    Kind.SPAN: json_texts.times,
    Kind.RESULT: json_texts.results,
}
_ALWAYS = {("Observations", "resultTime"), ("Observations", "result")}
"""Shown as null where absent: OGC 18-088 wants them."""

Piece = str | Sequence[str]


@dataclass(frozen=True, slots=True)
class Field:
    """One property: its columns among those of the layout, from `at`."""

    name: str
    at: int
    width: int
    render: Callable[..., Texts]
    always: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns to select, the id first, and what is shown of them."""

    entity_set: EntitySet
    columns: Sequence[Sql]
    fields: Sequence[Field]
    links: Sequence[str]
    to_one: dict[str, int]  # link to the index of its column
    shows_id: bool
    shows_self: bool


def layout(entity_set: EntitySet, options: Options, source: EntitySource, alias: str) -> Layout:
    """What the options show of an entity; raises BadRequestError for a name that it has not."""
    selected = _selected(entity_set, options.select)
    columns = [Sql(f"{alias}.id")]
    fields = []
    for name, property_ in entity_set.properties.items():
        if selected is not None and name not in selected:
            continue
        own = property_columns(property_, source, alias)
        render = _RENDER[property_.kind]
        paths = [each for each in selected[name] if each] if selected is not None else []
        if paths and len(paths) == len(selected[name] if selected is not None else ()):
            render = json_texts.parts(paths)
        always = (entity_set.name, name) in _ALWAYS
        fields.append(Field(name, len(columns), len(own), render, always))
        columns += own
    expanded = {each.link for each in options.expand}
    links = [
        each for each in entity_set.links if each not in expanded and (selected is None or each in selected)
    ]
    to_one = {}
    for each in expanded:
        link = entity_set.links.get(each)
        if isinstance(link, ToOne):
            to_one[each] = len(columns)
            columns.append(Sql(f"{alias}.{link.column}"))
    every = selected is None
    return Layout(
        entity_set,
        columns,
        fields,
        links,
        to_one,
        every or ID in (selected or ()),
        every or SELF_LINK in (selected or ()),
    )


def property_columns(property_: Property, source: EntitySource, alias: str) -> Sequence[Sql]:
    """The columns that hold a property."""
    if property_.kind != Kind.SPAN:
        return [Sql(f"{alias}.{each}") for each in property_.columns]
    if property_.name == "phenomenonTime":
        return source.span(f"{alias}.id")
    if not source.writable:  # what a store has no index for is left out
        return [Sql("NULL"), Sql("NULL")]
    of = f"FROM observations AS s WHERE s.datastream_id = {alias}.id"
    return [Sql(f"(SELECT {each}(s.result_time) {of})") for each in ("min", "max")]


def rendered(property_: Property, columns: Sequence[Column]) -> Texts:
    """A property's columns as JSON texts; None where absent."""
    return _RENDER[property_.kind](*columns)


def _selected(
    entity_set: EntitySet, select: Sequence[tuple[str, ...]]
) -> dict[str, list[tuple[str, ...]]] | None:
    """Names to the paths below them that are wanted, an empty path for everything; None: all names."""
    if not select:
        return None
    selected: dict[str, list[tuple[str, ...]]] = {}
    for first, *rest in select:
        name = ID if first == "id" else SELF_LINK if first == "selfLink" else first
        known = name in {ID, SELF_LINK} or name in entity_set.links
        property_ = entity_set.properties.get(name)
        if not known and property_ is None:
            raise unknown(entity_set, first, "$select")
        if rest and (property_ is None or property_.kind != Kind.JSON):
            raise BadRequestError(
                f"{first} has no parts to select", f"select {first} as a whole", option="$select"
            )
        selected.setdefault(name, []).append(tuple(rest))
    return selected


def unknown(entity_set: EntitySet, name: str, option: str) -> BadRequestError:
    """The error for a name that an entity has not."""
    names = ", ".join([*entity_set.properties, *entity_set.links])
    return BadRequestError(
        f"{entity_set.name} have no {name[:100]!r}", f"they have: id, {names}", option=option
    )


class Rows:
    """Assembled JSON texts, of all rows in one list: `width` of them make a row."""

    def __init__(self, cells: list[str], width: int, count: int, *, loose: bool) -> None:
        self._cells = cells
        self._width = width
        self._count = count
        self._loose = loose  # a row's first member may be absent, so it begins with a comma too many

    def __iter__(self) -> Iterator[str]:
        return (self.joined(each, each + 1) for each in range(self._count))

    def joined(self, start: int = 0, end: int | None = None) -> str:
        """Rows from `start` to before `end`, with commas between them."""
        end = self._count if end is None else end
        if self._loose:
            return ",".join(self._tidy(each) for each in range(start, end))
        cells = self._cells[start * self._width : end * self._width]
        if cells:
            cells[0] = cells[0][1:]
        return "".join(cells)

    def _tidy(self, row: int) -> str:
        text = "".join(self._cells[row * self._width : (row + 1) * self._width])
        return text[1:].replace("{,", "{", 1) if text.startswith(",{,") else text[1:]


def assemble(pieces: Sequence[Piece], count: int, *, loose: bool = False) -> Rows:
    """Rows out of pieces; the first piece begins with the comma that stands between rows."""
    merged: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    width = len(merged)
    cells = [""] * (width * count)
    for at, piece in enumerate(merged):
        cells[at::width] = [piece] * count if isinstance(piece, str) else piece
    return Rows(cells, width, count, loose=loose)


def objects(shown: Layout, rows: Sequence[tuple[Any, ...]], base: str, expanded: Sequence[Piece]) -> Rows:
    """Rows as JSON objects. `expanded` are members that were made already, each with its comma in front."""
    count = len(rows)
    columns: Sequence[Column] = list(zip(*rows, strict=True)) if rows else [()] * len(shown.columns)
    ids = json_texts.numbers(columns[0])
    own = f"{base}/{shown.entity_set.name}("
    pieces: list[Piece] = [",{"]
    if shown.shows_id:
        pieces += [',"@iot.id":', ids]
    if shown.shows_self:
        pieces += [f',"@iot.selfLink":"{own}', ids, ')"']
    for field in shown.fields:
        values = field.render(*columns[field.at : field.at + field.width])
        pieces += member(field.name, values, always=field.always)
    pieces += expanded
    for link in shown.links:
        pieces += [f',"{link}@iot.navigationLink":"{own}', ids, f')/{link}"']
    pieces.append("}")
    first = pieces[1]
    firm = isinstance(first, str) and first != "}"
    if firm:
        pieces[1] = first[1:]
    return assemble(pieces, count, loose=not firm)


def member(name: str, values: Texts, *, always: bool = False) -> list[Piece]:
    """A member of every row's object; left out where None, or null where it is there always."""
    start = f",{quote(name)}:"
    if not any(values):  # a text is never empty, so each is None
        return [f"{start}null"] if always else []
    if None not in values:
        return [start, values]  # type: ignore[list-item]  # there is no None among them
    if always:
        return [start, ["null" if each is None else each for each in values]]
    return [["" if each is None else start + each for each in values]]
