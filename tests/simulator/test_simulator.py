"""What the simulated city sends is what real servers send, and tells the story it should."""

import base64
import json
from collections import Counter, defaultdict
from itertools import islice, pairwise

import pytest
from simulated_messages import MINUTE_US, START_US, as_message, parse

from devices.measurement import Quality, Rejected
from devices.registry import Registry, RegistryFile
from devices.simulator.behaviour import BEHAVIOURS
from devices.simulator.faults import FAULTS
from devices.simulator.simulator import Kind, Script, Simulator
from devices.simulator.storm import design_depths
from ingest.dedup import keys
from ingest.network_servers import PARSERS
from ingest.pipeline import Intake
from ingest.sqlite_journal import SqliteJournal
from ingest.uplink import Uplink

STRUNDE = ["pegel-herrenstrunden", "pegel-dombach", "pegel-buchmuehle", "pegel-kippemuehle", "pegel-gierath"]
SILENT = "pegel-dombach"


def test_the_city_has_what_the_demo_promises(registry, catalogue):
    themes = Counter(catalogue[device.type].theme for device in registry.devices.values())
    stations = defaultdict(set)
    for device in registry.devices.values():
        stations[catalogue[device.type].theme].add(device.station)
    assert len(registry.devices) == 62
    assert len(stations["rain"]) >= 4
    assert len(stations["level"]) >= 4
    assert len(stations["parking"]) >= 3
    assert len(stations["traffic"]) >= 4
    assert themes["weather"] >= 3
    assert themes["climate"] >= 3
    assert all(station.public for station in registry.stations.values())
    for id_ in stations["parking"]:
        assert registry.stations[id_].capacity == len(registry.stations[id_].devices)


def test_every_device_type_takes_part(registry, uplinks):
    types = {registry.devices[uplink.dev_eui].type for uplink in uplinks}
    assert types == set(BEHAVIOURS)
    assert {uplink.dev_eui for uplink in uplinks} == set(registry.devices)


def test_the_same_seed_and_start_make_the_same_messages(simulator, catalogue, registry, deliveries):
    assert list(simulator.messages(START_US)) == deliveries
    assert list(Simulator(catalogue, registry, seed=1).messages(START_US)) == deliveries
    other = Simulator(catalogue, registry, seed=2).messages(START_US)
    assert [each.payload for each in islice(other, 50)] != [each.payload for each in deliveries[:50]]


def test_deliveries_come_in_the_order_they_are_due_and_the_history_at_once(deliveries):
    due = [each.due_us for each in deliveries]
    assert due == sorted(due)
    assert due[0] == START_US
    history = sum(each.due_us == START_US for each in deliveries)
    assert history > 500
    assert due[-1] <= START_US + 312 * MINUTE_US


def test_two_thirds_come_through_chirpstack(registry, uplinks):
    servers = {uplink.dev_eui: uplink.server for uplink in uplinks}
    assert Counter(servers.values()) == {"chirpstack-v4": 42, "tts-v3": 20}


def test_no_time_lies_after_its_delivery(deliveries):
    for delivery in deliveries:
        if delivery.kind is Kind.UPLINK:
            uplink = parse(delivery)
            assert uplink.time_us <= uplink.received_us + 1_000_000
            assert uplink.received_us <= delivery.due_us


def test_duplicates_carry_the_same_uplink_under_the_same_or_a_new_id(deliveries):
    first = {}
    new_id = old_id = 0
    for delivery in deliveries:
        if delivery.kind is Kind.BAD:
            continue
        uplink = parse(delivery)
        transport, semantic = keys(uplink)
        if delivery.kind is Kind.UPLINK:
            assert semantic not in first
            first[semantic] = transport
        else:
            assert semantic in first
            old_id += first[semantic] == transport
            new_id += first[semantic] != transport
    assert old_id > 50
    assert new_id > 50
    assert (old_id + new_id) / len(first) == pytest.approx(0.10, abs=0.02)


def test_some_uplinks_come_out_of_order(deliveries):
    newest = late = 0
    for delivery in deliveries:
        if delivery.kind is Kind.UPLINK and delivery.due_us > START_US:
            received = parse(delivery).received_us
            late += received < newest
            newest = max(newest, received)
    assert late > 30


def test_every_fault_is_rejected_for_its_own_reason_and_no_two_are_alike(
    simulator, deliveries, catalogue, registry
):
    bad = [delivery for delivery in deliveries if delivery.kind is Kind.BAD]
    assert len(bad) >= len(FAULTS)
    assert len({(delivery.topic, delivery.payload) for delivery in bad}) == len(bad)
    refused = 0
    for delivery in bad:
        found = parse(delivery)
        if isinstance(found, Uplink):
            device = registry.devices.get(found.dev_eui)
            if device is not None and len(delivery.payload) < 64 << 10:
                found = catalogue[device.type].decode(found.f_port, found.payload)
                assert isinstance(found, Rejected), delivery.payload
        refused += 1
    assert refused == len(bad)


