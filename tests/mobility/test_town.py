"""The simulated month is true to itself: what is reported follows from what happened."""

from datetime import date
from itertools import islice, pairwise

import numpy as np
import pytest

from devices.catalogue import load_catalogue
from devices.measurement import Rejected
from devices.simulator.mobility.days import SUNDAY, days
from devices.simulator.mobility.messages import messages
from devices.simulator.mobility.month import BERLIN, Place, month, uplinks, weeks
from devices.simulator.mobility.network import NO_FAULTS
from devices.simulator.mobility.town import LOTS, STREETS
from devices.simulator.simulator import Kind
from ingest.network_servers import PARSERS
from ingest.uplink import Message, Uplink

DAY_US = 86_400_000_000
AUTUMN = date(2025, 10, 17)


@pytest.fixture(scope="module")
def town():
    """Sixteen days with the end of summer time."""
    return month(3, 16, first=AUTUMN)


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


def test_forty_sensors_of_every_kind(town, catalogue):
    assert len(town.registry.devices) >= 40
    assert len(LOTS) >= 3
    assert len(STREETS) >= 4
    assert {lot.told_by for lot in LOTS} == {"spaces", "counters", "barrier"}
    assert {street.counts for street in STREETS} == {"total", "classes", "categories", "both", "event"}
    assert {each.type for each in town.registry.devices.values()} - {""} <= set(catalogue)


def test_the_same_choices_make_the_same_month():
    first, again, other = (month(seed, 2, faults=None) for seed in (1, 1, 2))
    assert first.reports.tobytes() == again.reports.tobytes()
    assert first.reports.tobytes() != other.reports.tobytes()


def test_days_have_23_24_or_25_hours_and_hours_add_up_to_them(town):
    hours = np.diff(town.midnights) // 3_600_000_000
    assert hours.tolist() == [24] * 9 + [25] + [24] * 6
    assert np.diff(days(date(2026, 3, 28), 3, BERLIN).midnights).tolist() == [
        *(24 * 3_600_000_000, 23 * 3_600_000_000, 24 * 3_600_000_000)
    ]
    for place in town.seen:
        assert town.counts(place, town.hours).sum() == town.counts(place, town.midnights).sum()


def test_holidays_are_like_sundays():
    calendar = days(date(2026, 4, 1), 8, BERLIN)
    assert calendar.kind.tolist() == [0, 0, SUNDAY, 1, SUNDAY, SUNDAY, 0, 0]
    assert calendar.market.tolist() == [True, False, False, True, False, False, False, True]


def test_nobody_parks_where_somebody_is(town):
    for stays in town.stays.values():
        for space in range(stays.lot.capacity):
            mine = np.flatnonzero(stays.space == space)
            assert (stays.begin[mine] < stays.end[mine]).all()
            assert (stays.begin[mine][1:] >= stays.end[mine][:-1]).all()


def test_occupancy_stays_within_the_capacity_and_uses_it(town):
    times = np.arange(town.begin_us, town.end_us, 300_000_000)
    for station, stays in town.stays.items():
        occupied = town.occupied(station, times)
        assert occupied.min() >= 0
        assert occupied.max() <= stays.lot.open_to_all
        assert occupied.max() > 0.8 * stays.lot.open_to_all
        for kind, spaces in stays.lot.reserved.items():
            assert 0 < stays.reserved(kind, times).max() <= len(spaces)


def test_the_market_empties_its_place_and_fills_the_others(town):
    at_ten = town.midnights[:-1] + 10 * 3_600_000_000
    workday = (town.calendar.kind != SUNDAY) & (town.calendar.weekday < 5)
    market, usual = town.calendar.market & workday, ~town.calendar.market & workday
    assert town.occupied("parken-markt", at_ten[market]).max() == 0
    assert town.occupied("parken-markt", at_ten[usual]).mean() > 3
    schloss = town.occupied("parken-schloss", at_ten)
    assert schloss[market].mean() > schloss[usual].mean()


def test_a_closed_street_is_empty_and_others_carry_more(town):
    (closure,) = town.closures
    inside = [closure.begin_us, closure.end_us]
    lengths = (closure.end_us - closure.begin_us) / DAY_US
    usual = town.counts(Place(closure.station, "vehicle_count", "ltr"), town.midnights)
    assert town.counts(Place(closure.station, "vehicle_count", "ltr"), inside)[0] < 0.1 * usual[0] * lengths


def test_it_is_slower_in_a_jam_and_fewer_pass(town):
    passings = town.traffic.passings
    timed = [jam for jam in town.jams if len(passings[jam.station, jam.channel].speeds)]
    assert timed
    for jam in timed:
        here = passings[jam.station, jam.channel]
        within = slice(*np.searchsorted(here.times, [jam.begin_us, jam.end_us]))
        assert here.speeds[within].mean() < 20 < here.speeds.mean()


def test_without_faults_every_total_tells_the_truth():
    town = month(5, 2, faults=NO_FAULTS, lots=())
    told = 0
    for number, stream in enumerate(town.streams):
        place = Place(stream.station, stream.property, stream.channel)
        if place not in town.seen:
            continue
        rows = town.reports[town.reports["stream"] == number]
        wrap = next(s.wrap for s in town.sent if s.device.dev_eui == stream.dev_eui)
        assert (np.diff(rows["value"]) % wrap == town.counts(place, rows["time_us"])).all()
        told += len(rows)
    assert told > 4_000


