"""Subscriptions as a city configures them: the whole service, over HTTP and SMTP."""

import base64
import re

import pytest
import structlog
from post_office import PostOffice
from servers import free_port, wait_for
from starlette.testclient import TestClient

from stadtfunk.cli import main
from stadtfunk.errors import ConfigError, StartError
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings

KEY = base64.b64encode(b"k" * 32).decode()
CITY = """
[city]
name = "Teststadt"
[journal]
url = "sqlite:data/journal.db"
[store]
url = "sqlite:data/readings.db"
[devices]
file = "devices.csv"
[subscriptions]
{more}
"""
GOOD = {
    "key": "${STADTFUNK_KEY}",
    "smtp": "smtp://127.0.0.1:2525",
    "sender": "warnungen@example.org",
    "url": "https://warn.example",
}
DEVICES = (
    "dev_eui,type,station,name,lat,lon,public,stages_cm\n"
    "70b3d57ba0000001,decentlab-dl-mbx,pegel,Pegel,51,7,true,40\n"
)


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("STADTFUNK_KEY", KEY)
    monkeypatch.setenv("SMTP_PASSWORD", "hunter2")
    (tmp_path / "devices.csv").write_text(DEVICES)
    (tmp_path / "addresses.csv").write_text("street;number;lat;lon\nHauptstraße;12;51,0;7,0\n")

    def write(lines=(), **changes):
        keys = [f'{key} = "{value}"' for key, value in (GOOD | changes).items() if value is not None]
        (tmp_path / "city.toml").write_text(CITY.format(more="\n".join([*keys, *lines])))
        return tmp_path / "city.toml"

    yield write
    structlog.reset_defaults()


def test_a_resident_of_a_configured_city(config, tmp_path):
    office = PostOffice()
    file = config(['addresses = "addresses.csv"'], smtp=f"smtp://127.0.0.1:{office.port}")
    service = Service(load_settings(file))
    service.start()
    try:
        with TestClient(service.app()) as client:
            body = {"address": "anna@example.org", "gauges": ["pegel"]}
            assert client.post("/api/v1/subscriptions", json=body).status_code == 202
            said = office.mail(1).get_content()
            (token,) = re.findall(r"https://warn\.example/subscriptions/([\w-]+)", said)
            page = client.post(f"/subscriptions/{token}", data={"do": "confirm"})
            assert "Bestätigt" in page.text
            assert "Pegel Pegel" in office.mail(2).get_content()
            found = client.post("/api/v1/subscriptions/addresses", json={"q": "hauptstr"}).json()["items"]
            assert found == [{"label": "Hauptstraße 12", "lat": 51.0, "lon": 7.0}]
        figures = service.metrics.render().decode()
        assert 'stadtfunk_subscriptions{channel="email"} 1.0' in figures
        assert 'stadtfunk_subscription_mails_total{outcome="sent"}' in figures
        assert "anna" not in figures
        assert service.health()["subscriptions"].ok
        assert (tmp_path / "data" / "subscriptions.db").exists()
    finally:
        service.stop()
        office.stop()
    other = base64.b64encode(b"o" * 32).decode()
    with pytest.raises(StartError, match="old_keys"):
        Service(load_settings(config(key=other)))
    Service(load_settings(config([f'old_keys = ["{KEY}"]'], key=other))).stop()


@pytest.mark.parametrize(
    ("lines", "changes", "key"),
    [
        ([], {"key": None}, "subscriptions.key: missing"),
        ([], {"key": "hunter2"}, "subscriptions.key: not usable"),
        ([], {"key": "${NOT_SET}"}, "NOT_SET is not set"),
        (['old_keys = ["hunter2"]'], {}, "subscriptions.old_keys[0]"),
        ([], {"smtp": None}, "subscriptions.smtp: missing"),
        ([], {"smtp": "mailto://u:hunter2@host"}, "subscriptions.smtp"),
        ([], {"smtp": "smtps://u:hunter2/x@host"}, "subscriptions.smtp"),
        ([], {"sender": None}, "subscriptions.sender: missing"),
        ([], {"sender": "nobody"}, "subscriptions.sender"),
        ([], {"url": None}, "subscriptions.url: missing"),
        ([], {"url": "http://warn.example"}, "subscriptions.url"),
        (['channels = ["fax"]'], {}, "subscriptions.channels[0]"),
        (['channels = ["email", "sms"]'], {}, "subscriptions.sms"),
        (['channels = ["sms"]', 'sms = "nonsense://hunter2/{to}"'], {}, "subscriptions.sms"),
        (['sms = "nonsense://hunter2/{to}"'], {}, "no channel uses it"),
        (['channels = ["email", "voice"]'], {}, "subscriptions.voice: missing"),
        (
            ['channels = ["voice"]', 'voice = "https://u:hunter2@h/"'],
            {},
            "voice: is no address",
        ),
        (['channels = ["voice"]', 'voice = "https://h/"', 'voice_secret = "hunter2"'], {}, "voice_secret"),
        (['voice = "https://h/?key=hunter2"'], {}, "no channel uses it"),
        (['addresses = "none.csv"'], {}, "none.csv"),
        (['addresses = "devices.csv"'], {}, "columns are missing"),
        (["proof_days = 0"], {}, "subscriptions.proof_days"),
        (['chanels = ["sms"]'], {}, "did you mean channels?"),
    ],
)
def test_check_names_what_is_wrong_and_no_secret(config, capsys, lines, changes, key):
    file = config(lines, **changes)
    assert main(["check", "--config", str(file)]) == 1
    captured = capsys.readouterr()
    said = captured.out + captured.err
    assert key in said
    assert "hunter2" not in said
    with pytest.raises(ConfigError):
        Service(load_settings(file))


def test_check_is_content(config, capsys):
    file = config(
        [
            'channels = ["email", "sms", "voice"]',
            'sms = "bulksms://user:${SMTP_PASSWORD}@{to}"',
            'voice = "https://telefon.example/calls"',
            f'voice_secret = "whsec_{"QUJD" * 11}"',
        ],
        smtp="smtps://u:${SMTP_PASSWORD}@mail.example",
    )
    assert main(["check", "--config", str(file)]) == 0
    assert "hunter2" not in str(capsys.readouterr())


def test_a_dead_mail_server_is_told_and_the_service_stays_ready(config):
    service = Service(load_settings(config(smtp=f"smtp://127.0.0.1:{free_port()}")))
    service.start()
    try:
        with TestClient(service.app()) as client:
            client.post("/api/v1/subscriptions", json={"address": "anna@example.org", "gauges": ["pegel"]})
            wait_for(lambda: not service.health()["subscriptions"].ok)
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["state"]) == (200, "degraded")
            assert "anna" not in str(service.health())
    finally:
        service.stop()
