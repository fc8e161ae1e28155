"""The residents' page: warning areas, what holds at a place, and exercises apart from warnings."""

import pytest
from alerts_areas import AREAS
from test_page import Watched, browser, faults, loaded, pytestmark, served

__all__ = ["browser", "pytestmark"]


@pytest.fixture
def opened(city, browser):
    city.changes = {"areas": AREAS}
    with served(city.app()) as (address, _):
        watched = Watched(
            browser,
            address,
            viewport={"width": 1280, "height": 900},
            geolocation={"latitude": 50.981, "longitude": 7.101},
            permissions=["geolocation"],
        )
        watched.asked = []
        watched.page.on(
            "request", lambda request: watched.asked.append(request.url + (request.post_data or ""))
        )
        watched.page.goto(address)
        loaded(watched.page)
        yield watched
        watched.close()


def test_areas_are_drawn_and_listed_with_their_state(opened):
    page = opened.page
    assert page.locator("path.area").count() == 2
    assert page.locator("path.area[data-severity=Severe]").count() == 1
    assert page.locator("path.area[data-severity=Severe]").get_attribute("fill") == "url(#hatch-Severe)"
    rows = page.locator("#area-list").inner_text()
    assert "Gierath\nMeldung · Schwere hoch" in rows
    assert "Oben\nkeine Meldung in Kraft" in rows
    assert "Warngebiet: Gierath" in page.locator(".warning").inner_text()
    page.locator("[data-language=en]").click()
    assert "Gierath village\nNotice · severity high" in page.locator("#area-list").inner_text()
    assert faults(page) == []


def test_my_position_is_found_and_told_to_nobody(opened):
    page = opened.page
    page.get_by_role("button", name="Mein Standort").click()
    page.wait_for_selector("#place-said .area-row")
    said = page.locator("#place-said").inner_text()
    assert "An diesem Ort" in said
    assert "Starkregen, Stufe 3 · Schwere hoch: Regen Gierath" in said
    assert page.locator(".place-mark").count() == 1
    assert not [
        address for address in opened.asked if "50.98" in address or "7.10" in address or "lat=" in address
    ]


def test_a_tap_on_the_map_asks_about_that_place(opened, city):
    page = opened.page
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("path.area[data-severity=Severe]").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.2)
    page.wait_for_selector("#place-said .area-row[data-area=gierath]")
    city.warn("regen-gierath", 0, "clear")
    page.wait_for_selector("#place-said .area-row:not(.warned)")
    assert "keine Meldung in Kraft" in page.locator("#place-said").inner_text()
    at = page.locator("#map").bounding_box()
    page.mouse.click(at["x"] + at["width"] / 2, at["y"] + at["height"] - 60)
    page.wait_for_selector(".place-none")
    assert "keinem Warngebiet" in page.locator("#place-said").inner_text()


def test_an_exercise_stands_apart_and_counts_as_no_warning(opened, city):
    page = opened.page
    city.warn(
        "strunde-gierath",
        2,
        measure="water_level",
        window_min=None,
        value=63.0,
        episode="exercise.1.x",
        exercise=True,
    )
    page.wait_for_selector("#exercises:not([hidden])")
    said = page.locator("#exercises").inner_text()
    assert "kein echtes Ereignis" in said
    assert "ÜBUNG: Wasserstand" in said
    assert page.locator(".warning").count() == 1
    assert page.locator(".pin.alert").count() == 1
    assert page.locator("#warnings-title").inner_text() == "Messwertmeldungen"
    assert "Neue Messwertmeldung: ÜBUNG" in page.locator("#announce").text_content()
    assert faults(page) == []
    city.warn(
        "strunde-gierath",
        0,
        "clear",
        measure="water_level",
        window_min=None,
        value=20.0,
        episode="exercise.1.x",
        exercise=True,
    )
    page.wait_for_selector("#exercises[hidden]", state="attached")
    assert page.locator("#ended-list li").count() == 0


def test_an_exercise_for_staff_is_not_on_the_page(opened, city):
    city.warn(
        "strunde-gierath", 2, measure="water_level", episode="exercise.2.x", exercise=True, audience="staff"
    )
    city.warn("regen-gierath", 0, "clear")
    opened.page.wait_for_selector("#warnings .calm")
    assert opened.page.locator("#exercises").is_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_and_nothing_is_cut_off_on_a_phone(city, browser, scheme):
    city.changes = {"areas": AREAS}
    with served(city.app()) as (address, _):
        watched = Watched(browser, address, viewport={"width": 390, "height": 844}, color_scheme=scheme)
        watched.page.goto(address)
        watched.page.wait_for_selector(".area-row.warned")
        watched.page.wait_for_selector(".pin")
        watched.page.locator("#map").click(position={"x": 20, "y": 250})
        watched.page.wait_for_selector("#place-said :first-child")
        assert faults(watched.page) == []
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= 390
        watched.close()
