"""Histories as files, and the backtest run over them."""

import csv
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from stadtfunk.cli import main

SHARED = Path(__file__).parents[3] / "shared" / "data"
STEP_MIN = {
    "erft_5min_oct2000": 5,
    "erft_5min_oct2005": 5,
    "erft_5min_aug2008": 5,
    "gsdr_sauerland_hourly_2007-08": 60,
}


def shared(path):
    file = SHARED / path
    if not file.exists():
        pytest.skip(f"no ../shared/data/{path} beside the project", allow_module_level=True)
    return file


def reference(name):
    return json.loads(shared(f"reference/{name}.json").read_text())["result"]


def rain_rows(name, *, zeros=True):
    """Rows of a rain file; its stamps are the START of an interval, a row's time is its end."""
    with shared(f"rain/{name}.csv").open() as file:
        (_, *stations), *rows = csv.reader(file)
    for stamp, *values in rows:
        time = datetime.fromisoformat(stamp) + timedelta(minutes=STEP_MIN[name])
        for station, value in zip(stations, values, strict=True):
            if value and (zeros or float(value)):
                yield f"{time.isoformat()}Z", station, "precipitation", value


def level_rows(name):
    with shared(f"level/{name}.csv").open() as file:
        _, *rows = csv.reader(file)
    for stamp, value in rows:
        if value:
            yield f"{datetime.fromisoformat(stamp).isoformat()}Z", "ufz", "water_level", value


class Backtest:
    """A folder with a city, and what the command makes of histories there."""

    def __init__(self, folder, stations, more=""):
        self.folder = folder
        given = [{"station": each} if isinstance(each, str) else each for each in stations]
        devices = "".join(f"[[device]]\n{table(each)}\n" for each in given)
        (folder / "city.toml").write_text(f'[city]\nname = "Teststadt"\n{devices}{more}')

    def write(self, rows, name="readings.csv"):
        lines = [
            "time,station,property,value",
            *(each if isinstance(each, str) else ",".join(each) for each in rows),
        ]
        (self.folder / name).write_text("\n".join(lines) + "\n")
        return self.folder / name

    def run(self, readings, *arguments, out="events.jsonl"):
        """Exit code and events."""
        command = ["backtest", "--config", self.folder / "city.toml", "--readings", readings]
        code = main([str(each) for each in [*command, "--out", self.folder / out, *arguments]])
        file = self.folder / out
        events = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else None
        return code, events

    def events(self, rows, *arguments):
        code, events = self.run(self.write(rows), *arguments)
        assert code == 0
        return events


def table(values):
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())


def steps(events, **of):
    """The lifecycle of some events, short."""
    return [
        (each["time"], each["kind"], each["level"])
        for each in events
        if each["kind"] in {"raise", "escalate", "step_down", "clear"}
        and all(each[key] == value for key, value in of.items())
    ]
