"""The intake on a real journal, with the shipped device types."""

import itertools
import math
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import wait_for
from uplink_messages import EUI, NOW_US, RAIN, TTS_TOPIC, chirpstack, message, tts

from devices.catalogue import load_catalogue
from devices.measurement import Measurement, Quality, Rejected
from devices.registry import RegistryFile
from ingest.errors import JournalError
from ingest.hand_over import Delivery
from ingest.network_servers import PARSERS
from ingest.pipeline import Intake, Taken
from ingest.sqlite_journal import SqliteJournal

CATALOGUE = load_catalogue()
PARSE = {"stadtwerke": PARSERS["chirpstack-v4"].parse, "ttn": PARSERS["tts-v3"].parse}
LATER = "a84041ffff000099"


def device(dev_eui=EUI, type_="decentlab-dl-tbrg", **more):
    return {"dev_eui": dev_eui, "type": type_, "station": f"s-{dev_eui}", "lat": 51.0, "lon": 7.0, **more}


def clock():
    return NOW_US


@pytest.fixture
def intake(journal):
    return Intake(journal, RegistryFile(None, [device()]), CATALOGUE, PARSE, clock)


class Broken:
    """A device type whose decoder does what the test says."""

    sandboxed = False
    dates = False

    def __init__(self, result):
        self.result = result

    def decode(self, *_):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class Receipts:
    """A consumer that notes what is acknowledged."""

    def __init__(self):
        self.acked = []

    def ack(self, delivery):
        self.acked += delivery.packet_ids


def readings_of(journal):
    _, rows = journal.read(0, 1000)
    series = journal.series()
    return [
        (series[row["series"]].property, int(row["time_us"]), float(row["value"]), int(row["quality"]))
        for row in rows
    ]


def test_an_uplink_becomes_readings(intake, journal):
    assert intake.take([message(chirpstack(time_us=NOW_US - 5_000_000))]) == Taken(accepted=1)
    readings = {name: (time, value, quality) for name, time, value, quality in readings_of(journal)}
    assert readings["precipitation"] == (NOW_US - 5_000_000, pytest.approx(0.4), Quality.GOOD)
    assert readings["precipitation_total"][1] == pytest.approx(1653.8)
    [(_, uplink, _)] = journal.uplinks()
    assert uplink.payload == RAIN
    assert {series.station for series in journal.series()} == {f"s-{EUI}"}


def test_captures_are_kept_for_the_day_their_devices_are_registered(intake, journal, captures):
    files = sorted(captures.glob("chirpstack_v4_*")) + sorted(captures.glob("tts_v3_*"))
    bodies = [(file.read_bytes(), "ttn" if file.name.startswith("tts") else "stadtwerke") for file in files]
    assert intake.take([message(body, server) for body, server in bodies]) == Taken(refused=3)
    assert journal.counts().by_reason == {"unknown_device": 3}


def test_every_bad_input_is_refused_kept_and_counted(intake, journal):
    bad = {
        "malformed_json": message(b"{"),
        "wrong_shape": message(chirpstack(fCnt="1")),
        "bad_dev_eui": message(chirpstack(dev_eui="12")),
        "bad_payload_encoding": message(chirpstack(data="%")),
        "empty_payload": message(chirpstack(data="")),
        "oversized_payload": message(chirpstack(payload=bytes(300))),
        "oversized_message": message(b'{"x": "' + b"y" * 70_000 + b'"}'),
        "encrypted": message(chirpstack(joinServerContext={"sessionKeyId": "x"})),
        "unknown_device": message(chirpstack(dev_eui=LATER)),
        "unknown_network_server": message(chirpstack(), server="stranger"),
    }
    good = [message(chirpstack()), message(tts(), server="ttn", topic=TTS_TOPIC.format("d"))]
    mixed = [good[0], *bad.values(), good[1]]
    assert intake.take(mixed) == Taken(accepted=2, refused=len(bad))
    assert intake.stats.refused == Counter(bad.keys())
    assert journal.counts().by_reason == dict.fromkeys(bad, 1)
    for row in journal.rejected():
        assert row.message.payload == bad[row.rejected.reason].payload[: 64 << 10]
        assert row.rejected.detail
    # the same garbage again is a duplicate, not another row
    assert intake.take(list(bad.values())) == Taken(duplicates=len(bad))


def test_what_carries_no_uplink_is_counted_by_reason(intake):
    status = message({}, topic=f"application/app/device/{EUI}/event/location")
    messages = [status, message(chirpstack(), retain=True), message(chirpstack(f_port=0)), status]
    assert intake.take(messages) == Taken(ignored=4)
    assert intake.stats.ignored == {"location": 2, "retained": 1, "mac_only": 1}
    assert intake.stats.messages == 4


