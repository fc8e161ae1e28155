"""The Observations of a city as a (SELECT ...) over stored readings, which finds them by index."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from api.sta.city_ids import EPOCH_US, FIRST_US, LAST_US, TIME_BITS, read_observation_id
from api.sta.source import Scope
from api.sta.sql import Sql, parameter, separated, sql

_MASK = (1 << TIME_BITS) - 1


@dataclass(frozen=True, slots=True)
class OneSeries:
    """A Datastream whose readings are one series: its row of `city_series`."""

    number: int
    stored: int
    shape: int
    datastream_id: int
    feature_id: int


@dataclass(frozen=True, slots=True)
class Attached:
    """What an attached store is selected from: its readings and its extents, see Attachable."""

    rows: str
    extents: str


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a page of all series together ends at the latest: a begin of phenomenonTime, and of those that
    begin then a number in `city_series`."""  # noqa: D205, D209 - one thought

    begin_us: int
    number: int


def of_series(rows: str, one: OneSeries, scope: Scope) -> Sql:
    """Observations of one series whose phenomenonTime is the reading's time: constants but for the reading.

    So that they are read in order of phenomenonTime without sorting. `rows`: see Attachable.
    """
    first_us, last_us = FIRST_US, LAST_US
    if scope.begin_us is not None:
        first_us = max(first_us, scope.begin_us)
    if scope.end_us is not None:
        last_us = min(last_us, scope.end_us)
    for bound in (scope.id_above, scope.id_below):
        said = read_observation_id(max(0, bound or 0))
        if said.series == one.number and bound is not None:
            first_us = max(first_us, said.first_us) if bound == scope.id_above else first_us
            last_us = min(last_us, said.last_us) if bound == scope.id_below else last_us
    low, high = parameter(first_us), parameter(last_us)
    return sql(
        "(SELECT ", parameter(one.number << TIME_BITS), f" | ((r.time_us - {EPOCH_US}) / 1000) AS id, ",
        "r.time_us AS phenomenon_begin, NULL AS phenomenon_end, ", _result(str(one.shape)),
        ", r.time_us AS result_time, ", _QUALITY, ", NULL AS valid_begin, NULL AS valid_end,",
        " NULL AS parameters, ", parameter(one.datastream_id), " AS datastream_id, ",
        parameter(one.feature_id), f" AS feature_id FROM {rows} AS r WHERE r.series = ",
        parameter(one.stored), " AND r.time_us BETWEEN ", low, " AND ", high, _alone(rows, "r"), ")",
    )  # fmt: skip


def of_scope(  # noqa: PLR0913 - what a statement is made of
    rows: str, key: str, condition: str, scope: Scope, *, edge: Edge | None = None, extents: str | None = None
) -> Sql:
    """Observations of the scope: of series for which `condition` holds over `s`, a row of city_series.

    `key`: the column of city_series that stands for a series in `rows`; `edge`: of the scope's page, where
    it is known; `extents`: of the series in `rows`.
    """
    conditions = [Sql(condition)]
    first = Sql("city_series AS s")
    low, high = _within(edge, *_bounds(scope), newest_first=scope.newest_first)
    timed = edge is not None or scope.begin_us is not None or scope.end_us is not None
    if extents is not None and timed and of_all(scope):
        first = sql(first, f" LEFT JOIN {extents} AS x ON x.series = s.{key}")
        conditions += [
            sql("(x.last_us IS NULL OR x.last_us >= ", low, ")"),
            sql("(x.first_us IS NULL OR x.first_us <= ", high, ")"),
        ]
    if scope.ids is not None:
        ids = parameter(orjson.dumps(list(scope.ids)).decode())
        first = sql(
            "json_each(", ids, ") AS w CROSS JOIN city_series AS s ON s.number = ",
            f"w.value >> {TIME_BITS}",
        )  # fmt: skip
        exactly = f"((w.value & {_MASK}) * 1000 + {EPOCH_US})"
        low, high = sql("max(", low, f", {exactly})"), sql("min(", high, f", {exactly} + 999)")
    conditions += _of_some(scope)
    order = Sql("")
    if scope.limit is not None and scope.ids is None:
        if scope.by_id and scope.datastreams is None and scope.features is None:
            way = " DESC" if scope.newest_first else ""
            order = sql(f" ORDER BY s.number{way}, r.time_us{way} LIMIT ", parameter(scope.limit))
        else:
            low, high = _limited(rows, key, low, high, scope)
    return sql(
        f"(SELECT s.number << {TIME_BITS} | ((r.time_us - {EPOCH_US}) / 1000) AS id, ",
        "r.time_us - s.interval_us AS phenomenon_begin, ",
        "CASE WHEN s.interval_us > 0 THEN r.time_us END AS phenomenon_end, ",
        _result("s.shape"), ", r.time_us AS result_time, ", _QUALITY,
        ", NULL AS valid_begin, NULL AS valid_end, NULL AS parameters, s.datastream_id AS datastream_id,",
        " s.feature_id AS feature_id FROM ", first, f" CROSS JOIN {rows} AS r ON r.series = s.{key} WHERE ",
        separated(" AND ", conditions), " AND r.time_us >= ", low, " AND r.time_us <= ", high,
        _alone(rows, "r"), order, ")",
    )  # fmt: skip


