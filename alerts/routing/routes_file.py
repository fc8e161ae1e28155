"""Reading routes.toml, and what in it cannot work."""

import difflib
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pydantic

from alerts.errors import AlertsConfigError
from alerts.routing.rota import Rota
from alerts.routing.routes import Inhibit, Person, Route, Routes
from devices.errors import Fault

_KINDS: Mapping[str, type[pydantic.BaseModel]] = {
    "person": Person,
    "rota": Rota,
    "route": Route,
    "inhibit": Inhibit,
}
_REMEDY = "see docs/routing.md for its meaning and range"


def load_routes(file: Path, zone: ZoneInfo) -> Routes:
    """The routes of a file. Raises AlertsConfigError with all faults in it."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        remedy = "give a readable TOML file in [alerts] routes"
        raise AlertsConfigError(Fault(str(file), "file", f"cannot be read: {fault}", remedy)) from fault
    except tomllib.TOMLDecodeError as fault:
        raise AlertsConfigError(
            Fault(str(file), "file", f"is not TOML: {fault}", "correct the line")
        ) from fault
    return parse_routes(document, str(file), zone)


def parse_routes(document: Mapping[str, Any], file: str, zone: ZoneInfo) -> Routes:
    """Routes of a parsed document. Raises AlertsConfigError with all faults in it."""
    faults = [
        Fault(file, key, "unknown key", "write [[person]], [[rota]], [[route]] or [[inhibit]]")
        for key in document
        if key not in _KINDS
    ]
    found: dict[str, list[Any]] = {kind: [] for kind in _KINDS}
    for kind, model in _KINDS.items():
        tables = document.get(kind, [])
        if not isinstance(tables, list):
            faults.append(Fault(file, kind, "is no list of tables", f"write [[{kind}]] above each"))
            continue
        for number, table in enumerate(tables, 1):
            try:
                found[kind].append(model.model_validate(table))
            except pydantic.ValidationError as fault:
                faults += _invalid(file, f"{kind} {number}", fault)
    faults += _contradictions(document, file, found)
    if faults:
        raise AlertsConfigError(*faults)
    people = {each.name: each for each in found["person"]}
    rotas = {each.name: each for each in found["rota"]}
    return Routes(file, zone, people, rotas, tuple(found["route"]), tuple(found["inhibit"]))


def _contradictions(
    document: Mapping[str, Any], file: str, found: Mapping[str, Sequence[Any]]
) -> Iterator[Fault]:
    """What its tables say against each other."""
    for kind in ("person", "rota"):
        for name in _doubled([each.name for each in found[kind]]):
            yield Fault(file, f"{kind} {name}", "two of this name", "give each its own name")
    # the names of tables that are themselves at fault are known
    named = {kind: _names(document, kind) for kind in ("person", "rota")}
    for rota in found["rota"]:
        for person in (*rota.people, *(each.person for each in rota.swap)):
            if person not in named["person"]:
                yield _unknown(file, f"rota {rota.name}", "person", person, named["person"])
    if not document.get("route"):
        yield Fault(file, "route", "missing", "write at least one [[route]] with to = [...]")
    for key, route, to in _walk(found["route"]):
        yield from _targets(file, key, route, named)
        if not to and not route.route:
            yield Fault(file, f"{key}.to", "leads to nobody", 'to = ["rota:NAME"]')


def misfits(
    routes: Routes, channels: Mapping[str, bool], areas: Collection[str], catchments: Collection[str]
) -> Iterator[Fault]:
    """What does not fit the configuration. `channels`: name to whether staff hear there."""
    file = routes.file
    for person in routes.people.values():
        for name in person.channels:
            yield from _channel(file, f"person {person.name}.channels", name, channels)
    for key, route, _ in _walk(routes.routes):
        targets = (*route.to, *(to for step in route.escalate or () for to in step.to))
        for target in targets:
            if target.startswith("channel:"):
                yield from _channel(file, f"{key}.to", target.removeprefix("channel:"), channels)
        for id_ in route.areas:
            if id_ not in areas:
                yield _unknown(file, f"{key}.areas", "area", id_, areas)
        for id_ in route.catchments:
            if id_ not in catchments:
                yield _unknown(file, f"{key}.catchments", "catchment", id_, catchments)


def _walk(
    routes: Sequence[Route], above: str = "", to: tuple[str, ...] = ()
) -> Iterator[tuple[str, Route, tuple[str, ...]]]:
    """Every route with its key and the targets that it leads to."""
    for number, route in enumerate(routes, 1):
        key = f"{above}route {number}"
        yield key, route, route.to or to
        yield from _walk(route.route, f"{key}.", route.to or to)


def _targets(file: str, key: str, route: Route, named: Mapping[str, Collection[str]]) -> Iterator[Fault]:
    steps = [("to", route.to)]
    steps += [(f"escalate {n}.to", step.to) for n, step in enumerate(route.escalate or (), 1)]
    for where, targets in steps:
        for target in targets:
            kind, _, name = target.partition(":")
            if kind in named and name not in named[kind]:
                yield _unknown(file, f"{key}.{where}", kind, name, named[kind])


def _channel(file: str, key: str, name: str, channels: Mapping[str, bool]) -> Iterator[Fault]:
    if name not in channels:
        yield _unknown(file, key, "channel", name, channels)
    elif not channels[name]:
        remedy = 'staff are routed; give the channel audience = ["staff"] or take it out'
        yield Fault(file, key, f"channel {name!r} is for the public alone", remedy)


def _unknown(file: str, key: str, what: str, name: str, known: Collection[str]) -> Fault:
    near = difflib.get_close_matches(name, known, 1)
    some = ", ".join(sorted(known)[:10]) or "there is none"
    return Fault(
        file, key, f"unknown {what} {name!r}", f"did you mean {near[0]!r}?" if near else f"known: {some}"
    )


def _names(document: Mapping[str, Any], kind: str) -> set[str]:
    tables = document.get(kind, [])
    return {
        str(table["name"])
        for table in (tables if isinstance(tables, list) else [])
        if isinstance(table, dict) and "name" in table
    }


def _doubled(names: Sequence[str]) -> list[str]:
    return sorted({each for each in names if names.count(each) > 1})


def _invalid(file: str, key: str, fault: pydantic.ValidationError) -> Iterator[Fault]:
    for error in fault.errors():
        where = ".".join([key, *map(str, error["loc"])])
        problem = f"{error['msg'].removeprefix('Value error, ')} (it is {error['input']!r:.100})"
        yield Fault(file, where, problem, _REMEDY)
