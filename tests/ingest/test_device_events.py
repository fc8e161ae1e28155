"""What network servers tell of devices beside uplinks: understood, kept, and in no uplink's way."""

import base64
import json

import pytest
from chirpstack_api.integration import integration_pb2
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from uplink_messages import EUI, NOW_US, chirpstack, message, rfc3339, thingpark, tts

from devices.catalogue import load_catalogue
from devices.measurement import Rejected
from devices.registry import RegistryFile
from ingest.device_event import DeviceEvent, EventKind, battery_percent
from ingest.device_event_log import DeviceEventLog
from ingest.errors import JournalError
from ingest.network_servers import PARSERS, Ignored
from ingest.pipeline import Intake
from ingest.uplink import Uplink

TIME_US = NOW_US - 250_000
COMMON = {"deviceInfo": {"devEui": EUI.upper(), "deviceName": "d"}, "time": rfc3339(TIME_US)}
MESSAGES = {"join": "JoinEvent", "status": "StatusEvent", "log": "LogEvent", "ack": "AckEvent"}


def event(kind, **values):
    return DeviceEvent("stadtwerke", EUI, EventKind(kind), TIME_US, NOW_US, **values)


def topic(kind):
    return f"application/app/device/{EUI}/event/{kind}"


V4 = [
    ("join", {"devAddr": "01087309"}, event("join", detail="DevAddr 01087309")),
    (
        "status",
        {"margin": 10, "batteryLevel": 75.5, "externalPowerSource": False},
        event("status", battery_percent=75.5, margin_db=10),
    ),
    (
        "status",
        {"margin": -3, "externalPowerSource": True},
        event("status", margin_db=-3, external_power=True),
    ),
    ("status", {"batteryLevelUnavailable": True}, event("status", margin_db=0)),
    (
        "log",
        {"level": "ERROR", "code": "UPLINK_CODEC", "description": "no decodeUplink", "context": {"a": "b"}},
        event("log", detail="UPLINK_CODEC: no decodeUplink", error=True),
    ),
    ("log", {"code": "UPLINK_F_CNT_RESET", "level": "WARNING"}, event("log", detail="UPLINK_F_CNT_RESET")),
    ("ack", {"acknowledged": True, "fCntDown": 7}, event("ack", detail="downlink 7 acknowledged")),
    ("ack", {"fCntDown": 8}, event("ack", detail="downlink 8 not acknowledged", error=True)),
]


@pytest.mark.parametrize(("kind", "body", "expected"), V4)
def test_chirpstack_v4(kind, body, expected):
    parse = PARSERS["chirpstack-v4"].parse
    body = {**COMMON, **body}
    assert parse(message(body, topic=topic(kind))) == expected
    protobuf = json_format.ParseDict(body, getattr(integration_pb2, MESSAGES[kind])())
    assert parse(message(protobuf.SerializeToString(), topic=topic(kind))) == expected


V3 = [
    ("join", {"devAddr": "01087309"}, event("join", detail="DevAddr 01087309")),
    ("status", {"margin": 10, "batteryLevel": 75.5}, event("status", battery_percent=75.5, margin_db=10)),
    ("ack", {"acknowledged": True, "fCnt": 7}, event("ack", detail="downlink 7 acknowledged")),
    (
        "error",
        {"type": "UPLINK_CODEC", "error": "no Decode"},
        event("log", detail="UPLINK_CODEC: no Decode", error=True),
    ),
]


@pytest.mark.parametrize(("kind", "body", "expected"), V3)
def test_chirpstack_v3(kind, body, expected):
    body = {"devEUI": EUI, "publishedAt": rfc3339(TIME_US), **body}
    parse = PARSERS["chirpstack-v3"].parse
    assert parse(message(body, topic=topic(kind))) == expected
    assert parse(message(body, topic=f"application/1/device/{EUI}/{kind}")) == expected
    bytes_in_base64 = {"devEUI": base64.b64encode(bytes.fromhex(EUI)).decode(), "devAddr": "AQhzCQ=="}
    assert parse(message({**body, **bytes_in_base64}, topic=topic(kind))) == expected


