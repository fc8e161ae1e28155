"""Who of the staff hears of what, as the configuration says; `stadtfunk routes`."""

import argparse
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from alerts.areas import Areas, load_areas
from alerts.catchments import CITY, Catchments, load_catchments
from alerts.delivery.channels import Channel
from alerts.delivery.dispatch import Dispatch, Place
from alerts.errors import AlertsConfigError
from alerts.routing.matter import KINDS, Kind, Matter
from alerts.routing.phones import rings
from alerts.routing.rota import from_us, to_us
from alerts.routing.routes import Route, Routes, Turn, alone
from alerts.routing.routes_file import load_routes, misfits
from alerts.routing.silences import Silences
from alerts.scale import SEVERITIES, rank
from devices.errors import Fault
from ingest.sqlite_file import sqlite_path
from stadtfunk.errors import ConfigError
from stadtfunk.settings import Settings
from stadtfunk.settings_file import load_settings

FILE = "silences.db"
"""Beside the journal."""


def open_silences(settings: Settings, clock: Callable[[], int]) -> Silences:
    """The file of silences. Raises SilencesError."""
    return Silences(sqlite_path(settings.journal.url).with_name(FILE), clock)


def dispatch_of(
    settings: Settings,
    channels: Sequence[Channel],
    place: Place,
    silences: Silences,
    clock: Callable[[], int],
) -> Dispatch:
    """Who hears of what. Raises AlertsConfigError."""
    routes = routes_of(settings, place.areas, place.catchments)
    place = replace(place, zone=ZoneInfo(settings.city.timezone))
    return Dispatch(channels, clock, routes=routes, silences=silences, place=place)


def routes_of(settings: Settings, areas: Areas, catchments: Catchments) -> Routes | None:
    """The routes, None without a file. Raises AlertsConfigError with all faults."""
    if settings.alerts.routes is None:
        return None
    routes = load_routes(settings.path(settings.alerts.routes), ZoneInfo(settings.city.timezone))
    channels = {each.name: "staff" in each.audience for each in settings.alerts.channel}
    ids = [CITY, *(each.id for each in catchments.catchments)]
    if faults := list(misfits(routes, channels, [each.id for each in areas.areas], ids)):
        raise AlertsConfigError(*faults)
    return routes


def examined(
    settings: Settings, areas: Areas, catchments: Catchments, now_us: int
) -> tuple[Sequence[Fault], list[str]]:
    """What keeps the routes from working, and what will not work as hoped."""
    try:
        routes = routes_of(settings, areas, catchments)
    except AlertsConfigError as error:
        return error.faults, []
    return [], list(_advice(settings, routes, areas, catchments, now_us)) if routes else []


def _advice(
    settings: Settings, routes: Routes, areas: Areas, catchments: Catchments, now_us: int
) -> Iterator[str]:
    channels = {each.name: each for each in settings.alerts.channel}
    least = {name: each.min_level for name, each in channels.items()}
    matters = list(_grave(areas, catchments))
    yield from _nobody_hears(routes, least, matters, now_us)
    yield from _alone(routes, least, matters, now_us)
    for person in routes.people.values():
        if not any(rings(channels[name].url) for name in person.channels):
            yield f"routes: {person.name} has no channel that rings a phone (SMS or a calling service)"
    for rota in routes.rotas.values():
        if now_us < to_us(rota.first):
            first = rota.first.astimezone(routes.zone)
            yield (
                f"routes: rota {rota.name} has a gap: its first shift begins at {first:%Y-%m-%d %H:%M}; "
                f"until then it is counted backwards, now {rota.on_duty(now_us, routes.zone)} is on duty"
            )
    yield from _never_reached(routes.routes)
    named = {name for person in routes.people.values() for name in person.channels}
    named |= set(re.findall(r"channel:([^'\"]+)", str([each.model_dump() for each in routes.routes])))
    for channel in channels.values():
        if "staff" in channel.audience and channel.name not in named:
            yield f"routes: channel {channel.name} is in no route: it hears when routes lead to nobody"


def _never_reached(routes: Sequence[Route], below: str = "") -> Iterator[str]:
    for number, one in enumerate(routes, 1):
        taken = (
            n for n, each in enumerate(routes[: number - 1], 1) if not each.go_on and each.takes_all_of(one)
        )
        if by := next(taken, 0):
            yield f"routes: route {below}{number} is never reached: route {below}{by} takes all of it"
        yield from _never_reached(one.route, f"{below}{number}.")


def _grave(areas: Areas, catchments: Catchments) -> Iterator[tuple[str, Matter]]:
    """What is Severe or worse, anywhere: where, in words, with what the routes are asked."""
    kinds: tuple[Kind, ...] = ("notice", "city")
    places: list[tuple[str, frozenset[str] | None, str | None]] = [("", None, None)]
    places += [(f" in area {each.id}", frozenset({each.id}), "") for each in areas.areas]
    places += [(f" in catchment {each.id}", frozenset(), each.id) for each in catchments.catchments]
    for kind, severity in itertools.product(kinds, SEVERITIES[2:]):
        for words, ids, catchment in places:
            yield words, Matter(kind, severity, ids, catchment)


