"""The command itself: faults, exit codes, the report."""

import gzip
import json
import re

import pytest
from histories import Backtest, steps

from alerts.scale import shipped_scale
from stadtfunk.cli import main

RULES = """
[[rule]]
id = "rain"
kind = "dwd_rain"
audience = { 2 = "public", 3 = "public", 4 = "public" }
[[rule]]
id = "level"
kind = "water_level"
"""


def stamp(minute):
    return f"2026-07-{14 + minute // 1440:02}T{minute // 60 % 24:02}:{minute % 60:02}:00+02:00"


def storm(station="rain", peak=6.0, begin=0, minutes=600):
    """Twenty wet minutes after an hour."""
    for minute in range(begin + 5, begin + minutes, 5):
        wet = begin + 60 < minute <= begin + 80
        yield stamp(minute), station, "precipitation", f"{peak if wet else 0}"


@pytest.fixture
def city(tmp_path):
    stations = [
        {"station": "rain"},
        {"station": "hill", "name": "Hügel <b>"},
        {"station": "pegel", "stages_cm": [50, 80]},
    ]
    return Backtest(tmp_path, stations)


def test_bad_rows_are_named_with_their_line_and_the_others_count(city, capsys):
    rows = [*storm()]
    bad = [
        *rows[:3],
        ("yesterday", "rain", "precipitation", "1"),
        *rows[3:],
        "x",
        (stamp(5), "moon", "precipitation", "1"),
    ]
    code, events = city.run(city.write(bad))
    said = capsys.readouterr().err.splitlines()
    assert code == 0
    assert events == city.events(rows)
    file = city.folder / "readings.csv"
    assert [line.split(": ")[0] for line in said[:3]] == [
        f"{file}, line {n}" for n in (5, len(bad), len(bad) + 1)
    ]
    assert "moon" in said[2]
    assert said[3] == f"{file}: 3 lines skipped"


def test_ten_thousand_bad_rows_are_not_ten_thousand_lines(city, capsys):
    code, _ = city.run(city.write([*storm(), *["x,y"] * 10_000]))
    said = capsys.readouterr().err.splitlines()
    assert code == 0
    assert len(said) == 1001
    assert "10000 lines skipped, the first 1000 named" in said[-1]


def test_the_same_file_gives_the_same_bytes_packed_or_not(city):
    plain = city.write(storm())
    packed = city.folder / "packed.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    outs = []
    for number, file in enumerate((plain, plain, packed)):
        assert city.run(file, out=f"{number}.jsonl")[0] == 0
        outs.append((city.folder / f"{number}.jsonl").read_bytes())
    assert outs[0] == outs[1] == outs[2]
    assert outs[0]


def test_the_second_row_of_a_time_is_not_counted_and_that_is_said(city, capsys):
    rows = list(storm())
    assert city.events([*rows, *rows]) == city.events(rows)
    assert f"{len(rows)} rows repeat" in capsys.readouterr().out


def test_an_impossible_value_is_counted_out_loud(city, capsys):
    rows = [*storm(), (stamp(700), "rain", "precipitation", "1706")]
    assert not [
        each for each in city.events(rows) if each["kind"] == "raise" and each["time"] > "2026-07-14T08"
    ]
    assert "readings that cannot be real, not counted: 1\n" in capsys.readouterr().out


def test_an_interval_that_the_file_does_not_have_is_named(tmp_path, capsys):
    city = Backtest(tmp_path, [{"station": "rain", "interval_s": 60}, {"station": "hill", "interval_s": 300}])
    city.events([*storm(), *storm("hill")])
    (said,) = capsys.readouterr().err.splitlines()
    assert "rain: interval_s is 60, but its rows are mostly 300 s apart" in said


def test_types_and_a_device_file_are_fine_but_not_needed(tmp_path):
    city = Backtest(tmp_path, [], '[devices]\nfile = "devices.csv"\n')
    (tmp_path / "devices.csv").write_text("station,type,stages_cm\nrain,decentlab-dl-tbrg,\npegel,,50;80\n")
    events = city.events(
        [*storm(), (stamp(0), "pegel", "water_level", "10"), (stamp(15), "pegel", "water_level", "81")]
    )
    assert [(each["station"], each["level"]) for each in events if each["kind"] == "raise"][:2] == [
        ("pegel", 2),
        ("rain", 2),
    ]


FAULTS = {
    "no file": ("none.csv", "", "No such file"),
    "no row that can be used": ("readings.csv", "time,station,property,value\nx\n", "not one row"),
    "another header": ("readings.csv", "zeit,ort,was,wert\n", "header"),
    "not packed as it says": ("readings.csv", "\x1f\x8bx", "cannot be read"),
}