def test_duplicates_in_one_batch_and_across_batches_and_servers(intake, journal):
    body = chirpstack()
    other_id = {**body, "deduplicationId": "another"}
    assert intake.take([message(body), message(body), message(other_id)]) == Taken(accepted=1, duplicates=2)
    assert intake.take([message(body), message(other_id)]) == Taken(duplicates=2)
    assert journal.counts().stored == 1


def test_same_counter_with_another_payload_is_a_new_uplink(intake):
    first, second = chirpstack(f_cnt=5), chirpstack(f_cnt=5, payload=RAIN[:-1] + b"\x00")
    assert intake.take([message(first), message(second)]) == Taken(accepted=2)


def test_duplicates_are_known_after_a_restart(intake, journal):
    bodies = [message(chirpstack()), message(b"{"), message(chirpstack(dev_eui=LATER))]
    assert intake.take(bodies) == Taken(accepted=1, refused=2)
    again = Intake(journal, RegistryFile(None, [device()]), CATALOGUE, PARSE, clock)
    assert again.take(bodies) == Taken(duplicates=3)


_BODIES = [message(chirpstack(f_cnt=n % 7, payload=RAIN[: 15 - n % 2])) for n in range(12)]
_BODIES += [replace(each, payload=each.payload.replace(b"deduplicationId", b"x")) for each in _BODIES[:6]]
_BODIES += [message(b"{"), message(chirpstack(dev_eui=LATER))]


