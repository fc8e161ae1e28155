"""Warnings of the city on the staff page, in a real browser over a real office."""

from contextlib import suppress

import pytest
from small_town import MINUTE, wait_for
from test_page import browser, faults, pytestmark
from test_page_console import NAME, flooded, log_in, measure, no_sideways_scroll, opened, settle, shows
from warned_city import AREAS

from alerts.city.office import CityOffice
from alerts.city.order import Order, OrderRefusedError
from alerts.city.release import Releases
from alerts.event import CityText

__all__ = ["browser", "opened", "pytestmark"]
watched_town = flooded


@pytest.fixture
def flooded(watched_town):
    """The same, and the city's rules propose a warning for it."""
    town = watched_town
    office = CityOffice(town.journal, Releases(), AREAS, lambda: town.now_us)
    office.start()
    town.office = office
    town.changes |= {"office": office, "city_warnings": office.warnings, "areas": AREAS}
    town.engine.listen(lambda _: office.wake())
    office.run_once()  # it proposes nothing more by itself
    assert office.warnings()
    yield town
    office.stop()


@pytest.fixture
def warning(flooded):
    return flooded.office.warnings()[0]


def of(flooded, status):
    return [each for each in flooded.office.warnings() if each.status == status]


def last(flooded, id_):
    return flooded.office.get(id_).steps[-1].step


def unfolded(card):
    """A warning in force with its wording and what is seldom done to it."""
    if card.locator("details[data-fold=more]:not([open])").count():
        card.get_by_text("Wortlaut, ändern, zurückziehen").click()
    return card


def opened_form(card, summary):
    unfolded(card)
    card.locator("summary").get_by_text(summary, exact=True).click()
    return card.locator(".act[open]")


def test_a_proposal_stands_first_with_its_text_in_view(opened, warning):
    page = log_in(opened)
    card = page.locator("#decide .card")
    said = card.inner_text()
    for expected in (
        "hoch",
        "vorgeschlagen, nicht freigegeben",
        "Gierath",
        "Gilt bis",
        "Regel „release-severe“",
    ):
        assert expected in said, expected
    assert card.get_by_label("Überschrift").first.input_value() == warning.texts["de"].headline
    assert card.get_by_label("Was zu tun ist").first.input_value() == warning.texts["de"].instruction
    release = card.get_by_role("button", name="Jetzt freigeben")
    assert "hoch · Gierath · Gilt bis" in release.inner_text().replace("\n", " ")
    assert page.title().startswith("(2)"), "the proposal and the incident wait"
    assert no_sideways_scroll(page)
    assert faults(page) == []


def test_one_tap_releases_exactly_what_stands_there(opened, flooded, warning):
    page = log_in(opened)
    card = page.locator("#decide .card")
    card.get_by_label("Überschrift").first.fill('Strunde:\n  "Lebensgefahr" & mehr')
    assert card.get_by_text("Die anderen Sprachen sagen noch den alten Text").is_visible()
    settle(page)
    card.get_by_role("button", name="Jetzt freigeben").click()
    shows(page, "#announce", "Freigegeben")  # it goes by itself
    wait_for(lambda: of(flooded, "in_force"))
    step = last(flooded, warning.id)
    assert (step.action, step.by, step.severity, step.areas) == ("release", NAME, "Severe", ("gierath",))
    assert step.texts["de"].headline == 'Strunde: "Lebensgefahr" & mehr'
    assert step.texts["de"].description == warning.texts["de"].description
    assert step.texts["en"] == warning.texts["en"]
    shows(page, "#warnings .card", "in Kraft")
    assert (
        '"Lebensgefahr" & mehr'
        in unfolded(page.locator("#warnings .card")).locator(".said").first.inner_text()
    )
    assert [each.subject for each in flooded.audit.entries(5)] == [warning.id]


def test_what_the_office_refuses_is_said_and_what_was_written_stays(opened, flooded, warning):
    page = log_in(opened)
    card = page.locator("#decide .card")
    card.get_by_label("Überschrift").first.fill("<b>Hochwasser</b>")
    settle(page)
    card.get_by_role("button", name="Jetzt freigeben").click()
    shows(page, "#decide .told.fault", "no markup")
    assert card.get_by_label("Überschrift").first.input_value() == "<b>Hochwasser</b>"
    assert of(flooded, "in_force") == []
    opened.complaints[:] = [each for each in opened.complaints if "409" not in each]


def test_a_second_press_while_the_first_is_under_way_does_nothing(opened, flooded, warning):
    page = log_in(opened)
    card = page.locator("#decide .card")
    card.get_by_role("button", name="Jetzt freigeben").dblclick()
    wait_for(lambda: of(flooded, "in_force"))
    settle(page)
    assert [each.step.action for each in flooded.office.get(warning.id).steps] == ["propose", "release"]