@pytest.mark.parametrize(("name", "text", "said"), FAULTS.values(), ids=FAULTS)
def test_readings_that_cannot_be_used(city, capsys, name, text, said):
    if text:
        (city.folder / name).write_bytes(text.encode("latin-1"))
    assert city.run(city.folder / name)[0] == 1
    assert said in capsys.readouterr().err


def test_faults_of_the_configuration_all_at_once(tmp_path, capsys):
    city = Backtest(tmp_path, [{"station": "a", "stages_cm": [80, 50]}], '[alerts]\nrules = "none.toml"\n')
    assert city.run(city.write(storm("a")))[0] == 1
    said = capsys.readouterr().err
    assert "stages_cm" in said
    assert "none.toml" in said
    assert not (tmp_path / "events.jsonl").exists()


def test_a_rule_for_an_unknown_station_is_a_fault(city, capsys):
    (city.folder / "mine.toml").write_text(RULES.replace('"rain"', '"rain"\nstations = ["rian"]', 1))
    assert city.run(city.write(storm()), "--rules", city.folder / "mine.toml")[0] == 1
    assert "rian" in capsys.readouterr().err


def test_an_out_that_cannot_be_written(city, capsys):
    assert city.run(city.write(storm()), out="none/events.jsonl") == (1, None)
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [[], ["--config", "c"], ["--config", "c", "--readings", "r", "--out", "o", "--tolerance-min", "-1"]],
)
def test_wrong_usage(arguments):
    with pytest.raises(SystemExit) as end:
        main(["backtest", *arguments])
    assert end.value.code == 2


def test_events_without_a_report_are_wrong_usage(city):
    assert city.run(city.write(storm()), "--events", "e.csv")[0] == 2


def test_two_rule_sets_side_by_side_with_what_happened(city, capsys):
    (city.folder / "mine.toml").write_text(RULES)
    (city.folder / "einsaetze.csv").write_text(
        "begin;end;station;text\n"
        "2026-07-14 01:40;2026-07-14 03:00;rain;Keller <script>\n"
        "2026-07-14T06:00:00Z;;;Nichts gemessen\n"
        "heute;;;\n"
        "2025-01-01 00:00;;;lange her\n",
        "utf-8",
    )
    rows = [*storm(), *storm("hill", 5.0)]
    code, events = city.run(
        city.write(rows),
        *("--rules", city.folder / "mine.toml", "--rules", city.folder / "mine.toml"),
        *("--report", city.folder / "report", "--events", city.folder / "einsaetze.csv"),
    )
    assert code == 0
    assert "einsaetze.csv, line 4" in capsys.readouterr().err
    second = [json.loads(line) for line in (city.folder / "events-2.jsonl").read_text().splitlines()]
    assert events == second
    report = json.loads((city.folder / "report" / "report.json").read_text())
    assert (report["happened"], report["happened_outside"], len(report["sets"])) == (2, 1, 2)
    one = report["sets"][0]
    everything, public = one["looks"][:2]
    assert everything["warnings"] == public["warnings"] == 2
    assert everything["incidents"] == 1
    assert everything["witnesses"]["agreed"] == 2
    scores = everything["scores"]
    assert (scores["hits"], scores["misses"], scores["false_alarms"]) == (1, 1, 0)
    assert (scores["pod"], scores["far"]) == (0.5, 0.0)
    raised = next(each["time"] for each in events if each["kind"] == "raise" and each["station"] == "rain")
    assert raised == "2026-07-13T23:15:00Z"
    assert scores["events"][0]["lead_min"] == 25.0
    mine = [each for each in one["warnings"] if each["station"] == "rain"]
    assert [(each["time"], each["kind"], each["level"]) for each in mine[0]["steps"]] == steps(
        events, station="rain"
    )
    page = (city.folder / "report" / "report.html").read_text("utf-8")
    assert f".Severe {{ background: {shipped_scale().colour('Severe')}" in page
    assert "Keller &lt;script&gt;" in page
    assert "Hügel &lt;b&gt;" in page
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=|url\(|@import|https?://", page)
    assert page.count("<rect") == page.count("</rect>") > 0


def test_a_report_of_nothing(city):
    code, events = city.run(
        city.write(storm(peak=0.1)), "--report", city.folder / "report", "--language", "en"
    )
    assert (code, events) == (0, [])
    assert "Nothing would have been warned of" in (city.folder / "report" / "report.html").read_text("utf-8")
