"""The Lagemeldung and its way to the control centre: one page, every step once, in order, durably."""

import base64
import io
import time
from dataclasses import replace

import pypdf
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import free_port
from warned_city import BASIS, MINUTE, T0, TEXTS, notice, step, warned

from alerts.cap import lagemeldung
from alerts.cap.lagemeldung import Situation
from alerts.cap.leitstelle import MOST_AGE_US, Folder, Leitstelle, Mail, Post
from alerts.cap.rules import check
from alerts.city.city_warning import fold
from alerts.errors import AlertsConfigError
from alerts.event import CityText


def situation(warning, *, measured=(), draft="stadtfunk.1", problem=""):
    return Situation(warning, warning.steps[-1], measured, draft, problem, "Europe/Berlin")


def read(content):
    pages = pypdf.PdfReader(io.BytesIO(content)).pages
    return len(pages), pages[0].extract_text()


def until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_the_page_says_what_the_control_centre_needs():
    warning = warned("propose", "release")
    text = lagemeldung.text(situation(warning, measured=[notice()]), BASIS)
    for part in (
        "WARNUNG DER STADT",
        "Hochwasser der Strunde in Gierath",
        "14.07.2026 20:32 CEST",
        "Gebiet:       Gierath (ARS 053780004004)",
        "Schwere:      hoch (Severe)",
        "A. Beispiel: Pegel steigt",
        "Pegel Gierath: 152 cm",
        "Obere Stockwerke",
        "02202 0",
        "stadtfunk.1",
        "nicht über MoWaS",
    ):
        assert part in text, part
    pages, shown = read(lagemeldung.pdf(situation(warning, measured=[notice()]), BASIS))
    assert pages == 1
    for part in ("Überschrift", "Gültig", "Keller und Tiefgaragen"):
        assert part in shown


def test_an_end_an_exercise_and_a_missing_draft_are_said():
    text = lagemeldung.text(situation(warned("release", "all_clear", areas=("oben",))), BASIS)
    assert "ENTWARNUNG" in text
    assert "Oben & unten" in text
    text = lagemeldung.text(
        situation(warned("release", exercise=True), draft="", problem="headline is missing"), BASIS
    )
    assert text.startswith("ÜBUNG ÜBUNG ÜBUNG")
    assert "nicht erstellt: headline is missing" in text


@settings(max_examples=20)
@given(st.text(max_size=6000), st.text(max_size=6000))
def test_it_is_one_page_whatever_a_person_wrote(description, instruction):
    texts = {"de": CityText("Flut \U0001f30a ş „x“", description, instruction)}
    content = lagemeldung.pdf(situation(warned("release", texts=texts)), BASIS)
    assert read(content)[0] == 1


class Control:
    """A Leitstelle over a desk's warnings."""

    def __init__(self, desk, places, **options):
        self.publisher = desk.open(drafts=True, notices="off")
        self.leitstelle = Leitstelle(
            self.publisher,
            lambda: desk.basis,
            lambda: desk.warnings,
            places,
            clock=lambda: desk.now_us,
            timezone="Europe/Berlin",
            pauses_s=(0.02,),
            **options,
        )

    def done(self, number):
        entries = self.publisher.archive.hand_overs()
        return len(entries) == number and all(each.status == "sent" for each in entries)


@pytest.fixture
def control(desk):
    started = []

    def start(*places):
        control = Control(desk, places)
        control.leitstelle.start()
        started.append(control)
        return control

    yield start
    for each in started:
        each.leitstelle.stop()


def test_every_step_is_dropped_once_as_text_page_and_draft(desk, control, tmp_path):
    desk.warnings = [warned("propose", "release")]
    folder = tmp_path / "leitstelle"
    running = control(Folder(folder))
    until(lambda: running.done(1))
    desk.warnings = [fold(desk.warnings[0], step(3, "update"))]
    until(lambda: running.done(2))
    desk.warnings = [fold(desk.warnings[0], step(4, "expire"))]
    until(lambda: running.done(3))
    names = sorted(each.name for each in folder.iterdir())
    stem = "stadtfunk.053780004004.w1"
    assert names == [
        f"{stem}.2.cap.xml",
        f"{stem}.2.pdf",
        f"{stem}.2.txt",
        f"{stem}.3.cap.xml",
        f"{stem}.3.pdf",
        f"{stem}.3.txt",
        f"{stem}.4.pdf",
        f"{stem}.4.txt",
    ]
    draft = (folder / f"{stem}.3.cap.xml").read_bytes()
    assert check(draft) == []
    assert b"<status>Draft</status>" in draft
    assert b"w1.2.draft," in draft
    assert "ABGELAUFENE" in (folder / f"{stem}.4.txt").read_text()


def test_what_was_only_proposed_or_declined_is_not_handed_over(desk):
    desk.warnings = [warned("propose", "decline"), warned("propose", id_="w2")]
    running = Control(desk, [Folder(desk.folder / "l")])
    running.leitstelle.report()
    assert running.publisher.archive.hand_overs() == []


def test_an_exercise_that_only_staff_hear_of_is_not_handed_over(desk):
    desk.warnings = [replace(warned("release", exercise=True), staff_only=True)]
    running = Control(desk, [Folder(desk.folder / "l")])
    running.leitstelle.report()
    assert running.publisher.archive.hand_overs() == []


