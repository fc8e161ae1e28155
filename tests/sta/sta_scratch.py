"""A source of the tests: schema.sql and observations.sql in a file, filled by statements."""

import json
import sqlite3
from contextlib import closing, contextmanager
from importlib.resources import files

from api.sta.sql import Sql
from api.sta.sql_functions import install_functions

MINUTE = 60_000_000
T0 = 1_784_053_800_000_000  # 2026-07-14T18:30:00Z
COLUMNS = {
    "things": ("id", "name", "description", "properties"),
    "locations": ("id", "name", "description", "encoding_type", "location", "properties"),
    "things_locations": ("thing_id", "location_id"),
    "historical_locations": ("id", "time", "thing_id"),
    "locations_historical_locations": ("location_id", "historical_location_id"),
    "sensors": ("id", "name", "description", "encoding_type", "metadata", "properties"),
    "observed_properties": ("id", "name", "definition", "description", "properties"),
    "datastreams": (
        *("id", "name", "description", "observation_type", "unit_of_measurement", "observed_area"),
        *("properties", "thing_id", "sensor_id", "observed_property_id"),
    ),
    "features": ("id", "name", "description", "encoding_type", "feature", "properties"),
    "observations": (
        *("id", "phenomenon_begin", "phenomenon_end", "result", "result_json", "result_time"),
        *("result_quality", "valid_begin", "valid_end", "parameters", "datastream_id", "feature_id"),
    ),
}


class Scratch:
    """Entities in a file of SQLite."""

    writable = False
    ids_follow_time = False
    limits = False
    result_ends = False

    def __init__(self, path):
        self._path = path
        with self._open() as connection:
            for name in ("schema.sql", "observations.sql"):
                connection.executescript((files("api.sta") / name).read_text())

    @contextmanager
    def _open(self):
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute("PRAGMA synchronous = OFF")
            yield connection

    @contextmanager
    def read(self):
        with closing(sqlite3.connect(self._path, check_same_thread=False)) as connection:
            install_functions(connection)
            connection.execute("BEGIN")
            yield connection

    def observations(self, _connection, _scope):
        return Sql("observations")

    def count(self, _connection, _scope):
        return None

    def span(self, datastream):
        of = f"FROM observations AS s WHERE s.datastream_id = {datastream}"
        last = "ORDER BY s.phenomenon_begin DESC LIMIT 1"
        return (
            Sql(f"(SELECT s.phenomenon_begin {of} ORDER BY s.phenomenon_begin LIMIT 1)"),
            Sql(f"(SELECT coalesce(s.phenomenon_end, s.phenomenon_begin) {of} {last})"),
        )

    def insert(self, table, *rows):
        columns = COLUMNS[table]
        values = [[json.dumps(v) if isinstance(v, dict) else v for v in row] for row in rows]
        with self._open() as connection:
            connection.executemany(
                f"INSERT INTO {table}({', '.join(columns)}) VALUES({', '.join('?' * len(columns))})",
                [[*row, *[None] * (len(columns) - len(row))] for row in values],
            )

    def execute(self, statement, parameters=()):
        with self._open() as connection:
            connection.execute(statement, parameters)


def point(lon, lat):
    return {"type": "Point", "coordinates": [lon, lat]}


def fill(source, *, streams=3, each=12):
    """Three things at two places, a Datastream each for two properties, Observations a minute apart."""
    source.insert(
        "things",
        (1, "Pegel Strunde", "Am Wehr", {"assetID": "p-1", "ort": {"plz": "51465"}}),
        (2, 'Regen, "Gierath"', "Auf dem Dach", None),
        (3, "Parkplatz", "Markt", {"assetID": "p-3"}),
    )
    source.insert(
        "locations",
        (1, "Wehr", "An der Strunde", "application/geo+json", point(7.1, 51.0)),
        (2, "Dach", "Schule", "application/geo+json", point(7.2, 50.9), {"hoehe": 12}),
    )
    source.insert("things_locations", (1, 1), (2, 2), (3, 2), (1, 2))
    source.insert("historical_locations", (1, T0, 1), (2, T0, 2), (3, T0 + MINUTE, 1))
    source.insert("locations_historical_locations", (1, 1), (2, 2), (2, 3))
    source.insert("sensors", (1, "DL-MBX", "Ultraschall", "application/pdf", '"https://example.org/mbx.pdf"'))
    source.insert("sensors", (2, "DL-TBRG", "Kippwaage", "application/pdf", '"https://example.org/tbrg.pdf"'))
    source.insert(
        "observed_properties",
        (1, "Wasserstand", "https://example.org/level", "Stand"),
        (2, "Niederschlag", "https://example.org/rain", "Regen", {"kurz": "N"}),
    )
    unit = {"name": "Zentimeter", "symbol": "cm", "definition": "ucum:cm"}
    kind = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
    source.insert(
        "datastreams",
        (1, "Stand", "alle 15 min", kind, unit, point(7.1, 51.0), {"serviceName": "GL_STA_Pegel"}, 1, 1, 1),
        (2, "Regen", "alle 5 min", kind, unit, None, {"serviceName": "GL_STA_Niederschlag"}, 2, 2, 2),
        (3, "Leer", "noch nichts", kind, unit, None, None, 2, 1, 1),
        (4, "Tausch", "alle 15 min", kind, unit, None, None, 1, 2, 1),
    )
    source.insert("features", (1, "Wehr", "Ort", "application/geo+json", point(7.1, 51.0)))
    source.insert("features", (2, "Dach", "Ort", "application/geo+json", point(7.2, 50.9)))
    rows = []
    for number in range(each * streams):
        stream = (1, 2, 4)[number % streams]
        begin = T0 + number // streams * MINUTE
        result = (number * 7 % 11) / 2 if number % 5 else number
        rows.append((number + 1, begin, None, result, None, begin + 1_000, None, None, None, None, stream, 1))
    source.insert("observations", *rows)
    hour = T0 + 60 * MINUTE
    source.insert(
        "observations",
        (1001, T0, T0 + 15 * MINUTE, None, "true", None, {"flag": 1}, T0, hour, None, 2, 2),
        (1002, hour, None, 'voll, "sehr"\n\'', None, hour, None, None, None, {"art": "a"}, 2, 2),
        (1003, hour, None, None, '{"a":[1,null]}', hour, None, None, None, None, 2, 2),
        (1004, hour, None, None, None, hour, None, None, None, None, 2, 2),
        (1005, hour, None, 0.1 + 0.2, None, hour, None, None, None, None, 2, 2),
    )
    return source
