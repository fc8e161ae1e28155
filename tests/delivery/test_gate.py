"""A stand-by's outbox: silent while the first speaks, and then what stands, once."""

from dataclasses import replace

import pytest
from alert_events import NOW_US, make_event, write_events
from hypothesis import given
from hypothesis import strategies as st
from outbox_desk import MIN, Desk
from warned_city import step

from alerts.delivery import outbox
from alerts.delivery.channels import Channel
from alerts.delivery.delivery import Entry, New, Page
from alerts.delivery.gate import Gate, Stand, held
from alerts.delivery.holds import Hold
from alerts.delivery.standing_by import HELD
from alerts.texts.texts import Texts
from alerts.warning import opened
from ingest.sqlite_journal import SqliteJournal

STAFF, PUBLIC = Channel("wache", "json://a/"), Channel("leute", "json://b/", audience=("public",))
TEXTS = Texts(str, "Europe/Berlin", "Stadt")


class Standby(Desk):
    """A desk behind a gate."""

    def __init__(self, path, journal, *, residents=False):
        super().__init__(path, journal, TEXTS, STAFF, PUBLIC)
        self.gate = self.outbox.gate = Gate(residents=residents)

    def speak(self, heard_min_ago=3):
        self.gate.stand = Stand(speaks=True, heard_us=self.now - heard_min_ago * MIN)
        self.work()

    def hold(self):
        self.gate.stand = Stand(speaks=False)
        self.work()


@pytest.fixture
def standby(tmp_path, journal):
    opened = []

    def make(**options):
        opened.append(Standby(tmp_path / "deliveries.db", journal, **options))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def raised(name, **changes):
    return make_event(f"{name}.1", episode=name, **changes)


def cleared(name):
    return make_event(f"{name}.9", "clear", episode=name)


def test_nothing_is_said_while_the_first_speaks(standby):
    desk = standby()
    desk.tell(raised("a"), step(1, "propose"))
    desk.wait(60)
    assert desk.titles() == []
    assert desk.receipts()["a.1"] == ("skipped", HELD)


def test_what_stands_is_told_once_and_what_is_over_never(standby):
    desk = standby()
    desk.tell(raised("over"), raised("stands"), make_event("stands.2", "escalate", episode="stands", level=4))
    desk.tell(cleared("over"), after_min=10)
    desk.wait(30)
    desk.speak()
    told = {event for event, (status, _) in desk.receipts().items() if status == "sent"}
    assert told == {"stands.2"}
    assert "stands.2" in desk.bodies()[0]
    desk.hold()
    desk.speak()
    desk.wait(5)
    assert len(desk.titles()) == 1


def test_what_comes_while_it_speaks_is_told_as_ever(standby):
    desk = standby()
    desk.speak()
    desk.tell(raised("a"))
    desk.tell(cleared("a"), after_min=30)
    assert len(desk.titles()) == 2
    desk.hold()
    desk.tell(raised("b"))
    assert len(desk.titles()) == 2


def test_what_waits_is_not_sent_when_the_first_is_back(standby):
    desk = standby()
    desk.speak()
    desk.senders["wache"].answers = ["refused"]
    desk.tell(raised("a"))
    desk.hold()
    desk.again()
    assert desk.senders["wache"].outcomes == ["refused"]


def test_an_escalation_that_falls_due_while_it_holds_calls_nobody(standby):
    desk = standby()
    desk.speak()
    desk.senders["wache"].answers = ["refused"]
    desk.tell(raised("a"))
    with desk.outbox._deliveries._file.write() as connection:
        connection.execute(
            "UPDATE deliveries SET status = 'held', hold = 'escalation', until_us = ? WHERE event = 'a.1'",
            (desk.now + MIN,),
        )
    desk.hold()
    desk.now += 5 * MIN
    desk.outbox._release()
    desk.again()
    assert desk.senders["wache"].outcomes == ["refused"]
    assert desk.receipts()["a.1"] == ("skipped", HELD)


def test_what_would_wait_for_an_escalation_waits_for_nothing_while_it_holds(standby):
    desk = standby()
    new = New("a.1", 1, "raise", NOW_US, opened(raised("a")))
    waits = Entry(new, "wache", hold=Hold("escalation", NOW_US + MIN, "the next one is called"))
    silenced = replace(waits, deaf="silenced", hold=Hold("silence:1", NOW_US + MIN, "silenced"))
    page = Page((1, "a.1"), [waits, silenced, replace(waits, channel="other")])
    first, second, other = held(page, desk.gate.closed_to([STAFF])).entries
    assert (first.deaf, first.hold, second.deaf, second.hold) == (HELD, None, HELD, None)
    assert other == replace(waits, channel="other")


def test_a_lost_sensor_is_told_when_the_first_could_not_any_more(standby):
    desk = standby()
    desk.tell(make_event("old", "sensor_lost", episode="old"))
    desk.wait(60)
    desk.tell(make_event("new", "sensor_lost", episode="new", time_us=desk.now))
    desk.wait(2)
    desk.speak(heard_min_ago=3)
    assert [event for event, (status, _) in desk.receipts().items() if status == "sent"] == ["new"]


