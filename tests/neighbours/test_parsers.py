"""What the official sources send, read into values and reasons; nothing they send raises."""

import itertools
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from official_servers import (
    CELL,
    DISTRICT,
    NRW_NO,
    UUID,
    cap,
    caps,
    identifier_of,
    nrw_station,
    nrw_values,
    pegel_history,
    pegel_station,
    pegel_stations,
    zipped,
)

from devices.measurement import Quality, Rejected
from ingest.neighbours import dwd_cap, hochwasserportal_nrw, pegelonline
from ingest.neighbours.observed import ascending
from ingest.neighbours.official_warning import Official
from ingest.neighbours.unzip import unzip

MIN = 60_000_000
NOW = 1_784_053_800_000_000  # 2026-07-14T18:30:00Z
CELLS = {CELL, DISTRICT}


def test_a_gauge_of_the_federal_waterways():
    found = pegelonline.parse_stations(pegel_stations(pegel_station(NOW, 306.0)), {UUID})
    (value,), (place,) = found.observed, found.places
    assert (value.time_us, value.value, value.quality) == (NOW, 306.0, Quality.GOOD)
    assert (place.name, place.water, place.lat, place.lon) == ("Köln", "Rhein", 50.9369, 6.9633)
    assert (place.stages_cm, place.gauge_zero_m, place.interval_s) == ((620.0, 830.0), 34.98, 900.0)
    assert pegelonline.parse_stations(pegel_stations(pegel_station(NOW, 1)), {"2730010"}).observed
    assert not pegelonline.parse_stations(pegel_stations(pegel_station(NOW, 1)), {"2730011"}).observed


@pytest.mark.parametrize(
    "how", [{"state": "commented"}, {"state": "out-dated"}, {"comment": "Pegel gestört"}], ids=str
)
def test_an_announced_fault_makes_a_value_suspect(how):
    (value,) = pegelonline.parse_stations(pegel_stations(pegel_station(NOW, 306.0, **how)), {UUID}).observed
    assert value.quality is Quality.SUSPECT
    assert value.note in how.values()


def test_a_gauge_without_flood_marks_has_its_mean_high_water():
    station = pegel_station(NOW, 1)
    station["timeseries"][0]["characteristicValues"] = [
        each
        for each in station["timeseries"][0]["characteristicValues"]
        if not each["shortname"].startswith("M_")
    ]
    assert pegelonline.parse_stations(pegel_stations(station), {UUID}).places[0].stages_cm == (720.0,)


@pytest.mark.parametrize(
    ("station", "reason"),
    [
        (pegel_station(NOW, 1, unit="m+NN"), "no_level_in_cm"),
        (pegel_station(NOW, None), "no_value"),
        (pegel_station(NOW, True), "no_value"),
        (pegel_station(NOW, 1, timeseries=[]), "no_level_in_cm"),
        (pegel_station(NOW, 1, timeseries="none"), "no_level_in_cm"),
    ],
)
def test_a_gauge_that_says_nothing_usable(station, reason):
    found = pegelonline.parse_stations(pegel_stations(station), {UUID})
    assert ([each.reason for each in found.rejected], found.observed) == ([reason], ())


def test_the_past_of_a_gauge():
    found = pegelonline.parse_measurements(
        pegel_history((NOW, 300.0), (NOW + 15 * MIN, 310.5)), UUID, "gestört"
    )
    assert [(each.time_us, each.value, each.quality) for each in found.observed] == [
        (NOW, 300.0, 3),
        (NOW + 15 * MIN, 310.5, 3),
    ]


def test_the_portal_of_nrw_writes_winter_time_all_year():
    body = nrw_values(
        (NRW_NO, NOW - 30 * MIN, "42.60"),
        (NRW_NO, NOW, "44.10"),
        (NRW_NO, None, ""),
        ("27", NOW, "1.0"),
        (f"{NRW_NO}9", NOW, "2.0"),
    )
    found = hochwasserportal_nrw.parse_values(body, {NRW_NO}, NOW - 60 * MIN)
    assert [(each.time_us, each.value) for each in found.observed] == [(NOW - 30 * MIN, 42.6), (NOW, 44.1)]
    assert not hochwasserportal_nrw.parse_values(body, {NRW_NO}, NOW).observed  # stale stations stay listed
    without = zipped(
        {"messwerte.txt": f"station_no;time;value(cm)\r\n{NRW_NO};2026-07-14T19:30:00.000;1\r\n"}
    )
    assert hochwasserportal_nrw.parse_values(without, {NRW_NO}, 0).observed[0].time_us == NOW