@pytest.mark.parametrize("press", ["Jetzt freigeben", "Ablehnen"])
def test_nobody_decides_about_what_he_has_not_read(opened, flooded, warning, press):
    """The page says what was read; what came in between is said, and nothing is decided."""
    page = log_in(opened)
    card = page.locator("#decide .card")
    card.get_by_label("Überschrift").first.fill("Strunde steigt")
    form = opened_form(card, "Ablehnen") if press == "Ablehnen" else card
    if press == "Ablehnen":
        form.get_by_label("Grund").fill("Messgerät gestört")
    settle(page)

    def meanwhile(route):
        with suppress(OrderRefusedError):  # the page asks twice at most
            flooded.office.decide(
                Order("propose", "B. Muster", "steigt", flooded.now_us, warning.id, severity="Extreme")
            )
        route.continue_()

    page.route("**/steps", meanwhile)
    with page.expect_request("**/steps") as asked:
        form.get_by_role("button", name=press).click()
    assert asked.value.post_data_json["seen"] == len(warning.steps)
    shows(page, "#decide .told.fault", "B. Muster")
    assert "Extreme" in page.locator("#decide .told.fault").inner_text()
    assert of(flooded, "in_force") == of(flooded, "declined") == []
    assert [each.step.action for each in flooded.office.get(warning.id).steps] == ["propose", "propose"]
    opened.complaints[:] = [each for each in opened.complaints if "409" not in each]


def test_a_proposal_is_declined_with_its_reason(opened, flooded, warning):
    page = log_in(opened)
    card = page.locator("#decide .card")
    form = opened_form(card, "Ablehnen")
    form.get_by_role("button", name="Messgerät gestört").click()
    settle(page)
    form.get_by_role("button", name="Ablehnen").click()
    wait_for(lambda: of(flooded, "declined"))
    assert last(flooded, warning.id).reason == "Messgerät gestört"
    page.locator("#past > summary").click()
    shows(page, "#past .card", "abgelehnt")


def test_in_force_it_is_changed_and_then_cancelled(opened, flooded, warning):
    flooded.office.decide(Order("release", "A", "x", flooded.now_us, warning.id))
    page = log_in(opened)
    card = page.locator("#warnings .card")
    assert warning.texts["de"].headline in unfolded(card).locator(".said").first.inner_text()
    form = opened_form(card, "Text, Schwere oder Gebiet ändern")
    form.get_by_label("Schwere").select_option("Extreme")
    form.locator("summary").filter(has_text="Gebiete").click()
    form.get_by_label("Oben & unten").check()
    settle(page)
    form.get_by_role("button", name="Änderung senden").click()
    wait_for(lambda: last(flooded, warning.id).action == "update")
    step = last(flooded, warning.id)
    assert (step.severity, step.areas, step.reason) == (
        "Extreme",
        ("gierath", "oben"),
        "Lage hat sich geändert",
    )
    shows(page, "#warnings .chip", "sehr hoch")
    settle(page)
    form = opened_form(card, "Zurückziehen (war falsch)")
    form.get_by_role("button", name="Versehentlich freigegeben").click()
    settle(page)
    form.get_by_role("button", name="Zurückziehen (war falsch)").click()
    wait_for(lambda: of(flooded, "ended"))
    assert last(flooded, warning.id).action == "cancel"


def test_it_is_called_off(opened, flooded, warning):
    flooded.office.decide(Order("release", "A", "x", flooded.now_us, warning.id))
    for minute in range(5, 120, 5):
        measure(flooded, minute, 5.0)
    wait_for(lambda: flooded.incidents.incidents()[0].status == "awaiting_all_clear")
    flooded.office.run_once()
    page = log_in(opened)
    card = page.locator("#warnings .card")
    form = opened_form(card, "Entwarnung")
    form.get_by_label("Grund").fill("Bach wieder im Bett")
    settle(page)
    form.get_by_role("button", name="Entwarnung", exact=True).click()
    wait_for(lambda: of(flooded, "ended"))
    step = last(flooded, warning.id)
    assert (step.action, step.by, step.reason) == ("all_clear", NAME, "Bach wieder im Bett")


