"""A resident of a configured city hears of a warning by mail, and operators see how many have."""

import base64
import re

import structlog
from mail_server import MailServer
from servers import wait_for
from starlette.testclient import TestClient
from warned_city import TEXTS

from alerts.event import CityStep, Event, to_row
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings
from stadtfunk.tokens import new_token

CITY = """
[city]
name = "Teststadt"
[journal]
url = "sqlite:journal.db"
[store]
url = "sqlite:readings.db"
[devices]
file = "devices.csv"
[[api.token]]
name = "test"
hash = "{hash}"
[subscriptions]
key = "{key}"
smtp = "smtp://127.0.0.1:{port}"
sender = "warnungen@example.org"
url = "https://warn.example"
connections = 2
receipts_days = 3
"""
DEVICES = (
    "dev_eui,type,station,name,lat,lon,public,stages_cm\n"
    "70b3d57ba0000001,decentlab-dl-mbx,pegel,Pegel,51,7,true,40\n"
)


def test_a_warning_of_the_city_reaches_a_subscriber(tmp_path):
    server = MailServer()
    token, hashed = new_token()
    key = base64.b64encode(b"k" * 32).decode()
    (tmp_path / "devices.csv").write_text(DEVICES)
    (tmp_path / "city.toml").write_text(CITY.format(hash=hashed, key=key, port=server.port))
    service = Service(load_settings(tmp_path / "city.toml"))
    service.start()
    try:
        with TestClient(service.app()) as client:
            body = {"address": "anna@example.org", "gauges": ["pegel"]}
            assert client.post("/api/v1/subscriptions", json=body).status_code == 202
            mail = wait_for(lambda: server.mails.get("anna@example.org")).replace(b"=\r\n", b"")
            (confirm,) = re.findall(rb"/subscriptions/([\w-]{43})", mail)
            client.post(f"/subscriptions/{confirm.decode()}", data={"do": "confirm"})
            wait_for(lambda: server.taken["anna@example.org"] == 2)

            now_us = service.clock()
            step = CityStep("release", "Severe", (), TEXTS, now_us + 3_600_000_000, "A. Beispiel", "Pegel")
            event = Event("w1.1", "w1", now_us, "", "city", "", 0, None, None, "", "", city=step)
            part = service.journal.load("test")
            service.journal.commit("test", part.fence, part.cursor, events=[to_row(event)])
            wait_for(lambda: server.taken["anna@example.org"] == 3)
            assert b"Warnung der Stadt Teststadt" in server.mails["anna@example.org"]

            assert client.get("/api/v1/admin/mailings").status_code == 401
            operator = {"Authorization": f"Bearer {token}"}

            def seen():
                (item,) = client.get("/api/v1/admin/mailings", headers=operator).json()["items"]
                return item if item["ways"][0]["state"] == "done" else None

            item = wait_for(seen)
            assert item["warning"] == "w1"
            assert (item["ways"][0]["way"], item["ways"][0]["sent"]) == ("email", 1)
            assert "anna" not in str(item)
        for figure in ('total{outcome="sent",way="email"} 1.0', 'waiting{way="email"} 0.0'):
            told = f"stadtfunk_mass_mails_{figure}"
            wait_for(lambda told=told: told in service.metrics.render().decode(), what=told)
        assert service.health()["mass_mail email"].ok
    finally:
        service.stop()
        server.stop()
        structlog.reset_defaults()
