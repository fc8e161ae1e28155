"""A small city for the engine's tests, and readings made short."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from alerts.kernels.kernels import Kernels
from alerts.kostra.kostra import shipped_table
from alerts.rules import load_rules, parse_rules
from devices.registry import InstalledDevice, Registry, Station
from ingest.reading import READING, Series

SHARED = Path(__file__).parents[3] / "shared" / "data"
MIN = 60_000_000
DEPTH_MM = {(d, years): mm for d, row in shipped_table().depths.items() for years, mm in row.items()}
T0 = 1_750_000_200_000_000  # a multiple of five minutes


def shared(path):
    file = SHARED / path
    if not file.exists():
        pytest.skip(f"no ../shared/data/{path} beside the project", allow_module_level=True)
    return file


def reference(name):
    return json.loads(shared(f"reference/{name}.json").read_text())["result"]


def table(path):
    """Header and rows of a CSV file."""
    with shared(path).open() as file:
        head, *rows = csv.reader(file)
    return head, rows


def us(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def iso(time_us):
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def readings(*rows, quality=1):
    """Rows (series, time_us, value) as an array of the journal's readings."""
    return np.array(
        [(seq, series, quality, time, value) for seq, (series, time, value) in enumerate(rows, 1)], READING
    )


def one_series(prop, station="s", channel=""):
    return Series(station, prop, channel, "00000000000000ff")


def registry(series, interval_s=300, type_="", **station):
    """Devices and stations that such series come from."""
    devices = {
        each.dev_eui: InstalledDevice(each.dev_eui, type_, each.station, interval_s=interval_s)
        for each in series
    }
    stations = {
        each.station: Station(each.station, each.station, None, None, True, (each.dev_eui,), **station)
        for each in series
    }
    return Registry(devices, stations)


def catalogue(prop, modulus=0.0):
    """One type, "sensor", whose counter starts again at a modulus."""
    return {"sensor": SimpleNamespace(interval_s=300, wraps={prop: modulus}, properties=(prop,))}


def kernels(series, rules=None, types=None, kostra=None, catchments=None, **how):
    """Kernels with the shipped rules, or others."""
    chosen = load_rules() if rules is None else parse_rules({"rule": rules}, "rules.toml")
    return Kernels(chosen, registry(series, **how), types, series, kostra=kostra, catchments=catchments)


def events(series, batches, rules=None, types=None, **how):
    """What the rules make of batches of readings."""
    machine = kernels(series, rules, types, **how)
    return [event for batch in batches for event in machine.step(batch)]


def steps(found):
    """The lifecycle's events, short."""
    return [(each.kind, each.level) for each in found if each.kind not in {"crossing", "falling"}]
