"""The configured channels hear of warnings of the city."""

import threading
from dataclasses import replace
from typing import get_args

import pytest
from alert_events import NOW_US, make_event, write_events
from hypothesis import given, settings
from hypothesis import strategies as st
from outbox_desk import Desk
from servers import free_port
from servers import wait_for as until
from warned_city import T0, TEXTS, step

from alerts.delivery.channel_worker import Retry
from alerts.delivery.channels import AppriseSender, Channel
from alerts.delivery.city_messages import PUBLIC as HEARD_BY_ALL
from alerts.delivery.city_messages import TELLINGS, WARNS, StandIn, plain_city, told_as, trials
from alerts.delivery.outbox import Outbox
from alerts.event import PREEMPTED, CityAction, CityText
from alerts.texts.text import BODY_LIMIT, TITLE_LIMIT, Text
from alerts.texts.texts import Texts
from ingest.sqlite_journal import SqliteJournal

LINK = "https://funk.stadt.example/console/incidents"
STAFF = Channel("wache", "json://staff/")
PUBLIC = Channel("site", "json://public/", audience=("public",))
ENGLISH = Channel("office", "json://office/", audience=("public",), language="en")
NAMES = {"gierath": "Gierath", "oben": "Oben"}


@pytest.fixture(scope="module")
def words():
    return Texts(
        str,
        "Europe/Berlin",
        "Stadt Bergisch Gladbach",
        area_name=lambda id_, _: NAMES.get(id_, id_),
        console=LINK,
    )


@pytest.fixture
def open_desk(tmp_path, journal, words):
    desks = []

    def make(*channels, texts=words):
        desks.append(Desk(tmp_path / "deliveries.db", journal, texts, *channels))
        desks[-1].now = T0
        return desks[-1]

    yield make
    for desk in desks:
        desk.close()


def test_staff_hear_every_step_and_residents_what_was_released(open_desk):
    desk = open_desk(STAFF, PUBLIC, ENGLISH)
    desk.tell(step(1, "propose"))
    desk.tell(step(2, "release"))
    desk.tell(step(3, "update", severity="Extreme"))
    desk.tell(step(4, "all_clear", texts={"de": CityText("Vorbei", "Der Keller ist sicher.", "")}))
    assert desk.titles() == [
        "Bitte entscheiden, Warnung der Stadt Bergisch Gladbach: Hochwasser der Strunde…",
        "Warnung der Stadt Bergisch Gladbach: Hochwasser der Strunde in Gierath",
        "Neuer Stand, Warnung der Stadt Bergisch Gladbach: Hochwasser der Strunde in Gie…",
        "Entwarnung, Warnung der Stadt Bergisch Gladbach: Vorbei",
    ]
    assert desk.titles("site") == desk.titles()[1:]
    assert desk.titles("office")[0] == (
        "Warning by the city of Bergisch Gladbach: Flood of the Strunde in Gierath"
    )
    proposal, release, *_ = desk.bodies()
    assert "bitte freigeben oder ablehnen. Die Strunde steigt schnell." in proposal
    assert f"Entscheiden: {LINK}\n" in proposal
    assert "A. Beispiel: Pegel steigt." in release
    assert LINK not in release
    public = desk.bodies("site")
    assert "Warnung der Stadt Bergisch Gladbach (Schwere hoch, Gierath), 14.07.2026, 20:32 Uhr." in public[0]
    assert "Gilt bis 14.07.2026, 23:32 Uhr." in public[0]
    assert "Keller und Tiefgaragen sofort verlassen." in public[0]
    # an all-clear repeats nothing of what it calls off
    assert "Entwarnung: Die Warnung der Stadt Bergisch Gladbach vom 14.07.2026, 20:32 Uhr" in public[2]
    assert "Der Keller ist sicher." in public[2]
    assert "verlassen" not in public[2]
    for text in desk.senders["site"].texts + desk.senders["office"].texts:
        assert "A. Beispiel" not in text.body
        assert "Messwertmeldung" not in text.body
        assert "measurement notice" not in text.body
        assert "w1." in text.body
    assert desk.receipts("site") == {
        "w1.1.propose": ("skipped", "for staff only"),
        "w1.2.release": ("sent", ""),
        "w1.3.update": ("sent", ""),
        "w1.4.all_clear": ("sent", ""),
    }