@settings(max_examples=30)
@given(st.lists(st.sampled_from(_BODIES), max_size=40), st.data())
def test_any_split_of_a_stream_stores_the_same(stream, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    outcomes = []
    for bounds in ([0, len(stream)], [0, *cuts, len(stream)]):
        with TemporaryDirectory() as folder:
            journal = SqliteJournal(Path(folder) / "journal.db")
            intake = Intake(journal, RegistryFile(None, [device()]), CATALOGUE, PARSE, clock)
            for start, end in itertools.pairwise(bounds):
                intake.take(stream[start:end])
            stored = [uplink for _, uplink, _ in journal.uplinks()]
            outcomes.append((stored, readings_of(journal), journal.counts(), intake.stats.duplicates))
            journal.close()
    assert outcomes[0] == outcomes[1]


def broken_intake(journal, result):
    registry = RegistryFile(None, [device(), device(LATER, "broken")])
    return Intake(journal, registry, {**CATALOGUE, "broken": Broken(result)}, PARSE, clock)


def test_a_decoder_that_raises_stops_nobody(journal):
    intake = broken_intake(journal, ZeroDivisionError("division by zero"))
    messages = [message(chirpstack(dev_eui=eui)) for eui in (LATER, EUI, LATER, EUI)]
    assert intake.take(messages) == Taken(accepted=2, refused=2)
    assert intake.decoding.errors == {"broken": 2}
    assert journal.rejected()[0].rejected == Rejected(
        "decoder_error", "broken: ZeroDivisionError: division by zero"
    )
    assert journal.rejected()[0].uplink.payload == RAIN


def test_a_decoders_rejection_keeps_its_reason(intake, journal):
    assert intake.take([message(chirpstack(payload=b"\x02"))]) == Taken(refused=1)
    [row] = journal.rejected()
    assert row.uplink.dev_eui == EUI
    assert row.rejected.reason not in {"unknown_device", "decoder_error"}


def test_values_that_are_no_numbers_are_stored_as_missing(journal):
    values = (None, math.nan, math.inf, -math.inf, 1.5)
    intake = broken_intake(
        journal, tuple(Measurement("air_temperature", v, channel=str(i)) for i, v in enumerate(values))
    )
    assert intake.take([message(chirpstack(dev_eui=LATER))]) == Taken(accepted=1)
    stored = [(value, quality) for _, _, value, quality in readings_of(journal)]
    assert [quality for _, quality in stored] == [Quality.MISSING] * 4 + [Quality.GOOD]
    assert [math.isnan(value) for value, _ in stored] == [True] * 4 + [False]
    assert intake.decoding.not_finite == 3


def test_times_in_a_payload_are_believed_within_reason(journal):
    times = (NOW_US - 3_600_000_000, NOW_US + 3_600_000_000, 0)
    intake = broken_intake(
        journal, tuple(Measurement("air_temperature", 1.0, channel=str(t), time_us=t) for t in times)
    )
    intake.take([message(chirpstack(dev_eui=LATER, time_us=NOW_US - 7_000_000))])
    assert [time for _, time, _, _ in readings_of(journal)] == [times[0], *[NOW_US - 7_000_000] * 2]
    assert intake.decoding.times_corrected == 2


def test_absurd_times_of_the_network_server_fall_back_to_arrival(intake, journal):
    for time_us in (0, NOW_US + 10**12):
        intake.take([message(chirpstack(time_us=time_us))])
    assert {uplink.time_us for _, uplink, _ in journal.uplinks()} == {NOW_US}
    assert intake.stats.time_sources == {"arrival": 2}


class Trouble:
    """The journal, except that `append` fails while there is a reason to."""

    def __init__(self, journal, fails):
        self._journal = journal
        self.fails = fails

    def append(self, accepted, refused=()):
        if error := self.fails(accepted, refused):
            raise error
        return self._journal.append(accepted, refused)

    def __getattr__(self, name):
        return getattr(self._journal, name)


def test_nothing_is_remembered_of_what_could_not_be_stored(journal):
    full = [JournalError("disk full")]
    trouble = Trouble(journal, lambda *_: full[0] if full else None)
    intake = Intake(trouble, RegistryFile(None, [device()]), CATALOGUE, PARSE, clock)
    messages = [message(chirpstack()), message(b"{")]
    with pytest.raises(JournalError):
        intake.take(messages)
    assert intake.stats.messages == 0
    full.clear()
    assert intake.take(messages) == Taken(accepted=1, refused=1)


def test_one_uplink_that_breaks_the_journal_does_not_stop_the_others(journal):
    poison = chirpstack(deduplicationId="poison")

    def breaks(accepted, _refused):
        return OverflowError("boom") if any(r.uplink.transport_id == "poison" for r in accepted) else None

    intake = Intake(Trouble(journal, breaks), RegistryFile(None, [device()]), CATALOGUE, PARSE, clock)
    messages = [message(chirpstack()), message(poison), message(b"{"), message(chirpstack())]
    intake.take(messages)
    assert journal.counts().stored == 2
    assert journal.counts().by_reason == {"malformed_json": 1, "not_storable": 1}
    assert intake.take(messages) == Taken(duplicates=4)


def test_a_full_disk_holds_everything_back_until_there_is_room(intake, journal, monkeypatch):
    monkeypatch.setattr("ingest.pipeline._RETRY_S", (0.01, 0.02))
    database = journal._file._writer
    [pages] = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own SQLITE_FULL
    receipts, never = Receipts(), threading.Event()
    intake.start()
    try:
        for i in range(300):
            intake.hand_over.put(Delivery([message(chirpstack())], receipts, 1, [i]), never)
        wait_for(lambda: intake.stats.journal_failures > 3)
        assert not intake.health.ok
        assert "make room on the disk" in intake.health.detail
        stored = journal.counts().stored
        assert receipts.acked == list(range(stored))
        database.execute(f"PRAGMA max_page_count = {pages + 10_000}")
        wait_for(lambda: receipts.acked == list(range(300)))
        assert intake.health.ok
        assert journal.counts().stored == 300
    finally:
        intake.stop()


def test_a_stop_finishes_what_was_handed_over(journal):
    intake = Intake(journal, RegistryFile(None, [device()]), CATALOGUE, PARSE, clock)
    receipts, never = Receipts(), threading.Event()
    for i in range(50):
        intake.hand_over.put(Delivery([message(chirpstack())], receipts, 1, [i]), never)
    intake.start()
    intake.stop()
    assert receipts.acked == list(range(50))
    assert journal.counts().stored == 50


def write_devices(file, *devices):
    columns = list(devices[0])
    lines = [",".join(columns), *(",".join(str(each[c]) for c in columns) for each in devices)]
    new = file.with_suffix(".new")
    new.write_text("\n".join(lines) + "\n")
    new.replace(file)


def test_registering_a_device_decodes_its_history(tmp_path, journal, monkeypatch):
    monkeypatch.setattr("ingest.late_registration.PAGE", 4)
    file = tmp_path / "devices.csv"
    write_devices(file, device())
    intake = Intake(journal, RegistryFile(file), CATALOGUE, PARSE, clock, registry_poll_s=0.01)
    times = [NOW_US - n * 600_000_000 for n in range(10, 0, -1)]
    history = [message(chirpstack(dev_eui=LATER, time_us=t)) for t in times]
    stranger = message(chirpstack(dev_eui="a84041ffff0000aa"))
    assert intake.take([*history, stranger]) == Taken(refused=11)
    intake.start()
    try:
        write_devices(file, device(), device(LATER))
        wait_for(lambda: intake.late.accepted == 10)
    finally:
        intake.stop()
    assert journal.counts().by_reason == {"unknown_device": 1}
    rain = sorted(time for name, time, _, _ in readings_of(journal) if name == "precipitation")
    assert rain == times
    assert intake.take(history) == Taken(duplicates=10)


def test_a_device_registered_while_we_were_away_is_found_at_the_start(journal):
    before = Intake(journal, RegistryFile(None, [device()]), CATALOGUE, PARSE, clock)
    before.take([message(chirpstack(dev_eui=LATER))])
    after = Intake(journal, RegistryFile(None, [device(), device(LATER)]), CATALOGUE, PARSE, clock)
    after.start()
    try:
        wait_for(lambda: journal.counts().stored == 1)
    finally:
        after.stop()


def test_an_unknown_type_waits_for_its_type(tmp_path, journal):
    file = tmp_path / "devices.csv"
    write_devices(file, device(type_="nobody-knows"))
    intake = Intake(journal, RegistryFile(file), CATALOGUE, PARSE, clock, registry_poll_s=0.01)
    assert intake.take([message(chirpstack())]) == Taken(refused=1)
    assert journal.counts().by_reason == {"unknown_type": 1}
    intake.start()
    try:
        write_devices(file, device())
        wait_for(lambda: journal.counts().stored == 1)
    finally:
        intake.stop()


def test_a_corrected_type_decodes_what_the_wrong_one_refused(tmp_path, journal):
    file = tmp_path / "devices.csv"
    write_devices(file, device(type_="bosch-tps110"))
    intake = Intake(journal, RegistryFile(file), CATALOGUE, PARSE, clock, registry_poll_s=0.01)
    assert intake.take([message(chirpstack())]) == Taken(refused=1)
    intake.start()
    try:
        write_devices(file, device())
        wait_for(lambda: journal.counts().stored == 1)
    finally:
        intake.stop()
    assert journal.counts().rejected == 0


def test_totals(intake, journal):
    first = message(chirpstack())
    second = message(tts(), server="ttn", qos=0, arrived_us=NOW_US + 5)
    intake.take([first, second])
    intake.take([first])
    stats = intake.stats
    assert (stats.messages, stats.accepted, stats.duplicates, stats.batches) == (3, 2, 1, 2)
    assert stats.qos0 == {"ttn": 1}
    assert stats.last_message_us == {"stadtwerke": NOW_US, "ttn": NOW_US + 5}
    assert stats.bytes == 2 * len(first.payload) + len(second.payload)
    assert stats.readings == len(readings_of(journal)) > 0


def test_whoever_asks_is_told_of_every_new_uplink_once_it_is_durable(journal):
    told = []

    def heard(uplinks):
        told.extend((each.dev_eui, journal.counts().stored + journal.counts().rejected) for each in uplinks)

    intake = Intake(journal, RegistryFile(None, [device()]), CATALOGUE, PARSE, clock, heard=heard)
    known, stranger = message(chirpstack()), message(chirpstack(LATER))
    intake.take([known, stranger, message(b"no uplink")])
    intake.take([known, stranger])
    assert told == [(EUI, 3), (LATER, 3)]


def test_values_that_a_field_table_dates_have_their_own_time(journal):
    gauge = device(type_="milesight-em500-udl", sensor_height_cm=250)
    intake = Intake(journal, RegistryFile(None, [gauge]), CATALOGUE, PARSE, clock)
    hour_us = 3_600_000_000
    logged = {("water_distance", "", NOW_US - each * hour_us): 1000.0 + each for each in (3, 2)}
    payload = CATALOGUE["milesight-em500-udl"].encode(85, {"water_distance": 1000.0, **logged})
    future = CATALOGUE["milesight-em500-udl"].encode(85, {("water_distance", "", NOW_US + hour_us): 1500.0})
    plain = CATALOGUE["milesight-em500-udl"].encode(85, {"water_distance": 1001.0})
    intake.take([message(chirpstack(payload=each, f_port=85)) for each in (payload, future, plain)])
    found = list(journal.uplinks())
    assert [readings["time_us"].tolist() for _, _, readings in found] == [
        [NOW_US, NOW_US - 3 * hour_us, NOW_US - 2 * hour_us] * 2,  # distances, then levels
        [NOW_US] * 2,
        [NOW_US] * 2,
    ]
    assert found[0][2]["value"].tolist() == [1000, 1003, 1002, 150, 149.7, 149.8]
    assert [b'"payload"' in uplink.codec_notes for _, uplink, _ in found] == [True, False, False]
    assert found[0][1].time_us == NOW_US
    assert intake.decoding.times_corrected == 2
