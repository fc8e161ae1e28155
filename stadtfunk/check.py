"""`stadtfunk check`: everything that is wrong with a configuration, in one run, before it matters."""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from alerts.areas import Areas, load_areas
from alerts.catchments import Catchments, load_catchments
from alerts.errors import AlertsConfigError
from alerts.explain import City, Explained, explain
from alerts.kostra.kostra import Kostra
from alerts.rules import Rules, load_rules
from alerts.scale import Scale, load_scale
from devices.catalogue import Catalogue, DeviceType
from devices.errors import DevicesError, Fault
from devices.registry import Registry, load_registry
from ingest.sqlite_file import sqlite_path
from stadtfunk import (
    cap,
    dcat,
    displays,
    heartbeats,
    network_servers,
    open_data,
    roads,
    routing,
    sta,
    standby,
)
from stadtfunk.channels import channel_advice, channel_faults
from stadtfunk.errors import ConfigError
from stadtfunk.javascript_types import examined_types, named_types
from stadtfunk.kostra_commands import advice as kostra_advice
from stadtfunk.kostra_commands import city_kostra
from stadtfunk.lead_time import lead_time_advice
from stadtfunk.neighbours import neighbour_faults, with_neighbours
from stadtfunk.settings import ApiTable, Settings
from stadtfunk.settings_file import read_settings
from stadtfunk.subscriptions import subscription_faults
from stadtfunk.texts import examine_texts
from stadtfunk.unjudged import unjudged_advice

