"""Who of the staff is told: routes, escalation, silences, quiet hours, across restarts."""

import tomllib
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from post_office import PostOffice
from servers import wait_for

from alerts.delivery.channels import Channel, Outcome
from alerts.delivery.dispatch import Dispatch, Place
from alerts.delivery.outbox import Outbox
from alerts.event import CityStep, CityText, Event, to_row
from alerts.routing.rota import to_us
from alerts.routing.routes_file import parse_routes
from alerts.routing.silences import Silence, Silences
from alerts.texts.texts import Texts

BERLIN = ZoneInfo("Europe/Berlin")
MIN = 60_000_000
NOON = to_us(datetime(2026, 7, 14, 12, tzinfo=BERLIN))
NIGHT = to_us(datetime(2026, 7, 14, 23, tzinfo=BERLIN))
INCIDENT = "strunde.20260714T100000Z"
NAMES = ("anna-push", "anna-sms", "bernd-sms", "chat")
ROUTES = """
[[person]]
name = "Anna Meier"
channels = ["anna-push", "anna-sms"]
[[person]]
name = "Bernd Kurz"
channels = ["bernd-sms"]
[[rota]]
name = "duty"
people = ["Anna Meier"]
first = 2026-01-05T08:00:00+01:00
every = "1 week"
[[route]]
kinds = ["fault"]
to = ["channel:chat"]
[[route]]
to = ["rota:duty"]
escalate = [{after_min = 10, louder = true}, {after_min = 20, to = ["person:Bernd Kurz"]}]
"""


class Clock:
    now = NOON

    def __call__(self):
        return self.now


class Sender:
    def __init__(self):
        self.texts = []

    def send(self, text, **_):
        self.texts.append(text)
        return Outcome("sent")


class Desk:
    """An outbox worked by hand; `restart` makes a new one over the same files."""

    def __init__(self, folder, journal, routes=ROUTES, **quiet):
        self.folder, self.journal, self.clock = folder, journal, Clock()
        self.routes = parse_routes(tomllib.loads(routes), "routes.toml", BERLIN) if routes else None
        self.channels = [
            *(
                Channel(name, "json://x/", exercises=True, quiet=quiet.get(name.replace("-", "_"), ""))
                for name in NAMES
            ),
            Channel("site", "json://x/", audience=("public",)),
        ]
        self.senders = {each.name: Sender() for each in self.channels}
        self.outbox = None
        self.restart()

    def restart(self):
        self.close()
        self.silences = Silences(self.folder / "silences.db", self.clock)
        texts = Texts(str.title, "Europe/Berlin", "Stadt", catchment_name=lambda _: "Strunde")
        dispatch = Dispatch(
            self.channels, self.clock, routes=self.routes, silences=self.silences, place=Place(zone=BERLIN)
        )
        self.outbox = Outbox(
            self.journal,
            self.folder / "deliveries.db",
            self.channels,
            texts,
            self.clock,
            open_sender=lambda channel: self.senders[channel.name],
            dispatch=dispatch,
        )
        self.outbox._deliveries.recover()

    def close(self):
        if self.outbox is not None:
            self.outbox._deliveries.close()
            self.silences.close()

    def tell(self, *events):
        part = self.journal.load("engine")
        self.journal.commit("engine", part.fence, part.cursor, events=[to_row(each) for each in events])
        self.work()

    def wait(self, minutes):
        self.clock.now += round(minutes * MIN)
        self.work()

    def work(self):
        while self.outbox._expand():
            pass
        self.outbox._release()
        for worker in self.outbox._workers:
            while (found := worker._next()[0]) is not None:
                worker._deliver(found)

    def told(self):
        """How many messages each channel has, without those that have none."""
        return {name: len(each.texts) for name, each in self.senders.items() if each.texts}

    def receipts(self, channel):
        return {r.event: (r.status, r.detail) for r in self.outbox.receipts(limit=1000, channel=channel)}

    def silence(self, minutes=60, **changes):
        given = {"by": "Anna Meier", "reason": "being cleaned", "stations": ("s1",), "from_us": 0}
        return self.silences.add(Silence(**{**given, "until_us": self.clock.now + minutes * MIN, **changes}))


