"""Mailings over STARTTLS with a login, to a real mail server that wants both."""

import pytest
from post_office import PostOffice, certificate
from residents import SENDER, Town, addresses, notice, pool, subscribe
from servers import wait_for

from alerts.delivery.smtp import SmtpServer

USER, PASSWORD = "warnungen@stadt.example", "geheim/%&"


@pytest.fixture
def town(tmp_path):
    town = Town(tmp_path)
    yield town
    town.close()


@pytest.fixture
def tls(tmp_path, monkeypatch):
    # without encryption only to this machine; the test's server is on it, the city's is not
    monkeypatch.setattr(SmtpServer, "here", False)
    return certificate(tmp_path)


@pytest.fixture
def office(tls):
    office = PostOffice(starttls=tls[0], login=(USER, PASSWORD))
    yield office
    office.stop()


def ways(office, context, password=PASSWORD):
    def made(stopping):
        email = pool(office.port, stopping, lines=2, context=context)
        email.server = SmtpServer(False, "127.0.0.1", office.port, USER, password)
        return {"email": email}

    return made


def test_everybody_is_told_over_starttls_with_the_login(town, office, tls):
    people = addresses(50)
    subscribe(town.subscriptions, people)
    town.start(ways(office, tls[1]))
    town.happens(notice("e1", "raise"))
    wait_for(lambda: town.runs() and town.runs()["e1", "email"].state == "done", 120, town.mass.health)
    assert sorted(to for (to,), _ in office.mails) == people
    assert all(mail["From"].addresses[0].addr_spec == SENDER.addr_spec for _, mail in office.mails)
    assert {each.ssl is not None for each in office.sessions} == {True}, "the login goes over TLS only"
    assert len(office.sessions) <= 2, "one login a connection, not a mail"


def test_a_server_with_a_wrong_certificate_is_told_nothing(town, office):
    subscribe(town.subscriptions, addresses(3))
    town.start(ways(office, None))
    town.happens(notice("e1", "raise"))
    health = wait_for(lambda: next((h for h in [town.mass.health["mass_mail email"]] if not h.ok), None))
    assert health.detail == "the mail server's certificate is not valid: self-signed certificate"
    assert office.sessions == []
    assert office.mails == []
    assert town.runs()["e1", "email"].state == "open"


def test_a_wrong_password_is_said_clearly_and_not_repeated(town, office, tls):
    people = addresses(3)
    subscribe(town.subscriptions, people)
    wrong = "falsch-" + PASSWORD
    town.start(ways(office, tls[1], wrong))
    town.happens(notice("e1", "raise"))
    health = wait_for(lambda: next((h for h in [town.mass.health["mass_mail email"]] if not h.ok), None))
    assert health.detail == "the mail server refuses user and password (535)"
    assert office.mails == []
    town.restart(ways(office, tls[1]))
    wait_for(lambda: town.runs()["e1", "email"].state == "done", 120, town.mass.health)
    assert sorted(to for (to,), _ in office.mails) == people, "who could not be told is told once it is right"