def span(rows: str, key: str, datastream: str, condition: str) -> tuple[Sql, Sql]:
    """First begin and last end of a Datastream's Observations, by a seek for each of its series.

    Of series for which `condition` holds over `s`, a row of city_series.
    """

    def end(choose: str, value: str, order: str) -> Sql:
        return Sql(
            f"(SELECT {choose}((SELECT r.time_us FROM {rows} AS r WHERE r.series = s.{key} AND r.time_us"  # noqa: S608 - of ours
            f" BETWEEN {FIRST_US} AND {LAST_US} ORDER BY r.time_us{order} LIMIT 1){value})"
            f" FROM city_series AS s WHERE s.datastream_id = {datastream} AND {condition})"
        )

    return end("min", " - s.interval_us", ""), end("max", "", " DESC")


def counted(attached: Attached, condition: str, scope: Scope) -> Sql:
    """A statement for how many Observations whole series have, which reads of no series that was counted.

    Of series for which `condition` holds over `s`, a row of city_series.
    """
    conditions = [Sql(condition)]
    for column, wanted in (("datastream_id", scope.datastreams), ("feature_id", scope.features)):
        if wanted is not None:
            ids = parameter(orjson.dumps(list(wanted)).decode())
            conditions.append(sql(f"s.{column} IN (SELECT value FROM json_each(", ids, "))"))  # noqa: S608 - columns of ours
    return sql(
        "SELECT coalesce(sum(CASE WHEN x.moments = 0 THEN 0 WHEN x.moments IS NOT NULL",
        f" AND x.first_us >= {FIRST_US} AND x.last_us <= {LAST_US} THEN x.moments",
        f" ELSE (SELECT count(*) FROM {attached.rows} AS r WHERE r.series = s.stored",  # noqa: S608 - of ours
        f" AND r.time_us BETWEEN {FIRST_US} AND {LAST_US}", _alone(attached.rows, "r"), ") END), 0)",
        f" FROM city_series AS s LEFT JOIN {attached.extents} AS x ON x.series = s.stored WHERE ",
        separated(" AND ", conditions),
    )  # fmt: skip


def _bounds(scope: Scope, alias: str = "s") -> tuple[Sql, Sql]:
    """First and last time of readings, of one row of city_series; of an interval only the end is stored."""
    lows: list[Sql] = [Sql(str(FIRST_US))]
    highs: list[Sql] = [Sql(str(LAST_US))]
    if scope.begin_us is not None:
        lows.append(parameter(scope.begin_us))
    if scope.end_us is not None:
        highs.append(sql(parameter(scope.end_us), f" + {alias}.interval_us"))
    if scope.id_above is not None and scope.id_above >= 0:
        above = read_observation_id(scope.id_above)
        lows.append(
            Sql(f"CASE WHEN {alias}.number = ? THEN ? ELSE {FIRST_US} END", (above.series, above.first_us))
        )
    if scope.id_below is not None and scope.id_below >= 0:
        below = read_observation_id(scope.id_below)
        highs.append(
            Sql(f"CASE WHEN {alias}.number = ? THEN ? ELSE {LAST_US} END", (below.series, below.last_us))
        )
    return _extreme("max", lows), _extreme("min", highs)


def _extreme(function: str, parts: Sequence[Sql]) -> Sql:
    return parts[0] if len(parts) == 1 else sql(f"{function}(", separated(", ", parts), ")")


def _of_some(scope: Scope) -> list[Sql]:
    """What holds, over `s`, for the series of some Datastreams or features, or of some ids."""
    found = []
    for column, wanted in (("datastream_id", scope.datastreams), ("feature_id", scope.features)):
        if wanted is not None and len(wanted) <= _FEW:
            marks = separated(", ", [parameter(each) for each in wanted])
            found.append(sql(f"s.{column} IN (", marks, ")"))
    if scope.id_above is not None:
        found.append(Sql("s.number >= ?", (read_observation_id(max(0, scope.id_above)).series,)))
    if scope.id_below is not None:
        found.append(Sql("s.number <= ?", (read_observation_id(max(0, scope.id_below)).series,)))
    return found


