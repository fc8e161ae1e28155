"""The store's own history gives what the same values give as a file."""

import json
from datetime import datetime

import numpy as np
import pytest
from histories import Backtest

from ingest.reading import READING, Series
from ingest.stores import open_store
from stadtfunk.cli import main


def us(text):
    return round(datetime.fromisoformat(text).timestamp()) * 1_000_000


ROWS = [
    *(
        (
            f"2026-07-14T{n // 12:02}:{n % 12 * 5:02}:00+00:00",
            "rain",
            "precipitation",
            6.0 if 20 < n < 26 else 0.0,
        )
        for n in range(120)
    ),
    *(
        (f"2026-07-14T{n // 6:02}:{n % 6 * 10:02}:00+00:00", "pegel", "water_level", 30.0 + n)
        for n in range(60)
    ),
]


@pytest.fixture
def city(tmp_path):
    more = f'[store]\nurl = "sqlite:///{tmp_path / "readings.db"}"\n'
    return Backtest(tmp_path, [{"station": "rain"}, {"station": "pegel", "stages_cm": [50, 80]}], more)


@pytest.fixture
def stored(city):
    store = open_store(f"sqlite:///{city.folder / 'readings.db'}")
    series = [Series("rain", "precipitation", "", "a"), Series("pegel", "water_level", "", "b")]
    series.append(Series("gone", "water_level", "", "c"))
    readings = np.zeros(len(ROWS) + 1, READING)
    for at, (time, station, _, value) in enumerate(ROWS):
        readings[at] = (1, station == "pegel", 4 if value > 80 else 1, us(time), value)
    readings[-1] = (1, 2, 1, us(ROWS[0][0]), 7.0)
    store.write(series, readings)
    store.close()


def run(city, *arguments):
    out = city.folder / "stored.jsonl"
    code = main(
        ["backtest", "--config", str(city.folder / "city.toml"), "--out", str(out), *map(str, arguments)]
    )
    return code, [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else None


def test_the_store_s_history_is_judged_as_the_file_s(city, stored, capsys):
    expected = city.events([(time, station, name, str(value)) for time, station, name, value in ROWS])
    assert {"precipitation", "pegel"} & {each["station"] for each in expected}
    assert run(city, "--from-store") == (0, expected)
    assert "gone water_level left out" in capsys.readouterr().err


def test_a_part_of_the_store_s_history(city, stored):
    begin = "2026-07-14T08:00:00Z"
    code, events = run(city, "--from-store", "--from", begin)
    assert code == 0
    assert events
    assert all(us(each["time"]) >= us(begin) for each in events)


@pytest.mark.parametrize(
    "arguments",
    [[], ["--from-store", "--readings", "x.csv"], ["--readings", "x.csv", "--from", "2026-07-14T00:00:00Z"]],
)
def test_one_source_it_must_be(city, arguments, capsys):
    assert run(city, *arguments)[0] == 2
    assert "--from-store" in capsys.readouterr().err


def test_an_empty_store_says_so(city, capsys):
    assert run(city, "--from-store")[0] == 1
    assert "not one row" in capsys.readouterr().err
