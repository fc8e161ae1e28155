"""CAP and the hand-over wired into the service, and what `check` says of their configuration."""

import pytest
import structlog
from fastapi.testclient import TestClient
from servers import wait_for
from warned_city import TEXTS

from alerts.cap.rules import check as problems_of
from alerts.city.order import Order
from stadtfunk.cli import main
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings

CITY = """
[city]
name = "Teststadt"
ars = "053780004004"
[journal]
url = "sqlite:journal.db"
[store]
url = "sqlite:readings.db"
[devices]
file = "devices.csv"
"""
CAP = """
[cap]
sender = "warnung@stadt.example"
[leitstelle]
folder = "leitstelle"
"""


@pytest.fixture
def configured(tmp_path):
    (tmp_path / "devices.csv").write_text(
        "dev_eui,type,station,lat,lon\n70b3d57ba0000001,decentlab-dl-tbrg,a,51,7\n"
    )

    def configure(more):
        (tmp_path / "city.toml").write_text(CITY + more)
        return tmp_path / "city.toml"

    yield configure
    structlog.reset_defaults()


def test_a_released_warning_is_in_the_feed_and_at_the_control_centre(configured, tmp_path):
    service = Service(load_settings(configured(CAP)))
    service.start()
    try:
        with TestClient(service.app()) as client:
            now = service.clock()
            warning = service.office.decide(
                Order("release", "A. Beispiel", "creek", now, severity="Severe", texts=TEXTS)
            )
            assert f"{warning.id}.1.xml".encode() in client.get("/cap/feed.atom").content
            service.office.decide(Order("all_clear", "A. Beispiel", "over", service.clock(), warning.id))
            wait_for(lambda: len(list((tmp_path / "leitstelle").glob("*.cap.xml"))) == 2)
            end = client.get(f"/cap/stadtfunk.053780004004.{warning.id}.2.xml").content
            assert b"AllClear" in end
            assert problems_of(end) == []
            health = service.health()
            assert health["cap"].ok
            assert health["leitstelle folder"].ok
    finally:
        service.stop()


def test_without_a_sender_nothing_runs_and_nothing_is_published(configured):
    service = Service(load_settings(configured("")))
    try:
        assert "cap" not in service.health()
        with TestClient(service.app()) as client:
            assert client.get("/cap/feed.atom").status_code == 404
    finally:
        service.stop()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[cap]\nsender = "Stadt Gladbach"', "cap.sender"),
        ('[cap]\nweb = "https://stadt.example"', "name the city as sender"),
        ('[cap]\nsender = "a@b.example"\nkey = "none.pem"', "belong together"),
        (
            '[cap]\nsender = "a@b.example"\nkey = "none.pem"\ncertificate = "none.pem"',
            "certificate: cannot be read",
        ),
        ('[cap]\nsender = "a@b.example"\nnotices = "all"', "cap.notices"),
        ('[leitstelle]\nfolder = "l"', "cap.sender: is missing"),
        ('[cap]\nsender = "a@b.example"\n[leitstelle]\nmail = "nonsense://x"', "apprise cannot use"),
        ('[cap]\nsender = "a@b.example"\n[leitstelle]\nurl = "kreis"', "leitstelle.url"),
    ],
)
def test_check_names_what_is_wrong(configured, capsys, more, said):
    assert main(["check", "--config", str(configured(more))]) == 1
    captured = capsys.readouterr()
    assert said in captured.out + captured.err


def test_check_says_that_there_is_no_cap(configured, capsys):
    assert main(["check", "--config", str(configured(""))]) == 0
    assert "no [cap] sender" in capsys.readouterr().out