def test_residents_hear_of_it_only_where_the_city_says_so(standby):
    desk = standby()
    desk.tell(raised("a", audience="public"))
    desk.speak()
    assert len(desk.titles()) == 1
    assert desk.titles("leute") == []


def silence():
    return make_event("silent", "partner_silent", episode="s", measure="service", level=1, window_min=None)


def test_that_the_first_is_silent_is_told_before_what_stands(standby):
    desk = standby()
    desk.tell(raised("a"), step(1, "propose"))
    # as it happens: the event stands in the journal when the gate opens, and nobody has read it yet
    write_events(desk.journal, raised("b"), silence())
    desk.speak()
    first, *rest = desk.titles()
    assert "schweigt" in first
    assert len(rest) == 3
    assert len(set(desk.bodies())) == 4


def test_what_stands_is_told_although_the_journal_is_long(standby, monkeypatch):
    monkeypatch.setattr(outbox, "_PAGE", 2)
    desk = standby()
    desk.work()
    write_events(desk.journal, *(raised(name) for name in "abcd"), silence())
    desk.gate.stand = Stand(speaks=True, heard_us=desk.now)
    while desk.outbox._follow():
        # nothing goes out before what is first to be said has been read
        assert desk.outbox._workers[0]._next()[0] is None
    desk.work()
    assert "schweigt" in desk.titles()[0]
    assert len(desk.titles()) == 5


def test_a_silence_that_could_not_be_told_is_not_told_after_the_return(standby):
    desk = standby()
    desk.senders["wache"].answers = ["refused", "refused"]
    desk.tell(silence())
    desk.tell(replace(silence(), id="back", kind="partner_back"))
    desk.again()
    assert desk.senders["wache"].outcomes == ["refused", "refused", "sent"]
    assert "wieder da" in desk.titles()[-1]


def test_residents_hear_of_what_stands_by_the_latest_step_that_is_theirs(standby):
    desk = standby(residents=True)
    rises = make_event("a.2", "escalate", episode="a", level=4, audience="staff")
    desk.tell(raised("a", audience="public"), rises, raised("b", audience="staff"))
    desk.speak()
    assert desk.receipts("leute")["a.1"][0] == "sent"
    assert len(desk.titles("leute")) == 1
    desk.hold()
    desk.speak()
    assert len(desk.titles("leute")) == 1


def test_residents_are_not_told_of_what_is_over_for_them(standby):
    desk = standby(residents=True)
    desk.tell(raised("a", audience="public"), cleared("a"))
    desk.speak()
    assert desk.titles("leute") == []


def test_residents_true_opens_their_channels_too(standby):
    desk = standby(residents=True)
    desk.tell(raised("a", audience="public"))
    assert desk.titles("leute") == []
    desk.speak()
    assert len(desk.titles("leute")) == 1


def test_a_warning_of_the_city_that_waits_for_a_decision_is_told(standby):
    desk = standby()
    desk.tell(step(1, "propose"))
    desk.speak()
    (title,) = desk.titles()
    assert "Hochwasser" in title


def test_what_stands_for_days_is_told_all_the_same(standby):
    desk = standby()
    desk.tell(raised("a"))
    desk.now += 40 * 60 * MIN
    desk.gate.stand = Stand(speaks=True, heard_us=desk.now)
    desk.outbox._follow()
    desk.outbox._deliveries.expire(desk.outbox._oldest_us(), desk.now)
    desk.work()
    assert len(desk.titles()) == 1


def test_the_first_s_silence_and_return_are_always_told(standby):
    desk = standby()
    for kind in ("partner_silent", "partner_back"):
        desk.tell(
            make_event(kind, kind, episode=kind, measure="service", level=1, value=4.0, window_min=None)
        )
    assert ["schweigt" in title or "wieder da" in title for title in desk.titles()] == [True, True]
    assert desk.titles("leute") == []


@given(st.lists(st.sampled_from(["raise a", "raise b", "clear a", "clear b", "speak", "hold"]), max_size=14))
def test_nobody_hears_anything_while_it_holds_nor_anything_twice(tmp_path_factory, does):
    folder = tmp_path_factory.mktemp("gate")
    journal = SqliteJournal(folder / "journal.db")
    desk = Standby(folder / "deliveries.db", journal)
    count, in_force, speaks = 0, {}, False
    try:
        for what, _, name in (each.partition(" ") for each in does):
            count += 1
            before = len(desk.bodies())
            if what == "raise":
                if name not in in_force:
                    in_force[name] = f"{name}{count}"
                    desk.tell(raised(in_force[name], time_us=NOW_US + count * MIN), after_min=1)
            elif what == "clear":
                if name in in_force:
                    desk.tell(cleared(in_force.pop(name)), after_min=1)
            else:
                getattr(desk, what)()
                speaks = what == "speak"
            if not speaks:
                assert len(desk.bodies()) == before
            else:
                # whoever is told by it knows of everything in force
                assert all(any(f"{each}.1" in body for body in desk.bodies()) for each in in_force.values())
        assert len(set(desk.bodies())) == len(desk.bodies())
    finally:
        desk.close()
        journal.close()
