import pytest
from mail_server import MailServer
from residents import Town, addresses, city, notice, pool, subscribe
from servers import wait_for

from alerts.delivery.mass_mail import steps


@pytest.fixture
def server():
    server = MailServer()
    yield server
    server.stop()


@pytest.fixture
def town(tmp_path):
    town = Town(tmp_path)
    yield town
    town.close()


def test_one_damaged_subscription_keeps_nobody_else_from_being_told(town, server):
    people = addresses(5)
    damaged = subscribe(town.subscriptions, people)[2]
    with town.subscriptions._file.write() as connection:
        [sealed] = connection.execute("SELECT contact FROM subscriptions WHERE id = ?", (damaged,)).fetchone()
        broken = sealed[:-1] + bytes([sealed[-1] ^ 1])
        connection.execute("UPDATE subscriptions SET contact = ? WHERE id = ?", (broken, damaged))
    town.start(lambda stopping: {"email": pool(server.port, stopping)})
    town.happens(notice("e1", "raise", severity="Extreme"))
    wait_for(lambda: town.runs().get(("e1", "email")) and town.runs()["e1", "email"].state == "done", 120)
    assert set(server.taken) == {*people} - {people[2]}


def told(*actions):
    made, _ = steps([city(number, action) for number, action in enumerate(actions, 1)], {})
    return [each.kind for each in made]


def test_an_update_that_is_only_proposed_or_declined_is_no_mailing():
    assert told("propose", "release", "propose") == ["release"]
    assert told("propose", "release", "propose", "decline") == ["release"]
    assert told("release", "propose", "update", "all_clear") == ["release", "update", "all_clear"]
