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
START = datetime(2025, 1, 1, 0, 5, tzinfo=UTC)
GOAL_READINGS_PER_S = 100_000


def measure(scale: float) -> Report:
    """10.5 million readings: a year with 150 wet spells and a few storms over the whole city."""
    report = Report("backtest", f"a year of {GAUGES} gauges every 5 min, CSV to events, one process")
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder, "year.csv"), Path(folder, "events.jsonl")
        rows = write_year(file, max(round(STEPS * scale), 300))
        config = Path(folder, "city.toml")
        config.write_text(
            '[city]\nname = "Bench"\n' + "".join(f'[[device]]\nstation = "g{i}"\n' for i in range(GAUGES))
        )
        command = [sys.executable, "-m", "stadtfunk", "backtest", "--config", config]
        began = time.perf_counter()
        subprocess.run([*command, "--readings", file, "--out", out], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        events = sum(1 for _ in out.open())
        plain = 1e6 / (csv_us(file) + pure_python(round(20_000 * max(scale, 0.1))))
    report.add(
        "readings",
        rows / seconds,
        "readings/s",
        "more",
        goal=GOAL_READINGS_PER_S,
        baseline=("csv module and deques", plain),
    )
    report.add("the whole run", seconds, "s")
    report.add("memory", megabytes, "MB")
    report.notes += [
        f"{rows:,} rows, {events:,} events; start of the program, reading, sorting, judging",
        "csv module and deques: rows split and converted, six windows in pure Python, and nothing else",
    ]
    return report


def write_year(file: Path, steps: int) -> int:
    """Depths in mm; returns how many rows."""
    random = np.random.default_rng(2025)
    heads = [f",g{i},precipitation," for i in range(GAUGES)]
    with file.open("w") as out:
        out.write("time,station,property,value\n")
        wet = storm = 0
        for step in range(steps):
            if not wet and random.random() < 0.0016:  # 150 times a year, 800 mm together
                storm = int(random.random() < 0.02)
                wet = int(random.integers(8, 20) if storm else random.integers(6, 114))
            depth = random.gamma(0.6, 2.5 if storm else 0.15, GAUGES).round(1) if wet else np.zeros(GAUGES)
            wet -= wet > 0
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
