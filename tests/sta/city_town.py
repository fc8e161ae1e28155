"""A small town served as SensorThings, and what is asked of it without HTTP."""

import contextlib
import math
from dataclasses import replace

import orjson
from small_town import COUNTER, LEVEL, MINUTE, PARK, RAIN, SECRET, T0, Town
from sta_scratch import COLUMNS, Scratch

from api.sta.answers import Asked, answer
from api.sta.city import Cities
from api.sta.query_options import parse_options
from api.sta.source import Scope
from api.sta.url_path import parse_path
from api.visibility import SeriesBook, View
from ingest.reading import Measured, Series

BASE = "https://example.org/sta/v1.1"
OLD = "70b3d57ed0000099"
SERIES = [
    Series("regen-gierath", "precipitation", "", RAIN),
    Series("regen-gierath", "precipitation", "", OLD),
    Series("strunde-gierath", "water_level", "", LEVEL),
    Series("z-haupt", "vehicle_count", "in", COUNTER),
    Series("z-haupt", "vehicle_count", "in", OLD),
    Series("z-haupt", "vehicle_count", "out", COUNTER),
    Series("geheim-pegel", "water_level", "", SECRET),
    Series("p-markt", "official_rain_warning", "", PARK),
    Series("strunde-gierath", "battery_low", "", LEVEL),
]


@contextlib.contextmanager
def town_with(folder, rows):
    """`rows`: (index of SERIES, minute, value or None, quality)."""
    town = Town(folder)
    accepted = []
    for at, minute, value, quality in rows:
        time_us = T0 + minute * MINUTE
        measured = Measured(SERIES[at], time_us, math.nan if value is None else value, quality)
        accepted.append(replace(town.uplink(SERIES[at].dev_eui, time_us), readings=(measured,)))
    if accepted:
        town.keep(*accepted)
    yield town
    town.store.close()
    town.journal.close()
    town.audit.close()


def view_of(town, operator=None, **changes):
    town.changes |= changes
    return View(town.services(), SeriesBook(town.journal), operator)


def source_of(view, **options):
    return Cities(**options)(view)


def copied(source, path):
    """The same entities in tables of their own."""
    scratch = Scratch(path)
    scratch.ids_follow_time = source.ids_follow_time
    with source.read() as connection:
        for table, columns in COLUMNS.items():
            if table == "observations":
                continue
            rows = connection.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
            scratch.insert(table, *rows)
        everything = source.observations(connection, Scope())
        names = ", ".join(COLUMNS["observations"])
        rows = connection.execute(
            f"SELECT {names} FROM {everything.text} AS e ORDER BY id", everything.parameters
        ).fetchall()
        scratch.insert("observations", *rows)
    return scratch


def ask(source, path, query=""):
    asked = Asked(BASE, f"{BASE}/{path}", query, parse_path(f"/{path}"), parse_options(query))
    body = answer(source, asked, {}).body
    return None if body is None else orjson.loads(body)


def walk(source, path, query="", most=40):
    """Every page of a collection."""
    pages = []
    for _ in range(most):
        pages.append(ask(source, path, query))
        following = pages[-1].get("@iot.nextLink")
        if following is None:
            break
        query = following.partition("?")[2]
    return pages


def ids(source, entity_set):
    return [each["@iot.id"] for page in walk(source, entity_set, "$top=1000") for each in page["value"]]
