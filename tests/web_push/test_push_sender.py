"""What a push service is handed, and what its answers mean."""

import json
import threading
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from push_service import FakeBrowser, claims

from alerts.delivery.bulk import Bulletin
from alerts.errors import MailError, SubscriptionsError
from alerts.event import CityText
from alerts.subscriptions.audiences import Recipient
from alerts.subscriptions.contact import push_contact
from alerts.texts.text import Text
from alerts.web_push.encryption import MOST_BYTES
from alerts.web_push.push_bulk import PushBulk, push_message
from alerts.web_push.push_message import MOST_TTL_S, PushMessage

HELLO = PushMessage("Stadt", "Hallo Anna", "warning-w1", "https://warn.example/", 1_000_000, 3600, "de", True)


def send(push, browser, message=HELLO):
    push.sender.send(browser.contact(push.services).text, message)


def test_a_browser_reads_the_message_and_its_service_does_not(push):
    browser = FakeBrowser()
    send(push, browser)
    (posted,) = push.posted
    assert b"Anna" not in posted.body
    assert push.said(browser) == [
        {
            "title": "Stadt",
            "body": "Hallo Anna",
            "tag": "warning-w1",
            "url": "https://warn.example/",
            "time": 1000,
            "lang": "de",
            "urgent": True,
        }
    ]
    assert posted.headers["TTL"] == "3600"
    assert posted.headers["Urgency"] == "high"
    assert posted.headers["Content-Encoding"] == "aes128gcm"
    assert len(posted.headers["Topic"]) == 32
    assert "w1" not in posted.headers["Topic"]
    assert claims(posted.headers["Authorization"])["aud"] == "https://push.example"


def test_a_connection_is_used_again(push):
    for _ in range(3):
        send(push, FakeBrowser())
    assert len(push.posted) == 3


@pytest.mark.parametrize(
    ("status", "for_good", "gone"),
    [
        (404, True, True),
        (410, True, True),
        (400, True, False),
        (413, True, False),
        (302, True, False),
        (401, False, False),
        (403, False, False),
        (429, False, False),
        (500, False, False),
        (503, False, False),
    ],
)
def test_what_an_answer_means(push, status, for_good, gone):
    push.answer = (status, {"Location": "https://push.example/other"} if status == 302 else {})
    with pytest.raises(MailError) as said:
        send(push, FakeBrowser())
    assert (said.value.for_good, said.value.gone) == (for_good, gone)
    assert "Anna" not in str(said.value)


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [("120", 120), ("999999999", 3600), ("-5", 0), ("soon", 0), ("", 0), ("Thu, 99 Foo 2026", 0)],
)
def test_retry_after_is_believed_within_reason(push, header, wait_s):
    push.answer = (429, {"Retry-After": header})
    with pytest.raises(MailError) as said:
        send(push, FakeBrowser())
    assert said.value.retry_after_s == wait_s


def test_retry_after_may_be_a_date(push):
    push.answer = (503, {"Retry-After": formatdate(time.time() + 600, usegmt=True)})
    with pytest.raises(MailError) as said:
        send(push, FakeBrowser())
    assert 500 < said.value.retry_after_s <= 600


def test_a_service_that_is_away(push):
    push.stop()
    with pytest.raises(MailError) as said:
        send(push, FakeBrowser())
    assert not said.value.for_good


@given(st.text(max_size=6000), st.text(max_size=600))
def test_every_text_fits_and_begins_as_it_was_written(body, title):
    payload = PushMessage(title, body, "t" * 80, "https://warn.example/", 0, 1).payload
    assert len(payload) <= MOST_BYTES
    said = json.loads(payload)
    for given_, cut in ((title, said["title"]), (body, said["body"])):
        assert given_ == cut or given_.startswith(cut.removesuffix("…").rstrip())


def test_a_long_text_is_cut_little(push):
    body = "Über die Ufer. " * 400
    said = json.loads(PushMessage("T", body, "t", "/", 0, 1).payload)["body"]
    assert said.endswith("…")
    assert len(said.encode()) > MOST_BYTES - 200