def test_what_the_portal_says_of_a_station():
    (place,) = hochwasserportal_nrw.parse_stations(json.dumps([nrw_station()]).encode(), {NRW_NO}).places
    assert (place.name, place.water, place.lat) == ("Bergisch Gladbach", "Strunde", 50.9912)
    assert (place.stages_cm, place.interval_s) == ((80.0, 110.0, 140.0), 900.0)


@pytest.mark.parametrize(
    ("changes", "stages"),
    [
        ({"LANUV_Info_3": ""}, (80.0, 110.0)),
        ({"LANUV_Info_2": "0.0"}, (80.0, 140.0)),
        ({"LANUV_Info_1": None, "LANUV_Info_2": None, "LANUV_Info_3": None}, (60.0,)),
        ({"LANUV_Info_2": "70"}, (80.0,)),
        ({"LANUV_Info_1": "x", "LANUV_Info_2": [], "LANUV_Info_3": {}, "LANUV_MHW": "NaN"}, ()),
    ],
)
def test_marks_that_are_missing_or_out_of_order(changes, stages):
    body = json.dumps([nrw_station(**changes)]).encode()
    assert hochwasserportal_nrw.parse_stations(body, {NRW_NO}).places[0].stages_cm == stages


def test_a_number_that_stands_for_two_stations_is_not_taken():
    body = json.dumps([nrw_station(), nrw_station(station_id="7", site_no="104")]).encode()
    found = hochwasserportal_nrw.parse_stations(body, {NRW_NO})
    assert ([each.reason for each in found.rejected], found.places) == (["ambiguous_station"], ())


def test_a_warning_of_the_weather_service():
    body = caps(cap(1, NOW, NOW + 120 * MIN), cap(2, NOW, NOW + 120 * MIN, cells=("805315000",)))
    (warning,), rejected = dwd_cap.parse(body, CELLS)
    assert not rejected
    assert warning.headline == "Amtliche UNWETTERWARNUNG vor HEFTIGEM STARKREGEN 1"
    assert (warning.description, warning.instruction) == (
        "Es tritt heftiger Starkregen auf & mehr.",
        "Keller <räumen>.",
    )
    assert (warning.kind, warning.code, warning.level, warning.areas) == (
        "warning",
        62,
        3,
        (f"Stadt {CELL}",),
    )
    assert (warning.onset_us, warning.expires_us) == (NOW, NOW + 120 * MIN)
    assert (warning.above_m, warning.below_m) == (None, None)


@pytest.mark.parametrize(
    ("code", "severity", "urgency", "level"),
    [
        (61, "Moderate", "Immediate", 2),
        (62, "Severe", "Immediate", 3),
        (63, "Moderate", "Immediate", 2),
        (64, "Severe", "Immediate", 3),
        (65, "Extreme", "Immediate", 4),
        (65, "Severe", "Future", 0),  # the same code, an advance notice
        (66, "Extreme", "Immediate", 4),
        (46, "Severe", "Immediate", 3),  # a thunderstorm with heavy rain
        (33, "Moderate", "Immediate", 0),
        (52, "Moderate", "Immediate", 0),
    ],
)
def test_the_level_for_rain(code, severity, urgency, level):
    warnings, _ = dwd_cap.parse(
        caps(cap(1, NOW, NOW + 60 * MIN, code=code, severity=severity, urgency=urgency)), CELLS
    )
    assert [dwd_cap.rain_level(Official(warnings, NOW), at)[0] for at in (NOW - 1, NOW, NOW + 60 * MIN)] == [
        0,
        level,
        0,
    ]
    assert warnings[0].kind == ("advance_notice" if urgency == "Future" else "warning")


@pytest.mark.parametrize(
    "how",
    [
        {"message": "Cancel"},
        {"status": "Test"},
        {"status": "Exercise"},
        {"response": "AllClear"},
    ],
    ids=str,
)
def test_what_is_no_warning(how):
    assert dwd_cap.parse(caps(cap(1, NOW, NOW + MIN, **how)), CELLS) == ((), ())


@pytest.mark.parametrize("message", ["Update", "Cancel"])
def test_an_update_replaces_all_that_it_refers_to(message):
    old = [cap(n, NOW, NOW + 60 * MIN) for n in (1, 2, 3)]
    new = cap(4, NOW, NOW + 90 * MIN, message=message, references=(identifier_of(1), identifier_of(2)))
    for order in ([*old, new], [new, *old]):
        standing = {each.identifier for each in dwd_cap.parse(caps(*order), CELLS)[0]}
        assert standing == {identifier_of(3), *([identifier_of(4)] if message == "Update" else [])}


