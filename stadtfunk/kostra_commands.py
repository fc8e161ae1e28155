"""`stadtfunk kostra import`: DWD's grids into the small table that `[alerts] kostra` names."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from alerts.errors import AlertsConfigError
from alerts.kostra.kostra import OUTDATED, UNKNOWN, Kostra, cell_of, load_kostra, write_tables
from alerts.kostra.kostra_import import import_cells
from alerts.rule_kinds import Sri
from alerts.rules import Rules
from devices.catalogue import DeviceType
from devices.errors import DevicesError
from devices.registry import Registry, Station, load_registry
from stadtfunk.javascript_types import named_types
from stadtfunk.settings import Settings
from stadtfunk.settings_file import load_settings

_RAIN = frozenset({"precipitation", "precipitation_total"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`kostra import` and its arguments."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    summary = "read DWD's KOSTRA-DWD-2020 files into a table of the city's cells"
    sub = commands.add_parser("import", help=summary, description=summary)
    sub.add_argument(
        "source", type=Path, nargs="+", help="DWD's .asc or .csv files, folders of them, or ZIP files"
    )
    sub.add_argument("--config", type=Path, metavar="city.toml", help="for the cells of its stations")
    sub.add_argument("--cell", type=int, action="append", default=[], metavar="INDEX_RC", help="a cell more")
    sub.add_argument("--out", type=Path, default=Path("kostra.csv"), help="the file to write [kostra.csv]")
    sub.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the table; 1 with every fault when it cannot be."""
    try:
        cells = {*args.cell, *(_cells(load_settings(args.config)) if args.config else ())}
        if not cells:
            print("no cell: give --config with stations that have coordinates, or --cell", file=sys.stderr)
            return 2
        tables = import_cells(args.source, sorted(cells))
        args.out.write_text(write_tables(tables, tables[0].version), encoding="utf-8")
    except (AlertsConfigError, DevicesError) as error:
        for fault in error.faults:
            print(f"fault: {fault}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"fault: {args.out}: {error}", file=sys.stderr)
        return 1
    print(f"{args.out}: {tables[0].version}, cells {', '.join(map(str, sorted(cells)))}")
    print(f'name it in the configuration: [alerts] kostra = "{args.out}"')
    return 0


def city_kostra(settings: Settings) -> Kostra:
    """The tables that a configuration names. Raises AlertsConfigError."""
    return load_kostra(settings.alerts.kostra and settings.path(settings.alerts.kostra), settings.city.ars)


def advice(
    kostra: Kostra, rules: Rules, registry: Registry, catalogue: Mapping[str, DeviceType]
) -> Iterator[str]:
    """What is wrong with what the rain index rests on: no table, an old one, one without its version."""
    stations = [
        station
        for station in registry.stations.values()
        if _measures_rain(station, registry, catalogue) and rules.of(Sri, station.id)
    ]
    tables = {station.id: kostra.of(station.lat, station.lon) for station in stations}
    without = [id_ for id_, table in tables.items() if table is None]
    if without:
        yield (
            f"{', '.join(without)}: no KOSTRA table for the place, so no Starkregenindex (SRI): "
            "`stadtfunk kostra import` makes one for [alerts] kostra; it needs the stations' lat and lon"
        )
    versions = {table.version for table in tables.values() if table}
    if OUTDATED in versions:
        yield (
            f"the Starkregenindex rests on {OUTDATED}, superseded in 2023 by KOSTRA-DWD-2020: "
            "`stadtfunk kostra import` reads the new one"
        )
    if UNKNOWN in versions:
        yield "[alerts] kostra: write the version into the file's first line, such as # KOSTRA-DWD-2020"


def _measures_rain(station: Station, registry: Registry, catalogue: Mapping[str, DeviceType]) -> bool:
    types = {registry.devices[each].type for each in station.devices if each in registry.devices}
    return any(_RAIN & set(catalogue[each].properties) for each in types if each in catalogue)


def _cells(settings: Settings) -> Iterator[int]:
    catalogue = named_types(settings)
    file = settings.devices.file and settings.path(settings.devices.file)
    registry = load_registry(file, settings.device, catalogue=catalogue, tables_file=str(settings.source))
    for station in registry.stations.values():
        if station.lat is not None and station.lon is not None:
            yield cell_of(station.lat, station.lon)
