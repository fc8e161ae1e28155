"""A year of 100 rain gauges at 5 minutes through `stadtfunk backtest`, from a CSV file to events."""

import csv
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from rain import pure_python
from report import Report, run

GAUGES = 100
STEPS = 365 * 288
WET_STEPS = 30 * 288
START = datetime(2025, 1, 1, 0, 5, tzinfo=UTC)
GOAL_READINGS_PER_S = 100_000


def measure(scale: float) -> Report:
    """10.5 million readings: a year with 150 wet spells and a few storms; then 30 days of rain everywhere."""
    report = Report("backtest", f"a year of {GAUGES} gauges every 5 min, CSV to events, one process")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write_year(folder / "year.csv", max(round(STEPS * scale), 300))
        wet_rows = write_year(folder / "wet.csv", max(round(WET_STEPS * scale), 300), wet=True)
        plain = 1e6 / (csv_us(folder / "year.csv") + pure_python(round(20_000 * max(scale, 0.1))))
        seconds, events = backtest(folder, "year.csv")
        wet_seconds, wet_events = backtest(folder, "wet.csv")
        megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    base = ("csv module and deques", plain)
    report.add("a year", rows / seconds, "readings/s", "more", goal=GOAL_READINGS_PER_S, baseline=base)
    report.add("a year, the whole run", seconds, "s")
    report.add("30 days of rain", wet_rows / wet_seconds, "readings/s", "more", baseline=base)
    report.add("30 days of rain, the whole run", wet_seconds, "s")
    report.add("memory", megabytes, "MB")
    report.notes += [
        f"a year: {rows:,} rows, {events:,} events; rain: {wet_rows:,} rows, {wet_events:,} events",
        "start of the program, reading, sorting, judging, writing events",
        "csv module and deques: rows split and converted, 18 windows in pure Python, and nothing else",
    ]
    return report


def backtest(folder: Path, name: str) -> tuple[float, int]:
    """Seconds that the command takes, and how many events it writes."""
    config, out = folder / "city.toml", folder / "events.jsonl"
    config.write_text(
        '[city]\nname = "Bench"\n' + "".join(f'[[device]]\nstation = "g{i}"\n' for i in range(GAUGES))
    )
    command = [sys.executable, "-m", "stadtfunk", "backtest", "--config", config]
    began = time.perf_counter()
    subprocess.run(
        [*command, "--readings", folder / name, "--out", out], check=True, stdout=subprocess.DEVNULL
    )
    seconds = time.perf_counter() - began
    with out.open() as lines:
        return seconds, sum(1 for _ in lines)


def write_year(file: Path, steps: int, *, wet: bool = False) -> int:
    """Depths in mm, with `wet` rain at every gauge all the time; returns how many rows."""
    random = np.random.default_rng(2025)
    heads = [f",g{i},precipitation," for i in range(GAUGES)]
    with file.open("w") as out:
        out.write("time,station,property,value\n")
        spell = storm = 0
        for step in range(steps):
            if not spell and random.random() < 0.0016:  # 150 times a year, 800 mm together
                storm = int(random.random() < 0.02)
                spell = int(random.integers(8, 20) if storm else random.integers(6, 114))
            raining = wet or spell
            depth = (
                random.gamma(0.6, 2.5 if storm else 0.15, GAUGES).round(1) if raining else np.zeros(GAUGES)
            )
            spell -= spell > 0
            stamp = (START + timedelta(minutes=5 * step)).strftime("%Y-%m-%dT%H:%M:%SZ")
            out.writelines(
                f"{stamp}{head}{value}\n" for head, value in zip(heads, depth.tolist(), strict=True)
            )
    return steps * GAUGES


def csv_us(file: Path) -> float:
    """µs of CPU a row takes the standard library to read and convert."""
    most = 30_000
    with file.open() as lines:
        rows = csv.reader(lines)
        next(rows)
        began = time.process_time()
        for count, (stamp, station, _, value) in enumerate(rows, 1):
            _ = (datetime.fromisoformat(stamp).timestamp(), station, float(value))
            if count == most:
                break
        return (time.process_time() - began) * 1e6 / count


if __name__ == "__main__":
    run(measure)