@pytest.fixture
def open_desk(tmp_path, journal):
    desks = []

    def make(**options):
        desks.append(Desk(tmp_path, journal, **options))
        return desks[-1]

    yield make
    for each in desks:
        each.close()


def step(  # noqa: PLR0913 - an event's fields
    number, kind="raise", level=3, *, station="s1", of="rain", incident=INCIDENT, time_us=NOON, **changes
):
    event = Event(
        *(f"e{number}", f"{station}.{of}", time_us, station, kind, "dwd_starkregen"),
        *(0 if kind == "clear" else level, 60, 27.4, "rain", "27.4 mm in 60 min"),
        audience=None if kind in {"step_down", "clear"} else "staff",
        incident=incident,
    )
    return replace(event, **changes)


def decision(number, desk, action="acknowledge", by="Anna Meier"):
    event = step(number, station="", of="x", time_us=desk.clock.now)
    return replace(event, kind="decision", episode=INCIDENT, measure=action, by=by, level=0)


def order(number, action, *, by="Anna Meier", incident="", severity="Severe"):
    texts = {"de": CityText("Starkregen in Gierath", "Die Strunde steigt.", "Keller verlassen.")}
    city = CityStep(action, severity, (), texts, NOON + 600 * MIN, by, "seen", "")
    event = step(number, station="", of="x", incident=incident)
    return replace(event, kind="city", episode="city.1", measure="", level=0, audience=None, city=city)


def test_the_route_s_people_hear_and_nobody_else(open_desk):
    desk = open_desk()
    desk.tell(step(1))
    assert desk.told() == {"anna-push": 1}
    assert desk.receipts("chat")["e1"] == ("skipped", "no route leads here")
    assert desk.receipts("anna-sms")["e1"][0] == "held"


def test_nobody_acknowledges_so_others_hear_of_the_same_once_also_across_restarts(open_desk):
    desk = open_desk()
    desk.tell(step(1))
    desk.restart()
    desk.wait(9.9)
    assert desk.told() == {"anna-push": 1}
    desk.wait(0.2)
    assert desk.told() == {"anna-push": 1, "anna-sms": 1}
    desk.restart()
    desk.wait(10)
    desk.restart()
    desk.wait(60)
    assert desk.told() == {"anna-push": 1, "anna-sms": 1, "bernd-sms": 1}
    assert "e1" in desk.senders["bernd-sms"].texts[0].body


@pytest.mark.parametrize("action", ["acknowledge", "confirm", "decline"])
def test_a_decision_stops_it(open_desk, action):
    desk = open_desk()
    desk.tell(step(1))
    desk.wait(12)
    desk.tell(decision(2, desk, action, "Bernd Kurz"))
    desk.restart()
    desk.wait(60)
    assert "bernd-sms" not in desk.told()
    assert desk.receipts("bernd-sms")["e1"] == ("skipped", f"{action} by Bernd Kurz")


def test_an_order_about_the_incident_stops_it_too(open_desk):
    desk = open_desk()
    desk.tell(step(1))
    desk.tell(order(2, "release", incident=INCIDENT))
    desk.wait(60)
    assert desk.receipts("bernd-sms")["e1"] == ("skipped", "release by Anna Meier")


def test_who_was_called_hears_of_it_to_its_end(open_desk):
    desk = open_desk()
    desk.tell(step(1, level=2))
    desk.wait(15)
    desk.tell(step(2, "clear", level=2))
    desk.wait(60)
    assert desk.told() == {"anna-push": 2, "anna-sms": 2}
    assert desk.receipts("bernd-sms")["e2"] == ("skipped", "it ends what was not told here")


def test_a_rise_calls_again_after_an_acknowledgement(open_desk):
    desk = open_desk()
    desk.tell(step(1, level=2))
    desk.tell(decision(2, desk))
    desk.wait(30)
    assert "anna-sms" not in desk.told()
    desk.tell(step(3, "escalate", level=4))
    desk.wait(10.1)
    assert desk.told()["anna-sms"] == 1


