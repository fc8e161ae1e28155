"""Browsers subscribe: begun at once, told, forgotten when they want no more."""

import pytest
from push_service import FakeBrowser, PushService
from servers import wait_for
from subscribers import ANNA, HOUR, words

from alerts.errors import BusyError
from alerts.subscriptions.contact import push_contact
from alerts.subscriptions.mails import SubscriptionMails
from alerts.subscriptions.push_way import PushWay
from alerts.subscriptions.subscription import Choices, Place

GIERATH = Choices((Place("area", "gierath"),))


@pytest.fixture
def push(tmp_path_factory):
    service = PushService(tmp_path_factory.mktemp("push"))
    yield service
    service.stop()


@pytest.fixture
def mails(desk, push):
    way = PushWay(push.sender, "https://warn.example/subscribe", lambda: desk.now_us)
    mails = SubscriptionMails(desk.file, words(), lambda _: {"push": way})
    mails.start()
    yield mails
    mails.stop()


def contact_of(push, browser):
    return push_contact(browser.contact(push.services))


def test_a_browser_begins_is_greeted_looks_and_leaves(desk, push, mails):
    browser = FakeBrowser()
    token = desk.file.begin(contact_of(push, browser), GIERATH, "de-2")
    wait_for(lambda: push.said(browser))
    (said,) = push.said(browser)
    assert said["title"] == "Stadt Teststadt: Sie bekommen jetzt Warnungen"
    assert "in diesem Browser" in said["body"]
    assert said["url"] == "https://warn.example/subscribe"
    held = desk.file.find(token)
    assert (held.kind, held.contact.channel, held.choices) == ("manage", "push", GIERATH)
    assert held.contact.masked == "push.example"
    _, (consent,) = desk.file.export(token)
    assert (consent["way"], consent["text"]) == ("browser's permission", "de-2")
    assert desk.file.counts()["push"] == 1
    assert desk.file.change(token, Choices((Place("area", "oben"),), language="en"))
    wait_for(lambda: len(push.said(browser)) == 2)
    assert "Your choices were changed" in push.said(browser)[1]["body"]
    assert desk.file.leave(token)
    assert desk.file.find(token) is None
    assert desk.file.counts()["push"] == 0


def test_nothing_of_a_browser_lies_open_on_the_disk(desk, push):
    browser = FakeBrowser()
    desk.file.begin(contact_of(push, browser), GIERATH, "de-2")
    for part in (
        browser.endpoint,
        browser.path,
        browser.json["keys"]["p256dh"],
        browser.json["keys"]["auth"],
    ):
        assert part.encode() not in desk.bytes()


def test_the_same_browser_again_has_the_places_of_both(desk, push):
    who = contact_of(push, FakeBrowser())
    first = desk.file.begin(who, GIERATH, "de-2")
    again = desk.file.begin(who, Choices((Place("gauge", "fern"),)), "de-2")
    assert first == again
    assert set(desk.file.find(again).choices.places) == {Place("area", "gierath"), Place("gauge", "fern")}


def test_who_knows_an_endpoint_but_not_its_secrets_gets_another_subscription(desk, push):
    """So nobody learns whether an endpoint is subscribed, nor the link to look after it."""
    victim, thief = FakeBrowser(), FakeBrowser()
    token = desk.file.begin(contact_of(push, victim), GIERATH, "de-2")
    thief.endpoint = victim.endpoint
    assert desk.file.begin(contact_of(push, thief), GIERATH, "de-2") != token
    other_case = FakeBrowser(path=victim.path.upper())
    assert desk.file.begin(contact_of(push, other_case), GIERATH, "de-2") != token
    assert desk.file.counts()["push"] == 3


@pytest.mark.parametrize("status", [404, 410])
def test_a_browser_that_is_gone_is_forgotten(desk, push, mails, status):
    push.answer = (status, {})
    browser = FakeBrowser()
    token = desk.file.begin(contact_of(push, browser), GIERATH, "de-2")
    wait_for(lambda: desk.file.find(token) is None)
    wait_for(lambda: desk.file.counts()["waiting"] == 0)
    assert desk.rows("SELECT count(*) FROM consents WHERE ended_us IS NULL") == [(0,)]
    assert mails.health.ok


def test_a_service_that_asks_for_a_pause_is_left_alone_that_long(desk, push, mails):
    push.answer = (429, {"Retry-After": "3000"})
    token = desk.file.begin(contact_of(push, FakeBrowser()), GIERATH, "de-2")
    wait_for(lambda: not mails.health.ok)
    assert "push.example answered 429" in mails.health.detail
    assert desk.file.find(token)
    desk.now_us += 2999 * 1_000_000
    assert desk.file.mails.due() == []
    desk.now_us += 2_000_000
    assert len(desk.file.mails.due()) == 1


def test_browsers_hear_of_what_they_chose_like_everybody(desk, push):
    desk.subscribe(ANNA)
    desk.file.begin(contact_of(push, FakeBrowser()), GIERATH, "de-2")
    assert desk.file.counts() | {"waiting": 0} == {
        "email": 1, "sms": 0, "voice": 0, "push": 1, "unconfirmed": 0, "waiting": 0, "places_unknown": 0
    }  # fmt: skip


def test_one_browser_is_greeted_three_times_a_day_and_all_together_are_limited(desk, push):
    who = contact_of(push, FakeBrowser())
    for _ in range(5):
        desk.file.begin(who, GIERATH, "de-2")
    assert [kind for kind, _, _ in desk.mails()] == ["welcome"] * 3
    for _ in range(97):
        desk.file.begin(contact_of(push, FakeBrowser()), GIERATH, "de-2")
    with pytest.raises(BusyError):
        desk.file.begin(contact_of(push, FakeBrowser()), GIERATH, "de-2")
    desk.now_us += HOUR
    desk.file.begin(contact_of(push, FakeBrowser()), GIERATH, "de-2")