def test_without_faults_every_interval_tells_the_truth():
    town = month(5, 2, faults=NO_FAULTS, lots=())
    for number, stream in enumerate(town.streams):
        if not stream.property.endswith("_interval") or stream.station.startswith("rad-"):
            continue
        place = Place(stream.station, stream.property.removesuffix("_interval"), stream.channel)
        rows = town.reports[town.reports["stream"] == number]
        assert (rows["value"][1:] == town.counts(place, rows["time_us"])).all()


def test_a_reset_counter_begins_anew_at_zero(town):
    resets = [each for each in town.incidents if each.kind == "reset"]
    assert len(resets) == 4
    for each in resets:
        (sent,) = (s for s in town.sent if s.device.dev_eui == each.dev_eui)
        totals = [i for i, (name, _) in enumerate(sent.columns) if name.endswith("_count")]
        after = int(np.searchsorted(sent.times, each.begin_us, "right"))
        for i in totals:
            passed = np.diff(
                np.searchsorted(sent.seen[sent.columns[i]], [each.begin_us, sent.times[after]], "right")
            )
            assert sent.values[after, i] == passed


def test_uplinks_are_lost_late_and_repeated(town):
    first = [rows[0] for rows in uplinks(town.reports)]
    arrivals = [int(row["arrival_us"]) for row in first]
    assert arrivals == sorted(arrivals)
    once = [row for row in first if not row["repeated"]]
    possible = sum(len(sent.times) for sent in town.sent)
    assert 0.04 < 1 - len(once) / possible < 0.07
    delays = np.array([int(row["arrival_us"] - row["time_us"]) for row in once]) / 60e6
    assert (delays > 0).all()
    assert 0.02 < (delays > 1).mean() < 0.04
    assert delays.max() > 120
    assert 0.02 < sum(bool(row["repeated"]) for row in first) / len(once) < 0.04


def test_the_counters_of_a_car_park_drift(town):
    drift = {}
    for lot in LOTS:
        if lot.told_by == "counters":
            came, left = (
                town.counts(Place(lot.station, "vehicle_count", way), [town.begin_us, town.end_us])[0]
                for way in ("in", "out")
            )
            change = np.diff(town.occupied(lot.station, [town.begin_us, town.end_us]))[0]
            drift[lot.station] = (came - left - change) / 16
    assert drift["parken-loewe"] > 3
    assert drift["parken-bahnhof"] < -0.5


def test_spaces_say_what_stands_on_them(town):
    """But for what is lost or late, and the few cars a sensor does not see."""
    wrong = looked = 0
    for sent in town.sent:
        if sent.columns[0][0] == "parking_occupied":
            stays = town.stays[sent.device.station]
            of_station = town.registry.stations[sent.device.station].devices
            space = of_station.index(sent.device.dev_eui) - (2 if stays.lot.told_by == "counters" else 0)
            mine = stays.space == space
            at = sent.times - 60_000_000
            came = np.searchsorted(stays.begin[mine], at, "right")
            gone = np.searchsorted(stays.end[mine], at, "right")
            settled = came - gone == np.searchsorted(
                stays.begin[mine], sent.times, "right"
            ) - np.searchsorted(stays.end[mine], sent.times, "right")
            wrong += int(((came - gone) != sent.values[:, 0])[settled].sum())
            looked += int(settled.sum())
    assert looked > 2_000
    assert wrong / looked < 0.02


def test_the_messages_say_what_the_reports_say(town, catalogue):
    parse = PARSERS["chirpstack-v4"].parse
    told = (rows for rows in uplinks(town.reports) if town.sent[int(rows["sent"][0])].device.type)
    types = set()
    for delivery, rows in islice(zip(messages(town, catalogue), told, strict=False), 1500):
        uplink = parse(
            Message("ns", delivery.topic, delivery.payload, 1, retain=False, arrived_us=delivery.due_us)
        )
        assert isinstance(uplink, Uplink)
        device = town.registry.devices[uplink.dev_eui]
        types.add(device.type)
        decoded = catalogue[device.type].decode(uplink.f_port, uplink.payload)
        assert not isinstance(decoded, Rejected)
        values = {(each.property, each.channel): each.value for each in device.derive(decoded)}
        for row in rows:
            stream = town.streams[int(row["stream"])]
            value = values[stream.property, stream.channel]
            assert np.isnan(row["value"]) if value is None else value == row["value"]
        assert abs(uplink.time_us - int(rows["time_us"][0])) < 1_000_000
        assert (delivery.kind is Kind.DUPLICATE) == bool(rows["repeated"][0])
    assert types == {each.type for each in town.registry.devices.values()} - {""}


def test_weeks_are_of_the_car_parks_alone():
    found, split_us = weeks(learn=1, held_out=1)
    assert split_us == found.midnights[7]
    assert {stream.station for stream in found.streams} == {lot.station for lot in LOTS}
    assert all(begin < end for begin, end in pairwise(found.midnights))