def _nobody_hears(
    routes: Routes, least: Mapping[str, int], matters: Sequence[tuple[str, Matter]], now_us: int
) -> Iterator[str]:
    found = set[tuple[str, str]]()
    for words, matter in matters:
        turns = routes.turns(matter, now_us)
        names = [call.channel for turn in turns for call in turn.calls if not turn.after_min]
        key = matter.kind, matter.severity
        if key not in found and not any(rank(matter.severity) >= least[name] for name in names):
            found.add(key)
            yield f"routes: nobody hears of {matter.kind} {matter.severity}{words}: all staff channels will"


def _alone(
    routes: Routes, least: Mapping[str, int], matters: Sequence[tuple[str, Matter]], now_us: int
) -> Iterator[str]:
    """Who is the only one to be called, in any shift; each person once, at the least severity."""
    times = {
        now_us,
        *(each for rota in routes.rotas.values() for each in rota.shifts_us(now_us, routes.zone)),
    }
    found = set[str]()
    for (words, matter), time_us in itertools.product(matters, sorted(times)):
        deaf = {name for name, least_rank in least.items() if rank(matter.severity) < least_rank}
        who = alone(routes.turns(matter, time_us), deaf)
        if who and who not in found:
            found.add(who)
            yield (
                f"routes: of {matter.kind} {matter.severity}{words} only {who} is called "
                f"({from_us(time_us, routes.zone):%Y-%m-%d %H:%M}), and nobody when there is no answer: "
                "escalate to somebody else"
            )


def add_arguments(sub: argparse.ArgumentParser) -> None:
    """`stadtfunk routes`: who hears of what, when."""
    sub.add_argument("--config", type=Path, required=True, metavar="city.toml")
    sub.add_argument("--severity", choices=SEVERITIES, required=True)
    sub.add_argument("--area", default="", help="id of a warning area; without one the whole city")
    sub.add_argument("--catchment", default="", help="id of a catchment")
    sub.add_argument("--kind", choices=KINDS, default="notice")
    sub.add_argument("--at", default="", metavar="TIME", help="RFC 3339 or local time; without one now")


def run(args: argparse.Namespace) -> int:
    """Print who hears when, and whom after how long."""
    settings = load_settings(args.config)
    zone = ZoneInfo(settings.city.timezone)
    file = str(args.config)
    areas = load_areas(settings.alerts.areas and settings.path(settings.alerts.areas))
    catchments = load_catchments(settings.alerts.catchments and settings.path(settings.alerts.catchments))
    faults = list(_unknown(args, areas, catchments))
    time_us = 0
    try:
        time = datetime.fromisoformat(args.at) if args.at else datetime.now(zone)
        time_us = to_us(time if time.tzinfo else time.replace(tzinfo=zone))
    except ValueError:
        faults.append(Fault(file, "--at", f"{args.at!r} is no time", "such as 2026-07-14T22:30"))
    try:
        routes = routes_of(settings, areas, catchments)
    except AlertsConfigError as error:
        faults += error.faults
    if faults:
        raise ConfigError(*faults)
    if routes is None:
        print("no [alerts] routes: every staff channel hears by its own min_level")
        return 0
    chosen = frozenset({args.area}) if args.area else None if not args.catchment else frozenset[str]()
    matter = Matter(args.kind, args.severity, chosen, args.catchment or (None if not args.area else ""))
    print(f"{args.kind} {args.severity} at {from_us(time_us, zone):%Y-%m-%d %H:%M %Z}")
    channels = {each.name: Channel(**each.model_dump()) for each in settings.alerts.channel}
    turns = routes.turns(matter, time_us)
    heard = False
    for turn in turns:
        for line, hears in _lines(turn, channels, matter, time_us, zone):
            heard |= hears and turn.after_min == 0
            print(line)
    if not heard:
        print("  nobody at once: all staff channels hear")
    elif rank(matter.severity) >= rank("Severe"):
        deaf = {name for name, each in channels.items() if rank(matter.severity) < each.min_level}
        who = alone(turns, deaf)
        if who:
            print(f"  only {who} is called: nobody else when there is no answer")
    return 0


def _unknown(args: argparse.Namespace, areas: Areas, catchments: Catchments) -> Iterator[Fault]:
    known = {
        "area": [each.id for each in areas.areas],
        "catchment": [CITY, *(c.id for c in catchments.catchments)],
    }
    for key, ids in known.items():
        value = getattr(args, key)
        if value and value not in ids:
            yield Fault(
                str(args.config), f"--{key}", f"unknown {key} {value!r}", f"known: {', '.join(ids) or 'none'}"
            )


def _lines(
    turn: Turn, channels: Mapping[str, Channel], matter: Matter, time_us: int, zone: ZoneInfo
) -> Iterator[tuple[str, bool]]:
    when = "at once" if not turn.after_min else f"after {turn.after_min:g} min unless acknowledged"
    for call in turn.calls:
        channel = channels[call.channel]
        hears = rank(matter.severity) >= channel.min_level
        held = channel.held_until_us(time_us, zone) if rank(matter.severity) < rank("Severe") else None
        note = "" if hears else f" (not: below its min_level {channel.min_level})"
        if hears and held is not None and matter.kind != "city":
            note = f" (quiet hours: at {from_us(held, zone):%H:%M} if it still stands)"
        yield f"  {when}: {call.whom} by {call.channel}{note}", hears