def test_a_refused_step_is_tried_again_and_keeps_its_order(desk, control, hook):
    hook.refuse = 3
    desk.warnings = [warned("release", "update", "all_clear")]
    running = control(Post(hook.url, "token"))
    until(lambda: running.done(3))
    assert hook.keys == ["w1.1.release", "w1.2.update", "w1.3.all_clear"]
    assert hook.requests == 6
    assert base64.b64decode(hook.taken[0]["pdf"]).startswith(b"%PDF")
    assert check(base64.b64decode(hook.taken[2]["cap"])) == []
    assert running.leitstelle.health["http"].ok


def test_a_report_that_is_never_taken_holds_up_no_later_one(desk, control, hook):
    hook.never = "w1.1.release"
    desk.warnings = [warned("release", "update", "all_clear")]
    running = control(Post(hook.url))
    until(lambda: len(hook.taken) == 2)
    assert hook.keys == ["w1.2.update", "w1.3.all_clear"]
    assert {each.event: each.status for each in running.publisher.archive.hand_overs()}[
        "w1.1.release"
    ] == "failed"


def queued(desk, place, *warnings):
    """Reports that wait since the last step."""
    desk.warnings = list(warnings)
    desk.now_us = T0
    away = Control(desk, [place])
    away.leitstelle.report()
    return away


def test_reports_of_days_ago_are_given_up(desk, control, hook):
    over = warned("release", "update", "all_clear")
    queued(desk, Post(hook.url), over)
    desk.now_us = T0 + MOST_AGE_US + MINUTE
    running = control(Post(hook.url))
    until(lambda: {each.status for each in running.publisher.archive.hand_overs()} == {"failed"})
    assert hook.requests == 0
    assert running.leitstelle.health["http"].ok
    assert {each.detail for each in running.publisher.archive.hand_overs()} == {"given up: too old"}


def test_what_still_holds_is_reported_however_late(desk, control, hook):
    queued(desk, Post(hook.url), warned("release"))
    desk.now_us = T0 + MOST_AGE_US + MINUTE
    control(Post(hook.url))
    until(lambda: hook.keys == ["w1.1.release"])


def test_the_end_of_what_was_told_is_reported_however_late(desk, control, hook):
    desk.warnings = [warned("release")]
    running = control(Post(hook.url))
    until(lambda: running.done(1))
    running.leitstelle.stop()
    queued(
        desk, Post(hook.url), warned("release", "update", "all_clear"), warned("release", "cancel", id_="w2")
    )
    desk.now_us = T0 + MOST_AGE_US + MINUTE
    running = control(Post(hook.url))
    archive = running.publisher.archive
    until(lambda: not any(each.status == "pending" for each in archive.hand_overs()))
    assert hook.keys == ["w1.1.release", "w1.3.all_clear"]


def test_nothing_is_lost_or_repeated_over_a_restart(desk, hook, control):
    desk.warnings = [warned("release", "update")]
    before = Control(desk, [Post(f"http://127.0.0.1:{free_port()}/away")])
    before.leitstelle.start()
    until(lambda: not before.leitstelle.health["http"].ok)
    before.leitstelle.stop()
    running = control(Post(hook.url))
    until(lambda: running.done(2))
    time.sleep(0.2)
    assert len(hook.taken) == 2


def test_a_place_that_is_away_does_not_delay_another(desk, control, hook, tmp_path):
    desk.warnings = [warned("release")]
    (tmp_path / "file").write_text("no folder")
    running = control(Folder(tmp_path / "file"), Post(hook.url))
    until(lambda: hook.taken)
    until(lambda: not running.leitstelle.health["folder"].ok)
    assert running.leitstelle.health["http"].ok


def test_it_goes_by_mail_with_page_and_draft_attached(desk, control, tmp_path):
    port = free_port()
    server = Controller(Mailbox(tmp_path / "mails"), hostname="127.0.0.1", port=port)
    server.start()
    try:
        desk.warnings = [warned("release")]
        running = control(
            Mail(
                f"mailto://127.0.0.1:{port}?from=stadt@stadt.example&to=leitstelle@kreis.example"
                "&smtp=127.0.0.1&mode=insecure"
            )
        )
        until(lambda: running.done(1))
        (message,) = server.handler.mailbox
    finally:
        server.stop()
    names = {part.get_filename() for part in message.walk() if part.get_filename()}
    stem = "stadtfunk.053780004004.w1.1"
    assert names == {f"{stem}.txt", f"{stem}.pdf", f"{stem}.cap.xml"}


def test_a_failed_draft_does_not_keep_the_text_back(desk, control, hook):
    broken = {"de": replace(TEXTS["de"], headline="")}
    desk.warnings = [warned("release", texts=broken)]
    running = control(Post(hook.url))
    until(lambda: running.done(1))
    assert hook.taken[0]["cap"] is None
    assert "nicht erstellt" in hook.taken[0]["text"]
    assert "headline is missing" in hook.taken[0]["text"]


def test_an_address_that_is_none_is_found_at_once():
    with pytest.raises(AlertsConfigError):
        Post("kreis.example/lage")