@pytest.mark.parametrize("residents", [False, True])
def test_a_stand_by_s_proposal_says_what_it_does_not_know_and_what_a_release_reaches(open_desk, residents):
    texts = Texts(
        str, "Europe/Berlin", "Stadt Bergisch Gladbach", console=LINK, stand_in=StandIn("Rathaus", residents)
    )
    english = Channel("staff", "json://office/", language="en")
    desk = open_desk(STAFF, english, texts=texts)
    desk.tell(step(1, "propose"))
    desk.tell(step(2, "release"))
    proposal, release = desk.bodies()
    assert "RESERVE: vielleicht bei Rathaus schon entschieden" in proposal
    assert ("keine öffentlichen Kanäle" in proposal) != residents
    assert "Abos, Anzeigen, Leitstelle." in proposal
    assert f"\nEntscheiden: {LINK}\n" in proposal
    assert "Die Strunde steigt schnell." in proposal
    assert "RESERVE" not in release
    assert "may have been decided at Rathaus" in desk.bodies("staff")[0]


def test_what_is_declined_reaches_staff_alone(open_desk):
    desk = open_desk(STAFF, PUBLIC)
    desk.tell(step(1, "propose"))
    desk.tell(step(2, "decline"))
    assert desk.titles()[1].startswith("Abgelehnt, Warnung der Stadt")
    assert "Keller" not in desk.bodies()[1]
    assert desk.titles("site") == []


def test_a_change_is_proposed_and_declined_while_the_warning_stands(open_desk):
    desk = open_desk(STAFF, replace(PUBLIC, min_level=4))
    more = {"de": CityText("Mehr Hochwasser", "Noch höher.", "Obere Stockwerke!")}
    desk.tell(step(1, "release"))
    desk.tell(step(2, "propose", severity="Extreme", areas=("oben",), texts=more))
    desk.tell(step(3, "decline"))
    assert desk.titles()[1].startswith("Bitte entscheiden, Änderung der Warnung der Stadt Bergisch")
    assert "(Schwere sehr hoch, Oben)" in desk.bodies()[1]
    assert "Noch höher. Obere Stockwerke!" in desk.bodies()[1]
    assert f"Entscheiden: {LINK}\n" in desk.bodies()[1]
    assert desk.titles()[2].startswith("Änderung abgelehnt, Warnung der Stadt")
    assert "(Schwere hoch, Gierath) gilt weiter bis" in desk.bodies()[2]
    # what was only proposed is not the public's highest either
    assert desk.titles("site") == []


def test_that_a_change_was_declined_tells_of_the_warning_too(open_desk):
    desk = open_desk(STAFF, PUBLIC)
    desk.senders["wache"].answers = ["refused"] * 3
    desk.tell(step(1, "release"))
    desk.tell(step(2, "propose"))
    desk.tell(step(3, "decline"))
    desk.again()
    assert "gilt weiter bis" in desk.bodies()[-1]
    assert desk.receipts()["w1.3.decline"][0] == "sent"
    assert len(desk.titles("site")) == 1


def test_a_proposal_that_lapsed_was_never_public(open_desk):
    desk = open_desk(STAFF, PUBLIC)
    desk.tell(step(1, "propose"))
    desk.tell(step(2, "expire"))
    assert desk.titles()[1].startswith("Vorschlag verfallen, Warnung der Stadt")
    assert desk.titles("site") == []


def test_an_end_that_copies_the_texts_of_its_warning_does_not_repeat_them(open_desk):
    desk = open_desk(PUBLIC)
    desk.tell(step(1, "release"))
    desk.tell(step(2, "expire", texts=TEXTS))
    assert "Das ist keine Entwarnung" in desk.bodies("site")[1]
    assert "verlassen" not in desk.bodies("site")[1]