def test_rises_while_nobody_answers_make_one_call_each(open_desk):
    desk = open_desk()
    desk.tell(step(1, level=2))
    desk.wait(5)
    desk.tell(step(2, "escalate", level=4))
    desk.wait(5.1)
    desk.wait(60)
    assert desk.told()["anna-sms"] == 1
    assert desk.told()["bernd-sms"] == 1


def test_a_proposal_calls_until_somebody_decides(open_desk):
    desk = open_desk()
    desk.tell(order(1, "propose"))
    desk.wait(10.1)
    assert desk.told() == {"anna-push": 1, "anna-sms": 1}
    desk.tell(order(2, "decline"))
    desk.wait(60)
    assert desk.receipts("bernd-sms")["e1"][0] == "skipped"
    assert "bernd-sms" not in desk.told()


def test_what_only_goes_on_as_it_was_calls_nobody_else(open_desk):
    desk = open_desk()
    desk.tell(order(1, "release"))
    desk.tell(order(2, "update", by="rule renewal"))
    desk.wait(60)
    assert "bernd-sms" not in desk.told()
    desk.tell(order(3, "update", by="rule of-the-city"))
    desk.wait(60)
    assert desk.told()["bernd-sms"] == 1


def test_faults_go_their_own_way_and_call_nobody(open_desk):
    desk = open_desk()
    desk.tell(step(1, "gateway_lost", 0, incident="", episode="gw1"))
    desk.wait(60)
    assert desk.told() == {"chat": 1}


def test_routes_to_nobody_are_routes_to_everybody(open_desk):
    desk = open_desk(routes='[[route]]\nleast = "Extreme"\nto = ["channel:chat"]')
    desk.tell(step(1))
    assert desk.told() == dict.fromkeys(NAMES, 1)


def test_the_public_is_not_routed(open_desk):
    desk = open_desk()
    desk.tell(step(1, audience="public"))
    assert desk.told() == {"anna-push": 1, "site": 1}


def test_a_silence_is_a_receipt_and_ends_by_itself(open_desk):
    desk = open_desk()
    desk.silence()
    desk.tell(step(1, level=2))
    assert desk.told() == {}
    assert desk.receipts("anna-push")["e1"] == (
        "skipped",
        "silenced by Anna Meier until 2026-07-14 13:00: being cleaned",
    )
    desk.restart()
    desk.wait(59)
    assert desk.told() == {}
    desk.wait(2)
    # it still stands: now it is told
    assert desk.told() == {"anna-push": 1}


def test_what_began_and_ended_in_a_silence_is_never_told(open_desk):
    desk = open_desk()
    desk.silence()
    desk.tell(step(1, level=2))
    desk.wait(10)
    desk.tell(step(2, "clear"))
    desk.wait(120)
    assert desk.told() == {}


def test_the_end_of_what_was_told_is_told_in_a_silence_too(open_desk):
    desk = open_desk()
    desk.tell(step(1, level=2))
    desk.silence()
    desk.tell(step(2, "clear"))
    assert desk.told() == {"anna-push": 2}


def test_what_rises_above_a_silence_is_told(open_desk):
    desk = open_desk()
    desk.silence(max_severity="Severe")
    desk.tell(step(1, level=3))
    assert desk.told() == {}
    desk.tell(step(2, "escalate", level=4))
    assert desk.told() == {"anna-push": 1}
    desk.tell(order(3, "propose", severity="Moderate"))
    assert desk.told() == {"anna-push": 2}


def test_a_silence_that_somebody_ends_tells_at_once(open_desk):
    desk = open_desk()
    kept = desk.silence()
    desk.tell(step(1, level=2))
    desk.silences.end(kept.id, "Bernd Kurz")
    desk.outbox.unsilence(kept.id)
    desk.work()
    assert desk.told() == {"anna-push": 1}


def test_quiet_hours_hold_what_is_not_severe_until_their_end(open_desk):
    desk = open_desk(anna_push="22:00-06:00")
    desk.clock.now = NIGHT
    desk.tell(step(1, level=2), step(2, level=2, station="s2"))
    assert desk.told() == {}
    assert desk.receipts("anna-push")["e1"] == ("held", "quiet hours until 06:00")
    desk.tell(decision(3, desk))
    desk.restart()
    desk.wait(6.5 * 60)
    assert desk.told() == {}
    desk.wait(40)
    assert desk.told() == {"anna-push": 1}