def test_a_ttl_is_never_negative_nor_longer_than_services_keep():
    assert PushMessage("", "", "t", "/", 0, -5).headers["TTL"] == "0"
    assert PushMessage("", "", "t", "/", 0, 10**9).headers["TTL"] == str(MOST_TTL_S)


def bulletin(**changes):
    values = {
        "event": "e1",
        "episode": "w1",
        "told": "warning",
        "severity": "Severe",
        "end": False,
        "time_us": 5_000_000,
        "language": "de",
        "text": Text("Hochwasser", "Meiden Sie das Ufer."),
        "sms": CityText("", "", ""),
        "valid_until_us": 3_605_000_000,
    }
    return Bulletin(**values | changes)


def test_a_warning_its_update_and_its_end_are_one_notification():
    first, update, end = (
        push_message(bulletin(**changes), "/")
        for changes in ({}, {"event": "e2", "severity": "Extreme"}, {"event": "e3", "end": True})
    )
    assert first.tag == update.tag == end.tag
    assert first.headers["Topic"] == update.headers["Topic"] == end.headers["Topic"]
    assert push_message(bulletin(told="notice"), "/").tag != first.tag
    assert push_message(bulletin(episode="w2"), "/").headers["Topic"] != first.headers["Topic"]
    assert (first.headers["TTL"], first.headers["Urgency"]) == ("3600", "high")
    assert end.headers["Urgency"] == "normal"
    assert push_message(bulletin(severity="Moderate"), "/").headers["Urgency"] == "normal"
    assert int(push_message(bulletin(valid_until_us=0), "/").headers["TTL"]) > 0
    assert int(end.headers["TTL"]) > 0


def recipients(push, *browsers):
    return [
        Recipient(i, push_contact(each.contact(push.services)), "de", "m", "l")
        for i, each in enumerate(browsers)
    ]


def test_a_mailing_reports_on_each_and_drops_who_left(push):
    gone, well, away = FakeBrowser(), FakeBrowser(), FakeBrowser()
    push.answers = {gone.path: (410, {}), away.path: (500, {})}
    dropped, reports = [], []
    bulk = PushBulk(push.sender, "/", dropped.append, threading.Event())
    to = recipients(push, gone, well, away)
    line = bulk.connect()
    line.send(bulletin(), to, lambda *each: reports.append(each))
    line.close()
    assert reports == [(0, "refused"), (1, "sent"), (2, "later")]
    assert dropped == [to[0].contact]
    assert push.said(well)[0]["title"] == "Hochwasser"


def test_a_service_that_asks_for_a_pause_gets_it(push):
    now, reports = [0.0], []
    bulk = PushBulk(push.sender, "/", lambda _: None, threading.Event(), lambda: now[0])
    push.answer = (429, {"Retry-After": "30"})
    to = recipients(push, FakeBrowser(), FakeBrowser())
    bulk.send(bulletin(), to, lambda *each: reports.append(each))
    assert reports == [(0, "later"), (1, "later")]
    assert len(push.posted) == 1
    push.answer = (201, {})
    now[0] = 29.0
    bulk.send(bulletin(), to, lambda *each: reports.append(each))
    assert len(push.posted) == 1
    now[0] = 31.0
    bulk.send(bulletin(), to, lambda *each: reports.append(each))
    assert reports[-2:] == [(0, "sent"), (1, "sent")]


def test_a_file_that_cannot_be_written_stops_no_mailing(push):
    def fail(_):
        raise SubscriptionsError("disk full")

    push.answer = (410, {})
    reports = []
    PushBulk(push.sender, "/", fail, threading.Event()).send(
        bulletin(), recipients(push, FakeBrowser()), lambda *each: reports.append(each)
    )
    assert reports == [(0, "refused")]


def test_a_service_that_is_stopping_sends_nothing_more(push):
    stopping, reports = threading.Event(), []
    stopping.set()
    bulk = PushBulk(push.sender, "/", lambda _: None, stopping)
    bulk.send(bulletin(), recipients(push, FakeBrowser()), lambda *each: reports.append(each))
    assert (reports, push.posted) == ([], [])
