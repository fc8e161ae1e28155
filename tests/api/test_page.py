import contextlib
import os
import threading
from pathlib import Path

import pytest
import uvicorn
from small_town import MINUTE, RAIN, wait_for

from api.app import close_streams
from api.vendor import NODE_MODULES

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
AXE = NODE_MODULES / "axe-core" / "axe.min.js"
pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no chromium on this machine"),
    pytest.mark.skipif(not AXE.exists(), reason="npm packages are missing: run `npm ci` in api/pages"),
]
ARGUMENTS = [
    "--no-sandbox",
    "--headless=new",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


@contextlib.contextmanager
def served(app):
    """The application on a free port of this machine; yields its address and what stops it."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()

    def stop():
        close_streams(app)
        server.should_exit = True
        thread.join(10)

    try:
        wait_for(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", stop
    finally:
        stop()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


class Watched:
    """A page of the browser, and everything it asked for or complained about."""

    def __init__(self, browser, address, **options):
        self.complaints, self.outside = [], []
        self.page = browser.new_page(**options)
        self.page.on(
            "console", lambda m: self.complaints.append(m.text) if m.type in {"error", "warning"} else None
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "request", lambda r: None if r.url.startswith((address, "data:")) else self.outside.append(r.url)
        )

    def close(self):
        self.page.close()
        assert self.complaints == []
        assert self.outside == []


@pytest.fixture
def opened(city, browser):
    with served(city.app()) as (address, _):
        watched = Watched(browser, address, viewport={"width": 1280, "height": 900})
        watched.page.goto(address)
        watched.page.wait_for_selector(".connection[data-state=live]")
        watched.page.wait_for_selector(".station")
        yield watched.page
        watched.close()


def faults(page):
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("options => axe.run(document, options)", WCAG)["violations"]
    return [(each["id"], [node["target"] for node in each["nodes"]]) for each in found]


def test_a_resident_sees_warnings_stations_map_and_chart(opened):
    card = opened.locator(".warning")
    assert card.count() == 1
    said = card.inner_text()
    for expected in (
        "Stufe 3 · Schwere hoch",
        "Starkregen: Regen Gierath",
        "31,2 l/m²",
        "in 1 h",
        "Seit 20:30 Uhr",
        "keine amtliche Warnung",
    ):
        assert expected in said
    assert opened.locator(".pin").count() == 4
    assert opened.locator(".pin.alert[data-severity=Severe]").count() == 1
    stations = opened.locator("#list").inner_text()
    assert "Parkplatz Markt\n28 frei" in stations.replace("\xa0", " ")
    assert "Geheim" not in opened.content()
    opened.get_by_role("button", name="Station zeigen").click()
    opened.wait_for_selector(".chart canvas")
    assert opened.locator("#detail-title").inner_text() == "Regen Gierath"
    assert "Verlauf Niederschlag" in opened.locator(".chart").get_attribute("aria-label")
    opened.get_by_text("Werte als Tabelle").click()
    assert opened.locator(".table-box tbody tr").count() == 24


def test_a_new_warning_appears_live_and_is_said_aloud(opened, city):
    city.warn("strunde-gierath", 2, measure="water_level", window_min=None, value=63.0, episode="live")
    opened.wait_for_selector(".warning[data-id=live]", timeout=5000)
    assert "Neue Warnung: Wasserstand" in opened.locator("#announce").text_content()
    city.warn(
        "strunde-gierath", 0, "clear", measure="water_level", window_min=None, value=20.0, episode="live"
    )
    opened.wait_for_selector(".warning[data-id=live]", state="detached", timeout=5000)
    assert "Warnung beendet" in opened.locator("#announce").text_content()
    assert "In den letzten 24 Stunden beendet (1)" in opened.locator("#ended").inner_text()


def test_a_new_value_appears_live(opened, city):
    city.measure(RAIN, city.now_us, ("precipitation", 50.0))
    opened.wait_for_selector("[data-station=regen-gierath]:has-text('69,8')", timeout=5000)


def test_old_values_are_marked(opened, city):
    city.now_us += 120 * MINUTE
    city.measure(RAIN, city.now_us, ("precipitation", 0.0))
    opened.wait_for_selector("[data-station=strunde-gierath].stale", timeout=5000)
    assert "veraltet, vor 2 h" in opened.locator("[data-station=strunde-gierath]").inner_text()
    assert opened.locator("[data-station=regen-gierath].stale").count() == 0


def test_everything_can_be_reached_and_used_by_keyboard(opened):
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(40):
        opened.keyboard.press("Tab")
        reached.add(
            opened.evaluate("document.activeElement.dataset.station ?? document.activeElement.innerText")
        )
        if "p-markt" in reached and "z-haupt" in reached:
            break
    assert {"regen-gierath", "strunde-gierath", "p-markt", "z-haupt", "Station zeigen"} <= reached
    opened.locator("[data-station=z-haupt]").focus()
    opened.keyboard.press("Enter")
    assert opened.locator("#detail-title").inner_text() == "Hauptstraße"
    assert opened.evaluate("document.activeElement.dataset.station") == "z-haupt"


def test_english_is_one_press_away_and_stays(opened):
    opened.locator("[data-language=en]").click()
    assert opened.evaluate("document.documentElement.lang") == "en"
    assert "Level 3 · severe" in opened.locator(".warning").inner_text()
    assert "not an official warning" in opened.locator(".warnings").inner_text()
    opened.reload()
    opened.wait_for_selector(".warning")
    assert "Heavy rain" in opened.locator(".warning").inner_text()


def test_a_lost_connection_is_shown(city, browser):
    with served(city.app()) as (address, stop):
        watched = Watched(browser, address)
        watched.page.goto(address)
        watched.page.wait_for_selector(".connection[data-state=live]")
        stop()
        watched.page.wait_for_selector(".connection[data-state=lost]", timeout=10_000)
        assert "Verbindung unterbrochen" in watched.page.locator("#connection").inner_text()
        assert watched.page.locator(".warning").count() == 1
        watched.page.close()
        assert watched.outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("path", ["/", "/?lang=en"])
def test_axe_finds_no_fault_and_nothing_is_cut_off(city, browser, path, width, scheme):
    city.warn("strunde-gierath", 1, measure="water_level", window_min=None, value=44.0, episode="minor")
    city.warn("z-haupt", 4, episode="extreme", value=44.0)
    city.warn("p-markt", 2, episode="moderate", value=16.0)
    with served(city.app()) as (address, _):
        watched = Watched(
            browser,
            address,
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        watched.page.goto(address + path)
        watched.page.wait_for_selector(".station")
        watched.page.locator("[data-station=strunde-gierath]").click()
        watched.page.wait_for_selector(".chart canvas")
        assert faults(watched.page) == []
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
        watched.close()


def test_the_api_viewer_loads_nothing_from_elsewhere(city, browser):
    with served(city.app()) as (address, _):
        watched = Watched(browser, address)
        watched.page.goto(f"{address}/docs")
        watched.page.wait_for_selector(".opblock-summary-path")
        assert "/api/v1/readings/latest" in watched.page.locator("#docs").inner_text().replace("\u200b", "")
        watched.close()


def test_a_page_without_map_and_chart_still_warns(city, browser, tmp_path):
    with served(city.app(node_modules=tmp_path)) as (address, _):
        watched = Watched(browser, address)
        watched.page.goto(address)
        watched.page.wait_for_selector(".warning")
        watched.page.locator("[data-station=regen-gierath]").click()
        watched.page.wait_for_selector(".table-box tbody tr", state="attached")
        assert not watched.page.locator("#map-panel").is_visible()
        assert "nicht verfügbar" in watched.page.locator(".chart").inner_text()
        watched.close()


def test_a_page_without_scripts_names_the_warnings(city, browser):
    with served(city.app()) as (address, _):
        page = browser.new_page(java_script_enabled=False)
        page.goto(address)
        assert "Starkregen, Stufe 3: Regen Gierath" in page.locator("#warnings").inner_text()
        page.close()