def test_the_journal_holds_what_was_sent_stored_or_rejected(tmp_path, catalogue, registry, deliveries):
    class Fixed(RegistryFile):
        def __init__(self):
            self.current = registry

        def refresh(self):
            return False

    journal = SqliteJournal(tmp_path / "journal.db")
    parsers = {kind: parser.parse for kind, parser in PARSERS.items()}
    intake = Intake(journal, Fixed(), catalogue, parsers, lambda: START_US)
    messages = [as_message(delivery) for delivery in deliveries]
    for i in range(0, len(messages), 700):
        intake.take(messages[i : i + 700])
    counts = journal.counts()
    kinds = Counter(delivery.kind for delivery in deliveries)
    assert counts.rejected == kinds[Kind.BAD]
    assert counts.stored == kinds[Kind.UPLINK]
    assert len(counts.by_reason) >= 8
    assert intake.stats.duplicates == kinds[Kind.DUPLICATE]
    journal.close()


def test_payloads_decode_to_the_values_the_server_shows_beside_them(uplinks, catalogue, registry):
    shown = defaultdict(int)
    for uplink in uplinks:
        if not uplink.decoded:
            continue
        type_ = registry.devices[uplink.dev_eui].type
        values = {
            f"{each.property}_{each.channel}" if each.channel else each.property: each.value
            for each in catalogue[type_].decode(uplink.f_port, uplink.payload)
        }
        for name, value in json.loads(uplink.decoded).items():
            assert values[name] == pytest.approx(value, abs=0.051), (type_, name)
        shown[type_] += 1
    assert set(shown) == set(BEHAVIOURS)


def test_frame_counters_run_up_by_one(uplinks):
    counters = defaultdict(list)
    for uplink in uplinks:
        counters[uplink.dev_eui, uplink.session].append(uplink.f_cnt)
    assert len(counters) == 62
    for numbers in counters.values():
        numbers.sort()
        assert all(b - a == 1 for a, b in pairwise(numbers))


def test_the_gauge_at_the_centre_measures_the_design_rain(measured):
    tenths = [round(each.value * 10) for _, each in measured["regen-stadtmitte", "precipitation"]]
    for duration, depth in design_depths(100).items():
        if duration <= 60:
            width = duration // 5
            heaviest = max(sum(tenths[i : i + width]) for i in range(len(tenths) - width + 1))
            assert heaviest == round(depth * 10), duration
    assert sum(tenths) == 530


def test_cumulative_rain_and_interval_rain_agree_everywhere(measured):
    gauges = [station for station, name in measured if name == "precipitation_total"]
    assert len(gauges) == 8
    for station in gauges:
        totals = [round(each.value * 10) for _, each in measured[station, "precipitation_total"]]
        depths = [round(each.value * 10) for _, each in measured[station, "precipitation"]]
        assert [b - a for a, b in pairwise(totals)] == depths[1:]


def levels(measured, station):
    return [(at, each.value) for at, each in measured[station, "water_level"] if each.quality == Quality.GOOD]


def first_above(measured, station, mark):
    return next((at for at, value in levels(measured, station) if value >= mark), None)


def test_the_strunde_crosses_its_stages_one_after_another_downstream(measured, registry):
    crossings = [first_above(measured, id_, registry.stations[id_].stages_cm[0]) for id_ in STRUNDE]
    assert None not in crossings
    assert crossings == sorted(crossings)
    assert crossings[0] < 50
    for id_ in STRUNDE:
        if id_ == SILENT:
            continue
        marks = [first_above(measured, id_, mark) for mark in registry.stations[id_].stages_cm]
        assert None not in marks, id_
        assert marks == sorted(marks)
    # from the basin's first stage to the highest one in Gierath there is time to act, but not much
    basin, gierath = STRUNDE[3:]
    ahead = first_above(measured, gierath, registry.stations[gierath].stages_cm[-1])
    ahead -= first_above(measured, basin, registry.stations[basin].stages_cm[0])
    assert 10 < ahead < 60


def test_every_creek_is_back_below_its_first_stage_in_time_for_the_all_clear(measured, registry):
    for id_, station in registry.stations.items():
        if not station.stages_cm:
            continue
        calm = station.stages_cm[0] - max(5.0, 0.05 * station.stages_cm[0])
        assert all(value < calm for at, value in levels(measured, id_) if at > 200), id_
        assert levels(measured, id_)[-1][0] > 290


def test_before_the_storm_all_is_calm(measured, registry):
    for id_, station in registry.stations.items():
        if station.stages_cm:
            assert all(value < 0.6 * station.stages_cm[0] for at, value in levels(measured, id_) if at < 0)
    for (_, name), series in measured.items():
        if name == "precipitation":
            assert all(each.value == 0 for at, each in series if at < 0)


def test_one_gauge_shows_a_single_absurd_value_that_its_device_type_flags(measured):
    flagged = [
        (station, each)
        for (station, name), series in measured.items()
        if name == "water_level"
        for _, each in series
        if each.quality != Quality.GOOD
    ]
    assert len(flagged) == 1
    assert flagged[0][0] not in STRUNDE


