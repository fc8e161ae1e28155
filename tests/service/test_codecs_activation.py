"""Another version of a codec: held back, compared over what was recorded, activated."""

import base64
import json
import time
from pathlib import Path

import pytest
import structlog
from fastapi.testclient import TestClient
from level_codecs import (
    IN_METRES,
    IN_MILLIMETRES,
    LEVEL_PAYLOAD,
    WEATHER_PAYLOAD,
    WITH_RAIN,
    WITHOUT_RAIN,
    level_map,
    sha256,
    weather_map,
    write_type,
)
from servers import wait_for

from ingest.uplink import Message
from stadtfunk.cli import main
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings
from stadtfunk.tokens import new_token

LEVEL, RAIN = "a84041ffff000010", "a84041ffff000020"
CITY = """
[city]
name = "Teststadt"
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "sqlite:///{folder}/readings.db"
[[network_server]]
name = "stadtwerke"
kind = "chirpstack-v4"
url = "mqtt://127.0.0.1:1"
[devices]
file = "devices.csv"
types = ["types"]
[[api.token]]
name = "test"
hash = "{hash}"
"""
DEVICES = f"dev_eui,type,station,lat,lon\n{LEVEL},acme-l1,bach,51,7\n{RAIN},acme-w1,dach,51,7\n"


class City:
    """A folder with a configuration, and the commands over it."""

    def __init__(self, folder, capsys):
        self.folder, self._capsys = folder, capsys
        token, digest = new_token()
        self.headers = {"Authorization": f"Bearer {token}"}
        self.config = folder / "city.toml"
        self.config.write_text(CITY.format(folder=folder, hash=digest))
        (folder / "devices.csv").write_text(DEVICES)
        self.level(IN_METRES, level_map(IN_METRES))
        self.weather(WITH_RAIN, weather_map(WITH_RAIN))
        self.f_cnt = 0

    def level(self, codec, map_):
        write_type(self.folder / "types", "acme-l1", codec, map_)

    def weather(self, codec, map_):
        write_type(self.folder / "types", "acme-w1", codec, map_)

    def service(self):
        service = Service(load_settings(self.config))
        service.start()
        return service

    def run(self, *arguments):
        self._capsys.readouterr()
        code = main([*arguments])
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def codecs(self, command, *arguments):
        return self.run("codecs", command, "--config", str(self.config), *arguments)

    def up(self, service, dev_eui, payload):
        """One uplink through the intake, as the network server sends it; what is in the journal of it."""
        self.f_cnt += 1
        now = time.time_ns() // 1000
        body = {
            "deduplicationId": f"{self.f_cnt}-{dev_eui}",
            "deviceInfo": {"devEui": dev_eui},
            "devAddr": "01087309",
            "fCnt": self.f_cnt,
            "fPort": 85,
            "data": base64.b64encode(payload).decode(),
            "rxInfo": [],
        }
        topic = f"application/app/device/{dev_eui}/event/up"
        taken = service.intake.take([Message("stadtwerke", topic, json.dumps(body).encode(), 1, False, now)])
        assert taken.accepted + taken.refused == 1
        # a worker that had no time left on a busy machine: the intake tries again by itself
        until = time.monotonic() + 60
        while service.journal.rejected(reason="codec_waiting"):
            assert time.monotonic() < until, "the codec was not asked again"
            time.sleep(0.05)
        [(_, uplink, readings)] = service.journal.latest_uplinks(1)
        series = service.journal.series()
        return uplink, {series[row["series"]].property: float(row["value"]) for row in readings}


@pytest.fixture
def city(tmp_path, capsys):
    yield City(tmp_path, capsys)
    structlog.reset_defaults()


def record(city, count=3):
    """The service's first start, and some uplinks of both devices."""
    service = city.service()
    try:
        for _ in range(count):
            assert city.up(service, LEVEL, LEVEL_PAYLOAD)[1]["water_distance"] == 30
            assert city.up(service, RAIN, WEATHER_PAYLOAD)[1]["precipitation_total"] == 50.05
        assert service.health()["codecs"].ok
    finally:
        service.stop()


