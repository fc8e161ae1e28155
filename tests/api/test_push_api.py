"""Messages to browsers over the API and on the page: begun, looked after, ended; nothing strange gets in."""

import json

import pytest
from push_service import FakeBrowser
from servers import wait_for
from starlette.testclient import TestClient
from subscription_town import mails, with_subscriptions
from test_page import PATIENCE_MS, Watched, browser, faults, pytestmark, served, shows

from alerts.web_push.vapid import Vapid, new_private_key
from api.services import PushDesk

__all__ = ["browser", "pytestmark"]

PUSH = PushDesk(Vapid(new_private_key(), "mailto:a@stadt.example").public_key)
FCM = "fcm.googleapis.com"
ASKED = {"areas": ["gierath"]}


@pytest.fixture
def file(city):
    file = with_subscriptions(city, PUSH, channels=("email",))
    yield file
    file.close()


def body(**changes):
    return ASKED | {"subscription": FakeBrowser(FCM).json} | changes


def test_a_browser_subscribes_and_looks_after_it_by_its_link(city, file):
    with TestClient(city.app()) as client:
        assert client.get("/api/v1/subscriptions/push").json() == {"public_key": PUSH.public_key}
        begun = client.post("/api/v1/subscriptions/push", json=body())
        assert begun.status_code == 201
        assert begun.headers["cache-control"] == "private, no-store"
        token = begun.json()["token"]
        held = client.get(f"/api/v1/subscriptions/{token}").json()
        assert (held["link"], held["channel"], held["address"]) == ("manage", "push", FCM)
        assert held["choices"]["areas"] == ["gierath"]
        page = client.get(f"/subscriptions/{token}?lang=de").text
        assert "Nachrichten gehen an einen Browser." in page
        exported = client.get(f"/api/v1/subscriptions/{token}/export").json()
        assert exported["address"].startswith(f"https://{FCM}/")
        assert client.delete(f"/api/v1/subscriptions/{token}").status_code == 204
        assert client.get(f"/api/v1/subscriptions/{token}").status_code == 404
        assert file.counts()["push"] == 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"subscription": FakeBrowser("intranet.example").json}, "subscription"),
        ({"subscription": FakeBrowser(FCM).json | {"endpoint": "https://127.0.0.1/x"}}, "subscription"),
        ({"subscription": FakeBrowser(FCM).json | {"endpoint": f"https://{FCM}:8080/x"}}, "subscription"),
        ({"subscription": FakeBrowser(FCM).json | {"keys": {}}}, "subscription.keys.p256dh"),
        ({"subscription": None}, "subscription"),
        ({"areas": []}, "body"),
        ({"areas": ["atlantis"]}, "areas"),
        ({"address": "anna@example.org"}, "address"),
    ],
)
def test_what_is_wrong_is_named_and_not_repeated(city, file, changes, named):
    with TestClient(city.app()) as client:
        answer = client.post("/api/v1/subscriptions/push", json=body(**changes))
        assert answer.status_code == 422
        assert named in [each["parameter"] for each in answer.json()["errors"]]
        for secret in ("127.0.0.1", "intranet", "wpush"):
            assert secret not in answer.text
        assert file.counts()["push"] == 0


def test_push_is_no_channel_that_anybody_can_write_down(city, file):
    address = FakeBrowser(FCM).contact(PUSH.services).text
    with TestClient(city.app()) as client:
        for path in ("/api/v1/subscriptions", "/api/v1/subscriptions/link"):
            asked = {"channel": "push", "address": address} | (ASKED if "link" not in path else {})
            assert client.post(path, json=asked).status_code == 422
        assert mails(file) == []


def test_a_city_without_web_push_offers_none(city):
    file = with_subscriptions(city)
    try:
        with TestClient(city.app()) as client:
            assert client.get("/api/v1/subscriptions/push").status_code == 404
            assert client.post("/api/v1/subscriptions/push", json=body()).status_code == 404
            assert "push-button" not in client.get("/subscribe").text
    finally:
        file.close()


def test_the_worker_and_the_app_are_served_from_the_root(city, file):
    with TestClient(city.app()) as client:
        worker = client.get("/sw.js")
        assert worker.headers["content-type"].startswith("text/javascript")
        assert worker.headers["cache-control"] == "no-cache"
        about = client.get("/app.webmanifest")
        assert about.headers["content-type"] == "application/manifest+json"
        assert about.json()["display"] == "standalone"
        assert client.get(about.json()["start_url"]).status_code == 200
        assert client.get(about.json()["icons"][0]["src"]).status_code == 200


def injected(someone):
    """A push manager whose service a test machine can reach: none."""
    return f"""
        const given = {json.dumps(someone.json)};
        const held = {{ endpoint: given.endpoint, toJSON: () => given, unsubscribe: async () => true }};
        PushManager.prototype.getSubscription = async () => null;
        PushManager.prototype.subscribe = async (options) => {{
          window.asked = {{ visible: options.userVisibleOnly, key: [...options.applicationServerKey] }};
          return held;
        }};
    """


