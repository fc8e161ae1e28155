"""A scratch database with a few of everything, and a source over it."""

import contextlib
import json
import sqlite3
from importlib.resources import files

from api.sta.model import ENTITY_SETS
from api.sta.source import Scope
from api.sta.sql import Sql
from api.sta.sql_filter import compile_filter
from api.sta.sql_functions import install_functions

DAY = 86_400_000_000
HOUR = DAY // 24
T0 = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


class TableSource:
    """Everything is in tables of one connection."""

    writable = False
    result_ends = False

    def __init__(self):
        self.scopes = []

    def read(self):
        raise NotImplementedError

    def observations(self, connection, scope):  # noqa: ARG002 - the protocol
        self.scopes.append(scope)
        return Sql("observations")

    def span(self, datastream):
        where = f"FROM observations AS spanned WHERE spanned.datastream_id = {datastream}"
        return (
            Sql(f"(SELECT min(spanned.phenomenon_begin) {where})"),
            Sql(f"(SELECT max(coalesce(spanned.phenomenon_end, spanned.phenomenon_begin)) {where})"),
        )


class NarrowSource(TableSource):
    """Has no more Observations than the scope asks for."""

    def observations(self, connection, scope):  # noqa: ARG002 - the protocol
        self.scopes.append(scope)
        conditions, parameters = ["1"], []
        if scope.datastreams is not None:
            conditions.append(f"datastream_id IN ({', '.join('?' * len(scope.datastreams))})")
            parameters += scope.datastreams
        if scope.begin_us is not None:
            conditions.append("coalesce(phenomenon_end, phenomenon_begin) >= ?")
            parameters.append(scope.begin_us)
        if scope.end_us is not None:
            conditions.append("phenomenon_begin <= ?")
            parameters.append(scope.end_us)
        return Sql(f"(SELECT * FROM observations WHERE {' AND '.join(conditions)})", tuple(parameters))


def empty_town():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for name in ("schema.sql", "observations.sql"):
        connection.executescript(files("api.sta").joinpath(name).read_text("utf-8"))
    install_functions(connection)
    return connection


def insert(connection, table, rows):
    for contents in rows:
        row = {
            key: json.dumps(value) if isinstance(value, dict | list) else value
            for key, value in contents.items()
        }
        columns = ", ".join(row)
        connection.execute(
            f"INSERT INTO {table}({columns}) VALUES ({', '.join('?' * len(row))})", tuple(row.values())
        )


def named(id_, name, **more):
    return {"id": id_, "name": name, "description": f"about {name}", **more}


def town():
    """Three Things (the third without anything), four Datastreams (the last without Observations)."""
    connection = empty_town()
    insert(connection, "things", [
        named(1, "Mast", properties={"field": 2, "string": "one", "deep": {"a": [10, {"b": "x"}]}}),
        named(2, "Brücke", properties={"field": "3", "active": True, "plz": "051465"}),
        named(3, "Leer"),
    ])  # fmt: skip
    insert(connection, "locations", [
        named(1, "Markt", encoding_type="application/geo+json",
              location={"type": "Point", "coordinates": [7.1, 51.0]}),
        named(2, "Ufer", encoding_type="application/geo+json",
              location={"type": "Feature", "geometry":
                        {"type": "LineString", "coordinates": [[7.0, 51.0], [7.0, 52.0]]}}),
        named(3, "Kaputt", encoding_type="text/plain", location={"type": "Nowhere"}),
    ])  # fmt: skip
    insert(connection, "things_locations", [
        {"thing_id": 1, "location_id": 1}, {"thing_id": 2, "location_id": 2},
        {"thing_id": 2, "location_id": 3},
    ])  # fmt: skip
    insert(connection, "historical_locations", [{"id": 1, "time": T0, "thing_id": 1}])
    insert(connection, "locations_historical_locations", [{"location_id": 1, "historical_location_id": 1}])
    insert(connection, "sensors", [named(1, "Radar", encoding_type="text/plain", metadata='"sheet"')])
    insert(connection, "observed_properties", [
        named(1, "level", definition="http://l"), named(2, "rain", definition="http://r"),
    ])  # fmt: skip
    unit = {"name": "metre", "symbol": "m", "definition": None}
    insert(connection, "datastreams", [
        named(id_, name, observation_type="M", unit_of_measurement=unit, thing_id=thing, sensor_id=1,
              observed_property_id=observed, properties={"serviceName": service})
        for id_, name, thing, observed, service in (
            (1, "a", 1, 1, "GL_STA_Pegel"), (2, "b", 1, 2, "GL_STA_Niederschlag"),
            (3, "a", 2, 2, "GL_STA_Pegel"), (4, "c", 2, 1, None))
    ])  # fmt: skip
    insert(connection, "features", [named(1, "here", encoding_type="g", feature={"type": "Nowhere"})])
    results = [(3, None), (3.5, None), ("10", None), ("open", None), (None, "true"), (None, None),
               (None, '{"a": {"b": 7}}'), (-2, None), ("4.0", None), (12, None)]  # fmt: skip
    insert(connection, "observations", [
        {"id": place + 1, "phenomenon_begin": T0 + place * HOUR,
         "phenomenon_end": T0 + (place + 1) * HOUR if place % 3 == 2 else None,
         "result": result, "result_json": other, "result_time": None if place % 4 == 3 else T0 + place * HOUR,
         "datastream_id": place % 3 + 1, "feature_id": 1}
        for place, (result, other) in enumerate(results)
    ])  # fmt: skip
    return connection


def relation(connection, source, name, scope=None):
    if name == "Observations":
        return source.observations(connection, scope or Scope())
    return Sql(ENTITY_SETS[name].table)


def ids(connection, name, expression, *, source=None, scope=None, now_us=None):  # noqa: PLR0913 - options
    """Ids of a set's rows for which an expression is true."""
    source = source or TableSource()
    found = compile_filter(expression, ENTITY_SETS[name], "e", source, connection, now_us=now_us)
    rows = relation(connection, source, name, scope)
    statement = f"SELECT e.id FROM {rows.text} AS e WHERE {found.text} ORDER BY e.id"
    with contextlib.closing(connection.execute(statement, (*rows.parameters, *found.parameters))) as cursor:
        return [row[0] for row in cursor]


def plan(connection, name, expression, order=""):
    """Lines of the query plan of a filter."""
    found = compile_filter(expression, ENTITY_SETS[name], "e", TableSource(), connection)
    table = ENTITY_SETS[name].table
    statement = f"EXPLAIN QUERY PLAN SELECT e.* FROM {table} AS e WHERE {found.text} {order}"
    return [row[3] for row in connection.execute(statement, found.parameters)]
