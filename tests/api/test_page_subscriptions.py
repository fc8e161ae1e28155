"""The pages to subscribe: with and without scripts, in both languages, for everybody."""

import re

import pytest
from starlette.testclient import TestClient
from subscription_town import ANNA, mails, subscribed, with_subscriptions
from test_page import Watched, browser, faults, new_page, pytestmark, served, shows

from alerts.subscriptions.subscription import Place

__all__ = ["browser", "pytestmark"]


@pytest.fixture
def file(city):
    file = with_subscriptions(city, channels=("email",))
    yield file
    file.close()


def opened(browser, address, **options):
    return Watched(browser, address, viewport={"width": 420, "height": 900}, **options)


def test_a_resident_subscribes_with_the_map_and_the_address_list(city, browser, file):
    with served(city.app()) as (address, _):
        watched = opened(browser, address)
        page = watched.page
        page.goto(f"{address}/subscribe")
        page.wait_for_selector("path.area")
        assert faults(page) == []
        page.get_by_label("Gierath").first.check()
        page.locator("#map").click(position={"x": 120, "y": 120})
        assert page.locator("input[name=point]").count() == 1
        page.get_by_label("Adresse suchen").fill("hauptstr 12")
        page.get_by_label("Adresse suchen").press("Enter")
        page.get_by_role("button", name="Hauptstraße 12").click()
        assert page.locator("input[name=point]").last.get_attribute("value") == "50.980,7.100,3"
        assert "Ort hinzugefügt: Hauptstraße 12, Regen im Umkreis von 3 km" in page.inner_text("#point-said")
        page.get_by_label("In dieser Zeit keine Nachrichten").check()
        page.get_by_label("E-Mail-Adresse").first.fill("anna@example.org")
        assert faults(page) == []
        page.get_by_role("button", name="Anmelden").click()
        shows(page, "h1", "Sehen Sie in Ihre Nachrichten")
        assert faults(page) == []
        ((_, _, token),) = mails(file)
        page.goto(f"{address}/subscriptions/{token}")
        shows(page, "main", "Warngebiet Gierath")
        assert file.known(ANNA) is None
        assert faults(page) == []
        page.get_by_role("button", name="Bestätigen").click()
        shows(page, ".said", "Bestätigt")
        page.wait_for_selector("path.area")
        assert faults(page) == []
        choices = file.known(ANNA).choices
        assert choices.places[0] == Place("area", "gierath")
        assert choices.places[-1] == Place("point", "", 50.98, 7.1, 3)
        assert (choices.quiet.start_min, choices.quiet.end_min) == (22 * 60, 6 * 60)
        page.get_by_label("Gierath").first.uncheck()
        page.get_by_role("button", name="Änderung speichern").click()
        shows(page, ".said", "Gespeichert.")
        assert Place("area", "gierath") not in file.known(ANNA).choices.places
        page.get_by_role("button", name="Keine Nachrichten mehr").click()
        shows(page, "h1", "Sie bekommen keine Nachrichten mehr")
        assert file.known(ANNA) is None
        watched.close()


def test_without_scripts_and_in_english(city, browser, file):
    with served(city.app()) as (address, _):
        context = browser.new_context(java_script_enabled=False, locale="en-GB")
        page = new_page(context)
        page.goto(address)
        page.get_by_role("link", name="Warnungen per Nachricht bekommen").click()
        shows(page, "h1", "Get warnings")
        page.get_by_label("Gierath village").check()
        page.get_by_label("E-mail address").first.fill("anna@example.org")
        page.get_by_role("button", name="Sign up").click()
        shows(page, "h1", "Look at your messages")
        ((_, _, token),) = mails(file)
        page.goto(f"{address}/subscriptions/{token}")
        page.get_by_role("button", name="Confirm").click()
        shows(page, ".said", "Confirmed")
        assert page.get_by_label("Gierath village").is_checked()
        assert file.known(ANNA).choices.language == "en"
        page.get_by_role("link", name="Deutsch").click()
        shows(page, "h1", "Ihre Auswahl")
        context.close()


def test_what_is_missing_is_said_and_nothing_is_lost(city, browser, file):
    with served(city.app()) as (address, _):
        watched = opened(browser, address, color_scheme="dark")
        page = watched.page
        page.goto(f"{address}/subscribe")
        page.get_by_label("E-Mail-Adresse").first.fill("anna@example.org")
        page.get_by_label("Ab welcher Schwere?").select_option("Extreme")
        page.get_by_role("button", name="Anmelden").click()
        shows(page, "[role=alert]", "Wählen Sie mindestens ein Gebiet")
        assert page.get_by_label("Ab welcher Schwere?").input_value() == "Extreme"
        assert page.get_by_label("E-Mail-Adresse").first.input_value() == "anna@example.org"
        assert faults(page) == []
        watched.complaints = []  # the browser reports the 422
        watched.close()


@pytest.mark.parametrize("lang", ["de", "en"])
def test_every_page_is_whole_in_both_languages(city, file, lang):
    with TestClient(city.app()) as client:
        manage = subscribed(client, file)
        (found,) = file.audiences.opened([1])
        client.post("/api/v1/subscriptions", json={"address": "b@example.org", "areas": ["oben"]})
        ((_, _, token),) = mails(file)
        for path in ("/subscribe", *(f"/subscriptions/{each}" for each in (manage, found.leave, token, "x"))):
            answer = client.get(f"{path}?lang={lang}")
            assert f'<html lang="{lang}"' in answer.text
            assert "{" not in re.sub(r"data-(place|rain)=\"[^\"]*\"", "", answer.text), path
