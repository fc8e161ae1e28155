"""Nobody learns who is subscribed: same answer, same work, same number of mails."""

import re

import pytest
from push_service import FakeBrowser
from starlette.testclient import TestClient
from subscription_town import ASKED, mails, subscribed, with_subscriptions

from alerts.web_push.vapid import Vapid, new_private_key
from api.services import PushDesk

KNOWN, UNKNOWN = "anna@example.org", "otto@example.org"
FORM = {"area": "gierath", "told": "notice"}
WAYS = {
    "api": lambda who: ("/api/v1/subscriptions", {"json": ASKED | {"address": who}}),
    "link": lambda who: ("/api/v1/subscriptions/link", {"json": {"address": who}}),
    "form": lambda who: ("/subscribe?lang=de", {"data": FORM | {"address": who}}),
    "form link": lambda who: ("/subscribe/link?lang=de", {"data": {"address": who}}),
}


def statements(file, work):
    """The kinds of statement that some work makes the file do, in their order."""
    said = []
    file._file._writer.set_trace_callback(said.append)
    try:
        work()
    finally:
        file._file._writer.set_trace_callback(None)
    return [re.sub(r"(VALUES|WHERE).*", "", each, flags=re.DOTALL) for each in said]


@pytest.mark.parametrize("way", WAYS)
def test_known_and_unknown_look_and_cost_the_same(client, file, way):
    subscribed(client, file)
    seen = {}
    for who in (KNOWN, UNKNOWN):
        path, body = WAYS[way](who)
        answers = []
        work = statements(
            file, lambda path=path, body=body, answers=answers: answers.append(client.post(path, **body))
        )
        (answer,) = answers
        headers = {k: v for k, v in answer.headers.items() if k != "date"}
        sent = [(kind, bool(token)) for kind, address, token in mails(file) if address == who]
        seen[who] = (answer.status_code, answer.content.replace(who.encode(), b""), headers, sent, work)
    assert seen[KNOWN] == seen[UNKNOWN]
    assert len(seen[KNOWN][3]) == 1
    assert any("INSERT INTO mails" in each for each in seen[KNOWN][4])


@pytest.mark.parametrize("way", WAYS)
def test_nor_does_the_limit_of_an_address_tell(client, file, way):
    subscribed(client, file)
    for who, spent in ((KNOWN, 1), (UNKNOWN, 0)):
        path, body = WAYS[way](who)
        answers = [client.post(path, **body) for _ in range(5)]
        assert len({(each.status_code, each.content) for each in answers}) == 1
        assert len(mails(file)) == 3 - spent


def test_staff_hear_no_more_from_the_public_routes(client, file):
    subscribed(client, file)
    for who in (KNOWN, UNKNOWN):
        for method in ("GET", "DELETE", "PUT"):
            assert client.request(method, f"/api/v1/subscriptions/{who}").status_code in {404, 415}


def test_who_knows_an_endpoint_learns_nothing_from_the_answer(city):
    push = PushDesk(Vapid(new_private_key(), "mailto:a@stadt.example").public_key)
    file = with_subscriptions(city, push)
    try:
        with TestClient(city.app()) as client:
            anna = FakeBrowser("fcm.googleapis.com")

            def ask(browser):
                body = {"areas": ["gierath"], "subscription": browser.json}
                return client.post("/api/v1/subscriptions/push", json=body)

            token = ask(anna).json()["token"]
            thief = FakeBrowser("fcm.googleapis.com", anna.path)
            answer = ask(thief)
            assert (answer.status_code, set(answer.json())) == (201, {"token"})
            assert answer.json()["token"] != token
            assert (
                client.get(f"/api/v1/subscriptions/{answer.json()['token']}").json()["choices"]["gauges"]
                == []
            )
    finally:
        file.close()