_HERE = {"127.0.0.1", "::1", "localhost"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `stadtfunk check`."""
    parser.add_argument("--config", type=Path, required=True, metavar="city.toml")
    parser.add_argument(
        "--rules", action="store_true", help="also what each rule does, in a German and an English sentence"
    )


def run(args: argparse.Namespace) -> int:
    """Print every fault and what to do about it; 0 when there is none."""
    advice: list[str] = []
    try:
        settings, faults = read_settings(args.config)
    except ConfigError as error:
        settings, faults = None, list(error.faults)
    if settings is not None:
        more, advice = examine(settings)
        faults = _once(str(args.config), settings, faults, more)
        advice = [] if faults else advice  # it is about a configuration that is complete
    if settings is not None and not faults:
        _tell_rules([*_explained(settings)], in_full=args.rules)
    # last, so that it stands above the prompt however many rules there are
    for line in advice:
        print(f"advice: {line}")
    for fault in faults:
        print(f"fault: {fault}", file=sys.stderr)
    if faults:
        print(f"{len(faults)} fault(s)", file=sys.stderr)
        return 1
    print("no fault found")
    return 0


def _tell_rules(rules: Sequence[Explained], *, in_full: bool) -> None:
    if not in_full:
        ids = ", ".join(each.id for each in rules)
        print(f"rules: {len(rules)}: {ids} (what each does: --rules)")
        return
    print("What each rule does:")
    for each in rules:
        print(f"rule {each.id}\n  de: {each.de}\n  en: {each.en}")
    print()


def _once(file: str, settings: Settings, before: Sequence[Fault], more: Sequence[Fault]) -> list[Fault]:
    """All of them, the configuration named as it was given; what is said of a key already stands alone."""
    said = {(fault.file, fault.key) for fault in before}
    named = [replace(fault, file=file) if fault.file == str(settings.source) else fault for fault in more]
    return [*before, *(fault for fault in named if (fault.file, fault.key) not in said)]


def _explained(settings: Settings) -> Iterator[Explained]:
    """The rules of a configuration without a fault."""
    catalogue = named_types(settings)
    registry = load_registry(
        settings.devices.file and settings.path(settings.devices.file), settings.device, catalogue=catalogue
    )
    scale = load_scale(settings.alerts.scale and settings.path(settings.alerts.scale))
    rules = load_rules(settings.alerts.rules and settings.path(settings.alerts.rules), scale)
    catchments = load_catchments(settings.alerts.catchments and settings.path(settings.alerts.catchments))
    return explain(City(rules, registry, catalogue, catchments))


def examine(settings: Settings) -> tuple[list[Fault], list[str]]:
    """Faults that keep the service from starting, and advice on what will not work as hoped."""
    faults: list[Fault] = []
    advice: list[str] = []
    catalogue: Catalogue | None = None  # an unreadable type must not make every device's type unknown as well
    registry = Registry()
    rules: Rules | None = None
    kostra = Kostra()
    try:
        catalogue, advice = examined_types(settings)
    except DevicesError as error:
        faults += error.faults
    try:
        registry = load_registry(
            settings.devices.file and settings.path(settings.devices.file),
            settings.device,
            catalogue=catalogue,
            tables_file=str(settings.source),
        )
    except DevicesError as error:
        faults += error.faults
    scale: Scale | None = None
    faults += neighbour_faults(settings, registry)
    registry = with_neighbours(registry, settings)
    try:
        scale = load_scale(settings.alerts.scale and settings.path(settings.alerts.scale))
    except AlertsConfigError as error:
        faults += error.faults
    try:
        rules = load_rules(settings.alerts.rules and settings.path(settings.alerts.rules), scale)
        if registry.devices:  # an unreadable list must not make every rule's station unknown as well
            faults += rules.check(registry)
    except AlertsConfigError as error:
        faults += error.faults
    catchments, found = _catchments(settings, registry)
    faults += found
    areas, found = _areas(settings, registry)
    faults += found
    found, routing_advice = routing.examined(settings, areas, catchments, time.time_ns() // 1000)
    faults += found
    try:
        kostra = city_kostra(settings)
    except AlertsConfigError as error:
        faults += error.faults
    faults += [*channel_faults(settings), *network_servers.faults(settings)]
    faults += [*subscription_faults(settings), *cap.faults(settings)]
    of_roads = roads.faults(settings, registry, catalogue) if registry.devices else ()  # as for the rules
    faults += [*displays.faults(settings, areas, registry), *sta.faults(settings), *of_roads]
    found, text_advice = examine_texts(settings)
    faults += [*heartbeats.faults(settings), *standby.faults(settings), *found]
    advice += [*_advice(settings, catalogue or {}, registry), *text_advice, *routing_advice]
    advice += [*displays.advice(settings, areas), *heartbeats.advice(settings), *standby.advice(settings)]
    if rules is not None:
        advice += rules.releases.advice()
        advice += kostra_advice(kostra, rules, registry, catalogue or {})
        for of_rules in (lead_time_advice, unjudged_advice):
            advice += of_rules(rules, registry, catalogue or {}, catchments)
    return faults, advice


def _catchments(settings: Settings, registry: Registry) -> tuple[Catchments, Sequence[Fault]]:
    try:
        catchments = load_catchments(settings.alerts.catchments and settings.path(settings.alerts.catchments))
    except AlertsConfigError as error:
        return Catchments(), error.faults
    return catchments, catchments.check(registry) if registry.devices else []


def _areas(settings: Settings, registry: Registry) -> tuple[Areas, Sequence[Fault]]:
    try:
        areas = load_areas(settings.alerts.areas and settings.path(settings.alerts.areas))
    except AlertsConfigError as error:
        return Areas(), error.faults
    return areas, areas.check(registry) if registry.devices else []


def _residents_advice(settings: Settings) -> Iterator[str]:
    if settings.subscriptions is None:
        yield "no [subscriptions]: residents cannot ask for messages"
    elif settings.api.host not in _HERE and settings.api.trusted_proxies == ApiTable().trusted_proxies:
        yield (
            "[api] host is open to the network: name your reverse proxy in trusted_proxies, or all residents "
            "behind it count as one, and few can subscribe in an hour"
        )


def _advice(settings: Settings, catalogue: Mapping[str, DeviceType], registry: Registry) -> Iterator[str]:
    yield from network_servers.advice(settings)
    yield from open_data.advice(settings, registry, catalogue)
    yield from _not_writable("journal.url", settings.journal.url)
    yield from _not_writable("store.url", settings.store.url)
    yield from channel_advice(settings)
    if settings.standby is None:  # what belongs to the first alone
        yield from _residents_advice(settings)
        yield from cap.advice(settings)
        yield from dcat.advice(settings, registry)
    if not settings.api.token:
        yield "no [[api.token]]: operators' pages answer 403; `stadtfunk token NAME` makes one"
    if not any(station.public for station in registry.stations.values()):
        yield "no station is public: set public = true where residents may see the readings"
    for device in registry.devices.values():
        if device.type in catalogue and not catalogue[device.type].properties:
            yield f"{device.station}: {device.type} has no field map, so no readings: docs/field-maps.md"
        properties = catalogue[device.type].properties if device.type in catalogue else ()
        distance = {"water_distance", "water_depth"} & set(properties)
        if distance and "water_level" not in properties and device.sensor_height_cm is None:
            yield f"{device.station}: without sensor_height_cm there is no water_level, so no level alert"


def _not_writable(key: str, url: str) -> Iterator[str]:
    """Only advice: the service may run as another user than the check does."""
    if url.startswith("sqlite:"):
        folders = sqlite_path(url).absolute().parents
        nearest = next(folder for folder in folders if os.path.exists(folder))  # noqa: PTH110 - Path raises
        if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
            yield f"{key}: this user may not write in {nearest}: give the service's user a folder there"