@pytest.fixture
def visitor(city, browser, file):
    """A browser that allows notifications, with the form open."""
    someone = FakeBrowser(FCM)
    with served(city.app()) as (address, _):
        context = browser.new_context(locale="de-DE", viewport={"width": 390, "height": 900})
        context.grant_permissions(["notifications"], origin=address)
        context.add_init_script(injected(someone))
        watched = Watched(browser, address, context=context)
        watched.page.goto(f"{address}/subscribe")
        yield watched.page, file, someone, address
        # the browser says so by itself of an answer that is no 2xx
        watched.complaints = [each for each in watched.complaints if "status of 4" not in each]
        watched.close()
        context.close()


def test_a_resident_subscribes_with_this_browser_and_leaves(visitor):
    page, file, someone, address = visitor
    page.get_by_role("button", name="Nachrichten in diesem Browser").click()
    wait_for(lambda: page.inner_text("#push-said"))
    assert "Wählen Sie mindestens ein Gebiet" in page.inner_text("#push-said")
    page.get_by_label("Gierath").first.check()
    page.get_by_role("button", name="Nachrichten in diesem Browser").click()
    page.wait_for_selector("#push-done:not([hidden])")
    assert faults(page) == []
    asked = page.evaluate("window.asked")
    assert asked["visible"] is True
    assert len(asked["key"]) == 65
    ((kind, contact, _),) = mails(file)
    assert kind == "welcome"
    assert contact == someone.contact(PUSH.services).text
    token = page.evaluate("localStorage.getItem('stadtfunk-subscription')")
    assert file.find(token).choices.places[0].ref == "gierath"
    assert page.evaluate("navigator.serviceWorker.getRegistration('/').then(r => !!r.active)")
    page.get_by_role("link", name="Auswahl ansehen, ändern oder beenden").click()
    shows(page, "main", "einen Browser")
    assert faults(page) == []
    page.get_by_role("button", name="Keine Nachrichten mehr").click()
    shows(page, "h1", "Sie bekommen keine Nachrichten mehr")
    assert file.find(token) is None
    page.goto(f"{address}/subscribe")
    wait_for(lambda: page.evaluate("localStorage.getItem('stadtfunk-subscription')") is None)
    assert page.locator("#push-done").is_hidden()


def push_to(worker, said):
    """A push event as the browser makes one."""
    worker.evaluate(
        "said => new Promise((done, failed) => {"
        "const event = new PushEvent('push', { data: said });"
        "const wait = event.waitUntil; "
        "event.waitUntil = (promise) => promise.then(done, (e) => failed(String(e)));"
        "self.dispatchEvent(event); })",
        said,
    )


def shown(page):
    return page.evaluate(
        "navigator.serviceWorker.ready.then(r => r.getNotifications()).then(all => all.map(n => "
        "({ title: n.title, body: n.body, tag: n.tag, url: n.data.url })))"
    )


def test_the_worker_shows_a_step_in_place_of_the_one_before(visitor):
    page, *_ = visitor
    page.get_by_label("Gierath").first.check()
    page.get_by_role("button", name="Nachrichten in diesem Browser").click()
    page.wait_for_selector("#push-done:not([hidden])")
    workers = page.context.service_workers
    worker = workers[0] if workers else page.context.wait_for_event("serviceworker", timeout=PATIENCE_MS)
    said = {"title": "Hochwasser", "body": "Ufer meiden", "tag": "warning-w1", "lang": "de", "urgent": True}

    def step(time, **changes):
        push_to(worker, json.dumps(said | {"time": time, "url": "/"} | changes))

    step(1000)
    step(3000, title="Hochwasser höher")
    assert [each["title"] for each in shown(page)] == ["Hochwasser höher"]
    step(2000, title="zu spät")
    assert [each["title"] for each in shown(page)] == ["Hochwasser höher"]
    step(2500, title="Anderes", tag="warning-w2")
    assert sorted(each["title"] for each in shown(page)) == ["Anderes", "Hochwasser höher"]
    step(4000, title="Entwarnung", urgent=False)
    assert sorted(each["title"] for each in shown(page)) == ["Anderes", "Entwarnung"]
    push_to(worker, "no json")
    assert len(shown(page)) == 2
    step(5000, title="<b>fett</b>", tag="warning-w3")
    assert "<b>fett</b>" in [each["title"] for each in shown(page)]


def test_a_browser_that_forbids_it_is_told_why_nothing_comes(city, browser, file):
    with served(city.app()) as (address, _):
        context = browser.new_context(locale="en-GB")
        context.add_init_script("Notification.requestPermission = async () => 'denied';")
        watched = Watched(browser, address, context=context)
        watched.page.goto(f"{address}/subscribe?lang=en")
        watched.page.get_by_role("button", name="Messages in this browser").click()
        wait_for(lambda: watched.page.inner_text("#push-said"))
        assert "does not allow" in watched.page.inner_text("#push-said")
        assert file.counts()["push"] == 0
        watched.close()
        context.close()
