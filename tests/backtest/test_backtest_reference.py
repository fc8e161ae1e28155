"""The command over real series, against answers computed independently."""

from datetime import datetime

import pytest
from histories import STEP_MIN, Backtest, level_rows, rain_rows, reference, steps

KEYS = ["time", "station", "kind", "measure", "level", "window_min", "value", "rule", "reason"]
RISE = ["audience", "confirmation", "witness"]


def stations(name):
    return sorted(reference(name))


@pytest.mark.parametrize("zeros", [True, False], ids=["every row", "dry rows left out"])
@pytest.mark.parametrize("name", STEP_MIN)
def test_first_crossing_of_every_level_and_window(name, zeros, tmp_path):
    city = [{"station": each, "interval_s": 60 * STEP_MIN[name]} for each in stations(name)]
    first = {}
    for event in Backtest(tmp_path, city).events(rain_rows(name, zeros=zeros)):
        if event["kind"] == "crossing" and event["measure"].startswith("dwd_"):
            key = (
                event["station"],
                f"{event['measure'][4:].upper()}_L{event['level']}_{event['window_min']}min",
            )
            first.setdefault(key, (event["time"].removesuffix("Z"), event["value"]))
    expected = {
        (station, criterion): (answer["first"], answer["sum_at_first"])
        for station, result in reference(name).items()
        for criterion, answer in result["dwd_by_window"].items()
    }
    assert first == expected
    assert first


@pytest.mark.parametrize("name", STEP_MIN)
def test_the_commonest_spacing_is_as_good_as_the_interval(name, tmp_path):
    rows = list(rain_rows(name))
    given = [{"station": each, "interval_s": 60 * STEP_MIN[name]} for each in stations(name)]
    assert Backtest(tmp_path, stations(name)).events(rows) == Backtest(tmp_path, given).events(rows)


@pytest.mark.parametrize("name", ["erft_5min_oct2005", "gsdr_sauerland_hourly_2007-08"])
def test_a_missing_row_counts_as_zero_to_the_end(name, tmp_path):
    city = Backtest(
        tmp_path, [{"station": each, "interval_s": 60 * STEP_MIN[name]} for each in stations(name)]
    )
    rows = list(rain_rows(name))
    last = max(rows)[0]
    # nothing but the wet rows, and one dry one that says how far the file goes
    wet = [row for row in rows if float(row[3]) or row[0] == last]
    assert city.events(wet) == city.events(rows)


def test_sri_where_there_is_a_table(tmp_path):
    name = "erft_5min_oct2005"
    ars = Backtest(tmp_path, [])
    city = ars.folder / "city.toml"
    devices = "".join(f'[[device]]\nstation = "{each}"\n' for each in stations(name))
    city.write_text(f'[city]\nname = "Bergisch Gladbach"\nars = "053780004004"\n{devices}')
    top = {}
    for event in ars.events(rain_rows(name)):
        if event["kind"] == "crossing" and event["measure"] == "sri":
            top[event["station"]] = max(top.get(event["station"], 0), event["level"])
    assert top == {station: result["sri_max"] for station, result in reference(name).items()}


def test_marks_of_the_high_water_are_raised_once_each(tmp_path):
    city = Backtest(tmp_path, [{"station": "ufz", "stages_cm": [200, 240, 270]}])
    rows = list(level_rows("ufz_level_15min_2016-02_highwater"))
    events = city.events(rows)
    rises = [each for each in steps(events) if each[1] in {"raise", "escalate"}]
    first = [next(row[0] for row in rows if float(row[3]) >= mark) for mark in (200, 240, 270)]
    assert [level for _, _, level in rises] == [1, 2, 3]
    assert [time for time, _, _ in rises] == first
    assert {event["measure"] for event in events if event["kind"] != "falling"} == {"water_level"}


def test_faults_of_the_level_alarm_no_resident(tmp_path):
    city = Backtest(tmp_path, [{"station": "ufz", "stages_cm": [200, 240, 270]}])
    events = city.events(level_rows("ufz_level_15min_2016-03_fault"))
    assert not [event for event in events if event.get("audience") == "public"]
    assert not steps(events)
    assert {event["value"] for event in events if event["kind"] == "unverified"} == {-10.42, 402.88}


def test_lines_are_as_documented_and_in_the_order_of_time(tmp_path):
    name = "erft_5min_oct2005"
    events = Backtest(tmp_path, stations(name)).events(rain_rows(name))
    times = [datetime.fromisoformat(event["time"]) for event in events]
    assert times == sorted(times)
    assert all(time.tzinfo for time in times)
    for event in events:
        more = {"raise": RISE, "escalate": RISE, "falling": ["audience"]}.get(event["kind"], [])
        assert list(event) == [*KEYS, *more]
    kinds = {"crossing", "raise", "escalate", "step_down", "clear", "falling"}
    assert {event["kind"] for event in events} == kinds
    # nothing of the past is too old: L3 is public as it was then
    assert {event["audience"] for event in events if event["kind"] == "raise"} >= {"staff", "public"}
