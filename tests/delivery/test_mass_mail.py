"""Thousands of residents are told, over a real SMTP server and a real HTTP service for SMS."""

import email
import re
from email.policy import default

import pytest
from alert_events import write_events
from mail_server import MailServer, half
from residents import (
    LINKS,
    MINUTE_US,
    NOW_US,
    Town,
    addresses,
    chance,
    city,
    mass_mail,
    notice,
    pool,
    subscribe,
)
from servers import free_port, wait_for

from alerts.delivery.sms_way import SmsWay
from alerts.subscriptions.subscription import QuietHours

HOUR_US = 60 * MINUTE_US


@pytest.fixture
def town(tmp_path):
    town = Town(tmp_path)
    yield town
    town.close()


@pytest.fixture
def server():
    server = MailServer()
    yield server
    server.stop()


def email_only(server, **options):
    return lambda stopping: {"email": pool(server.port, stopping, **options)}


def done(town, event, way="email", state="done"):
    wait_for(
        lambda: (event, way) in town.runs() and town.runs()[event, way].state == state,
        120,
        f"{event} by {way}: {town.runs()}, {town.mass.health}",
    )


def read(raw):
    return email.message_from_bytes(raw.replace(b"\r\n", b"\n"), policy=default)


def test_two_thousand_are_told_while_sms_hangs_and_mail_fails_half_the_time(town, server, endpoint):
    server.answers = half(chance())
    endpoint.mode = "hang"
    people = addresses(2_000)
    subscribe(town.subscriptions, people)
    # more than are given up, each after three times, while the mails go out
    subscribe(town.subscriptions, [f"+4915112345{i:03}" for i in range(200)], "sms")

    def ways(stopping):
        return {
            "sms": SmsWay(endpoint.url + "?to={to}", LINKS, stopping, timeout_s=1.0),
            "email": pool(server.port, stopping),
        }

    town.start(ways)
    town.happens(notice("e1", "raise", severity="Extreme"))
    done(town, "e1")
    assert set(server.taken) == set(people)
    assert set(server.taken.values()) == {1}
    run = town.runs()["e1", "email"]
    assert (run.wanted, run.sent, run.refused) == (2_000, 2_000, 0)
    assert town.runs()["e1", "sms"].state == "open"
    wait_for(lambda: not town.mass.health["mass_mail sms"].ok)
    assert town.mass.health["mass_mail email"].ok


def test_a_number_that_never_answers_is_not_called_for_ever(town, server, endpoint):
    endpoint.mode = "hang"
    subscribe(town.subscriptions, ["+4915112345678"], "sms")
    ways = []

    def sms(stopping):
        ways.append(SmsWay(endpoint.url + "?to={to}", LINKS, stopping, timeout_s=0.2))
        return {"sms": ways[-1]}

    town.start(sms)
    town.happens(notice("e1", "raise"))
    done(town, "e1", "sms")
    wait_for(lambda: endpoint.requests == 3)  # a call that was given up may be on its way
    # it may have heard of it, so it hears of its end
    endpoint.mode, ways[-1].timeout_s = "ok", 60.0
    town.happens(notice("e2", "clear"))
    done(town, "e2", "sms")
    (said,) = endpoint.bodies()
    assert "Meldung beendet" in said
    assert "keine amtliche Warnung" in said
    assert "https://warn.example/subscriptions/" in said