def test_severe_overrides_quiet_hours_and_takes_what_waited_with_it(open_desk):
    desk = open_desk(anna_push="22:00-06:00")
    desk.clock.now = NIGHT
    desk.tell(step(1, level=2))
    desk.tell(step(2, "escalate", level=3))
    assert desk.told() == {"anna-push": 1}
    assert desk.receipts("anna-push")["e1"][0] == "superseded"
    desk.tell(decision(3, desk))
    desk.wait(8 * 60)
    assert desk.told() == {"anna-push": 2}


def test_what_was_over_before_the_quiet_hours_were_is_not_told(open_desk):
    desk = open_desk(routes="", anna_push="22:00-06:00")
    desk.clock.now = NIGHT
    desk.tell(step(1, level=2))
    desk.tell(step(2, "clear"))
    desk.wait(8 * 60)
    assert "anna-push" not in desk.told()
    assert desk.told()["chat"] == 2


def test_the_end_of_what_was_told_before_the_quiet_hours_comes_after_them(open_desk):
    desk = open_desk(anna_push="22:00-06:00")
    desk.clock.now = NIGHT - 90 * MIN
    desk.tell(step(1, level=2))
    desk.tell(decision(2, desk))
    desk.wait(100)
    desk.tell(step(3, "clear"))
    before = desk.told()["anna-push"]
    desk.wait(8 * 60)
    assert desk.told()["anna-push"] == before + 1


def test_what_a_rule_mutes_is_a_receipt_and_never_what_rises(open_desk):
    desk = open_desk(routes=ROUTES + '[[inhibit]]\nleast = "Extreme"\nmutes = "Moderate"\nsame = "station"\n')
    desk.tell(step(1, level=4))
    desk.tell(step(2, level=2, of="long"))
    desk.tell(step(3, level=2, station="s2"))
    assert desk.receipts("anna-push")["e2"] == ("skipped", "muted: Extreme is in force at s1")
    assert desk.told()["anna-push"] == 2


def test_escalation_by_mail_over_real_servers_with_a_fast_clock(tmp_path, journal):
    office = PostOffice()
    url = f"mailto://127.0.0.1:{office.port}/?from=stadt@stadt.example&mode=insecure&to="
    channels = [Channel(name, f"{url}{name}@stadt.example") for name in NAMES]
    clock = Clock()
    routes = parse_routes(tomllib.loads(ROUTES), "routes.toml", BERLIN)
    texts = Texts(str.title, "Europe/Berlin", "Stadt", catchment_name=lambda _: "Strunde")

    def started():
        dispatch = Dispatch(channels, clock, routes=routes)
        outbox = Outbox(journal, tmp_path / "deliveries.db", channels, texts, clock, dispatch=dispatch)
        outbox.start()
        return outbox

    outbox = started()
    try:
        part = journal.load("engine")
        journal.commit("engine", part.fence, part.cursor, events=[to_row(step(1))])
        outbox.wake()
        office.mail(1, "anna-push@stadt.example")
        outbox.stop()
        clock.now += 11 * MIN
        outbox = started()
        office.mail(1, "anna-sms@stadt.example")
        part = journal.load("engine")
        desk = type("At", (), {"clock": clock})
        journal.commit("engine", part.fence, part.cursor, events=[to_row(decision(2, desk))])
        outbox.wake()
        wait_for(lambda: any(r.event == "e2" and r.status == "sent" for r in outbox.receipts()))
        clock.now += 60 * MIN
        outbox.wake()
        office.mail(2, "anna-push@stadt.example")
        wait_for(lambda: len(outbox.receipts(channel="bernd-sms", status="skipped")) == 2)
        assert [r.detail for r in outbox.receipts(channel="bernd-sms") if r.event == "e1"] == [
            "acknowledge by Anna Meier"
        ]
        assert not [to for to, _ in office.mails if "bernd-sms@stadt.example" in to]
        office.mail(2, "anna-sms@stadt.example")
    finally:
        outbox.stop()
        office.stop()
