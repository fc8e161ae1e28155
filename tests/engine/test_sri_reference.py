"""Starkregenindex and window maxima on real rain, against answers computed independently."""

from dataclasses import replace

import numpy as np
import pytest
from engine_city import MIN, events, iso, reference, registry, shared, us
from test_rain_reference import FILES, rain_of

from alerts.kernels import curve, rain
from alerts.kernels.kernels import Kernels
from alerts.kostra.kostra import DURATIONS_MIN, load_kostra
from alerts.rules import load_rules


def table():
    return load_kostra(shared("kostra/kostra_dwd_2010r_bergisch_gladbach_idx55011.csv"))


def found_in(name):
    series, readings = rain_of(name)
    return events(series, np.array_split(readings, 7), interval_s=60 * FILES[name], kostra=table())


def maxima_of(name):
    """Per station and window the greatest sum (mm) and its time, from the kernel's sums at every reading."""
    series, readings = rain_of(name)
    machine = Kernels(load_rules(), registry(series, interval_s=60 * FILES[name]), None, series)
    lengths = np.array(DURATIONS_MIN) // 5
    best = {}
    for time in np.unique(readings["time_us"]):
        batch = readings[readings["time_us"] == time]
        machine.step(batch)
        slots = batch["series"].astype(np.int64)
        for slot, sums in zip(slots.tolist(), curve.windows(machine._rain.rows, slots, lengths), strict=True):
            for window, depth in zip(DURATIONS_MIN, sums.tolist(), strict=True):
                key = (series[slot].station, window)
                if depth > best.get(key, (-1, 0))[0]:
                    best[key] = (depth, int(time))
    return best


@pytest.mark.parametrize("name", FILES)
def test_window_maxima_and_their_times(name):
    found = maxima_of(name)
    for station, answer in reference(name).items():
        for window, depth in answer["max_window_mm"].items():
            if depth:
                mine, time = found[station, int(window)]
                assert (mine / 1000, iso(time)) == (depth, answer["max_window_end"][window]), (
                    station,
                    window,
                )


@pytest.mark.parametrize("name", FILES)
def test_first_time_and_duration_of_every_sri(name):
    first = {}
    for event in found_in(name):
        if event.kind == "crossing" and event.measure == "sri":
            first.setdefault((event.station, event.level), (iso(event.time_us), event.window_min))
    expected = {
        (station, int(level)): (answer["first"], answer["duration_min"])
        for station, result in reference(name).items()
        for level, answer in result["sri_first"].items()
    }
    assert first == expected


@pytest.mark.parametrize("name", FILES)
def test_highest_sri_of_every_duration(name):
    """From the maxima: the bounds themselves, whatever duration was named."""
    found = maxima_of(name)
    limits = rain.bounds(FILES[name], table().of(None, None))
    for station, result in reference(name).items():
        highest = {
            window: int(
                (
                    found.get((station, int(window)), (0, 0))[0] > limits[DURATIONS_MIN.index(int(window))]
                ).sum()
            )
            for window in result["sri_max_by_duration"]
        }
        assert highest == result["sri_max_by_duration"], station


@pytest.mark.parametrize("name", FILES)
def test_sri_changes_no_dwd_event(name):
    series, readings = rain_of(name)
    plain = events(series, [readings], interval_s=60 * FILES[name])
    with_sri = [event for event in found_in(name) if event.measure in rain.MEASURES]
    # the index begins an incident earlier
    alone, beside = ([replace(each, incident="") for each in found] for found in (plain, with_sri))
    assert beside == [each for each in alone if each.kind != "falling"]


def test_every_sri_names_its_version_and_value():
    found = [event for event in found_in("erft_5min_oct2005") if event.measure == "sri"]
    for event in found:
        assert event.reference == "KOSTRA-DWD-2010R"
        if event.kind in {"crossing", "raise", "escalate"}:
            assert "KOSTRA-DWD-2010R" in event.reason
    long = [event for event in found if event.kind == "crossing" and event.window_min > 360]
    assert long
    assert all("Dauerregen of a return period of at least" in event.reason for event in long)


def test_alerts_follow_durations_up_to_six_hours_and_never_flap():
    found = [event for event in found_in("erft_5min_oct2005") if event.measure == "sri"]
    steps = [event for event in found if event.kind != "crossing"]
    assert {event.audience for event in steps if event.kind in {"raise", "escalate"}} == {"staff"}
    # SRI 4 of RG1 is that of 12 hours
    assert max(event.level for event in steps if event.station == "RG1") == 3
    episodes = {}
    for event in steps:
        episodes.setdefault(event.episode, []).append(event)
    for mine in episodes.values():
        assert (mine[0].kind, mine[-1].kind) == ("raise", "clear")
        assert mine[-1].time_us - mine[0].time_us >= 60 * MIN
    bursts = [(mine[0].station, mine[0].time_us < us("2005-10-20T00:00:00")) for mine in episodes.values()]
    assert len(bursts) == len(set(bursts))
