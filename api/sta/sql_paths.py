"""Which column, subquery or part of a JSON text a path of an expression means."""

import difflib
import itertools
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from api.sta.errors import BadRequestError
from api.sta.expression import Path
from api.sta.model import ENTITY_SETS, EntitySet, Kind, Link, Property, ToOne
from api.sta.source import EntitySource, Scope
from api.sta.sql import Sql, parameter, sql
from api.sta.sql_values import Operand, What, json_at, time

ID = "@iot.id"
_LINKS = 8
_PLAIN_KEY = re.compile(r'[^"\\\x00-\x1f\x7f-\U0010ffff]+')
_PLACE = re.compile(r"\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Frame:
    """What the rows are that an expression is read over, and from where more rows come.

    `joined`: aliases of the rows that stand for links to many, by the links that lead there.
    """

    entity_set: EntitySet
    alias: str
    source: EntitySource
    connection: sqlite3.Connection
    now_us: int
    joined: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    names: Iterator[int] = field(default_factory=itertools.count)

    def name(self) -> str:
        """An alias that nothing else has."""
        return f"_{next(self.names)}"

    def relation(self, entity_set: EntitySet, scope: Scope) -> Sql:
        """What to select a set's rows from."""
        if entity_set.name == "Observations":
            return self.source.observations(self.connection, scope)
        return Sql(entity_set.table)


def links_of(path: Path, entity_set: EntitySet) -> tuple[Link, ...]:
    """The links a path begins with."""
    links: list[Link] = []
    for segment in path.segments:
        link = entity_set.links.get(segment)
        if link is None:
            break
        links.append(link)
        entity_set = ENTITY_SETS[link.target]
    if len(links) > _LINKS:
        raise BadRequestError(f"a path follows at most {_LINKS} links", at=path.at)
    return tuple(links)


def check_ends(path: Path, entity_set: EntitySet) -> None:
    """Raises BadRequestError where a path names an entity, not a value of one."""
    if len(links_of(path, entity_set)) == len(path.segments):
        link = path.segments[-1]
        hint = f"name a property of it: {link}/id"
        raise BadRequestError(f"{link} is a link, not a value", hint, at=path.at)


def many_of(path: Path, entity_set: EntitySet) -> tuple[tuple[str, ...], ...]:
    """Beginnings of a path that end with a link to many, the shortest first."""
    links = links_of(path, entity_set)
    return tuple(
        path.segments[: place + 1] for place, link in enumerate(links) if not isinstance(link, ToOne)
    )


def compile_path(path: Path, frame: Frame) -> Operand:
    """A path's value for a row of the frame."""
    links = links_of(path, frame.entity_set)
    many = many_of(path, frame.entity_set)
    if many and many[-1] not in frame.joined:
        raise BadRequestError(
            f"{path.segments[len(many[0]) - 1]} are many, and one value is needed", at=path.at
        )
    start = len(many[-1]) if many else 0
    alias = frame.joined[many[-1]] if many else frame.alias
    ones = [link for link in links[start:] if isinstance(link, ToOne)]
    entity_set = ENTITY_SETS[links[-1].target] if links else frame.entity_set
    rest = path.segments[len(links) :]
    at = path.at + sum(len(each) + 1 for each in path.segments[: len(links)])
    if rest[0] in {ID, "id"}:
        if len(rest) > 1:
            raise BadRequestError("an id has no parts", at=at)
        return Operand(What.INTEGER, _key(ones, alias, frame), path.at)
    property_ = entity_set.properties.get(rest[0])
    if property_ is None:
        raise _unknown(entity_set, rest[0], at)
    if property_.kind is Kind.SPAN:
        if len(rest) > 1:
            raise BadRequestError(f"{rest[0]} has no parts", at=at)
        return _span(property_, _key(ones, alias, frame), path.at, frame)
    return _value(property_, rest, path.at, lambda column: _column(ones, alias, column, frame))


def _unknown(entity_set: EntitySet, name: str, at: int) -> BadRequestError:
    names = [*entity_set.properties, *entity_set.links, "id"]
    close = difflib.get_close_matches(name, names, 3, 0.5) or names
    return BadRequestError(f"{entity_set.entity} has no {name!r}", f"there are {', '.join(close)}", at=at)


def _column(ones: list[ToOne], alias: str, column: str, frame: Frame) -> Sql:
    """A column behind links to one each."""
    if not ones:
        return Sql(f"{alias}.{column}")
    names = [frame.name() for _ in ones]
    tables = f"{ENTITY_SETS[ones[0].target].table} AS {names[0]}"
    for place, link in enumerate(ones[1:], 1):
        tables += (
            f" JOIN {ENTITY_SETS[link.target].table} AS {names[place]}"
            f" ON {names[place]}.id = {names[place - 1]}.{link.column}"
        )
    return Sql(
        f"(SELECT {names[-1]}.{column} FROM {tables}"  # noqa: S608 - names of the model only
        f" WHERE {names[0]}.id = {alias}.{ones[0].column})"
    )


def _key(ones: list[ToOne], alias: str, frame: Frame) -> Sql:
    """The id behind links to one each: what the last link's column says."""
    return _column(ones[:-1], alias, ones[-1].column if ones else "id", frame)


def _span(property_: Property, datastream: Sql, at: int, frame: Frame) -> Operand:
    if property_.name == "phenomenonTime":
        begin, end = frame.source.span(datastream.text)
        return time(begin, end, at)
    relation, name = frame.source.observations(frame.connection, Scope()), frame.name()
    bounds = [
        sql(
            f"(SELECT {bound}({name}.result_time) FROM ",  # noqa: S608 - names of the model
            relation,
            f" AS {name} WHERE {name}.datastream_id = {datastream.text})",
        )
        for bound in ("min", "max")
    ]  # fmt: skip
    return time(bounds[0], bounds[1], at)


def _value(property_: Property, parts: tuple[str, ...], at: int, column: Callable[[str], Sql]) -> Operand:
    kind, columns = property_.kind, property_.columns
    first = column(columns[0])
    if kind is Kind.TIME and len(parts) == 1:
        return time(first, sql("coalesce(", column(columns[1]), ", ", first, ")"), at)
    if kind is Kind.INSTANT and len(parts) == 1:
        return time(first, at=at)
    if kind is Kind.TEXT and len(parts) == 1:
        return Operand(What.TEXT, first, at)
    if kind is Kind.GEOMETRY and len(parts) == 1:
        return Operand(What.GEOMETRY, first, at)
    if kind is Kind.RESULT:
        other = column(columns[1])
        return _result(first, other, at) if len(parts) == 1 else _member(other, parts[1:], at)
    if kind not in {Kind.JSON, Kind.GEOMETRY}:
        raise BadRequestError(f"{property_.name} has no parts", at=at)
    return _member(first, parts[1:], at)


def _result(result: Sql, other: Sql, at: int) -> Operand:
    value = sql("coalesce(", result, ", json_extract(", other, ", '$'))")
    type_ = sql("CASE WHEN ", result, " IS NULL THEN json_type(", other, ") ELSE typeof(", result, ") END")
    as_number = sql(
        "CASE typeof(", result, ") WHEN 'text' THEN sta_number(", result, ") ELSE ", result, " END"
    )  # fmt: skip
    return Operand(What.ANY, value, at, type=type_, number=as_number)


def _member(document: Sql, keys: tuple[str, ...], at: int) -> Operand:
    """A part of a JSON column. What SQLite's JSON paths cannot say is looked up by a function of ours."""
    if all(_PLAIN_KEY.fullmatch(key) and not _PLACE.fullmatch(key) for key in keys):
        return json_at(document, parameter("$" + "".join(f'."{key}"' for key in keys)), at)
    try:
        names = json.dumps(keys, ensure_ascii=False)
        names.encode()
    except UnicodeEncodeError:
        raise BadRequestError("a name is not valid Unicode", at=at) from None
    return json_at(sql("sta_member(", document, ", ", parameter(names), ")"), Sql("'$'"), at)
