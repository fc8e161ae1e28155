"""An exercise on its way to the channels, and what becomes of it at a real alarm."""

import threading
from dataclasses import replace

import pytest
from alert_events import NOW_US, make_event, write_events
from servers import wait_for as until

from alerts.delivery.channel_worker import Retry
from alerts.delivery.channels import Channel, Outcome
from alerts.delivery.outbox import Outbox
from alerts.event import PREEMPTED


class Refusing:
    """A sender that refuses until told otherwise; `hold` keeps an attempt under way."""

    def __init__(self):
        self.open, self.hold, self.busy = False, threading.Event(), threading.Event()
        self.hold.set()
        self.texts = []

    def send(self, text, **_):
        self.busy.set()
        self.hold.wait(60)
        if not self.open:
            return Outcome("refused")
        self.texts.append(text)
        return Outcome("sent")


@pytest.fixture
def sender():
    return Refusing()


@pytest.fixture
def outbox(tmp_path, journal, texts, sender):
    channel = Channel("hook", "json://127.0.0.1:9/", exercises=True)
    retry = Retry(first_s=0.05, most_s=0.2)
    outbox = Outbox(
        journal,
        tmp_path / "d.db",
        [channel],
        texts,
        lambda: NOW_US,
        retry=retry,
        open_sender=lambda _: sender,
    )
    outbox.start()
    yield outbox
    sender.hold.set()
    outbox.stop()


def statuses(outbox):
    return {receipt.event: receipt.status for receipt in outbox.receipts()}


def exercise(event):
    return replace(event, exercise=True)


def preempted(id_, episode):
    return exercise(replace(make_event(id_, "clear", episode=episode), reason=PREEMPTED))


def test_what_waits_of_an_exercise_is_dropped_at_a_real_alarm_and_nothing_else(outbox, journal, sender):
    write_events(
        journal,
        exercise(make_event("exercise.1.a", episode="exercise.1.ep")),
        exercise(make_event("exercise.1.u", "unverified", episode="exercise.1.u")),
        exercise(make_event("exercise.10.a", episode="exercise.10.ep")),
        make_event("real", episode="ep"),
    )
    outbox.wake()
    until(lambda: len(outbox.receipts()) == 4 and all(each.attempts for each in outbox.receipts()))
    write_events(
        journal, preempted("exercise.1.end", "exercise.1.ep"), preempted("exercise.1.over", "exercise.1")
    )
    outbox.wake()
    until(lambda: statuses(outbox)["exercise.1.a"] == "superseded")
    sender.open = True
    until(lambda: statuses(outbox)["real"] == statuses(outbox)["exercise.10.a"] == "sent")
    # its end is no message either
    assert statuses(outbox) == {
        "exercise.1.a": "superseded",
        "exercise.1.u": "superseded",
        "exercise.10.a": "sent",
        "real": "sent",
    }
    assert sorted("ÜBUNG" in text.body for text in sender.texts) == [False, True]


def test_what_is_under_way_at_a_real_alarm_is_not_tried_again(outbox, journal, sender):
    sender.hold.clear()
    write_events(journal, exercise(make_event("exercise.1.a", episode="exercise.1.ep")))
    outbox.wake()
    assert sender.busy.wait(60)
    write_events(journal, preempted("exercise.1.over", "exercise.1"), make_event("real", episode="ep"))
    outbox.wake()
    until(lambda: statuses(outbox).get("exercise.1.a") == "superseded")
    sender.hold.set()
    until(lambda: next(each for each in outbox.receipts() if each.event == "real").attempts)
    sender.open = True
    until(lambda: statuses(outbox)["real"] == "sent")
    assert statuses(outbox)["exercise.1.a"] == "superseded"
    assert ["ÜBUNG" in text.body for text in sender.texts] == [False]
