"""Displays wired into the service; the service killed; what `check` says of their configuration."""

import signal
import subprocess
import sys

import pytest
import structlog
from display_city import Watched, retained
from servers import free_port, wait_for

from stadtfunk.cli import main
from stadtfunk.errors import ConfigError
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings

CITY = """
[city]
name = "Teststadt"
[journal]
url = "sqlite:journal.db"
[store]
url = "sqlite:readings.db"
[devices]
file = "devices.csv"
[api]
port = {port}
"""


@pytest.fixture
def configured(tmp_path):
    (tmp_path / "devices.csv").write_text(
        "dev_eui,type,station,lat,lon\n70b3d57ba0000001,decentlab-dl-tbrg,a,51,7\n"
    )

    def configure(more):
        (tmp_path / "city.toml").write_text(CITY.format(port=free_port()) + more)
        return tmp_path / "city.toml"

    yield configure
    structlog.reset_defaults()


def test_a_killed_service_leaves_no_column_believing_that_all_is_calm(configured, mosquitto, tmp_path):
    broker = mosquitto()
    config = configured(f'[displays]\nurl = "{broker.url}"\n')
    command = [sys.executable, "-m", "stadtfunk", "serve", "--config", config]
    with (tmp_path / "service.log").open("wb") as log:
        service = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            column = Watched(broker.port, "city")
            try:
                wait_for(lambda: column.column.shows() == "Keine Warnung", 120, tmp_path / "service.log")
                service.send_signal(signal.SIGKILL)
                column.shows("Keine aktuellen Daten seit ")
                assert "Keine Warnung" not in column.column.shows()
                service.wait()
                service = subprocess.Popen(command, stdout=log, stderr=log)
                wait_for(lambda: column.column.shows() == "Keine Warnung", 120, tmp_path / "service.log")
            finally:
                column.close()
        finally:
            service.kill()
            service.wait()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[displays]\nurl = "http://broker"', "displays.url"),
        ("[displays]\n", "displays.url"),
        ('[displays]\nurl = "mqtt://broker"\nprefix = "a/+"', "displays.prefix"),
        ('[displays]\nurl = "mqtts://broker"\nca_file = "none.pem"', "displays.ca_file"),
        ('[displays]\nurl = "mqtt://broker"\nareas = 1', "displays.areas: unknown key"),
        ('[displays]\nurl = "mqtt://broker"\n[displays.parking]\nwidth = 3', "displays.parking.width"),
        (
            '[displays]\nurl = "mqtt://broker"\n[[displays.parking.sign]]\nstation = "b"',
            "displays.parking.sign[0].station",
        ),
        ('[[parking.site]]\nstation = "b"', "parking.site[0].station"),
        ('[[parking.site]]\nstation = "a"\n[[parking.site]]\nstation = "a"', "stands there twice"),
        ('[[parking.site]]\nstation = "a"\nopening_hours = "immer"', "parking.site"),
    ],
)
def test_check_names_what_is_wrong_with_displays(configured, capsys, more, said):
    assert main(["check", "--config", str(configured(more))]) == 1
    captured = capsys.readouterr()
    assert said in captured.out + captured.err


def test_an_area_called_city_would_share_the_whole_city_s_topic(configured, capsys, tmp_path):
    square = "[[[7.1,51],[7.2,51],[7.2,51.1],[7.1,51]]]"
    (tmp_path / "areas.json").write_text(
        '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"id":"city","name":"City",'
        f'"stations":["a"]}},"geometry":{{"type":"Polygon","coordinates":{square}}}}}]}}'
    )
    config = configured('[alerts]\nareas = "areas.json"\n[displays]\nurl = "mqtt://broker"\n')
    assert main(["check", "--config", str(config)]) == 1
    assert "the topic of the whole city" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="the topic of the whole city"):
        Service(load_settings(config))


def test_check_says_that_without_areas_all_displays_are_alike(configured, capsys):
    assert main(["check", "--config", str(configured('[displays]\nurl = "mqtt://broker"'))]) == 0
    assert "[displays] without [alerts] areas" in capsys.readouterr().out


def test_the_service_says_on_signs_what_its_car_parks_have(configured, mosquitto, tmp_path):
    broker = mosquitto()
    config = configured(
        f'[displays]\nurl = "{broker.url}"\n[displays.parking]\nunsure = "words"\n'
        '[[displays.parking.sign]]\nstation = "p-loewe"\nname = "P1 Löwe"\n'
    )
    (tmp_path / "devices.csv").write_text(
        "dev_eui,type,station,name,lat,lon,public\n70b3d57ba0000001,bosch-tps110,p-loewe,Löwe,51,7,true\n"
        "70b3d57ba0000002,bosch-tps110,p-loewe,,,,\n"
    )
    service = Service(load_settings(config))
    service.start()
    try:
        told = {}
        lines = ("stadtfunk/parking/p-loewe/text", "stadtfunk/guidance/text")

        def says():
            told.update(retained(broker.port, "stadtfunk/#"))
            # nothing has been heard of it yet
            return all(told.get(line) == "P1 Löwe ---".encode() for line in lines)

        wait_for(says, 120, told)
    finally:
        service.stop()
