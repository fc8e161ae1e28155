"""The life of a subscription: asked for, confirmed, changed, left; and what stays on the disk."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from subscribers import ANNA, DAY, HOUR, KEY, OTHER_KEY, T0, Desk

from alerts.errors import BusyError, SubscriptionsError
from alerts.subscriptions.contact import contact
from alerts.subscriptions.subscription import Choices, Place, QuietHours

BEN = contact("email", "ben@example.org")
GIERATH, OBEN = Place("area", "gierath"), Place("area", "oben")


def test_nothing_begins_before_it_is_confirmed(desk):
    desk.file.ask(ANNA, Choices((GIERATH,)), "de-1")
    assert desk.file.counts()["email"] == 0
    ((kind, address, token),) = desk.mails()
    assert (kind, address) == ("confirm", "anna@example.org")
    held = desk.file.find(token)
    assert (held.kind, held.contact, held.choices.places) == ("confirm", ANNA, (GIERATH,))
    assert desk.file.counts()["email"] == 0, "looking is not confirming"
    manage = desk.file.confirm(token)
    assert desk.file.find(manage).kind == "manage"
    assert desk.file.counts()["email"] == 1
    assert [each[0] for each in desk.mails()] == ["welcome"]


def test_a_confirmed_link_is_good_once(desk):
    desk.file.ask(ANNA, Choices((GIERATH,)), "de-1")
    ((_, _, token),) = desk.mails()
    manage = desk.file.confirm(token)
    assert desk.file.confirm(token) is None
    assert desk.file.find(token) is None
    desk.file.leave(manage)
    assert desk.file.confirm(token) is None, "an old mail brings nobody back"
    assert desk.file.counts()["email"] == 0


def test_an_unconfirmed_request_is_gone_after_72_hours(desk):
    desk.file.ask(ANNA, Choices((GIERATH,)), "de-1")
    ((_, _, token),) = desk.mails()
    desk.now_us += 72 * HOUR - 1
    desk.file.prune()
    assert desk.file.find(token)
    desk.now_us += 1
    assert desk.file.find(token) is None, "even before anything was pruned"
    assert desk.file.confirm(token) is None
    desk.file.prune()
    for table in ("requests", "mails", "asked", "consents", "subscriptions"):
        assert desk.rows(f"SELECT count(*) FROM {table}") == [(0,)], table


def test_asking_again_adds_places_and_loses_none(desk):
    manage = desk.subscribe(ANNA, GIERATH, least="Severe", quiet=QuietHours(1320, 360))
    again = desk.subscribe(contact("email", "ANNA@example.org"), OBEN, GIERATH, language="en")
    assert again == manage, "the links in older messages still work"
    held = desk.file.find(manage)
    assert held.choices == Choices((GIERATH, OBEN), "Moderate", ("notice", "warning"), "en", None)
    assert desk.file.counts()["email"] == 1


def test_a_change_replaces_and_is_told(desk):
    manage = desk.subscribe(ANNA, GIERATH)
    new = Choices((Place.at(50.9812, 7.1004, 4), Place("gauge", "pegel")), "Extreme", ("warning",), "einfach")
    assert desk.file.change(manage, new)
    assert desk.file.find(manage).choices == new
    assert new.places[0] == Place("point", "", 50.981, 7.1, 4)
    assert [each[:2] for each in desk.mails()] == [("changed", "anna@example.org")]


def test_only_its_own_link_changes_or_shows_it(desk):
    desk.subscribe(ANNA)
    (leave,) = [each.leave for each in recipients_all(desk)]
    assert desk.file.find(leave).kind == "leave"
    assert not desk.file.change(leave, Choices((OBEN,)))
    assert desk.file.export(leave) is None
    assert desk.file.confirm(leave) is None
    assert desk.file.leave(leave)
    assert desk.file.counts()["email"] == 0


def recipients_all(desk):
    return desk.file.audiences.opened([id_ for (id_,) in desk.rows("SELECT id FROM subscriptions")])


def test_who_leaves_leaves_only_the_keyed_hash_for_its_time(desk):
    manage = desk.subscribe(ANNA, Place.at(50.98, 7.1))
    assert desk.file.leave(manage)
    assert not desk.file.leave(manage)
    for table in ("requests", "mails", "places", "subscriptions"):
        assert desk.rows(f"SELECT count(*) FROM {table}") == [(0,)], table
    ((way, text, ended),) = desk.rows("SELECT way, text, ended_us FROM consents")
    assert (way, text, ended) == ("double opt-in", "de-1", T0)
    desk.now_us += 30 * DAY - 1
    desk.file.prune()
    assert desk.rows("SELECT count(*) FROM consents") == [(1,)]
    desk.now_us += 1
    desk.file.prune()
    assert desk.rows("SELECT count(*) FROM consents") == [(0,)]


def test_no_address_and_no_token_lies_readable_on_the_disk(desk):
    who = contact("email", "geheim.person@example.org")
    desk.file.ask(who, Choices((GIERATH,)), "de-1")
    ((_, _, token),) = desk.mails()
    desk.file.ask_link(contact("email", "zweite.person@example.org"), "de")
    assert b"person" not in desk.bytes()
    assert token.encode() not in desk.bytes()
    manage = desk.file.confirm(token)
    assert b"person" not in desk.bytes()
    assert manage.encode() not in desk.bytes()
    assert desk.path.stat().st_mode & 0o077 == 0


def test_nothing_of_the_choices_is_left_on_the_disk_either(desk):
    manage = desk.subscribe(ANNA, Place("area", "seltener-ort"))
    assert b"seltener-ort" in desk.bytes()
    desk.file.leave(manage)
    desk.file.prune()
    assert b"seltener-ort" not in desk.bytes()


def test_the_export_has_all_and_the_proof(desk):
    manage = desk.subscribe(ANNA, GIERATH)
    known, consents = desk.file.export(manage)
    assert known.secrets.contact == ANNA
    assert known.choices.places == (GIERATH,)
    (proof,) = consents
    assert proof == {
        "way": "double opt-in",
        "text": "de-1",
        "asked_us": T0,
        "given_us": T0,
        "staff": "",
        "form": "",
        "ended_us": None,
    }


def test_a_paper_form_begins_at_once_with_its_proof(desk):
    gran = contact("voice", "02202 14-1234")
    assert desk.file.enter(gran, Choices((GIERATH,)), "de-1", "Frau Amt", date(2026, 10, 30))
    assert desk.mails() == [], "nobody reads mail on the telephone"
    assert not desk.file.enter(gran, Choices((OBEN,)), "de-1", "Frau Amt", date(2026, 10, 31))
    assert desk.file.counts()["voice"] == 1
    assert desk.rows("SELECT way, staff, form FROM consents ORDER BY id") == [
        ("paper form", "Frau Amt", "2026-10-30"),
        ("paper form", "Frau Amt", "2026-10-31"),
    ]
    assert desk.file.remove(gran)
    assert not desk.file.remove(gran)
    assert desk.rows("SELECT count(*) FROM consents WHERE ended_us IS NULL") == [(0,)]


def test_nobody_can_be_bombed_with_mail(desk):
    for _ in range(10):
        desk.file.ask(ANNA, Choices((GIERATH,)), "de-1")
        desk.file.ask_link(contact("email", "aNNa@example.org"), "de")
    assert len(desk.mails()) == 3
    assert desk.rows("SELECT count(*) FROM requests") == [(2,)]
    desk.file.ask(BEN, Choices((GIERATH,)), "de-1")
    assert len(desk.mails()) == 1, "another one is not held back"
    desk.now_us += DAY
    desk.file.ask(ANNA, Choices((GIERATH,)), "de-1")
    assert len(desk.mails()) == 1


def test_all_together_send_only_so_much(tmp_path, desk):
    desk.reopen(options={"mails_an_hour": 5})
    for i in range(5):
        desk.file.ask(contact("email", f"a{i}@example.org"), Choices((GIERATH,)), "de-1")
    with pytest.raises(BusyError) as caught:
        desk.file.ask(BEN, Choices((GIERATH,)), "de-1")
    assert caught.value.seconds > 0
    with pytest.raises(BusyError):
        desk.file.ask_link(BEN, "de")
    assert len(desk.mails()) == 5
    desk.now_us += HOUR
    desk.file.ask(BEN, Choices((GIERATH,)), "de-1")
    assert len(desk.mails()) == 1


def test_asking_does_the_same_whether_there_is_a_subscription_or_not(desk):
    """What is written to the file is all that could show: the same statements, the same sizes."""
    desk.subscribe(ANNA)

    def statements(who):
        done = []
        desk.file._file._writer.set_trace_callback(lambda sql: done.append(sql.split("VALUES")[0]))
        desk.file.ask(who, Choices((GIERATH,)), "de-1")
        desk.file.ask_link(who, "de")
        desk.file._file._writer.set_trace_callback(None)
        return [each.partition("digest =")[0] for each in done], [
            len(sealed) for (sealed,) in desk.rows("SELECT sealed FROM mails ORDER BY id DESC LIMIT 2")
        ]

    stranger = contact("email", "otto@example.org")
    assert statements(ANNA) == statements(stranger)


def test_a_new_key_takes_over_and_the_old_one_can_go(desk):
    manage = desk.subscribe(ANNA, GIERATH)
    desk.file.ask(BEN, Choices((OBEN,)), "de-1")
    ((_, _, token),) = desk.mails()
    desk.file.ask_link(BEN, "de")
    desk.reopen(key=OTHER_KEY, old=(KEY,))
    desk.reopen(old=())
    assert desk.file.find(manage).contact == ANNA
    assert desk.file.known(ANNA)
    assert [each[:2] for each in desk.mails()] == [("link", "ben@example.org")]
    assert len(desk.file.export(manage)[1]) == 1, "the proof is found under the new key"
    assert desk.file.confirm(token)
    with pytest.raises(SubscriptionsError, match="old_keys"):
        desk.reopen(key=KEY)
    desk.reopen(key=OTHER_KEY)


def test_places_that_do_not_exist_any_more_are_counted(desk):
    desk.subscribe(ANNA, GIERATH, Place("gauge", "pegel"), Place("area", "weg"), Place("gauge", "weg"))
    assert desk.file.counts()["places_unknown"] == 2


def test_a_message_is_tried_again_later_and_later(desk):
    desk.file.ask(ANNA, Choices((GIERATH,)), "de-1")
    waits = []
    for _ in range(9):
        (due,) = desk.file.mails.due()
        desk.file.mails.again(due)
        before = desk.now_us
        while not desk.file.mails.due():
            desk.now_us += HOUR // 60
        waits.append((desk.now_us - before) * 60 // HOUR)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "link", "confirm", "leave", "change", "wait", "prune"]), st.integers(0, 2)
    ),
    max_size=25,
)


@settings(max_examples=40)
@given(STEPS)
def test_no_order_of_steps_subscribes_anybody_who_did_not_confirm(tmp_path_factory, steps):
    desk = Desk(tmp_path_factory.mktemp("steps"))
    people = [contact("email", f"p{i}@example.org") for i in range(3)]
    open_tokens, manage, subscribed = {0: [], 1: [], 2: []}, {}, set()
    for step, i in steps:
        if step == "ask":
            desk.file.ask(people[i], Choices((GIERATH,)), "de-1")
            open_tokens[i] += [token for kind, _, token in desk.mails() if kind == "confirm"]
        elif step == "link":
            desk.file.ask_link(people[i], "de")
        elif step == "confirm" and open_tokens[i]:
            found = desk.file.confirm(open_tokens[i].pop())
            if found:
                manage[i] = found
                subscribed.add(i)
        elif step == "leave" and i in manage:
            assert desk.file.leave(manage[i]) == (i in subscribed)
            subscribed.discard(i)
        elif step == "change" and i in manage:
            assert desk.file.change(manage[i], Choices((OBEN,))) == (i in subscribed)
        elif step == "wait":
            desk.now_us += 40 * HOUR
        elif step == "prune":
            desk.file.prune()
    assert {i for i, who in enumerate(people) if desk.file.known(who)} == subscribed
    assert desk.rows("SELECT count(*) FROM consents WHERE ended_us IS NULL")[0][0] >= len(subscribed)
    desk.file.close()
