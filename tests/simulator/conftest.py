"""The demo's city, its messages of one storm, and what our own parsers and codecs make of them."""

from collections import defaultdict
from pathlib import Path

import pytest
from simulated_messages import MINUTE_US, START_US, parse

import stadtfunk
from devices.catalogue import load_catalogue
from devices.measurement import Rejected
from devices.registry import load_registry
from devices.simulator.simulator import Kind, Simulator
from ingest.uplink import Uplink

CITY = Path(stadtfunk.__file__).parent / "demo_city"


@pytest.fixture(scope="session")
def catalogue():
    return load_catalogue()


@pytest.fixture(scope="session")
def registry(catalogue):
    return load_registry(CITY / "devices.csv", catalogue=catalogue)


@pytest.fixture(scope="session")
def simulator(catalogue, registry):
    return Simulator(catalogue, registry, seed=1)


@pytest.fixture(scope="session")
def deliveries(simulator):
    return list(simulator.messages(START_US))


@pytest.fixture(scope="session")
def uplinks(deliveries):
    """Every good uplink once, parsed."""
    parsed = [parse(delivery) for delivery in deliveries if delivery.kind is Kind.UPLINK]
    assert all(isinstance(uplink, Uplink) for uplink in parsed)
    return parsed


@pytest.fixture(scope="session")
def measured(uplinks, catalogue, registry):
    """Measurements by (station, property), as (minutes after the start, measurement), in time order."""
    series = defaultdict(list)
    for uplink in uplinks:
        device = registry.devices[uplink.dev_eui]
        decoded = catalogue[device.type].decode(uplink.f_port, uplink.payload)
        assert not isinstance(decoded, Rejected), (device.type, uplink.payload.hex(), decoded)
        minutes = (uplink.time_us - START_US) / MINUTE_US
        for each in device.derive(decoded):
            series[device.station, each.property].append((minutes, each))
    for each in series.values():
        each.sort(key=lambda pair: pair[0])
    return series