def test_raised_by_hand_with_a_proposed_text(opened, flooded):
    page = log_in(opened)
    page.locator("#by-hand > summary").click()
    form = page.locator("#by-hand > div")
    wait_for(form.get_by_label("Überschrift").first.input_value)
    proposed = form.get_by_label("Überschrift").first.input_value()
    form.locator("summary").filter(has_text="Gebiete").click()
    form.get_by_label("Oben & unten").check()
    form.get_by_label("Schwere").select_option("Moderate")
    wait_for(lambda: form.get_by_label("Überschrift").first.input_value() != proposed)
    form.get_by_label("Überschrift").first.fill("Rohrbruch an der Quelle")
    form.get_by_label("Grund").fill("Anruf der Stadtwerke")
    settle(page)
    form.get_by_role("button", name="Jetzt freigeben").click()
    wait_for(lambda: of(flooded, "in_force"))
    [made] = of(flooded, "in_force")
    step = made.steps[-1].step
    assert (made.incident, step.severity, step.areas) == ("", "Moderate", ("oben",))
    assert (step.by, step.reason) == (NAME, "Anruf der Stadtwerke")
    assert step.texts["de"].headline == "Rohrbruch an der Quelle"
    assert made.valid_until_us == flooded.now_us + 180 * MINUTE


def test_a_test_alarm_is_an_exercise(opened, flooded, warning):
    flooded.office.decide(Order("decline", "A", "x", flooded.now_us, warning.id))
    page = log_in(opened)
    page.locator("#test-alarm > summary").click()
    form = page.locator("#test-alarm > div")
    assert "kein echtes Ereignis" in form.get_by_label("Überschrift").first.input_value()
    settle(page)
    form.get_by_role("button", name="Probealarm auslösen").click()
    wait_for(lambda: of(flooded, "in_force"))
    [made] = of(flooded, "in_force")
    assert (made.exercise, made.public, set(made.texts)) == (True, False, {"de", "en"})
    page.wait_for_selector("#warnings .card .exercise")


def test_what_somebody_writes_is_not_overwritten(opened, flooded, warning):
    page = log_in(opened)
    card = page.locator("#decide .card")
    card.get_by_label("Was geschieht").first.fill("Mein Text")
    texts = {"de": CityText("Neu", "Neue Lage", "Neuer Rat")}
    flooded.office.decide(Order("propose", "B", "y", flooded.now_us, warning.id, texts=texts))
    page.wait_for_selector("#decide [role=alert]:visible")
    assert "hat sich geändert, während" in card.inner_text()
    assert card.get_by_label("Was geschieht").first.input_value() == "Mein Text"
    card.get_by_role("button", name="Neuen Vorschlag übernehmen").click()
    assert card.get_by_label("Was geschieht").first.input_value() == "Neue Lage"


def test_a_change_proposed_while_it_is_in_force_is_released_or_declined(opened, flooded, warning):
    flooded.office.decide(Order("release", "A", "x", flooded.now_us, warning.id))
    flooded.office.decide(Order("propose", "B", "steigt", flooded.now_us, warning.id, severity="Extreme"))
    page = log_in(opened)
    card = page.locator("#decide .card")
    assert "Vorgeschlagene Änderung" in card.inner_text()
    assert card.get_by_label("Schwere").first.input_value() == "Extreme"
    card.get_by_role("button", name="Jetzt freigeben").click()
    wait_for(lambda: flooded.office.get(warning.id).severity == "Extreme")
    assert flooded.office.get(warning.id).pending is None


def test_the_link_of_a_message_shows_one_and_what_belongs_to_it(opened, flooded, warning):
    by_hand = Order("release", "A", "x", flooded.now_us, severity="Minor", areas=("oben",), valid_min=60)
    other = flooded.office.decide(by_hand)
    page = log_in(opened, f"/console/incidents/{warning.id}")
    assert page.locator("#decide .card, #warnings .card").count() == 1
    assert page.locator("#incidents .card").get_attribute("data-id") == warning.incident
    page.get_by_role("link", name="Alle Ereignisse").click()
    page.wait_for_selector(f"[data-id='{other.id}']")
    page.goto(f"{opened.address}/console/incidents/{warning.incident}")
    page.wait_for_selector(f"[data-id='{warning.id}']")
    assert page.locator(f"[data-id='{other.id}']").count() == 0
    page.goto(f"{opened.address}/console/incidents/nothing.20260101T000000Z")
    shows(page, "#not-found", "nothing.2026")


def test_by_keyboard_alone(opened, flooded, warning):
    page = log_in(opened)
    release = page.locator("#decide .card").get_by_role("button", name="Jetzt freigeben")
    release.focus()
    page.keyboard.press("Enter")
    wait_for(lambda: of(flooded, "in_force"))
    shows(page, "#warnings .card", "in Kraft")
    page.wait_for_selector("#main:focus")  # not lost with the button that went
    assert faults(page) == []