TTS = [
    ({"join_accept": {"received_at": rfc3339(TIME_US)}}, event("join", detail="DevAddr 27FD483F")),
    ({"downlink_ack": {"f_port": 1, "f_cnt": 7}}, event("ack", detail="downlink 7 acknowledged")),
    ({"downlink_nack": {"f_cnt": 7}}, event("ack", detail="downlink 7 not acknowledged", error=True)),
    (
        {"downlink_failed": {"downlink": {}, "error": {"namespace": "pkg/as", "name": "too_long"}}},
        event("log", detail="downlink failed: pkg/as:too_long", error=True),
    ),
]


@pytest.mark.parametrize(("body", "expected"), TTS)
def test_the_things_stack(body, expected):
    body = {"end_device_ids": tts()["end_device_ids"], "received_at": rfc3339(TIME_US), **body}
    assert PARSERS["tts-v3"].parse(message(body)) == expected


THINGPARK = [
    ({"Type": "join", "DevAddr": "0405F519"}, event("join", detail="DevAddr 0405F519")),
    (
        {"Type": "devstatusans", "Var1": "127", "Var2": "-5"},
        event("status", battery_percent=50.0, margin_db=-5),
    ),
    (
        {"Type": "devstatusans", "Var1": 0, "Var2": 5},
        event("status", margin_db=5, external_power=True),
    ),
    ({"Type": "devstatusans", "Var1": "255", "Var2": "x"}, event("status")),
    ({"Type": "reset", "Var1": "admin_reset"}, event("log", detail="admin_reset")),
    ({"Type": "something new"}, Ignored("notification")),
]


@pytest.mark.parametrize(("body", "expected"), THINGPARK)
def test_thingpark(body, expected):
    body = {"DevEUI_notification": {"DevEUI": EUI.upper(), "Time": rfc3339(TIME_US), **body}}
    assert PARSERS["actility"].parse(message(body)) == expected


def test_battery():
    assert (battery_percent(1), battery_percent(254)) == (0.4, 100.0)
    assert (battery_percent(0), battery_percent(255)) == (None, None)


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("status", {"deviceInfo": {"devEui": "12"}}, "bad_dev_eui"),
        ("status", {**COMMON, "batteryLevel": 101}, "wrong_shape"),
        ("status", {**COMMON, "margin": "good"}, "wrong_shape"),
        ("join", {}, "wrong_shape"),
        ("log", b"{", "malformed_json"),
        ("log", b"\x0a\xff", "malformed_protobuf"),
    ],
)
def test_rejections_say_why(kind, body, reason):
    found = PARSERS["chirpstack-v4"].parse(message(body, topic=topic(kind)))
    assert isinstance(found, Rejected)
    assert found.reason == reason


def test_what_a_broker_kept_is_old():
    assert PARSERS["chirpstack-v4"].parse(message(COMMON, topic=topic("join"), retain=True)) == Ignored(
        "retained"
    )


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_keys = st.sampled_from(
    [
        "devEUI",
        "deviceInfo",
        "margin",
        "batteryLevel",
        "level",
        "code",
        "type",
        "error",
        "acknowledged",
        "fCnt",
    ]
)


@pytest.mark.parametrize("server", ["chirpstack-v4", "chirpstack-v3"])
@given(
    kind=st.sampled_from(["join", "status", "log", "ack", "error"]),
    body=st.binary() | st.dictionaries(_keys, _json).map(lambda more: {**COMMON, "devEUI": EUI, **more}),
)
def test_whatever_comes_is_answered(server, kind, body):
    found = PARSERS[server].parse(message(body, topic=topic(kind)))
    assert isinstance(found, Uplink | DeviceEvent | Rejected | Ignored)
    if isinstance(found, DeviceEvent):
        assert len(found.detail) <= 300


@pytest.fixture
def log(tmp_path):
    log = DeviceEventLog(tmp_path / "device_events.db", kept=3, most=40)
    yield log
    log.close()


