"""Every device type of the catalogue, now and later: its vectors, its round trip, and any bytes at all."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.catalogue import OWN_TYPES, load_catalogue
from devices.errors import DeviceTypeError
from devices.instant import EARLIEST_US, rfc3339_us
from devices.measurement import Measurement, Quality, Rejected
from devices.properties import observed_properties

CATALOGUE = load_catalogue()
VECTORS = [(each, vector) for each in CATALOGUE.values() for vector in each.vectors]
BOUGHT = {"rain", "level", "parking", "traffic", "weather", "climate"}


@pytest.mark.parametrize(("device_type", "vector"), VECTORS, ids=[f"{t.id}: {v.name}" for t, v in VECTORS])
def test_vector(device_type, vector):
    decoded = device_type.decode(vector.fPort, vector.payload)
    if vector.rejected is not None:
        assert isinstance(decoded, Rejected)
        assert decoded.reason == vector.rejected
        return
    assert not isinstance(decoded, Rejected), decoded
    found = {
        (each.time_us, "/".join(filter(None, (each.property, each.channel)))): (each.value, each.quality)
        for each in decoded
    }
    dated = {None: vector.expected, **{rfc3339_us(time): values for time, values in vector.logged.items()}}
    expected = {
        (time_us, key): _expected(value) for time_us, values in dated.items() for key, value in values.items()
    }
    assert found.keys() == expected.keys()
    for key, (value, quality) in expected.items():
        assert found[key] == (value if value is None else pytest.approx(value, rel=1e-9), quality), key


def _expected(value):
    if isinstance(value, dict):
        return value["value"], Quality[value["quality"]]
    return value, Quality.MISSING if value is None else Quality.GOOD


@pytest.mark.parametrize("device_type", CATALOGUE.values(), ids=CATALOGUE)
def test_type_is_complete(device_type):
    assert len(device_type.vectors) >= 3
    outside = [each for each in device_type.vectors if each.outside]
    assert outside, "at least one expectation that is not our own"
    assert all("our own" not in each.source for each in outside)
    assert set(device_type.properties) <= observed_properties().keys()
    assert device_type.caveats
    assert len(device_type.sha256) == 64
    seen = {
        each.property
        for vector in device_type.vectors
        if isinstance(decoded := device_type.decode(vector.fPort, vector.payload), tuple)
        for each in decoded
    }
    assert seen == set(device_type.properties), "every property stands in a vector"
    assert {name for name in device_type.properties if observed_properties()[name].kind == "counter"} == set(
        device_type.wraps
    )


def test_what_a_city_buys_is_there():
    assert {each.theme for each in CATALOGUE.values()} >= BOUGHT
    assert sorted(file.name.removesuffix(".yaml") for file in OWN_TYPES.glob("*.yaml")) == sorted(
        [*CATALOGUE, *(f"{id_}.vectors" for id_ in CATALOGUE)]
    )


def test_wraps_are_moduli_in_the_property_s_unit():
    assert CATALOGUE["decentlab-dl-tbrg"].wraps == {"precipitation_total": pytest.approx(2**32 / 10)}
    assert CATALOGUE["nwave-ncc405"].wraps == {"vehicle_count": 65536}


def _ports(device_type):
    """Ports its readings come on; some port for a type that reads any."""
    return device_type.f_ports or (2,)


SECOND_US = 1_000_000
_times = st.integers(EARLIEST_US // SECOND_US, 2**32 - 1).map(SECOND_US.__mul__)


@st.composite
def _measured(draw, group, time_us):
    """What the fields of a group may say at a time."""
    found = []
    for readout in group:
        if readout.lookup is not None:
            raw = draw(st.sampled_from(sorted(readout.lookup)))
        elif readout.floating:
            raw = draw(st.floats(-1e9, 1e9, width=32))
        else:
            raw = draw(st.integers(int(readout.raw_low), int(readout.raw_high)))
        at = time_us if readout.clock else None
        if raw in readout.sentinels:
            found.append(Measurement(readout.property, None, Quality.MISSING, readout.channel, at))
            continue
        value = readout.value(raw)
        quality = Quality.GOOD if readout.low <= value <= readout.high else Quality.FAIL
        found.append(Measurement(readout.property, value, quality, readout.channel, at))
    return found


@st.composite
def _frames(draw, types):
    """A frame some device type can send, as what it should decode to."""
    device_type = draw(st.sampled_from(types))
    f_port = draw(st.sampled_from(_ports(device_type)))
    always, *optional = draw(st.sampled_from(device_type.codec.variants(f_port)))
    chosen = [group for group in optional if draw(st.booleans())]
    if not always and not chosen:
        chosen = optional[:1]
    expected = {}
    for group in (always, *chosen):
        clock = group[0].clock if group else None
        times = draw(st.lists(_times, min_size=1, max_size=3 if clock.many else 1)) if clock else [None]
        for time_us in dict.fromkeys(times):
            for each in draw(_measured(group, time_us)):
                expected[_key(each)] = each
    return device_type, f_port, expected


def _key(measurement):
    return measurement.property, measurement.channel, measurement.time_us


@given(_frames(list(CATALOGUE.values())))
@settings(max_examples=400)
def test_round_trip(frame):
    _round_trip(*frame)


LOGGING = tuple(
    each for each in CATALOGUE.values() if any(readout.clock is not None for readout in each.codec.readouts())
)


@given(_frames(LOGGING))
@settings(max_examples=200)
def test_round_trip_of_types_that_log(frame):
    _round_trip(*frame)


def _round_trip(device_type, f_port, expected):
    payload = device_type.encode(f_port, {key: each.value for key, each in expected.items()})
    decoded = device_type.decode(f_port, payload)
    assert isinstance(decoded, tuple), decoded
    absent = {_key(each) for each in decoded} - expected.keys()
    assert {key[0] for key in absent} <= device_type.required
    assert {_key(each): each for each in decoded if _key(each) not in absent} == expected
    again = device_type.encode(f_port, {_key(each): each.value for each in decoded})
    assert sorted(device_type.decode(f_port, again), key=repr) == sorted(decoded, key=repr)


@given(
    device_type=st.sampled_from(list(CATALOGUE.values())),
    f_port=st.one_of(st.integers(0, 255), st.sampled_from([1, 2, 3, 14, 85, 190])),
    payload=st.binary(max_size=60),
)
@settings(max_examples=500)
def test_any_bytes_are_read_or_rejected(device_type, f_port, payload):
    _check(device_type.decode(f_port, payload))


@given(
    pair=st.sampled_from(VECTORS),
    cut=st.integers(0, 60),
    flips=st.lists(st.tuples(st.integers(0, 59), st.integers(0, 255)), max_size=3),
    more=st.binary(max_size=4),
)
@settings(max_examples=500)
def test_damaged_payloads_are_read_or_rejected(pair, cut, flips, more):
    device_type, vector = pair
    damaged = bytearray(vector.payload[:cut])
    for index, byte in flips:
        if index < len(damaged):
            damaged[index] = byte
    _check(device_type.decode(vector.fPort, bytes(damaged + more)))


def _check(decoded):
    if isinstance(decoded, Rejected):
        assert decoded.reason.replace("_", "").isalpha()
        assert decoded.detail
        return
    keys = [_key(each) for each in decoded]
    assert len(keys) == len(set(keys)), "one value for each series"
    for each in decoded:
        assert each.property in observed_properties()
        assert (each.value is None) == (each.quality == Quality.MISSING)
        assert each.value is None or math.isfinite(each.value)


@pytest.mark.parametrize("device_type", CATALOGUE.values(), ids=CATALOGUE)
def test_empty_and_unknown_port(device_type):
    assert device_type.decode(_ports(device_type)[0], b"").reason == "empty_payload"
    if device_type.f_ports:
        assert device_type.decode(222, b"\x01").reason == "unknown_fport"


@pytest.mark.parametrize(
    ("id_", "f_port", "values", "key"),
    [
        ("nwave-ncc405", 1, {"vehicle_count": 65536}, "vehicle_count"),
        ("nwave-ncc405", 1, {"people_count": 1}, "vehicle_count"),
        ("nwave-ncc405", 1, {}, "vehicle_count"),
        ("nwave-ncc405", 3, {"vehicle_count": 1}, "fPort 3"),
        ("nwave-ncc405", 1, {"vehicle_count": math.nan}, "vehicle_count"),
        ("nwave-ncc405", 1, {"vehicle_count": None}, "vehicle_count"),
        ("decentlab-dl-mbx", 1, {"water_distance": 0, "sample_count": 1}, "water_distance"),
        ("decentlab-dl-mbx", 1, {"water_distance": 900}, "sample_count"),
        ("milesight-em310-udl", 85, {"device_tilted": 2}, "device_tilted"),
        ("milesight-em310-udl", 85, {("water_distance", "x"): 900}, "water_distance/x"),
        ("parametric-pcr2", 14, {"battery_level": 5, "battery_voltage": 5}, "people_count_interval/ltr"),
    ],
)
def test_encode_names_what_cannot_be_sent(id_, f_port, values, key):
    with pytest.raises(DeviceTypeError) as caught:
        CATALOGUE[id_].encode(f_port, values)
    assert caught.value.faults[0].key == key
    assert caught.value.faults[0].remedy
