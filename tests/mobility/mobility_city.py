"""A small city that counts and parks, and readings made short."""

from types import SimpleNamespace

import numpy as np

from alerts.mobility.machine import Machine
from alerts.rules import load_rules, parse_rules
from devices.registry import InstalledDevice, Registry, Station
from ingest.reading import READING

MIN = 60_000_000
T0 = 1_750_000_200_000_000  # a multiple of five minutes


def readings(*rows, quality=1):
    """Rows (series, time_us, value) as an array of the journal's readings."""
    return np.array(
        [(seq, series, quality, time, value) for seq, (series, time, value) in enumerate(rows, 1)], READING
    )


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
    return {
        "sensor": SimpleNamespace(
            interval_s=300, wraps={prop: modulus}, properties=(prop,), undirected=frozenset()
        )
    }


def rules_of(rules=None):
    """The shipped rules, or others."""
    return load_rules() if rules is None else parse_rules({"rule": rules}, "rules.toml")


def machine_of(series, rules=None, types=None, state=None, **how):
    """The machine of a city that has these series."""
    return Machine(rules_of(rules), registry(series, **how), types or {}, series, state)