def test_one_gauge_falls_silent_above_its_stage_and_comes_back(measured, registry):
    longest = {id_: max(b - a for (a, _), (b, _) in pairwise(levels(measured, id_))) for id_ in [*STRUNDE]}
    assert longest.pop(SILENT) > 90
    assert max(longest.values()) < 11
    series = levels(measured, SILENT)
    last = next(value for (at, value), (after, _) in pairwise(series) if after - at > 90)
    assert last > registry.stations[SILENT].stages_cm[0]
    back = next(value for (at, _), (after, value) in pairwise(series) if after - at > 90)
    assert back < 0.8 * registry.stations[SILENT].stages_cm[0]


def test_the_storm_cools_the_air_and_empties_the_pavements(measured):
    air = measured["klima-rathaus", "air_temperature"]
    before = [each.value for at, each in air if -30 < at < 0]
    after = [each.value for at, each in air if 25 < at < 60]
    assert min(before) - min(after) > 4
    people = measured["zaehler-hauptstrasse", "people_count_interval"]
    calm = [each.value for at, each in people if -60 < at < 0]
    storm = [each.value for at, each in people if 20 < at < 60]
    assert sum(storm) / len(storm) < 0.5 * sum(calm) / len(calm)


def test_car_parks_fill_and_empty_one_space_at_a_time(measured):
    states = [each.value for _, each in measured["parken-loewe", "parking_occupied"]]
    assert set(states) == {0.0, 1.0}
    assert len(states) > 50


def test_endless_messages_bring_the_storm_back_after_the_calm(catalogue, registry):
    script = Script(history_min=0)
    simulator = Simulator(catalogue, registry, seed=5, script=script)
    period = (script.length_min + script.calm_min) * MINUTE_US
    fallen = Counter()
    for delivery in islice(simulator.messages(START_US, storms=None), 20_000):
        if delivery.kind is Kind.UPLINK:
            uplink = parse(delivery)
            device = registry.devices[uplink.dev_eui]
            if device.station == "regen-stadtmitte":
                decoded = catalogue[device.type].decode(uplink.f_port, uplink.payload)
                depth = next(each.value for each in decoded if each.property == "precipitation")
                fallen[(uplink.time_us - START_US) // period] += round(depth * 10)
    storms = sorted(fallen)
    assert len(storms) > 5
    assert all(fallen[storm] == 530 for storm in storms[:-1])


def test_a_city_without_devices_is_silent_and_no_error(catalogue):
    assert list(islice(Simulator(catalogue, Registry()).messages(START_US), 1)) == []


def test_real_captures_have_the_same_fields(uplinks, deliveries, request):
    captures = request.config.rootpath.parent / "shared" / "data" / "uplinks"
    if not captures.is_dir():
        pytest.skip("../shared/data/uplinks is not beside the project")
    ours = {"chirpstack_v4": set(), "tts_v3": set()}
    for delivery in deliveries:
        if delivery.kind is Kind.UPLINK:
            name = "tts_v3" if delivery.topic.startswith("v3/") else "chirpstack_v4"
            ours[name] |= paths(json.loads(delivery.payload))
    for name, known in ours.items():
        theirs = set()
        for file in captures.glob(f"{name}_up_real*.json"):
            theirs |= paths(json.loads(file.read_text(encoding="utf-8")))
        assert theirs
        # what a capture has and we never send: values only that device or that server's version has
        assert theirs - known <= EXTRA, theirs - known


EXTRA = {
    "object",
    "uplink_message.normalized_payload",
    "uplink_message.last_battery_percentage",
    "uplink_message.rx_metadata.frequency_offset",
    "uplink_message.network_ids.tenant_address",
    "uplink_message.settings.time",
}


def paths(value, prefix=""):
    """Names of all fields; below the codec's own object nothing is ours to compare."""
    if isinstance(value, list):
        return set().union(*(paths(each, prefix) for each in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, each in value.items():
        name = f"{prefix}.{key}" if prefix else key
        found.add(name)
        if key not in {"object", "decoded_payload", "tags", "normalized_payload", "last_battery_percentage"}:
            found |= paths(each, name)
    return found


def test_base64_and_euis_are_written_as_each_server_writes_them(deliveries):
    for delivery in deliveries:
        if delivery.kind is not Kind.UPLINK:
            continue
        body = json.loads(delivery.payload)
        if delivery.topic.startswith("v3/"):
            eui = body["end_device_ids"]["dev_eui"]
            assert eui == eui.upper()
            assert base64.b64decode(body["uplink_message"]["frm_payload"], validate=True)
            assert isinstance(body["uplink_message"]["settings"]["frequency"], str)
            assert 0 not in body["uplink_message"].values()
        else:
            eui = body["deviceInfo"]["devEui"]
            assert eui == eui.lower()
            assert base64.b64decode(body["data"], validate=True)
            assert "fCnt" in body
            assert all(info.get("rssi", 1) and info.get("snr", 1) for info in body["rxInfo"])
        assert len(eui) == 16
