"""DWD levels on real rain, against answers computed independently."""

import numpy as np
import pytest
from engine_city import MIN, events, iso, reference, registry, table, us

from alerts.kernels.kernels import run
from alerts.rules import load_rules
from ingest.reading import READING, Series

FILES = {
    "erft_5min_oct2000": 5,
    "erft_5min_oct2005": 5,
    "erft_5min_aug2008": 5,
    "gsdr_sauerland_hourly_2007-08": 60,
}


def rain_of(name):
    """Series and readings of a file: its stamps are the START of an interval, a reading's time its end."""
    head, rows = table(f"rain/{name}.csv")
    series = [Series(station, "precipitation", "", f"{i:016x}") for i, station in enumerate(head[1:])]
    readings = [
        (seq, i, 1, us(row[0]) + FILES[name] * MIN, float(value))
        for seq, row in enumerate(rows, 1)
        for i, value in enumerate(row[1:])
        if value
    ]
    return series, np.array(readings, READING)


def found_in(name):
    series, readings = rain_of(name)
    return events(series, np.array_split(readings, 7), interval_s=60 * FILES[name])


@pytest.mark.parametrize("name", FILES)
def test_first_crossing_of_every_level_and_window(name):
    first = {}
    for event in found_in(name):
        if event.kind == "crossing":
            key = (event.station, f"{event.measure[4:].upper()}_L{event.level}_{event.window_min}min")
            first.setdefault(key, (iso(event.time_us), event.value))
    expected = {
        (station, criterion): (answer["first"], answer["sum_at_first"])
        for station, result in reference(name).items()
        for criterion, answer in result["dwd_by_window"].items()
    }
    assert first == expected


@pytest.mark.parametrize("name", FILES)
def test_first_time_of_every_level(name):
    first = {}
    for event in found_in(name):
        if event.kind == "crossing":
            first.setdefault(
                (event.station, f"{event.measure[4:].upper()}_L{event.level}"), iso(event.time_us)
            )
    expected = {
        (station, level): answer["first"]
        for station, result in reference(name).items()
        for level, answer in result["dwd_first"].items()
    }
    assert first == expected


def test_counters_give_the_same_crossings_as_depths():
    series, readings = rain_of("erft_5min_oct2005")
    depths = events(series, [readings])
    counters = [Series(each.station, "precipitation_total", "", each.dev_eui) for each in series]
    totals = readings.copy()
    for i in range(len(series)):
        mine = totals["series"] == i
        totals["value"][mine] = 1000 + np.cumsum(totals["value"][mine])
    # a counter says nothing about the time before its first reading
    start = readings[readings["time_us"] == readings["time_us"].min()].copy()
    start["time_us"] -= 5 * MIN
    start["value"] = 1000
    assert events(counters, [np.concatenate((start, totals))]) == depths


def test_one_public_episode_per_burst_and_no_flapping():
    found = [event for event in found_in("erft_5min_oct2005") if event.kind != "crossing"]
    for gauge in ("RG1", "RG2", "RG3", "RG4"):
        for measure in ("dwd_starkregen", "dwd_dauerregen"):
            mine = [event for event in found if (event.station, event.measure) == (gauge, measure)]
            episodes = {}
            for event in mine:
                episodes.setdefault(event.episode, []).append(event)
            public = []
            for steps in episodes.values():
                assert (steps[0].kind, steps[-1].kind) == ("raise", "clear")
                assert steps[-1].time_us - steps[0].time_us >= 60 * MIN
                public += [event.time_us for event in steps if event.audience == "public"][:1]
            bursts = ["evening" if time < us("2005-10-20T00:00:00") else "morning" for time in public]
            assert len(bursts) == len(set(bursts))
    # raw L3 stood until 21 October 18:45: old rain
    assert max(event.time_us for event in found) < us("2005-10-20T12:00:00")
    assert sum(event.kind == "clear" for event in found) == sum(event.kind == "raise" for event in found)


def test_run_needs_no_journal():
    series, readings = rain_of("erft_5min_oct2000")
    rules = load_rules()
    assert list(run(rules, registry(series), series, [readings])) == events(series, [readings])
