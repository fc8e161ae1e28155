"""What residents see of warnings of the city, beside the automatic notices."""

from dataclasses import replace

import pytest
from city_orders import WHO, order, warned
from test_page import AXE, WCAG, Watched, browser, loaded, new_page, pytestmark, served, shows  # noqa: F401 - fixtures
from test_page_live import first, hold
from warned_city import TEXTS


@pytest.fixture
def opened(hall, browser):  # noqa: F811 - the fixture
    with served(hall.app()) as (address, _):
        watched = Watched(browser, address, viewport={"width": 1280, "height": 900})
        watched.page.goto(address)
        loaded(watched.page)
        yield watched.page
        watched.close()


def test_nothing_is_shown_while_the_city_says_nothing(opened, hall):
    assert not opened.locator("#city").is_visible()
    order(hall, "propose", severity="Extreme", reason="secret")
    hall.warn("strunde-gierath", 2, measure="water_level", window_min=None, value=63.0, episode="live")
    opened.wait_for_selector(".warning[data-id=live]")
    assert not opened.locator("#city").is_visible()
    assert opened.locator(".city-warning").count() == 0


def test_a_release_appears_live_apart_from_the_notices_and_goes_with_its_all_clear(opened, hall):
    warning = warned(hall)
    card = opened.locator(f".city-warning[data-id='{warning.id}']")
    card.wait_for()
    said = card.inner_text()
    for words in (
        "Warnung der Stadt",
        "Hochwasser der Strunde in Gierath",
        "Keller und Tiefgaragen sofort verlassen",
        "Gilt für Gierath",
        f"Freigegeben von {WHO}, 20:30 Uhr",
        "gilt bis 23:30 Uhr",
    ):
        assert words in said
    assert "Die Stadt teilt mit: Hochwasser" in opened.locator("#announce").text_content()
    assert opened.locator("#warnings .city-warning").count() == 0
    assert opened.locator("#city .warning").count() == 0
    order(hall, "update", warning.id, severity="Extreme", areas=(), texts=TEXTS)
    opened.wait_for_selector(".city-warning[data-severity=Extreme]")
    assert "ganzen Stadtgebiet" in opened.locator("#city").inner_text()
    order(hall, "all_clear", warning.id, by="C. Wehr")
    opened.wait_for_selector(".city-ended[data-end=all_clear]")
    assert opened.locator(".city-warning").count() == 0
    assert "Entwarnung durch C. Wehr" in opened.locator("#city").inner_text()


def test_what_the_page_reads_at_first_is_no_news_though_the_stream_was_faster(hall, browser):  # noqa: F811 - the fixture
    old = warned(hall, texts={"de": replace(TEXTS["de"], headline="Gestern")})
    with served(hall.app()) as (address, _):
        watched = Watched(browser, address, viewport={"width": 1280, "height": 900})
        page = watched.page
        held = hold(page, "/api/v1/city-warnings*")
        page.goto(address)
        first(page, held)
        page.wait_for_selector(".connection[data-state=live]")
        hall.now_us += 60_000_000
        new = warned(hall, texts={"de": replace(TEXTS["de"], headline="Heute")})
        page.wait_for_selector(f".city-warning[data-id='{new.id}']")
        for each in held:
            each.continue_()
        page.wait_for_selector(f".city-warning[data-id='{old.id}']")
        said = page.locator("#announce").text_content()
        watched.close()
    assert "Heute" in said
    assert "Gestern" not in said


def test_in_english_what_is_written_in_german_only_says_so(opened, hall):
    warned(hall, texts={"de": TEXTS["de"]})
    opened.wait_for_selector(".city-warning")
    opened.click("[data-language=en]")
    assert "Released by A. Beispiel" in opened.locator("#city").inner_text()
    assert opened.locator(".city-warning h3").get_attribute("lang") == "de"


def test_an_exercise_is_marked_and_never_a_warning_of_its_own(hall, browser):  # noqa: F811 - the fixture
    order(hall, "release", severity="Severe", exercise=True)
    with served(hall.app()) as (address, _):
        page = new_page(browser)
        page.goto(address)
        page.wait_for_selector(".connection[data-state=live]")
        assert page.locator("#city").is_hidden()
        page.close()


def test_a_page_without_scripts_names_it_and_what_has_ended(hall, browser):  # noqa: F811 - the fixture
    over = warned(hall, reason="first")
    order(hall, "cancel", over.id)
    warned(hall)
    with served(hall.app()) as (address, _):
        page = new_page(browser, java_script_enabled=False)
        page.goto(address)
        said = page.locator("#city").inner_text()
        page.close()
    assert "Freigegeben von A. Beispiel, 14.07., 20:30 Uhr · gilt bis 14.07., 23:30 Uhr" in said
    assert "Zurückgenommen von A. Beispiel" in said


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_no_fault_in_it(hall, browser, width, scheme):  # noqa: F811 - the fixture
    ended = warned(hall, reason="first")
    order(hall, "all_clear", ended.id)
    for severity in ("Extreme", "Severe", "Moderate", "Minor"):
        hall.now_us += 60_000_000
        warned(hall, severity=severity)
    with served(hall.app()) as (address, _):
        size = {"width": width, "height": 900}
        page = new_page(browser, locale="de-DE", viewport=size, color_scheme=scheme, bypass_csp=True)
        page.goto(address)
        page.wait_for_selector(".connection[data-state=live]")
        shows(page, ".city-warning .band", "Schwere sehr hoch")  # the scale is read too
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.add_script_tag(path=AXE)
        found = page.evaluate("o => axe.run('#city', o)", WCAG)
        page.close()
    assert [(each["id"], [n["html"][:80] for n in each["nodes"]]) for each in found["violations"]] == []
