"""Network servers that a file describes: those we ship, and one of the city's own."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uplink_messages import (
    EUI,
    NOW_US,
    RAIN,
    element_iot,
    everynet,
    helium,
    loriot,
    message,
    multitech,
)

from devices.catalogue import load_catalogue
from devices.measurement import Rejected
from devices.registry import RegistryFile
from ingest.dedup import keys, unheard
from ingest.errors import MappingError
from ingest.network_servers import PARSERS, Ignored, network_server_kind
from ingest.pipeline import Intake
from ingest.uplink import Gateway, TimeSource, Uplink

SHIPPED = {
    "loriot": loriot,
    "helium": helium,
    "element-iot": element_iot,
    "everynet": everynet,
    "multitech": multitech,
}
OWN = """
name = "Stadtwerke"
topics = ["lns/+/up"]
[when]
"event.kind" = ["up", 1]
[uplink]
dev_eui = "d.eui"
f_port = ["d.port", "port"]
f_cnt = "d.count"
payload = "d.bytes"
payload_encoding = "hex"
time = "d.at"
time_form = "unix_us"
time_of = "gps"
session = ["d.net", "d.addr"]
[gateways]
list = "heard.0.by"
id = "who"
rssi = "level"
"""


def own_body(**changes):
    return {
        "event": {"kind": "up"},
        "d": {
            "eui": EUI,
            "port": 3,
            "count": "7",
            "bytes": RAIN.hex(),
            "at": NOW_US - 5,
            "net": "n",
            "addr": "A",
        },
        "heard": [{"by": [{"who": "GW", "level": "-100.5"}, {}, 5]}],
        **changes,
    }


@pytest.fixture
def own(tmp_path):
    file = tmp_path / "own.toml"

    def parser(text=OWN):
        file.write_text(text)
        return network_server_kind("json", file).parse

    return parser


@pytest.mark.parametrize("kind", SHIPPED)
def test_what_every_shipped_mapping_finds(kind):
    uplink = PARSERS[kind].parse(message(SHIPPED[kind](f_cnt=70_000, f_port=9)))
    assert (uplink.dev_eui, uplink.f_cnt, uplink.f_port, uplink.payload) == (EUI, 70_000, 9, RAIN)
    assert (uplink.time_us, uplink.time_source) == (NOW_US, TimeSource.SERVER)
    assert not uplink.confirmed


@pytest.mark.parametrize("kind", [kind for kind in SHIPPED if kind != "loriot"])
def test_the_signal_comes_along(kind):
    uplink = PARSERS[kind].parse(message(SHIPPED[kind]()))
    [gateway] = uplink.gateways
    assert gateway.id
    assert gateway.rssi < 0
    assert gateway.snr > 0
    assert 7 <= uplink.spreading_factor <= 12
    assert 868_000_000 < uplink.frequency_hz < 869_000_000


@pytest.mark.parametrize("kind", SHIPPED)
def test_without_a_payload_it_is_a_matter_of_the_network(kind):
    body = SHIPPED[kind](f_port=0)
    assert PARSERS[kind].parse(message(body)) == Ignored("mac_only")


def test_captures_of_loriot(captures):
    rx, gw = (
        PARSERS["loriot"].parse(message((captures / f"loriot_{half}_docs.json").read_bytes()))
        for half in ("rx", "gw")
    )
    assert (rx.dev_eui, rx.payload.hex(), rx.f_cnt, rx.f_port) == ("0102030405060708", "0102aabb", 1, 1)
    assert rx.time_us == 1_470_850_675_433_000
    assert gw.gateways == (Gateway("", -130.0, 1.2),)
    assert (gw.spreading_factor, gw.bandwidth_hz, gw.frequency_hz) == (12, 125_000, 868_500_000)
    assert keys(rx) == (*keys(gw), unheard(keys(gw)))


def test_capture_of_helium(captures):
    uplink = PARSERS["helium"].parse(message((captures / "helium_legacy_docs.json").read_bytes()))
    assert uplink.payload == b"Hello, world!"
    assert (uplink.dev_eui, uplink.f_cnt, uplink.session) == ("1c29fbd1d2084e21", 19, "b5a44869")
    # the time of the documentation's example is in the 25th century
    assert (uplink.time_us, uplink.time_source) == (NOW_US, TimeSource.ARRIVAL)


@pytest.mark.parametrize("order", [("rx", "gw"), ("gw", "rx")])
def test_the_halves_of_loriot_become_one_uplink(journal, order):
    device = {"dev_eui": EUI, "type": "decentlab-dl-tbrg", "station": "rain", "lat": 51.0, "lon": 7.0}
    intake = Intake(
        journal,
        RegistryFile(None, [device]),
        load_catalogue(),
        {"stadtwerke": PARSERS["loriot"].parse},
        lambda: NOW_US,
    )
    frames = [(half, count) for count in range(5) for half in order]
    for half, count in frames:
        intake.take([message(loriot(half, f_cnt=count))])
    counts = journal.counts()
    assert (counts.stored, counts.rejected, intake.stats.duplicates) == (5, 0, 5)


def test_loriot_says_much_that_is_no_uplink():
    assert PARSERS["loriot"].parse(message({"cmd": "txd", "EUI": EUI})) == Ignored("no_uplink")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("loriot", {**loriot(data=None), "encdata": "0102"}),
        ("everynet", everynet(payload=b"")),
    ],
)
def test_what_is_still_encrypted_is_refused(kind, body):
    assert PARSERS[kind].parse(message(body)).reason == "encrypted"


def test_a_mapping_of_ones_own(own):
    assert own()(message(own_body())) == Uplink(
        server="stadtwerke",
        dev_eui=EUI,
        f_port=3,
        f_cnt=7,
        session="n a",
        payload=RAIN,
        received_us=NOW_US,
        arrived_us=NOW_US,
        time_us=NOW_US - 5,
        time_source=TimeSource.GPS,
        gateways=(Gateway("gw", -100.5),),
    )


def test_the_second_path_counts_where_the_first_has_nothing(own):
    body = own_body(port="12")
    del body["d"]["port"]
    assert own()(message(body)).f_port == 12


@pytest.mark.parametrize(("value", "wanted"), [("up", True), (1, True), (True, False), ("down", False)])
def test_when(own, value, wanted):
    assert isinstance(own()(message(own_body(event={"kind": value}))), Uplink if wanted else Ignored)


@pytest.mark.parametrize(
    ("changes", "reason", "says"),
    [
        ({"eui": "12"}, "bad_dev_eui", "12"),
        ({"eui": ["x"]}, "bad_dev_eui", ""),
        ({"eui": None}, "bad_dev_eui", ""),
        ({"port": 256}, "wrong_shape", "d.port or port: a whole number from 0 to 255"),
        ({"count": -1}, "wrong_shape", "d.count"),
        ({"count": 1.5}, "wrong_shape", "d.count"),
        ({"count": "1e999"}, "wrong_shape", "d.count"),
        ({"count": True}, "wrong_shape", "d.count"),
        ({"bytes": "0"}, "bad_payload_encoding", ""),
        ({"bytes": 5}, "wrong_shape", "d.bytes"),
        ({"bytes": "00" * 256}, "oversized_payload", "256"),
    ],
)
def test_rejections_name_the_path(own, changes, reason, says):
    body = own_body()
    body["d"] |= changes
    found = own()(message(body))
    assert isinstance(found, Rejected)
    assert found.reason == reason
    assert says in found.detail


@given(at=st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text())
@pytest.mark.parametrize("form", ["rfc3339", "unix_s", "unix_ms", "unix_us"])
def test_a_time_is_believed_or_not_and_never_in_the_way(tmp_path_factory, form, at):
    file = tmp_path_factory.getbasetemp() / f"{form}.toml"
    file.write_text(OWN.replace("unix_us", form))
    body = own_body()
    body["d"]["at"] = at
    uplink = network_server_kind("json", file).parse(message(body))
    assert isinstance(uplink, Uplink)
    assert uplink.time_us <= NOW_US + 1_000_000


@pytest.mark.parametrize("kind", SHIPPED)
def test_what_only_describes_the_reception_never_costs_an_uplink(kind):
    """Whatever is odd about name, signal, data rate or frequency: the payload counts."""
    needed = {"data", "payload", "port", "fcnt", "params", "meta", "cmd", "type", "device"}
    plain = SHIPPED[kind](f_cnt=7)
    for key in plain:
        if "eui" in key.lower() or key in needed:
            continue
        for odd in ({"a": 1}, [1], True, "x", -1, 10**30):
            uplink = PARSERS[kind].parse(message({**plain, key: odd}))
            assert isinstance(uplink, Uplink), (key, odd, uplink)
            assert (uplink.dev_eui, uplink.f_cnt, uplink.payload) == (EUI, 7, RAIN)


def test_every_fault_of_a_mapping_at_once(tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text(
        OWN.replace("f_cnt", "fcnt")
        .replace('"d.eui"', '"d..eui"')
        .replace('"hex"', '"octal"')
        .replace('payload = "d.bytes"', "")
        .replace("unix_us", "unix_ns")
        .replace('id = "who"\nrssi = "level"\n', "")
    )
    with pytest.raises(MappingError) as error:
        network_server_kind("json", file)
    found = {fault.key: fault for fault in error.value.faults}
    assert all(fault.file == str(file) and fault.remedy for fault in found.values())
    assert found["uplink.fcnt"].remedy == "did you mean f_cnt?"
    assert found["uplink.payload"].problem == "is missing"
    assert "meta.device" in found["uplink.dev_eui.0"].problem
    assert {"uplink.payload_encoding", "uplink.time_form", "gateways"} < found.keys()


@pytest.mark.parametrize("text", [b"\xff", b"name = ", b""])
def test_a_file_that_is_no_mapping(tmp_path, text):
    file = tmp_path / "bad.toml"
    file.write_bytes(text)
    with pytest.raises(MappingError):
        network_server_kind("json", file)
    with pytest.raises(MappingError, match="readable"):
        network_server_kind("json", tmp_path / "none.toml")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(d=st.dictionaries(st.sampled_from(["eui", "port", "count", "bytes", "at", "net", "addr"]), _json))
def test_whatever_stands_at_the_paths_it_answers(tmp_path_factory, d):
    file = tmp_path_factory.getbasetemp() / "fuzz.toml"
    file.write_text(OWN)
    body = own_body()
    body["d"] |= d
    found = network_server_kind("json", file).parse(message(json.dumps(body).encode()))
    assert isinstance(found, Uplink | Rejected | Ignored)