def test_who_was_never_warned_hears_no_all_clear(open_desk):
    desk = open_desk(STAFF, PUBLIC)
    desk.senders["site"].answers = ["refused", "refused"]
    desk.tell(step(1, "release"))
    desk.again()
    assert len(desk.titles("site")) == 2
    desk.tell(step(2, "all_clear"))
    desk.again()
    assert len(desk.titles("site")) == 2
    assert desk.receipts("site") == {
        "w1.1.release": ("superseded", ""),
        "w1.2.all_clear": ("skipped", "was never told of it"),
    }
    assert desk.titles()[1].startswith("Entwarnung")


def test_who_may_have_been_warned_hears_the_all_clear(open_desk):
    desk = open_desk(PUBLIC)
    desk.senders["site"].answers = ["unknown"]
    desk.tell(step(1, "release"))
    desk.tell(step(2, "all_clear"))
    assert desk.titles("site")[-1].startswith("Entwarnung")
    assert desk.receipts("site")["w1.1.release"][0] == "superseded"


def test_only_the_latest_step_is_told_to_a_channel_that_was_away(open_desk):
    desk = open_desk(PUBLIC)
    desk.senders["site"].answers = ["refused", "refused"]
    desk.tell(step(1, "release"))
    desk.tell(step(2, "update", severity="Extreme"))
    desk.again()
    assert [text.body.rpartition(" ")[2] for text in desk.senders["site"].texts] == [
        "w1.1.release",
        "w1.2.update",
        "w1.2.update",
    ]
    assert desk.receipts("site")["w1.1.release"][0] == "superseded"
    assert "Möglicherweise eine Wiederholung" in desk.bodies("site")[-1]


def test_least_severity_counts_the_highest_so_far_and_for_residents_since_the_release(open_desk):
    desk = open_desk(replace(STAFF, min_level=4), replace(PUBLIC, min_level=4))
    desk.tell(step(1, "propose", severity="Extreme"))
    desk.tell(step(2, "release", severity="Severe"))
    desk.tell(step(3, "all_clear"))
    assert len(desk.titles()) == 3
    assert desk.titles("site") == []
    assert desk.receipts("site")["w1.2.release"] == ("skipped", "below Extreme")


def test_an_exercise_reaches_who_takes_part_and_says_so(open_desk):
    desk = open_desk(replace(STAFF, exercises=True), Channel("leiter", "json://x/"), PUBLIC)
    desk.tell(step(1, "release", exercise=True))
    assert desk.titles()[0].startswith("ÜBUNG: Warnung der Stadt")
    assert desk.bodies()[0].startswith("ÜBUNG, kein echtes Ereignis")
    assert desk.titles("leiter") == desk.titles("site") == []


def test_what_waits_of_an_exercise_is_dropped_at_a_real_alarm(open_desk):
    desk = open_desk(replace(STAFF, exercises=True))
    desk.senders["wache"].answers = ["refused"]
    desk.tell(step(1, "release", exercise=True))
    desk.tell(replace(step(2, "cancel", exercise=True), reason=PREEMPTED))
    desk.again()
    assert len(desk.titles()) == 1
    assert desk.receipts() == {"w1.1.release": ("superseded", "")}


def test_a_language_that_a_warning_lacks_is_told_in_german(open_desk):
    desk = open_desk(ENGLISH)
    desk.tell(step(1, "release", texts={"de": TEXTS["de"]}))
    assert "Die Strunde steigt schnell." in desk.bodies("office")[0]


def test_when_templates_fail_the_warning_goes_out_with_its_id(open_desk):
    class Broken:
        def render_city(self, *_, **__):
            raise LookupError("no")

    desk = open_desk(PUBLIC, texts=Broken())
    desk.tell(step(1, "release"))
    assert desk.titles("site") == ["Warnung der Stadt / city warning: release"]
    assert "Hochwasser der Strunde in Gierath" in desk.bodies("site")[0]
    assert desk.bodies("site")[0].endswith("w1 w1.1.release")


