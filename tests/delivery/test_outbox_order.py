"""In which order a channel is told of the steps of one episode, over an outbox worked by hand."""

import pytest
from alert_events import make_event, write_events
from outbox_desk import Desk

from alerts.delivery.channels import Channel, Outcome


@pytest.fixture
def desk(tmp_path, journal, texts):
    desk = Desk(tmp_path / "deliveries.db", journal, texts, Channel("wache", "json://x/"))
    yield desk
    desk.close()


def numbers(desk):
    return [body.rpartition(" ")[2] for body in desk.bodies()]


def test_older_steps_go_first_and_a_newer_one_makes_them_needless(desk):
    desk.senders["wache"].answers = ["refused"] * 5
    desk.tell(make_event("e1", level=2))
    # the raise is tried again before its escalation, which does not wait for it
    desk.tell(make_event("e2", "escalate", level=3))
    desk.tell(make_event("e3", "clear"))
    assert numbers(desk) == ["e1", "e1", "e2", "e1", "e2", "e3"]
    # a raise after its end would only confuse
    assert [status for status, _ in desk.receipts().values()] == ["sent", "superseded", "superseded"]


def test_what_comes_while_an_older_step_is_refused_has_that_tried_again_first(desk):
    sender = desk.senders["wache"]
    send = sender.send

    def refused(text, **_):
        sender.send = send
        write_events(desk.journal, make_event("e2", "escalate", level=3))
        desk.outbox._follow()
        send(text)
        return Outcome("refused")

    sender.send = refused
    desk.tell(make_event("e1", level=2))
    assert numbers(desk) == ["e1", "e1", "e2"]
