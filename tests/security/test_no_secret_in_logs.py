"""No address and no link in logs, metrics, health, whatever goes wrong."""

import pytest
import structlog
from post_office import PostOffice
from push_service import FakeBrowser, PushService
from servers import wait_for
from small_town import TOKEN
from starlette.testclient import TestClient
from subscribers import words
from subscription_town import ASKED, with_subscriptions

from alerts.delivery.smtp import Mailer, SmtpServer
from alerts.subscriptions.mails import EmailWay, SubscriptionMails
from alerts.subscriptions.push_way import PushWay
from api.services import PushDesk
from stadtfunk import logs


@pytest.fixture(autouse=True)
def logged():
    logs.configure("debug")
    yield
    structlog.reset_defaults()


@pytest.fixture
def push(tmp_path):
    service = PushService(tmp_path)
    yield service
    service.stop()


@pytest.fixture
def office():
    office = PostOffice()
    yield office
    office.stop()


def test_nothing_of_a_person_is_ever_written(city, push, office, capsys, monkeypatch):
    file = with_subscriptions(city, PushDesk(push.vapid.public_key, push.services))
    ways = {
        "email": EmailWay(Mailer(SmtpServer(False, "127.0.0.1", office.port)), "w@example.org", "Stadt"),
        "push": PushWay(push.sender, "/", lambda: city.now_us),
    }
    sender = SubscriptionMails(file, words(), lambda _: ways)
    sender.start()
    browser, gone = FakeBrowser(), FakeBrowser()
    secrets = ["anna", "beate", "0171", "1234567", browser.path, gone.path, browser.json["keys"]["auth"]]
    try:
        with TestClient(city.app(), raise_server_exceptions=False) as client:
            api = "/api/v1/subscriptions"
            office.refuse = "550 anna@example.org is no user here"
            client.post(api, json=ASKED)
            wait_for(lambda: sender.stats.given_up == 1)
            office.refuse, office.answer = "", "451 anna@example.org later"
            client.post(api, json=ASKED)
            wait_for(lambda: sender.stats.failed == 1)
            office.answer = ""
            client.post(api, json=ASKED | {"address": "beate@example.org"})
            said = office.mail(1).get_content()
            confirm = said.split("/subscriptions/")[1][:43]
            manage = client.post(f"{api}/{confirm}/confirm").json()["token"]
            push.answers[gone.path] = (410, {})
            tokens = [
                client.post(f"{api}/push", json={"areas": ["gierath"], "subscription": each.json}).json()[
                    "token"
                ]
                for each in (browser, gone)
            ]
            wait_for(lambda: push.said(browser) and file.find(tokens[1]) is None)
            client.post(api, json=ASKED | {"address": "anna@example.org x", "channel": "sms"})
            client.post(api, json=ASKED | {"channel": "sms", "address": "0171 1234567 x"})
            client.post(api, content=b"{anna", headers={"content-type": "application/json"})
            operator = {"authorization": f"Bearer {TOKEN}"}
            paper = {
                "staff": "A. Muster",
                "form_date": "2026-01-01",
                "channel": "sms",
                "address": "01711234567",
            }
            assert (
                client.post("/api/v1/admin/subscriptions", json=ASKED | paper, headers=operator).status_code
                == 204
            )
            # the service itself fails, with a link in the path
            monkeypatch.setattr(type(file), "find", lambda *_: 1 / 0)
            for path in (f"{api}/{manage}", f"/subscriptions/{manage}"):
                assert client.get(path).status_code == 500
            health = str(sender.health)
            metrics = client.get("/metrics", headers=operator).text
            ready = client.get("/readyz").text
    finally:
        sender.stop()
        file.close()
    audit = b"".join(each.read_bytes() for each in city.folder.glob("*audit.db*")).decode("latin-1")
    assert "A. Muster" in audit
    written = "".join(capsys.readouterr())
    for expected in ("subscription_mail", "request failed", "ZeroDivisionError"):
        assert expected in written
    for secret in (*secrets, confirm, manage, *tokens, TOKEN):
        for where in (written, health, metrics, ready, audit):
            assert secret not in where, secret
