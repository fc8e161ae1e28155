"""Official neighbours of a configuration: their sources, their faults, and `stadtfunk neighbours`."""

import argparse
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from devices.errors import Fault
from devices.registry import Registry, merged
from ingest.hand_over import HandOver
from ingest.neighbours import dwd_cap
from ingest.neighbours.poller import Neighbours
from ingest.neighbours.sources import KINDS, Neighbour, neighbour_registry
from ingest.neighbours.uplinks import parse
from stadtfunk.settings import Settings
from stadtfunk.settings_file import load_settings

FILE = "neighbours.json"


def neighbours_of(settings: Settings) -> list[Neighbour]:
    """What the configuration names."""
    cells = dwd_cap.warncells(settings.city.ars) if settings.city.ars else ()
    return [
        Neighbour(
            kind=each.kind,
            stations=each.stations if KINDS[each.kind].gauges else {dwd_cap.STATION: dwd_cap.STATION},
            public=each.public,
            cells=each.warncells or cells,
            url=each.url,
            every_s=each.every_s,
            user_agent=_user_agent(each.contact),
        )
        for each in settings.neighbour
    ]


def neighbour_faults(settings: Settings, registry: Registry) -> Iterator[Fault]:
    """Stations that the list of devices has as well. `registry`: what stands in that list."""
    for i, each in enumerate(neighbours_of(settings)):
        for id_ in sorted(each.stations.keys() & registry.stations.keys()):
            key = f"neighbour[{i}].stations.{id_}"
            yield Fault(str(settings.source), key, "stands in the device list as well", "give it another id")


def with_neighbours(registry: Registry, settings: Settings) -> Registry:
    """The listed stations and those of the neighbours, as far as they are known without asking.

    A list that cannot be read stays empty: what names its stations is not to blame.
    """
    if not registry.devices and (settings.devices.file or settings.device):
        return registry
    return merged(registry, neighbour_registry(neighbours_of(settings), {}))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which configuration."""
    parser.add_argument("--config", type=Path, required=True, metavar="city.toml")


def run(args: argparse.Namespace) -> int:
    """Ask every source once and print what it gives; 1 when one of them does not answer."""
    settings = load_settings(args.config)
    neighbours = neighbours_of(settings)
    if not neighbours:
        print("no [[neighbour]] in the configuration")
        return 0
    registry = [Registry()]
    hand_over = HandOver(most_messages=1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        poller = Neighbours(
            neighbours,
            hand_over,
            lambda joined: registry.__setitem__(0, joined),
            lambda: time.time_ns() // 1000,
            Path(folder) / FILE,
        )
        poller.ask_all()
        _print(poller, registry[0], hand_over)
    return 0 if all(health.ok for health in poller.health.values()) else 1


def _print(poller: Neighbours, registry: Registry, hand_over: HandOver) -> None:
    newest: dict[str, str] = {}
    for delivery in hand_over.take(1_000_000, 0.0):
        newest |= {each.topic: each.payload.decode() for each in delivery.messages if parse(each)}
    for name, health in poller.health.items():
        print(
            f"{name}: {'answers' if health.ok else 'NO ANSWER'}{': ' if health.detail else ''}{health.detail}"
        )
    for station in registry.stations.values():
        marks = ", ".join(f"{mark:g}" for mark in station.stages_cm) or "none"
        place = "no place" if station.lat is None else f"{station.lat:.4f} {station.lon:.4f}"
        print(
            f"  {station.id}: {station.name} ({station.water or 'no water'}), {place}, marks in cm: {marks}"
        )
        print(f"    newest: {newest.get(station.devices[0], 'none')}")
    official = poller.official()
    for warning in official.warnings if official else ():
        print(f"  {warning.kind}: {warning.headline} ({', '.join(warning.areas)})")


def _user_agent(contact: str) -> str:
    """Who asks, as sources want to know it: product, version, whom to write to."""
    return f"Stadtfunk/{version('stadtfunk')}" + (f" ({contact})" if contact else "")
