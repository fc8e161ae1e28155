"""Who asks too often, who hides behind another address, and who lets others' browsers ask."""

import json
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest
from push_service import FakeBrowser
from servers import wait_for
from small_town import TOKEN
from starlette.testclient import TestClient
from subscription_town import ASKED, mails, subscribed, with_subscriptions

from alerts.errors import BusyError
from alerts.web_push.vapid import Vapid, new_private_key
from api.limits import CallerLimit
from api.services import PushDesk
from stadtfunk.serve import Server, bind


class Asked:
    """A request from an address."""

    def __init__(self, host):
        self.client = type("Address", (), {"host": host})


def refused(limit, host):
    try:
        limit.count(Asked(host))
    except BusyError as busy:
        return busy.seconds
    return 0


def test_one_address_is_counted_by_itself_and_for_an_hour():
    now = [0.0]
    limit = CallerLimit(3, lambda: now[0])
    assert [refused(limit, "203.0.113.7") for _ in range(4)] == [0, 0, 0, 3600]
    assert refused(limit, "203.0.113.8") == 0
    now[0] = 3599.0
    assert refused(limit, "203.0.113.7") == 1
    now[0] = 3600.0
    assert refused(limit, "203.0.113.7") == 0


def test_one_connection_has_many_ipv6_addresses():
    limit = CallerLimit(2)
    assert [refused(limit, f"2001:db8:1:2::{i}") > 0 for i in range(3)] == [False, False, True]
    assert refused(limit, "2001:db8:1:3::1") == 0
    assert [refused(limit, each) > 0 for each in ("::ffff:203.0.113.9", "203.0.113.9", "203.0.113.9")] == [
        False,
        False,
        True,
    ]


def test_no_address_is_kept():
    limit = CallerLimit(2)
    limit.count(Asked("203.0.113.7"))
    assert b"\xcb\x00\x71\x07" not in b"".join(limit._counts)
    assert "203.0.113.7" not in str(vars(limit))


@pytest.fixture
def limited(city):
    push = PushDesk(Vapid(new_private_key(), "mailto:a@stadt.example").public_key)
    file = with_subscriptions(city, push, CallerLimit(3))
    yield file
    file.close()


def test_every_way_to_ask_counts_and_nothing_else_does(city, limited):
    with TestClient(city.app()) as client:
        browser = FakeBrowser("fcm.googleapis.com").json
        ways = [
            ("/api/v1/subscriptions", {"json": ASKED}),
            ("/api/v1/subscriptions/link", {"json": {"address": "anna@example.org"}}),
            ("/api/v1/subscriptions/push", {"json": {"areas": ["gierath"], "subscription": browser}}),
        ]
        for path, body in ways:
            assert client.post(path, **body).status_code in {201, 202}
        before = len(mails(limited))
        forms = [
            ("/subscribe", {"data": {"address": "b@example.org", "area": "gierath", "told": "notice"}}),
            ("/subscribe/link", {"data": {"address": "b@example.org"}}),
        ]
        for path, body in ways + forms:
            answer = client.post(path, **body)
            assert answer.status_code == 429, path
        assert client.post("/api/v1/subscriptions", json=ASKED).headers["retry-after"]
        assert (
            "viele Menschen"
            in client.post("/subscribe", **forms[0][1], headers={"accept-language": "de"}).text
        )
        assert (before, mails(limited)) == (3, [])
        assert client.get("/subscribe").status_code == 200
        assert client.get("/api/v1/stations").status_code == 200


@contextmanager
def serving(city, trusted):
    listener = bind("127.0.0.1", 0)
    server = Server(city.app(), "127.0.0.1", 0, trusted)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        wait_for(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def ask(address, said):
    body = json.dumps({"address": "anna@example.org"}).encode()
    headers = {"Content-Type": "application/json", "X-Forwarded-For": said}
    request = urllib.request.Request(f"{address}/api/v1/subscriptions/link", body, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_who_claims_to_be_somebody_else_is_not_believed(city, limited):
    with serving(city, ("192.0.2.1",)) as address:
        answers = [ask(address, f"203.0.113.{i}") for i in range(4)]
    assert answers == [202, 202, 202, 429]


def test_a_trusted_proxy_is_believed_about_who_asked_it(city, limited):
    with serving(city, ("127.0.0.0/8",)) as address:
        assert [ask(address, f"203.0.113.{i}") for i in range(5)] == [202] * 5
        # what the client claims itself stands before what the proxy adds
        claimed = [ask(address, f"203.0.113.{100 + i}, 198.51.100.7") for i in range(4)]
    assert claimed == [202, 202, 202, 429]


ELSEWHERE = [
    {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    {"sec-fetch-site": "cross-site", "origin": "null"},
    {"sec-fetch-site": "same-site", "origin": "https://other.stadt.example"},
    {"origin": "https://evil.example"},
    {"origin": "http://testserver.evil.example"},
    {"origin": "http://testserver:8080"},
]
HERE = [
    {},
    {"sec-fetch-site": "same-origin", "origin": "null"},
    {"sec-fetch-site": "same-origin", "origin": "http://testserver"},
    {"sec-fetch-site": "none"},
    {"origin": "null"},
    {"origin": "http://testserver"},
]


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_a_page_of_another_site_can_send_nothing(client, file, headers):
    token = subscribed(client, file)
    for method, path, body in [
        ("POST", "/subscribe", {"data": {"address": "b@example.org", "area": "gierath", "told": "notice"}}),
        ("POST", "/subscribe/link", {"data": {"address": "b@example.org"}}),
        ("POST", "/api/v1/subscriptions", {"json": ASKED}),
        ("POST", f"/subscriptions/{token}", {"data": {"do": "leave"}}),
        ("POST", f"/api/v1/subscriptions/{token}/unsubscribe", {}),
        ("DELETE", f"/api/v1/subscriptions/{token}", {}),
        ("POST", "/api/v1/admin/subscriptions/remove", {"json": {}}),
    ]:
        answer = client.request(method, path, headers=headers, **body)
        assert answer.status_code == 403, path
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert mails(file) == []
    assert file.find(token)
    assert client.get(f"/subscriptions/{token}", headers=headers).status_code == 200


@pytest.mark.parametrize("headers", HERE)
def test_the_own_page_and_programs_for_mail_can(client, file, headers):
    token = subscribed(client, file)
    one_click = {"List-Unsubscribe": "One-Click"}
    assert client.post(f"/subscriptions/{token}", data=one_click, headers=headers).status_code == 200
    assert file.find(token) is None


def test_no_other_site_is_told_that_it_may(client):
    for path in ("/api/v1/subscriptions", "/api/v1/admin/subscriptions"):
        asked = {
            "origin": "https://evil.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization, content-type",
        }
        answer = client.options(path, headers=asked)
        allowed = answer.headers.get("access-control-allow-methods", "")
        assert "POST" not in allowed
        assert "uthorization" not in answer.headers.get("access-control-allow-headers", "")
        assert "access-control-allow-credentials" not in answer.headers
    operators = client.get("/api/v1/admin/devices", headers={"authorization": f"Bearer {TOKEN}"})
    assert operators.status_code == 200
    assert "access-control-allow-origin" not in operators.headers