def test_the_same_bytes_in_metres_and_in_millimetres_are_seen_before_they_count(city):
    assert city.codecs("compare", "acme-l1")[:2] == (
        0,
        "acme-l1: nothing is in force yet; the service begins with the text at hand\n",
    )
    record(city)
    assert city.codecs("activate", "acme-l1")[:2] == (0, "acme-l1: is in force already\n")
    (city.folder / "types" / "acme-l1.js").write_text(IN_MILLIMETRES)

    # the service goes on as before, and says so
    service = city.service()
    try:
        assert city.up(service, LEVEL, LEVEL_PAYLOAD)[1]["water_distance"] == 30
        assert not service.health()["codecs"].ok
        assert "acme-l1: the codec's text has changed" in service.health()["codecs"].detail
        with TestClient(service.app()) as client:
            parts = client.get("/readyz", headers=city.headers).json()["parts"]
        assert "stadtfunk codecs activate acme-l1" in parts["codecs"]["detail"]
    finally:
        service.stop()
    code, out, _ = city.run("check", "--config", str(city.config))
    assert code == 0
    assert "advice: codec of acme-l1: the codec's text has changed" in out

    code, out, _ = city.codecs("compare", "--last", "2", "acme-l1")
    assert code == 1
    assert f"acme-l1: in force {sha256(IN_METRES)}" in out
    assert f"acme-l1: at hand  {sha256(IN_MILLIMETRES)}" in out
    assert "2 recorded uplinks, 2 fields and readings differ" in out
    assert "field    distance: 0.03 -> 30 (in 2 uplinks, always 1000 times, e.g. 01756403821e00)" in out
    assert "reading  water_distance in mm: 30 -> 30000 (in 2 uplinks, always 1000 times" in out

    # not without being asked; nothing has changed
    code, _, err = city.codecs("activate", "acme-l1")
    assert (code, err) == (1, "not activated; --yes activates it all the same\n")
    assert sha256(IN_METRES) in (city.folder / "types" / "acme-l1.toml").read_text()

    # with the unit corrected the readings are the same, and the field still differs
    city.level(IN_MILLIMETRES, level_map(IN_METRES, unit="mm"))
    code, out, _ = city.codecs("compare", "acme-l1")
    assert code == 1
    assert "map      distance: unit m -> mm" in out
    assert "4 recorded uplinks, 1 fields and readings differ" in out
    assert "\nreading" not in out
    assert out.splitlines()[-1] == "not the same: see each line above"
    code, out, _ = city.codecs("activate", "--yes", "acme-l1")
    assert code == 0
    assert f"{sha256(IN_MILLIMETRES)} is in force" in out
    assert (city.folder / "types" / "acme-l1.toml").read_text() == level_map(IN_MILLIMETRES, unit="mm")
    service = city.service()
    try:
        assert service.health()["codecs"].ok
        assert city.up(service, LEVEL, LEVEL_PAYLOAD)[1]["water_distance"] == 30
        assert city.up(service, LEVEL, bytes.fromhex("0175640382E803"))[1]["water_distance"] == 1000
    finally:
        service.stop()


def test_a_map_that_means_something_else_is_asked_about_though_every_value_is_the_same(city):
    record(city)
    commented = f"// 2.0\n{WITH_RAIN}"
    map_ = (
        weather_map(commented).replace("167772.16", "655.36").replace("required = true", "range = [0, 400]")
    )
    city.weather(commented, map_)
    code, out, _ = city.codecs("compare", "acme-w1")
    assert code == 1
    assert out.splitlines()[2:] == [
        "3 recorded uplinks, 0 fields and readings differ",
        "map      rainfall_total: range none -> 0 to 400 mm",
        "map      rainfall_total: wrap 167772.16 mm -> 655.36 mm",
        "map      rainfall_total: required yes -> no",
        "not the same: see each line above",
    ]
    assert city.codecs("activate", "acme-w1")[0] == 1
    assert city.codecs("activate", "--yes", "acme-w1")[0] == 0


def test_a_map_that_changed_alone_is_told_before_the_next_start(city):
    record(city)
    city.level(IN_METRES, level_map(IN_METRES, unit="cm"))
    code, out, _ = city.run("check", "--config", str(city.config))
    assert code == 0
    assert (
        "advice: codec of acme-l1: its map has changed and is in force with the next start or reload; "
        "`stadtfunk codecs compare` shows what differs\n"
    ) in out
    code, out, _ = city.codecs("compare", "acme-l1")
    assert code == 1
    assert "(the same text)" in out
    assert "map      distance: unit m -> cm" in out
    assert "reading  water_distance in mm: 30 -> 0.3" in out
    city.service().stop()
    assert "codec of" not in city.run("check", "--config", str(city.config))[1]


