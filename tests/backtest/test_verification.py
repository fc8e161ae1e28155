"""Hits, false alarms, misses and witnesses, on cases small enough to count by hand."""

from alerts.backtest.verification import Happened, Span, agreement, incidents, score, spans, warnings_of
from alerts.event import Event

MIN = 60_000_000
HOUR = 60 * MIN


def event(minute, kind, level, station="a", episode="1", **more):
    given = {"measure": "dwd_starkregen", "audience": None, **more}
    return Event(
        id=f"{episode}.{minute}.{kind}",
        episode=episode,
        time_us=minute * MIN,
        station=station,
        kind=kind,
        level=level,
        window_min=60,
        value=20.0,
        rule="rain",
        reason="",
        **given,
    )


STORM = [
    event(10, "crossing", 2),
    event(10, "raise", 2, audience="staff"),
    event(40, "escalate", 3, audience="public"),
    event(100, "step_down", 2),
    event(130, "clear", 0),
    event(400, "raise", 2, station="b", episode="2", audience="staff"),
    event(405, "unverified", 0, station="b"),
    event(410, "sensor_lost", 0, station="b", measure="watchdog"),
]


def test_a_warning_goes_from_raise_to_clear():
    one, two = warnings_of(STORM)
    assert (one.raised_us, one.cleared_us, one.top, one.public_us) == (10 * MIN, 130 * MIN, 3, 40 * MIN)
    assert one.leads_us() == {3: 30 * MIN}
    assert (two.cleared_us, two.public_us, two.leads_us()) == (None, None, {})


def test_spans_by_level_measure_and_audience():
    found = warnings_of(STORM)
    end = 500 * MIN
    assert spans(found, end) == [Span("a", 10 * MIN, 130 * MIN), Span("b", 400 * MIN, end)]
    assert spans(found, end, level=3) == spans(found, end, public=True) == [Span("a", 40 * MIN, 130 * MIN)]
    assert spans(found, end, measure="sri") == []


def test_warnings_an_hour_apart_are_one_incident():
    storm = [Span("a", 0, HOUR), Span("b", 2 * HOUR, 3 * HOUR), Span("a", 4 * HOUR + 1, 5 * HOUR)]
    assert incidents(storm) == [storm[:2], storm[2:]]
    assert incidents([]) == []


def test_hits_misses_and_false_alarms():
    found = [Span("a", 2 * HOUR, 3 * HOUR), Span("b", 2 * HOUR, 4 * HOUR), Span("a", 20 * HOUR, 21 * HOUR)]
    happened = [
        Happened(150 * MIN, 160 * MIN),  # in force: 30 min before
        Happened(100 * MIN, 110 * MIN, "b"),  # 20 min too late, within the tolerance
        Happened(10 * HOUR, 11 * HOUR),  # nobody warned
        Happened(270 * MIN, 280 * MIN, "a"),  # only b was still near
    ]
    result = score(found, happened, HOUR)
    assert [(each.hit, each.lead_us) for each in result.outcomes] == [
        (True, 30 * MIN),
        (True, -20 * MIN),
        (False, None),
        (False, None),
    ]
    assert (result.incidents, result.hits, result.misses, result.false_alarms) == (2, 2, 2, 1)
    assert (result.pod, result.far, result.csi) == (0.5, 0.5, 0.4)
    assert result.median_lead_us == 5 * MIN
    stricter = score(found, happened, 0)
    assert (stricter.hits, stricter.false_alarms) == (1, 1)
    nothing = score([], [], HOUR)
    assert (nothing.pod, nothing.far, nothing.csi, nothing.median_lead_us) == (None, None, None, None)


def test_witnesses_are_neighbours_within_half_an_hour():
    found = [
        Span("a", 0, HOUR),
        Span("b", 30 * MIN, HOUR),
        Span("far", 10 * MIN, HOUR),
        Span("a", 9 * HOUR, 10 * HOUR),
    ]
    places = {"a": (51.0, 7.0), "b": (51.02, 7.02), "far": (52.0, 7.0)}
    result = agreement(found, places)
    assert (result.raises, result.agreed, result.alone, result.share) == (4, 2, 1, 2 / 3)
    # without coordinates any other station is a neighbour
    assert agreement(found, dict.fromkeys(places)).agreed == 3
    assert agreement(found[:1], {"a": None}).share is None
