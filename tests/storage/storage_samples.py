"""Readings and uplinks for the storage tests, and what a store has to answer."""

import math

import numpy as np
from hypothesis import strategies as st

from devices.measurement import Rejected
from ingest.journal import Accepted, Refused
from ingest.reading import READING, Measured, Series
from ingest.store import Point
from ingest.uplink import Gateway, Message, TimeSource, Uplink

T0 = 1_791_000_000_000_000
RAIN = Series("kippemuehle", "precipitation", "", "70b3d57ed0000001")
LEVEL = Series("kippemuehle", "water_level", "", "70b3d57ed0000002")
CARS_IN = Series("buchmuehle", "vehicle_count", "in", "70b3d57ed0000003")
CARS_OUT = Series("buchmuehle", "vehicle_count", "out", "70b3d57ed0000003")
SERIES = (RAIN, LEVEL, CARS_IN, CARS_OUT)


def readings(*rows):
    """(series number, µs after T0, value[, quality]) as the journal hands them out."""
    table = np.zeros(len(rows), READING)
    for record, (series, time_us, value, *quality) in zip(table, rows, strict=True):
        record["seq"] = 1
        record["series"] = series
        record["time_us"] = T0 + time_us
        record["value"] = value
        record["quality"] = quality[0] if quality else 1
    return table


def points(series, table):
    """What a store holds once the table is written, in the order of a query."""
    held = {}
    for _, number, quality, time_us, value in table.tolist():
        gone = not math.isfinite(value) or quality == 9
        point = Point(series[number], time_us, None if gone else value, 9 if gone else quality)
        held[time_us, series[number]] = point
    return [held[key] for key in sorted(held)]


def uplink(number=1, **changes):
    known = {
        "server": "stadtwerke",
        "dev_eui": "70b3d57ed0000001",
        "f_port": 1,
        "f_cnt": number,
        "session": "0018",
        "payload": b"\x01\x02",
        "received_us": T0 + number,
        "arrived_us": T0 + number,
        "time_us": T0 + number,
        "time_source": TimeSource.SERVER,
    }
    return Uplink(**(known | changes))


def accepted(number=1, series=RAIN, **changes):
    row = uplink(number, **changes)
    return Accepted(row, (Measured(series, row.time_us, float(number), 1),), (number, -number))


def refused(number=1, reason="malformed_json", parsed=None):
    message = Message("stadtwerke", "application/1/device/2/event/up", b"{", 1, False, T0 + number)
    return Refused(message, Rejected(reason, "expected a value"), (number,), parsed)


INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
OPTIONAL_FLOAT = st.none() | st.floats(allow_nan=False)
GATEWAYS = st.builds(
    Gateway,
    id=TEXT,
    rssi=OPTIONAL_FLOAT,
    snr=OPTIONAL_FLOAT,
    time_us=st.none() | INT64,
    lat=OPTIONAL_FLOAT,
    lon=OPTIONAL_FLOAT,
    altitude=OPTIONAL_FLOAT,
)
UPLINKS = st.builds(
    Uplink,
    server=TEXT,
    dev_eui=st.text("0123456789abcdef", min_size=16, max_size=16),
    f_port=st.integers(0, 255),
    f_cnt=st.integers(0, 2**32 - 1),
    session=TEXT,
    payload=st.binary(max_size=60),
    received_us=INT64,
    arrived_us=INT64,
    time_us=INT64,
    time_source=st.sampled_from(TimeSource),
    transport_id=TEXT,
    device_name=TEXT,
    codec_hint=TEXT,
    confirmed=st.booleans(),
    simulated=st.booleans(),
    data_rate=st.none() | st.integers(0, 15),
    spreading_factor=st.none() | st.integers(5, 12),
    bandwidth_hz=st.none() | st.integers(0, 10**7),
    frequency_hz=st.none() | st.integers(0, 10**10),
    gateways=st.lists(GATEWAYS, max_size=3).map(tuple),
    decoded=st.binary(max_size=60),
)
SERIES_NAMES = st.builds(Series, station=TEXT, property=TEXT, channel=TEXT, dev_eui=TEXT)
ACCEPTED = st.builds(
    Accepted,
    uplink=UPLINKS,
    readings=st.lists(
        st.builds(
            Measured,
            series=SERIES_NAMES | st.sampled_from(SERIES),
            time_us=INT64,
            value=st.floats(),
            quality=st.sampled_from([1, 2, 3, 4, 9]),
        ),
        max_size=4,
    ).map(tuple),
    keys=st.lists(INT64, max_size=2).map(tuple),
)