def test_without_recorded_payloads_nothing_is_called_the_same(city):
    city.service().stop()
    city.level(IN_MILLIMETRES, level_map(IN_METRES))
    code, out, _ = city.codecs("compare", "acme-l1")
    assert code == 1
    assert out.splitlines()[-1] == (
        "not compared: no recorded payload of this type, so nothing is known of its values; "
        "the maps mean the same"
    )
    assert "the same in all" not in out
    assert city.codecs("activate", "acme-l1")[0] == 1


def test_what_no_recorded_payload_has_is_said_and_asked_about(city):
    service = city.service()
    try:
        city.up(service, LEVEL, bytes.fromhex("017564"))
    finally:
        service.stop()
    city.level(IN_MILLIMETRES, level_map(IN_METRES))
    code, out, _ = city.codecs("compare", "acme-l1")
    assert code == 0
    assert out.splitlines()[3:] == [
        "unseen   distance: not in any recorded payload, so no value of water_distance was compared",
        "the same in all fields, readings and meaning, as far as recorded: 1 mapped fields are not",
    ]
    assert city.codecs("activate", "acme-l1")[0] == 1


@pytest.mark.parametrize("pinned", ["", "12", "0" * 64])
def test_activate_writes_the_hash_whatever_stood_there(city, pinned):
    city.service().stop()
    city.level(IN_MILLIMETRES, level_map(IN_METRES).replace(sha256(IN_METRES), pinned))
    assert city.codecs("activate", "--yes", "acme-l1")[0] == 0
    assert (city.folder / "types" / "acme-l1.toml").read_text() == level_map(IN_MILLIMETRES)


def test_files_that_cannot_be_read_are_why_nothing_is_compared(city):
    city.service().stop()
    city.level(IN_MILLIMETRES, level_map(IN_METRES, unit="kPa"))
    for command in ("compare", "activate"):
        code, out, err = city.codecs(command, "acme-l1")
        assert (code, out) == (2, "")
        assert "acme-l1: nothing to compare: " in err
        assert "kPa cannot become mm" in err


def test_fields_that_a_codec_invents_are_cut_and_readings_are_not(city):
    record(city)
    loud = IN_MILLIMETRES.replace(
        "return {data", "for (var k = 0; k < 99; k++) data['n' + k] = k; return {data"
    )
    city.level(loud, level_map(IN_METRES))
    _, out, _ = city.codecs("compare", "acme-l1")
    assert out.count("\nfield ") == 59
    assert "\nreading  water_distance in mm: 30 -> 30000" in out
    assert "\nand 41 more fields: --all shows them\n" in out
    _, out, _ = city.codecs("compare", "--all", "acme-l1")
    assert out.count("\nfield ") == 100


@pytest.mark.parametrize("last", ["0", "-1", "x"])
def test_a_number_of_payloads_is_at_least_one(city, last):
    with pytest.raises(SystemExit) as ended:
        city.codecs("compare", f"--last={last}", "acme-l1")
    assert ended.value.code == 2


def test_rain_dropped_without_a_word_is_seen_before_it_counts(city):
    record(city)
    city.weather(WITHOUT_RAIN, weather_map(WITHOUT_RAIN))
    code, out, _ = city.codecs("compare", "acme-w1")
    assert code == 1
    assert "field    rainfall_total: 50.05 -> gone (in 3 uplinks" in out
    assert "field    rainfall_counter: 37 -> gone" in out
    assert "reading  precipitation_total in mm: 50.05 -> gone (required; in 3 uplinks" in out
    assert "quality" not in out


def test_a_required_property_that_stays_away_alarms_the_operators(city):
    city.weather(WITHOUT_RAIN, weather_map(WITHOUT_RAIN))
    service = city.service()
    try:
        wait_for(lambda: service.health()["required"].ok)
        for number in range(3):
            assert service.health()["required"].ok, number
            uplink, readings = city.up(service, RAIN, WEATHER_PAYLOAD)
            assert readings == {"air_temperature": 27.2}
            assert json.loads(uplink.codec_notes)["warnings"] == ["required precipitation_total is missing"]
        wait_for(lambda: not service.health()["required"].ok)
        assert "precipitation_total missing" in service.health()["required"].detail
        assert b'stadtfunk_devices_required_missing{type="acme-w1"} 1.0' in service.metrics.render()
        [event] = [row for _, row in service.journal.events(0, 10)]
        assert event.id.startswith(f"dach.{RAIN}.property.")
        with TestClient(service.app()) as client:
            assert client.get("/readyz").json()["parts"]["required"] == {"ok": False}
            items = client.get("/api/v1/admin/uplinks", headers=city.headers).json()["items"]
        assert items[0]["codec_warnings"] == ["required precipitation_total is missing"]
        assert items[0]["unmapped"]["humidity"] == 56.5
    finally:
        service.stop()


