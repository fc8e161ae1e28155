"""The intake with device types that a JavaScript codec reads: beside the others, and hostile ones."""

import json
import threading

import pytest
from level_codecs import IN_METRES, LEVEL_PAYLOAD, level_map, write_type
from servers import wait_for
from uplink_messages import EUI, NOW_US, chirpstack, message

from devices.catalogue import load_catalogue
from devices.javascript.sandbox import Sandbox
from devices.javascript.type_files import JavascriptTypes
from devices.measurement import Rejected
from devices.registry import RegistryFile
from ingest.decoding import Decoding
from ingest.hand_over import Delivery
from ingest.network_servers import PARSERS
from ingest.pipeline import Intake, Taken

LEVEL, EVIL, LOG = "a84041ffff000010", "a84041ffff000666", "a84041ffff000109"
PARSE = {"stadtwerke": PARSERS["chirpstack-v4"].parse}
HOSTILE = """function decodeUplink(input) {
  if (input.bytes[0] === 0xff) while (true) {}
  return {data: {x: input.bytes[0], long: 'y'.repeat(input.bytes[0] === 0xee ? 40000 : 1)}};
}"""

LOGGING = """function decodeUplink(input) {
  return {data: {distance: 0.03, at: input.recvTime.getTime() / 1000 + (input.bytes[0] ? 86400 : -3600)}};
}"""


@pytest.fixture(scope="module")
def types(tmp_path_factory):
    folder = tmp_path_factory.mktemp("types")
    write_type(folder, "acme-l1", IN_METRES, level_map(IN_METRES))
    (folder / "acme-evil.js").write_text(HOSTILE)
    write_type(folder, "acme-log", LOGGING, level_map(LOGGING, more='time = "at"').replace('"L1"', '"Log"'))
    with Sandbox() as sandbox:
        yield load_catalogue(folder, scripts=JavascriptTypes(sandbox))


def device(dev_eui, type_, **more):
    return {"dev_eui": dev_eui, "type": type_, "station": f"s-{dev_eui}", "lat": 51.0, "lon": 7.0, **more}


DEVICES = [
    device(EUI, "decentlab-dl-tbrg"),
    device(LEVEL, "acme-l1", sensor_height_cm=100),
    device(EVIL, "acme-evil"),
    device(LOG, "acme-log"),
]


@pytest.fixture
def intake(journal, types):
    return Intake(journal, RegistryFile(None, DEVICES), types, PARSE, lambda: NOW_US)


def up(dev_eui, payload, f_cnt):
    return message(chirpstack(dev_eui=dev_eui, payload=payload, fCnt=f_cnt, fPort=85))


def test_one_batch_holds_both_kinds_and_says_what_was_left_over(intake, journal):
    mixed = [up(LEVEL, LEVEL_PAYLOAD + b"\x0f\x0f", 1), message(chirpstack()), up(EVIL, b"\x01", 1)]
    assert intake.take(mixed) == Taken(accepted=3)
    found = {uplink.dev_eui: (uplink, readings) for _, uplink, readings in journal.uplinks()}
    series = journal.series()
    uplink, readings = found[LEVEL]
    assert {series[row["series"]].property: float(row["value"]) for row in readings} == {
        "water_distance": 30,
        "water_level": 97,
        "battery_level": 100,
    }
    assert json.loads(uplink.codec_notes) == {"unmapped": {}, "warnings": ["unknown channel f0f"]}
    uplink, readings = found[EVIL]
    assert (json.loads(uplink.codec_notes)["unmapped"], len(readings)) == ({"x": 1, "long": "y"}, 0)
    assert found[EUI][0].codec_notes == b""
    # what a sandbox reads comes last
    assert next(journal.uplinks())[1].dev_eui == EUI
    assert intake.take(mixed) == Taken(duplicates=3)


def test_notes_have_an_end(intake, journal):
    assert intake.take([up(EVIL, b"\xee", 1)]) == Taken(accepted=1)
    [(_, uplink, _)] = journal.uplinks()
    notes = json.loads(uplink.codec_notes)
    assert notes["unmapped"] == {"x": 0xEE}
    assert notes["warnings"] == ["not kept: 1 more fields, and what else was too long"]


def test_readings_of_keeps_the_order_and_the_reasons(types):
    decoding = Decoding(RegistryFile(None, DEVICES), types)
    uplinks = [
        PARSE["stadtwerke"](each)
        for each in (
            up(LEVEL, LEVEL_PAYLOAD, 1),
            up("a84041ffff0000aa", b"\x01", 1),
            message(chirpstack()),
            up(EVIL, b"\x07", 1),
            up(LEVEL, LEVEL_PAYLOAD, 2),
        )
    ]
    found = decoding.readings_of(uplinks)
    assert [each.reason if isinstance(each, Rejected) else each[0].dev_eui for each in found] == [
        LEVEL,
        "unknown_device",
        EUI,
        EVIL,
        LEVEL,
    ]
    assert [each[0].f_cnt for each in (found[0], found[4])] == [1, 2]
    assert decoding.readings(uplinks[0]) == found[0][1]
    assert decoding.readings_of([]) == []


def test_a_hostile_codec_delays_no_other_device_and_loses_nothing(intake, journal):
    """Forty endless loops would be twenty seconds; a batch ends after about one limit all the same."""
    loops = [up(EVIL, b"\xff" + bytes([each]), each) for each in range(40)]
    rest = [up(LEVEL, LEVEL_PAYLOAD, each) for each in range(3)]
    intake.start()
    try:
        hand_over(intake, [*loops, *rest, message(chirpstack())])
        wait_for(lambda: EUI in {uplink.dev_eui for _, uplink, _ in journal.uplinks()})
        wait_for(lambda: intake.stats.batches == 1)
        hand_over(intake, [message(chirpstack())])
        wait_for(lambda: intake.stats.batches == 2)
        assert intake.late.busy, "it did not wait for forty limits"
        wait_for(lambda: not intake.late.busy, timeout_s=120)
        wait_for(
            lambda: sum(uplink.dev_eui == LEVEL for _, uplink, _ in journal.uplinks()) == 3, timeout_s=120
        )
    finally:
        intake.stop()
    assert journal.counts().rejected == 40
    assert set(journal.counts().by_reason) <= {"codec_timeout", "codec_waiting"}


class Nobody:
    """Nobody waits for the acknowledgement."""

    def ack(self, _):
        pass


def hand_over(intake, messages):
    intake.hand_over.put(Delivery(messages, Nobody(), 1, ()), threading.Event())


def test_what_the_payload_dates_has_that_time_unless_it_lies_in_the_future(intake, journal):
    intake.take([up(LOG, b"\x00", 1), up(LOG, b"\x01", 2)])
    logged, ahead = [(uplink, readings["time_us"].tolist()) for _, uplink, readings in journal.uplinks()]
    hour_before = logged[0].received_us - 3_600_000_000
    assert json.loads(logged[0].codec_notes)["time_source"] == "payload"
    assert logged[1] == [hour_before] * len(logged[1])
    # decoding again must find what it found: the uplink keeps its own
    assert logged[0].time_us > hour_before
    assert b"time_source" not in ahead[0].codec_notes
    assert ahead[1] == [ahead[0].time_us] * len(ahead[1])
    assert intake.decoding.times_corrected > 0