def _within(edge: Edge | None, low: Sql, high: Sql, *, newest_first: bool) -> tuple[Sql, Sql]:
    """The bounds of readings of `s`, tightened to what can be on the page before the edge."""
    if edge is None:
        return low, high
    begin, number = parameter(edge.begin_us), parameter(edge.number)
    if newest_first:
        return sql("max(", low, ", ", begin, " + s.interval_us + (s.number < ", number, "))"), high
    return low, sql("min(", high, ", ", begin, " + s.interval_us - (s.number > ", number, "))")


def of_all(scope: Scope) -> bool:
    """Whether Observations of every series can be in a scope."""
    return scope.datastreams is None and scope.features is None and scope.ids is None


def edge_of(rows: str, key: str, condition: str, scope: Scope, extents: str | None = None) -> Sql:
    """A statement for the Edge, with no row or NULL where there are too few series to tell.

    The newest reading of each series is one: where there are as many series, none that begins before those
    of the wanted number is needed.
    """
    assert scope.limit is not None  # noqa: S101 - the caller has looked
    low, high = _bounds(scope, "g")
    way, end = ("DESC", "x.last_us") if scope.newest_first else ("ASC", "x.first_us")
    begin = low if scope.newest_first else sql(low, " + g.interval_us")
    # those that begin where the page before ended may all have been on it, or all be wanted
    above = " > " if scope.begin_us is not None and not scope.newest_first else " >= "
    below = " < " if scope.end_us is not None and scope.newest_first else " <= "
    edge = sql(
        f"(SELECT t.time_us FROM {rows} AS t WHERE t.series = g.{key} AND t.time_us{above}", begin,  # noqa: S608 - of ours
        f" AND t.time_us{below}", high, _alone(rows, "t"), f" ORDER BY t.time_us {way} LIMIT 1)",
    )  # fmt: skip
    joined = ""
    if extents is not None:
        # no seek where the whole millisecond of a series' end, to which its id belongs, is within the bounds
        joined = f" LEFT JOIN {extents} AS x ON x.series = g.{key}"
        first = f"{end} / 1000 * 1000" if scope.newest_first else end
        edge = sql(
            f"CASE WHEN {first}{above}",
            begin,
            f" AND {end}{below}",
            high,
            f" THEN {first} ELSE ",
            edge,
            " END",
        )
    return sql(
        "SELECT a.edge, a.number FROM (SELECT ", edge, " - g.interval_us AS edge, g.number AS number",
        f" FROM city_series AS g{joined} WHERE ", condition.replace("s.", "g."), ") AS a",
        f" ORDER BY a.edge {way} NULLS LAST, a.number {way} LIMIT 1 OFFSET ",
        parameter(max(0, scope.limit - 1)),
    )  # fmt: skip


def _limited(rows: str, key: str, low: Sql, high: Sql, scope: Scope) -> tuple[Sql, Sql]:
    """The bounds, tightened to what holds as many readings of each series as are wanted."""
    assert scope.limit is not None  # noqa: S101 - the caller has looked
    way = "DESC" if scope.newest_first else "ASC"
    # an interval that ends within the span begins before it: it comes too, and takes nobody's place
    begin = low if scope.newest_first else sql(low, " + s.interval_us")
    edge = sql(
        f"(SELECT t.time_us FROM {rows} AS t WHERE t.series = s.{key} AND t.time_us >= ", begin,  # noqa: S608 - of ours
        " AND t.time_us <= ", high, _alone(rows, "t"), f" ORDER BY t.time_us {way} LIMIT 1 OFFSET ",
        parameter(max(0, scope.limit - 1)), ")",
    )  # fmt: skip
    if scope.newest_first:
        return sql("coalesce(", edge, ", ", low, ")"), high
    return low, sql("coalesce(", edge, ", ", high, ")")


def _alone(rows: str, alias: str) -> str:
    """Leaves out what shares its series, its millisecond and so its id with an earlier reading."""
    return (
        # a whole millisecond is the first of its own
        f" AND ({alias}.time_us % 1000 = 0 OR NOT EXISTS (SELECT 1 FROM {rows} AS same"  # noqa: S608 - of ours
        f" WHERE same.series = {alias}.series"
        f" AND same.time_us >= {alias}.time_us / 1000 * 1000 AND same.time_us < {alias}.time_us))"
    )


def _result(shape: str) -> str:
    """`result` and `result_json` of a reading `r`."""
    whole = "CAST(r.value AS INTEGER)"
    return (
        f"CASE {shape} WHEN 2 THEN NULL WHEN 1 THEN CASE WHEN r.value = {whole} THEN {whole} ELSE r.value END"
        f" ELSE r.value END AS result,"
        f" CASE WHEN {shape} = 2 AND r.value IS NOT NULL"
        " THEN CASE WHEN r.value <> 0 THEN 'true' ELSE 'false' END END AS result_json"
    )


_FEW = 50
"""More ids cost more than they spare: the statement around narrows to its own."""
_QUALITY = """'{"code":' || r.quality || '}' AS result_quality"""