def test_check_names_the_faults_of_maps(city):
    city.level(IN_MILLIMETRES, level_map(IN_METRES, unit="kPa"))
    city.weather(WITH_RAIN, weather_map(WITH_RAIN).replace("codec_sha256", "codec_sha257"))
    code, _, err = city.run("check", "--config", str(city.config))
    assert code == 1
    assert "types/acme-l1.toml: field.0 (distance).unit: kPa cannot become mm" in err
    assert "types/acme-w1.toml: codec_sha257: unknown key (did you mean codec_sha256?)" in err
    city.level(IN_MILLIMETRES, level_map(IN_METRES))
    city.weather(WITH_RAIN, weather_map(WITH_RAIN))
    code, _, err = city.run("check", "--config", str(city.config))
    assert code == 1
    assert f"acme-l1.toml: codec_sha256: the codec's hash is {sha256(IN_MILLIMETRES)}" in err
    (city.folder / "types" / "acme-l1.toml").unlink()
    code, out, _ = city.run("check", "--config", str(city.config))
    assert code == 0
    assert "advice: bach: acme-l1 has no field map, so no readings" in out


def test_a_service_that_cannot_keep_the_codecs_says_so_and_works(city):
    (city.folder / "codecs").write_text("a file where the folder should be")
    with pytest.raises(Exception, match="codecs"):
        city.service()
    (city.folder / "codecs").unlink()
    record(city, count=1)


@pytest.mark.parametrize("command", ["compare", "activate"])
def test_types_without_a_field_map_have_nothing_to_activate(city, command):
    code, _, err = city.codecs(command, "decentlab-dl-tbrg")
    assert (code, err) == (
        2,
        "no JavaScript codec with a field map 'decentlab-dl-tbrg': acme-l1, acme-w1\n",
    )


def test_decode_shows_what_a_map_does(city):
    arguments = ["--type", "acme-w1", "--fport", "85", WEATHER_PAYLOAD.hex()]
    for where in (["--types", str(city.folder / "types")], ["--config", str(city.config)]):
        code, out, err = city.run("decode", *where, *arguments)
        assert code == 0
        rows = {row["property"]: (row["value"], row["unit"], row["quality"]) for row in json.loads(out)}
        assert rows == {"precipitation_total": (50.05, "mm", 1), "air_temperature": (27.2, "Cel", 1)}
        assert "unmapped: humidity = 56.5\n" in err
    code, out, err = city.run("decode", "--types", str(city.folder / "nowhere"), *arguments)
    assert (code, out) == (2, "")
    assert "is no folder" in err
    code, out, err = city.run("decode", *arguments)
    assert code == 2
    assert "no device type 'acme-w1'" in err


def test_a_repositorys_device_decodes_with_and_without_a_map(city):
    repository = str(Path(__file__).parents[1] / "makers_repository")
    arguments = ["decode", "--repository", repository, "--type", "pegelbau-tiefe-1", "--fport", "7", "012c01"]
    code, out, err = city.run(*arguments)
    assert (code, json.loads(out)) == (0, [])
    assert "unmapped: level = 300\n" in err
    assert 'unmapped: pump = "on"\n' in err
    [text] = [each.read_text() for each in Path(repository).rglob("tiefe.js")]
    (city.folder / "maps").mkdir()
    (city.folder / "maps" / "pegelbau-tiefe-1.toml").write_text(
        f'codec = "pegelbau/tiefe-1"\ncodec_sha256 = "{sha256(text)}"\n'
        '[[field]]\npath = "level"\nproperty = "water_depth"\nunit = "mm"\n'
    )
    maps = f'types = ["types"]\nmaps = ["maps"]\nrepository = "{repository}"'
    city.config.write_text(city.config.read_text().replace('types = ["types"]', maps))
    arguments[1:3] = ["--config", str(city.config)]
    code, out, err = city.run(*arguments)
    assert (code, json.loads(out)) == (
        0,
        [{"property": "water_depth", "value": 30, "unit": "cm", "quality": 1}],
    )
    assert "level" not in err
    assert city.run("check", "--config", str(city.config))[0] == 0