def test_a_mail_says_what_it_is_and_how_to_end_it(town, server):
    subscribe(town.subscriptions, ["anna@example.org"])
    subscribe(town.subscriptions, ["ben@example.org"], language="en")
    subscribe(town.subscriptions, ["eda@example.org"], language="einfach")
    town.start(email_only(server))
    town.happens(notice("e1", "raise"))
    done(town, "e1")
    mail = read(server.mails["anna@example.org"])
    assert mail["To"] == "anna@example.org"
    assert mail["From"] == "Teststadt <warnungen@stadt.example>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    leave = re.fullmatch(r"<(https://warn\.example/subscriptions/[\w-]{43})>", mail["List-Unsubscribe"])[1]
    said = mail.get_content()
    assert "Automatische Messwertmeldung, keine amtliche Warnung." in said
    assert f"Alle Nachrichten sofort beenden: {leave}\n" in said
    manage = re.search(r"beenden: https://warn\.example/subscriptions/([\w-]{43})\n", said)[1]
    assert town.subscriptions.find(manage).kind == "manage"
    assert town.subscriptions.find(leave[-43:]).kind == "leave"
    assert "Automatic measurement notice" in read(server.mails["ben@example.org"]).get_content()
    assert all(len(line) <= 998 for line in server.mails["anna@example.org"].split(b"\r\n"))

    town.happens(city(1, "propose"), city(2, "release"))
    done(town, "w1.2.release")
    mail = read(server.mails["anna@example.org"])
    assert mail["Subject"] == "Warnung der Stadt Teststadt \N{EN DASH} Hochwasser der Strunde in Gierath"
    said = mail.get_content()
    assert "freigegeben von A. Beispiel" in said
    assert "Keller und Tiefgaragen sofort verlassen." in said
    assert "Warngebiet: Gierath" in said
    assert "Messwertmeldung" not in said
    assert "Leave cellars" in read(server.mails["ben@example.org"]).get_content()
    assert "A. Beispiel hat sie freigegeben" in read(server.mails["eda@example.org"]).get_content()


def test_a_proposal_an_exercise_and_what_is_for_staff_reach_nobody(town, server):
    subscribe(town.subscriptions, ["anna@example.org"])
    town.start(email_only(server))
    town.happens(
        city(1, "propose"),
        city(2, "decline"),
        city(3, "release", id_="w2", exercise=True),
        notice("e1", "raise", audience="staff"),
        notice("e2", "raise", episode="ep2"),
    )
    done(town, "e2")
    assert [each.event for each in town.mass.summaries()] == ["e2"]


def test_a_change_that_is_proposed_or_declined_reaches_nobody(town, server):
    subscribe(town.subscriptions, ["anna@example.org"])
    town.start(email_only(server))
    town.happens(city(1, "release"), city(2, "propose"), city(3, "decline"))
    done(town, "w1.1.release")
    town.happens(city(4, "update"))
    done(town, "w1.4.update")
    assert [each.event for each in town.mass.summaries()] == ["w1.4.update", "w1.1.release"]
    assert server.taken == {"anna@example.org": 2}


def test_who_was_told_hears_the_end_and_who_was_not_does_not(town, server):
    told, late = "told@example.org", "late@example.org"
    subscribe(town.subscriptions, [told])
    town.start(email_only(server))
    town.happens(city(1, "release"))
    done(town, "w1.1.release")
    subscribe(town.subscriptions, [late])
    town.happens(city(2, "all_clear"))
    done(town, "w1.2.all_clear")
    assert server.taken == {told: 2}
    assert read(server.mails[told])["Subject"].startswith("Entwarnung der Stadt Teststadt")


def test_refused_for_good_is_not_repeated_and_hears_no_end(town, server):
    people = addresses(50)
    asked = []

    def answers(address, stage):
        if stage == "rcpt" and address == people[7]:
            asked.append(address)
            return "550 no such user"
        return ""

    server.answers = answers
    subscribe(town.subscriptions, people)
    town.start(email_only(server))
    town.happens(notice("e1", "raise"))
    done(town, "e1")
    assert town.runs()["e1", "email"].refused == 1
    town.restart(email_only(server))
    town.happens(notice("e2", "clear"))
    done(town, "e2")
    assert len(asked) == 1
    assert set(server.taken) == set(people) - {people[7]}
    assert set(server.taken.values()) == {2}
    assert town.runs()["e2", "email"].wanted == 49


@pytest.mark.parametrize("pipelining", [True, False])
def test_bad_answers_in_the_middle_of_a_batch(town, server, pipelining):
    """Refused, greylisted and refused after its text, each in turn: nobody gets another's mail."""
    server.pipelining = pipelining
    people = addresses(120)
    tried = set()

    def answers(address, stage):
        number = int(address[8:13])
        first = (address, stage) not in tried
        tried.add((address, stage))
        if stage == "rcpt" and number % 3 == 0:
            return "550 5.1.1 no such user"
        if stage == "rcpt" and number % 3 == 1 and first:
            return "451 4.7.1 greylisted"
        return "554 5.6.0 not this text" if stage == "data" and number % 5 == 0 and first else ""

    server.answers = answers
    subscribe(town.subscriptions, people)
    town.start(email_only(server, lines=2))
    town.happens(notice("e1", "raise"))
    done(town, "e1")
    assert set(server.taken) == {each for each in people if int(each[8:13]) % 3}
    assert set(server.taken.values()) == {1}
    assert all(f"\r\nTo: {address}\r\n".encode() in raw for address, raw in server.mails.items())


def test_a_server_that_hangs_up_after_some_mails_is_connected_to_again(town, server):
    count = iter(range(10**6))
    server.answers = lambda _, stage: "421 4.7.0 enough" if stage == "data" and next(count) % 20 == 19 else ""
    people = addresses(200)
    subscribe(town.subscriptions, people)
    town.start(email_only(server))
    town.happens(notice("e1", "raise"))
    done(town, "e1")
    assert server.taken == dict.fromkeys(people, 1)


def test_a_server_that_is_away_is_waited_for(town):
    port = free_port()
    subscribe(town.subscriptions, addresses(30))
    town.start(lambda stopping: {"email": pool(port, stopping)})
    town.happens(notice("e1", "raise"))
    wait_for(lambda: not town.mass.health["mass_mail email"].ok)
    assert "cannot be used" in town.mass.health["mass_mail email"].detail
    assert town.mass.waiting["email"] == 30
    server = MailServer(port=port)
    try:
        done(town, "e1")
        assert server.taken == dict.fromkeys(addresses(30), 1)
        wait_for(lambda: town.mass.health["mass_mail email"].ok)
    finally:
        server.stop()


def test_the_more_severe_goes_first(town, server):
    people = addresses(400)
    subscribe(town.subscriptions, people, least="Minor")
    server.most = 20
    town.start(email_only(server, lines=2))
    town.happens(notice("e1", "raise", severity="Moderate"))
    wait_for(lambda: len(server.order) == 20)
    town.happens(notice("x1", "raise", episode="ep2", severity="Extreme"))
    wait_for(lambda: 2 in town.mass._workers[0]._runs)
    server.most = 700
    done(town, "x1")
    run = town.runs()["e1", "email"]
    assert run.state == "open"
    assert run.sent <= 300
    server.most = None
    done(town, "e1")
    assert set(server.taken.values()) == {2}


def test_a_newer_step_takes_the_place_of_what_was_not_sent(town, server):
    people = addresses(300)
    subscribe(town.subscriptions, people)
    server.most = 30
    town.start(email_only(server, lines=1))
    town.happens(notice("e1", "raise"))
    wait_for(lambda: len(server.order) == 30)
    town.happens(notice("e2", "clear"))
    wait_for(lambda: 2 in town.mass._workers[0]._runs)
    server.most = None
    done(town, "e2")
    assert town.runs()["e1", "email"].state == "superseded"
    raised = town.runs()["e1", "email"].sent
    assert 30 <= raised < 200
    # exactly those who had heard of it hear of its end
    assert sorted(server.taken.values()) == [2] * raised


def test_quiet_hours_hold_back_until_they_end(town, server):
    asleep = QuietHours(22 * 60, 6 * 60)
    subscribe(town.subscriptions, ["asleep@example.org"], quiet=asleep, least="Minor")
    subscribe(town.subscriptions, ["awake@example.org"], least="Minor")
    night = NOW_US + 4 * HOUR_US  # half past midnight in the city
    town.now_us = night
    town.start(email_only(server))
    town.happens(
        notice("e1", "raise", severity="Moderate", at_us=night),
        notice("o1", "raise", severity="Moderate", at_us=night, episode="over"),
    )
    wait_for(lambda: server.taken["awake@example.org"] == 2)
    town.happens(notice("o2", "clear", at_us=night + MINUTE_US, episode="over"))
    done(town, "o2")
    assert server.taken["asleep@example.org"] == 0
    assert town.mass.waiting["email"] == 1
    town.now_us = night + 6 * HOUR_US
    done(town, "e1")
    # told of what is in force; of the other neither that it was nor that it is over
    assert server.taken == {"asleep@example.org": 1, "awake@example.org": 3}


def test_what_is_too_old_is_not_sent(town, server):
    subscribe(town.subscriptions, addresses(3))
    town.happens(notice("old", "raise", episode="old", at_us=NOW_US - 25 * HOUR_US), notice("e1", "raise"))
    server.answers = lambda _, stage: "451 not now" if stage == "data" else ""
    town.start(email_only(server))
    wait_for(lambda: town.mass.stats["email"].later > 3)
    town.now_us += 25 * HOUR_US
    done(town, "e1", state="expired")
    assert not server.taken
    assert [each.event for each in town.mass.summaries()] == ["e1"]
    assert town.mass.waiting["email"] == 0


def test_a_replaced_journal_tells_nobody_twice(town, server, tmp_path):
    subscribe(town.subscriptions, addresses(5))
    town.start(email_only(server))
    town.happens(notice("e1", "raise"))
    done(town, "e1")
    town.mass.stop()
    town.journal.close()
    (tmp_path / "other").mkdir()
    other = Town(tmp_path / "other")
    town.journal = other.journal
    other.subscriptions.close()
    town.happens(notice("e1", "raise"), notice("x1", "raise", episode="ep2"))
    town.start(email_only(server))
    done(town, "x1")
    assert set(server.taken.values()) == {2}


def test_receipts_are_forgotten(town, server):
    subscribe(town.subscriptions, addresses(5))
    town.start(email_only(server))
    town.happens(notice("e1", "raise"), notice("s1", "raise", episode="stands"))
    done(town, "s1")
    town.happens(notice("e2", "clear"))
    done(town, "e2")
    town.now_us += 15 * 24 * HOUR_US
    town.restart(email_only(server))
    wait_for(lambda: len(town.mass.summaries()) == 1)
    # who was told of something that stands must still hear of its end
    town.happens(notice("s2", "clear", episode="stands", at_us=town.now_us))
    done(town, "s2")
    assert town.runs()["s2", "email"].sent == 5


def test_who_was_told_long_ago_hears_of_an_end_that_came_while_the_service_was_off(town, server):
    subscribe(town.subscriptions, addresses(5))
    town.start(email_only(server))
    town.happens(notice("s1", "raise"))
    done(town, "s1")
    town.mass.stop()
    town.now_us += 15 * 24 * HOUR_US
    write_events(town.journal, notice("s2", "clear", at_us=town.now_us))
    # what is read first must not take away from whom it was told
    town.mass = mass_mail(
        town.journal, town.folder, town.subscriptions, email_only(server), lambda: town.now_us
    )
    town.mass._read()
    town.mass._mailings.prune(town.now_us - 14 * 24 * HOUR_US)
    town.mass.start()
    done(town, "s2")
    assert town.runs()["s2", "email"].sent == 5
    assert town.mass._mailings.prune(town.now_us - 14 * 24 * HOUR_US) == 1


def test_it_stops_while_a_server_hangs(town, server):
    subscribe(town.subscriptions, addresses(50))
    server.delay_s = 30
    town.start(email_only(server))
    town.happens(notice("e1", "raise"))
    wait_for(lambda: server.connections == 4)
    town.mass.stop()
    server.delay_s = 0
    town.start(email_only(server))
    done(town, "e1")
    assert set(server.taken) == set(addresses(50))