def test_a_warning_without_an_end_and_below_a_height():
    (warning,), _ = dwd_cap.parse(caps(cap(1, NOW, None, ceiling="1968.50394")), CELLS)
    assert (warning.expires_us, warning.below_m) == (None, 600)
    assert warning.covers(NOW + 10**15)


@pytest.mark.parametrize(
    ("ars", "cells"),
    [
        ("053780004004", ("805378004", "105378000")),  # Bergisch Gladbach
        ("053150000000", ("805315000", "105315000")),  # Köln
        ("071335005073", ("807133073", "107133000")),  # Oberhausen bei Kirn, of an association
    ],
)
def test_warn_cells_follow_from_the_key_of_the_municipality(ars, cells):
    assert dwd_cap.warncells(ars) == cells


BOMB = '<!DOCTYPE a [<!ENTITY x0 "xxxxxxxxxx">' + "".join(
    '<!ENTITY x{} "{}">'.format(n, f"&x{n - 1};" * 10) for n in range(1, 9)
)


@pytest.mark.parametrize(
    "member",
    [
        f"{BOMB}]><alert>&x8;</alert>",
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><alert>&x;</alert>',
        "<alert>",
        "",
        b"\xff\xfe<\x00a",
        '<?xml version="1.0" encoding="none-such"?><alert/>',
        "<alert/>",
        "<" * 10_000,
    ],
    ids=["bomb", "outside", "open", "empty", "utf-16", "encoding", "bare", "angles"],
)
def test_xml_that_must_not_be_believed(member):
    warnings, rejected = dwd_cap.parse(zipped({"a.xml": member, "b.xml": cap(1, NOW, NOW + MIN)}), CELLS)
    assert (len(warnings), len(rejected)) == (1, 1)


def test_a_zip_bomb_is_not_unpacked():
    bomb = zipped({f"{n}.txt": b"0" * 1_000_000 for n in range(40)})
    assert len(bomb) < 100_000
    unpacked = list(unzip(bomb, ".txt", most_files=100, most_bytes=5_000_000))
    assert sum(len(each[1]) for each in unpacked if not isinstance(each, Rejected)) <= 5_000_000
    assert unpacked[-1].reason == "zip_too_large"
    assert [each.reason for each in unzip(bomb, ".txt", most_files=9, most_bytes=1)] == ["zip_too_large"]


def test_a_zip_that_lies_about_its_sizes():
    honest = zipped({"a.txt": b"0" * 1_000_000})
    size = (1_000_000).to_bytes(4, "little")
    lying = honest.replace(size, (10).to_bytes(4, "little"))
    (found,) = unzip(lying, ".txt", most_files=1, most_bytes=1000)
    assert isinstance(found, Rejected) or len(found[1]) <= 10


def test_other_compressions_are_refused():
    (found,) = unzip(zipped({"a.txt": b"0" * 100}, zipfile.ZIP_BZIP2), ".txt", most_files=1, most_bytes=1000)
    assert found.reason == "bad_zip"


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
anything = st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value, default=str).encode())


@given(anything)
def test_no_bytes_raise(body):
    pegelonline.parse_stations(body, {UUID})
    pegelonline.parse_measurements(body, UUID)
    hochwasserportal_nrw.parse_values(body, {NRW_NO}, 0)
    hochwasserportal_nrw.parse_values(zipped({"messwerte.txt": body}), {NRW_NO}, 0)
    hochwasserportal_nrw.parse_stations(body, {NRW_NO})
    assert dwd_cap.parse(zipped({"a.xml": body}), CELLS)[0] == ()
    dwd_cap.parse(body, CELLS)


@given(st.data())
def test_no_damage_to_a_real_answer_raises(data):
    """A field of another kind, a byte of another value."""
    station = pegel_station(NOW, 306.0, comment="gestört")
    target = data.draw(
        st.sampled_from([station, station["timeseries"][0], station["timeseries"][0]["gaugeZero"]])
    )
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(json_values)
    pegelonline.parse_stations(json.dumps([station]).encode(), {UUID})
    other = nrw_station()
    other[data.draw(st.sampled_from(sorted(other)))] = data.draw(json_values)
    hochwasserportal_nrw.parse_stations(json.dumps([other]).encode(), {NRW_NO})
    archive = bytearray(caps(cap(1, NOW, NOW + MIN)))
    archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    dwd_cap.parse(bytes(archive), CELLS)
    message = bytearray(cap(1, NOW, NOW + MIN).encode())
    message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    dwd_cap.parse(caps(bytes(message)), CELLS)


@given(st.lists(st.none() | st.floats(-100, 1000), max_size=5))
def test_marks_always_ascend(marks):
    stages = ascending(*marks)
    assert all(low < high for low, high in itertools.pairwise(stages))
    assert set(stages) <= set(marks)