def test_what_is_in_a_warning_can_forge_no_header_and_no_template(open_desk):
    evil = CityText("Flut\r\nBcc: x@example.org", "{{ 7 * 7 }}\n\nAutomatisch", "{city} %s")
    desk = open_desk(STAFF)
    desk.tell(step(1, "release", texts={"de": evil}, reason="{{ by }}\n.\nQUIT"))
    (text,) = desk.senders["wache"].texts
    assert "\n" not in text.title
    assert "\r" not in text.title + text.body
    assert "{{ 7 * 7 }} Automatisch {city} %s" in text.body
    assert text.body.count("\n") == 1


@pytest.mark.parametrize(("recipients", "status"), [("one", "refused"), ("one,two", "unknown")])
def test_a_refusal_of_one_of_several_recipients_may_have_reached_the_others(recipients, status):
    to = ",".join(f"{each}@stadt.example" for each in recipients.split(","))
    url = f"mailto://127.0.0.1:{free_port()}?from=a@stadt.example&to={to}"
    sender = AppriseSender(Channel("liste", url))
    assert sender.send(Text("t", "b"), warns=True, stopping=threading.Event()).status == status


@given(
    st.sampled_from(TELLINGS),
    st.tuples(st.integers(0, 900), st.integers(0, 900), st.integers(1, 300)),
    st.booleans(),
    st.sampled_from(["de", "en"]),
)
def test_every_text_fits_and_says_whose_it_is(words, action, lengths, staff, language):
    described, instructed, id_length = lengths
    warning = next(each for each in trials() if told_as(each) == action)
    texts = {"de": CityText("H" * described, "d" * described, "Raus! " + "i" * instructed)}
    id_ = "w" * id_length
    taken = replace(warning.steps[-1], event=f"{id_}.1", step=replace(warning.steps[-1].step, texts=texts))
    warning = replace(warning, id=id_, texts=texts, steps=(*warning.steps[:-1], taken), exercise=staff)
    if warning.pending:
        warning = replace(warning, pending=taken.step)
    text = words.render_city(warning, language, staff=staff, repeat=True)
    assert len(text.title) <= TITLE_LIMIT
    assert len(text.body) <= BODY_LIMIT
    assert "Bergisch Gladbach" in text.body
    assert id_[:100] in text.body
    if action == "release":
        assert "Raus!" in text.body
    title, body = plain_city(warning)
    assert len(title) <= TITLE_LIMIT
    assert len(body) <= BODY_LIMIT
    assert id_[:100] in body


@pytest.mark.parametrize(
    ("by", "de", "en"),
    [
        ("rule release-severe", "Vorgabe", "default"),
        ("rule night", "Regel „night“", "rule “night”"),
        ("A. Beispiel", "A. Beispiel", "A. Beispiel"),
    ],
)
def test_a_rule_that_no_city_wrote_is_the_default(words, by, de, en):
    warning = next(each for each in trials() if told_as(each) == "propose")
    latest = warning.steps[-1]
    latest = replace(latest, step=replace(latest.step, by=by))
    warning = replace(warning, steps=(*warning.steps[:-1], latest))
    assert de in words.render_city(warning, "de", staff=True).body
    body = words.render_city(warning, "en", staff=True).body
    assert en in body
    assert "release-severe" not in body


_ANSWERS = st.sampled_from(["refused", "sent", "unknown"])
_BEGINNINGS = st.tuples(st.just("step"), st.sampled_from(["release", "propose"]), _ANSWERS)
_WHAT = st.sampled_from(["step", "step", "step", "again", "restart"])
_LIVES = st.builds(
    lambda first, rest: [first, *rest],
    _BEGINNINGS,
    st.lists(st.tuples(_WHAT, st.sampled_from(get_args(CityAction)), _ANSWERS), max_size=8),
)


