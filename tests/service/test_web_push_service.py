"""Web push as a city configures it: the key, the whole service, what check says."""

import functools

import pytest
from push_service import HOST, FakeBrowser, PushService
from servers import free_port, wait_for
from starlette.testclient import TestClient
from test_subscriptions_service import CITY, GOOD, config
from warned_city import TEXTS

import stadtfunk.web_push
from alerts.event import CityStep, Event, to_row
from alerts.web_push.push_sender import PushSender
from alerts.web_push.vapid import Vapid
from stadtfunk.cli import main
from stadtfunk.errors import ConfigError
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings

__all__ = ["config"]

TABLE = ["[web_push]", 'private_key = "${PUSH_KEY}"', 'contact = "mailto:a@stadt.example"']


@pytest.fixture
def key(capsys, monkeypatch):
    assert main(["webpush", "key"]) == 0
    made = capsys.readouterr().out.strip()
    monkeypatch.setenv("PUSH_KEY", made)
    return made


def release(service, action, warning="w1"):
    """A step of a warning, as the city's office writes it."""
    now_us = service.clock()
    until_us = now_us + 3_600_000_000
    step = CityStep(action, "Severe", (), TEXTS, until_us, "A. Beispiel", "Pegel")
    event = Event(f"{warning}.{action}", warning, now_us, "", "city", "", 0, None, None, "", "", city=step)
    part = service.journal.load("test")
    service.journal.commit("test", part.fence, part.cursor, events=[to_row(event)])


def test_a_browser_in_a_configured_city(config, tmp_path, monkeypatch, key):
    push = PushService(tmp_path)
    # the address of the test's server cannot be configured: no city can send into its own network
    monkeypatch.setattr(stadtfunk.web_push, "PushSender", functools.partial(PushSender, https=push.https))
    file = config([*TABLE, f'services = ["{HOST}"]'], smtp=f"smtp://127.0.0.1:{free_port()}")
    service = Service(load_settings(file))
    service.start()
    try:
        with TestClient(service.app()) as client:
            public = client.get("/api/v1/subscriptions/push").json()["public_key"]
            assert public == Vapid(key, "mailto:a@stadt.example").public_key
            browser = FakeBrowser()
            begun = client.post(
                "/api/v1/subscriptions/push", json={"gauges": ["pegel"], "subscription": browser.json}
            )
            assert begun.status_code == 201
            wait_for(lambda: push.said(browser))
            assert push.said(browser)[0]["url"] == "https://warn.example/subscribe"
            for i, action in enumerate(("release", "update", "all_clear"), 2):
                release(service, action)
                wait_for(lambda i=i: len(push.said(browser)) == i)
            said = push.said(browser)[1:]
            assert len({each["tag"] for each in said}) == 1
            assert [each["urgent"] for each in said] == [True, True, False]
            assert all(each["url"] == "https://warn.example/" for each in said)
            assert "Hochwasser der Strunde" in said[0]["title"] + said[0]["body"]
            posted = [each.headers for each in push.posted if each.path == browser.path][1:]
            assert 3500 < int(posted[0]["TTL"]) <= 3600
            assert [each["Urgency"] for each in posted] == ["high", "high", "normal"]
            assert len({each["Topic"] for each in posted}) == 1
            push.answer = (410, {})
            release(service, "release", "w2")
            wait_for(lambda: service.subscriptions.desk.subscriptions.counts()["push"] == 0)
            push.answer = (201, {})
            client.post(
                "/api/v1/subscriptions/push", json={"gauges": ["pegel"], "subscription": browser.json}
            )
        assert 'stadtfunk_subscriptions{channel="push"} 1.0' in service.metrics.render().decode()
        assert service.health()["subscriptions"].ok
    finally:
        service.stop()
        push.stop()


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (["[web_push]"], "web_push.private_key: missing"),
        (["[web_push]"], "web_push.contact: missing"),
        (["[web_push]", 'private_key = "hunter2"'], "web_push.private_key"),
        (["[web_push]", 'private_key = "${NOT_SET}"'], "NOT_SET is not set"),
        ([*TABLE[:2], 'contact = "a@stadt.example"'], "web_push.contact"),
        ([*TABLE, 'services = ["127.0.0.1"]'], "web_push.services[0]"),
        ([*TABLE, 'services = ["push.example:8443"]'], "web_push.services[0]"),
        (["asks_per_hour = 0"], "subscriptions.asks_per_hour"),
        (["[api]", 'trusted_proxies = ["caddy"]'], "api.trusted_proxies[0]"),
        (["[api]", 'trusted_proxies = ["10.0.0.1/8"]'], "api.trusted_proxies[0]"),
    ],
)
def test_check_names_what_is_wrong(config, key, capsys, lines, named):
    file = config(lines)
    assert main(["check", "--config", str(file)]) == 1
    said = capsys.readouterr().err
    assert named in said
    assert "hunter2" not in said
    assert key not in said
    with pytest.raises(ConfigError):
        Service(load_settings(file))


def test_check_wants_subscriptions_for_browsers(tmp_path, config, key, capsys):
    config()
    text = CITY.replace("[subscriptions]", "").format(more="\n".join(TABLE))
    (tmp_path / "city.toml").write_text(text)
    assert main(["check", "--config", str(tmp_path / "city.toml")]) == 1
    assert "there are no [subscriptions]" in capsys.readouterr().err


def test_check_is_content_and_asks_for_the_proxy(config, key, capsys):
    assert GOOD["url"].startswith("https")
    assert main(["check", "--config", str(config(TABLE))]) == 0
    assert "trusted_proxies" not in capsys.readouterr().out
    assert main(["check", "--config", str(config([*TABLE, "[api]", 'host = "0.0.0.0"']))]) == 0
    assert "trusted_proxies" in capsys.readouterr().out
    named = ["[api]", 'host = "0.0.0.0"', 'trusted_proxies = ["172.16.0.0/12"]']
    assert main(["check", "--config", str(config([*TABLE, *named]))]) == 0
    assert "trusted_proxies" not in capsys.readouterr().out