def of(eui, kind, time_us, **values):
    return DeviceEvent("ns", eui, EventKind(kind), time_us, time_us + 1, **values)


def test_what_is_kept_comes_back_as_it_was(log, tmp_path):
    events = [expected for _, _, expected in V4]
    log.append(list(enumerate(events)))
    log.append(list(enumerate(events)))  # delivered again
    assert [each for _, each in log.recent(100)] == events[::-1]
    log.close()
    again = DeviceEventLog(tmp_path / "device_events.db")
    assert [each for _, each in again.recent(100)] == events[::-1]
    again.close()


def test_the_last_of_each_kind_are_kept(log):
    log.append([(n, of("a", "log", n)) for n in range(10)])
    log.append([(100, of("a", "join", 50)), (101, of("b", "log", 60))])
    log.append([(n, of("a", "log", n)) for n in range(200, 202)])
    assert [each.time_us for _, each in log.recent(100, dev_eui="a")] == [201, 200, 50, 9]
    assert [each.time_us for _, each in log.recent(100, kind=EventKind.LOG)] == [201, 200, 60, 9]


def test_pages(log):
    log.append([(n, of(str(n), "join", n)) for n in range(7)])
    first = log.recent(3)
    second = log.recent(3, before=first[-1][0])
    assert [each.time_us for _, each in (*first, *second)] == [6, 5, 4, 3, 2, 1]


def test_many_devices_do_not_fill_the_disk(log):
    for n in range(100):
        log.append([(n, of(f"{n:016x}", "join", n))])
    kept = [each.time_us for _, each in log.recent(1000)]
    assert 30 <= len(kept) <= 40
    assert kept == list(range(99, 99 - len(kept), -1))


def test_the_newest_of_each_device(log):
    log.append(
        [
            (1, of("a", "status", 1, battery_percent=80.0)),
            (2, of("a", "status", 2, battery_percent=70.0)),
            (3, of("a", "log", 3, error=True, detail="bad")),
            (4, of("a", "log", 4, detail="fine")),
            (5, of("b", "log", 5, detail="fine")),
        ]
    )
    latest = log.latest()
    assert latest["a", EventKind.STATUS].battery_percent == 70.0
    assert latest["a", EventKind.LOG].detail == "bad"
    assert latest.keys() == {("a", EventKind.STATUS), ("a", EventKind.LOG)}


@pytest.fixture
def intake(journal):
    def make(record):
        device = {"dev_eui": EUI, "type": "decentlab-dl-tbrg", "station": "rain", "lat": 51.0, "lon": 7.0}
        parsers = {"stadtwerke": PARSERS["chirpstack-v4"].parse, "park": PARSERS["actility"].parse}
        registry = RegistryFile(None, [device])
        return Intake(journal, registry, load_catalogue(), parsers, lambda: NOW_US, record=record)

    return make


def test_the_intake_keeps_events_and_uplinks_apart(intake, journal, log):
    one = intake(log.append)
    body = json.dumps({**COMMON, "devAddr": "01087309"}).encode()
    batch = [message(chirpstack()), message(body, topic=topic("join")), message(thingpark(), server="park")]
    taken = one.take([*batch, message(COMMON, topic=topic("location"))])
    assert (taken.accepted, taken.events, taken.ignored) == (2, 1, 1)
    one.take(batch)
    assert [each.detail for _, each in log.recent(10)] == ["DevAddr 01087309"]
    assert one.stats.events == {"join": 2}
    assert journal.counts().stored == 2


def test_events_that_cannot_be_kept_hold_up_no_uplink(intake, journal, log):
    log.close()
    one = intake(log.append)
    with pytest.raises(JournalError):
        log.append([(1, of("a", "join", 1))])
    taken = one.take([message(COMMON, topic=topic("join")), message(chirpstack())])
    assert (taken.accepted, taken.events) == (1, 1)
    assert journal.counts().stored == 1
    assert one.stats.events_lost == 1