class _Lives:
    """A desk that is closed and opened again; keeps what each channel was told, with its outcome."""

    def __init__(self, folder, words):
        self.folder, self.words = folder, words
        self.journal = SqliteJournal(folder / "journal.db")
        self.tried = {"wache": [], "site": []}
        self.open()

    def open(self):
        self.desk = Desk(self.folder / "deliveries.db", self.journal, self.words, STAFF, PUBLIC)
        self.desk.now = T0

    def close(self):
        for name, sender in self.desk.senders.items():
            events = [text.body.rpartition(" ")[2] for text in sender.texts]
            self.tried[name] += zip(events, sender.outcomes, strict=True)
        self.desk.close()

    def do(self, what, number, action, answers):
        for sender in self.desk.senders.values():
            sender.answers = list(answers)
        if what == "step":
            self.desk.tell(step(number, action))
        elif what == "again":
            self.desk.again()
        else:
            self.close()
            self.open()


@settings(max_examples=150)
@given(_LIVES)
def test_no_order_of_steps_failures_and_restarts_misinforms_anybody(words, tmp_path_factory, lives):
    """Who was told of a warning, or may have been, knows at last how it stands; nobody else hears its end."""
    city = _Lives(tmp_path_factory.mktemp("city"), words)
    try:
        for number, (what, action, answer) in enumerate(lives, 1):
            city.do(what, number, action, [answer] * 9)
        city.do("again", 0, "", [])
        warning = city.desk.outbox._deliveries.city_warnings(["w1"]).get("w1")
    finally:
        city.close()
        city.journal.close()
    assert not {each.rpartition(".")[2] for each, _ in city.tried["site"]} & {"propose", "decline"}
    for name, messages in city.tried.items():
        heard = [each for each, outcome in messages if outcome != "refused"]
        if heard:
            firsts = {"release", "update"} if name == "site" else {*WARNS, "decline"}
            assert heard[0].rpartition(".")[2] in firsts
            assert heard == sorted(heard, key=lambda each: int(each.split(".")[1]))
        if heard or (warning and warning.in_force):
            steps = [
                each.event for each in warning.steps if name == "wache" or each.step.action in HEARD_BY_ALL
            ]
            assert messages[-1] == (steps[-1], "sent")


def test_a_hanging_and_a_half_failing_channel_delay_no_warning(make_endpoint, journal, tmp_path, words):
    hanging, shaky, alive = make_endpoint(), make_endpoint(), make_endpoint()
    hanging.mode, shaky.mode = "hang", "half"
    outbox = Outbox(
        journal,
        tmp_path / "deliveries.db",
        [
            Channel("hanging", hanging.url + "?rto=60"),
            Channel("shaky", shaky.url, audience=("public",)),
            Channel("alive", alive.url, audience=("public",)),
        ],
        words,
        lambda: T0,
        retry=Retry(first_s=0.05, most_s=0.2),
    )
    outbox.start()
    try:
        for number in range(10):
            write_events(journal, step(1, "release", id_=f"w{number}"))
            outbox.wake()
        until(lambda: len(alive.messages) == 10)
        until(lambda: len(shaky.messages) == 10)
        assert hanging.messages == []
        write_events(journal, *(step(2, "all_clear", id_=f"w{number}") for number in range(10)))
        outbox.wake()
        until(lambda: len(alive.messages) == len(shaky.messages) == 20)
        assert shaky.requests > len(shaky.messages)
    finally:
        outbox.stop()


def test_a_notice_and_a_warning_of_one_incident_do_not_touch_each_other(open_desk):
    desk = open_desk(STAFF, PUBLIC)
    desk.senders["site"].answers = ["refused"]
    desk.now = NOW_US
    event = replace(make_event("e1", audience="public"), incident="vorfall:1")
    write_events(desk.journal, event)
    desk.tell(replace(step(1, "release"), time_us=NOW_US))
    desk.again()
    assert sorted(title.partition(":")[0] for title in desk.titles("site")) == [
        "Starkregen, Stufe 3",
        "Starkregen, Stufe 3",
        "Warnung der Stadt Bergisch Gladbach",
    ]
    assert {status for status, _ in desk.receipts("site").values()} == {"sent"}
