import contextlib
import os
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from small_town import COUNTER, LEVEL, MINUTE, OFFICIAL, RAIN, wait_for

from alerts.mobility.states import CarPark
from alerts.outlook import LevelOutlook, MarkOutlook
from api.app import close_streams
from api.vendor import NODE_MODULES

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
AXE = NODE_MODULES / "axe-core" / "axe.min.js"
pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no chromium on this machine"),
    pytest.mark.skipif(not AXE.exists(), reason="npm packages are missing: run `npm ci` in api/pages"),
]
PATIENCE_MS = 120_000  # a busy machine
expect = playwright.expect
expect.set_options(timeout=PATIENCE_MS)
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
        thread.join(60)

    try:
        wait_for(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", stop
    finally:
        stop()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS, timeout=PATIENCE_MS)
        yield browser
        browser.close()


def new_page(browser, **options):
    page = browser.new_page(**options)
    page.set_default_timeout(PATIENCE_MS)
    return page


class Watched:
    """A page of the browser, and everything it asked for or complained about."""

    def __init__(self, browser, address, locale="de-DE", context=None, **options):
        self.complaints, self.outside = [], []
        self.page = new_page(context) if context else new_page(browser, locale=locale, **options)
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
        loaded(watched.page)
        yield watched.page
        watched.close()


def loaded(page):
    """The stream runs and everything has been read: the first chart of a wide window comes last."""
    page.wait_for_selector(".connection[data-state=live]")
    page.wait_for_selector(".chart canvas")


def shows(page, place, text):
    """Wait for the text, also on the page that a form leads to."""
    page.locator(place).filter(has_text=text).first.wait_for()


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
        "in 1 h, gemessen 20:30 Uhr",
        "jetzt 21,0 l/m² in 1 h",
        "Seit 20:30 Uhr",
        "keine amtliche Warnung",
    ):
        assert expected in said
    assert "Klingt ab" not in said
    assert "21,0 l/m²" in opened.locator("[data-station=regen-gierath]").inner_text()
    assert opened.locator(".pin").count() == 4
    assert opened.locator(".pin.alert[data-severity=Severe]").count() == 1
    stations = opened.locator("#list").inner_text()
    assert "Parkplatz Markt\n28 frei" in stations.replace("\xa0", " ")
    assert "Geheim" not in opened.content()
    opened.get_by_role("button", name="Station zeigen").click()
    opened.wait_for_selector(".chart canvas")
    assert opened.locator("#detail-title").inner_text() == "Regen Gierath"
    assert "Verlauf Niederschlag in 5 min" in opened.locator(".chart").get_attribute("aria-label")
    opened.get_by_text("Werte als Tabelle").click()
    assert opened.locator(".table-box tbody tr").count() == 24
    assert opened.locator(".table-box th").last.inner_text() == "Niederschlag in 5 min (l/m²)"
    assert not re.search(r"\bmm\b", opened.locator("main").inner_text())


def test_official_warnings_stand_apart_in_their_own_words(opened, city):
    block = opened.locator("#official")
    opened.wait_for_selector("#official-list .official-warning")
    said = block.inner_text()
    assert "Amtliche UNWETTERWARNUNG vor HEFTIGEM STARKREGEN" in said
    assert "Es tritt <b>heftiger</b> Starkregen auf." in said
    assert "Quelle: Deutscher Wetterdienst" in said
    assert opened.locator("#warnings .official-warning").count() == 0
    assert opened.locator("#official .warning").count() == 0
    opened.locator("[data-language=en]").click()
    assert "Official warnings of the German weather service (DWD)" in block.inner_text()
    assert opened.locator(".official-warning").get_attribute("lang") == "de"


def test_official_warnings_are_not_shown_any_more_when_their_source_is_silent(city, browser):
    city.changes["official"] = lambda: replace(OFFICIAL, as_of_us=city.now_us - 31 * MINUTE)
    with served(city.app()) as (address, _):
        page = new_page(browser, locale="de-DE")
        page.goto(address)
        shows(page, "#official", "Das ist keine Entwarnung.")
        assert page.locator(".official-warning").count() == 0
        page.close()


def test_a_new_warning_appears_live_and_is_said_aloud(opened, city):
    city.warn("strunde-gierath", 2, measure="water_level", window_min=None, value=63.0, episode="live")
    opened.wait_for_selector(".warning[data-id=live]")
    assert "Neue Messwertmeldung: Wasserstand" in opened.locator("#announce").text_content()
    city.warn(
        "strunde-gierath", 0, "clear", measure="water_level", window_min=None, value=20.0, episode="live"
    )
    opened.wait_for_selector(".warning[data-id=live]", state="detached")
    assert "Messwertmeldung beendet" in opened.locator("#announce").text_content()
    assert "In den letzten 24 Stunden beendet (1)" in opened.locator("#ended").inner_text()


def test_a_card_says_when_its_value_was_measured_and_what_is_measured_now(opened, city):
    level = {"measure": "water_level", "window_min": None, "episode": "live"}
    city.warn("strunde-gierath", 1, value=63.0, at_us=city.now_us - 30 * MINUTE, **level)
    city.warn("strunde-gierath", 2, "escalate", value=83.0, at_us=city.now_us - 20 * MINUTE, **level)
    city.measure(LEVEL, city.now_us + 1, ("water_level", 72.0))
    card = opened.locator(".warning[data-id=live]")
    expect(card).to_contain_text("83 cm gemessen 20:10 Uhr")
    expect(card).to_contain_text("jetzt 72 cm")
    said = card.inner_text()
    assert "steig" not in said
    assert "Klingt ab" not in said
    city.warn("strunde-gierath", 1, "step_down", value=41.0, at_us=city.now_us, **level)
    opened.wait_for_selector(".warning[data-id=live]:has-text('Klingt ab, jetzt 72 cm')")
    assert "Marke 1" in card.inner_text()
    assert "83 cm gemessen 20:10 Uhr" in card.inner_text()
    assert "41 cm" not in card.inner_text()


def test_an_old_value_is_not_called_the_present_one(opened, city):
    city.now_us += 120 * MINUTE
    city.measure(LEVEL, city.now_us, ("water_level", 30.0))
    opened.wait_for_selector(".warning:has-text('zuletzt 21,0 l/m² in 1 h, 20:25 Uhr')")
    assert "jetzt" not in opened.locator(".warning").inner_text()


def test_a_faulty_value_is_not_called_the_present_one(opened, city):
    city.measure(RAIN, city.now_us, ("precipitation", 500.0, "", 4))
    opened.wait_for_selector(".warning:has-text('jetzt kein Wert')")
    assert "500" not in opened.locator(".warning").inner_text() + opened.locator("#list").inner_text()


def test_a_car_park_says_what_is_free_and_known(opened):
    opened.locator("[data-station=p-markt]").click()
    said = opened.locator("#detail").inner_text().split()
    for expected in ("jetzt 28", "insgesamt 40", "melden 40 von 40", "Stand 20:30 Uhr"):
        assert expected in " ".join(said)
    assert "Verlauf" not in said


def test_a_level_station_says_what_the_water_is_heading_for(city, browser):
    marks = (MarkOutlook(1, 60.0, False, (14.0, 22.0)),)
    city.changes["levels"] = lambda station: [
        LevelOutlook(station, station, city.now_us, 44.0, 24.0, "low", True, 20.0, marks, None, None)
    ]
    with served(city.app()) as (address, _):
        page = new_page(browser, locale="de-DE")
        page.goto(address)
        page.wait_for_selector(".station")
        page.locator("[data-station=strunde-gierath]").click()
        page.get_by_text(
            "Hochrechnung: steigt 24 cm/h, Marke 1 in 14 bis 22 min (geringe Sicherheit)"
        ).wait_for()
        assert faults(page) == []
        page.get_by_role("button", name="English").click()
        page.get_by_text("Extrapolated: rising 24 cm/h, mark 1 in 14 to 22 min (low confidence)").wait_for()
        page.close()


def test_counts_are_named_with_their_interval(opened, city):
    city.now_us += 5 * MINUTE
    city.measure(COUNTER, city.now_us, ("vehicle_count", 117.0, "in"), ("vehicle_count", 95.0, "out"))
    opened.locator("[data-station=z-haupt]").click()
    opened.wait_for_selector(".chart .u-legend:has-text('Fahrzeuge in 15 min')")
    assert opened.locator(".table-box tbody tr").text_content().endswith("22")


def test_parking_keeps_up_with_a_fast_clock(opened, city):
    city.now_us += 60 * MINUTE
    city.parks = (CarPark("p-markt", "spaces", 40, 33, 7, city.now_us, city.now_us, 40, 40),)
    city.measure(RAIN, city.now_us, ("precipitation", 0.0))
    opened.wait_for_selector("[data-station=p-markt]:not(.stale):has-text('7 frei')")


def test_a_car_park_that_is_told_by_counters_is_found_among_the_car_parks(city, browser):
    city.parks = (*city.parks, CarPark("z-haupt", "counters", 80, 33, 47, city.now_us, city.now_us, 2, 2))
    with served(city.app()) as (address, _):
        page = new_page(browser, locale="de-DE")
        page.goto(address)
        page.get_by_role("button", name="Parken").click()
        page.wait_for_selector("[data-station=z-haupt]:has-text('47 frei')")
        page.close()


def test_stations_stand_by_name(opened, city):
    names = opened.locator(".group[data-theme=level] .name").all_inner_texts()
    assert names == ['Strunde, "Gierath"']
    first, last = replace(city.registry.stations["regen-gierath"], id="zz", name="Ahorn"), "Regen Gierath"
    city.registry = replace(city.registry, stations={**city.registry.stations, "zz": first})
    city.measure("70b3d57ed00000ee", city.now_us, ("precipitation", 1.0))
    opened.reload()
    opened.wait_for_selector(".group[data-theme=rain] .station >> nth=1")
    assert opened.locator(".group[data-theme=rain] .name").all_inner_texts() == ["Ahorn", last]


def test_lightning_that_never_struck_has_no_distance(opened, city):
    for count, seen in ((0.0, False), (3.0, True)):
        city.now_us += MINUTE
        city.measure(
            COUNTER,
            city.now_us,
            ("lightning_count", count),
            ("lightning_distance", 4.0),
            ("air_pressure", 1005.0),
        )
        opened.locator("[data-station=z-haupt]").click()
        opened.wait_for_selector(f"#detail dt:text('Blitze') + dd:has-text('{count:.0f}')")
        said = opened.locator("#detail").inner_text()
        assert ("Entfernung der Blitze" in said) == seen
        assert "1005,0 hPa" in said


def test_a_new_value_appears_live(opened, city):
    city.measure(RAIN, city.now_us, ("precipitation", 50.0))
    opened.wait_for_selector("[data-station=regen-gierath]:has-text('69,8')")


def test_old_values_are_marked(opened, city):
    city.now_us += 120 * MINUTE
    city.measure(RAIN, city.now_us, ("precipitation", 0.0))
    opened.wait_for_selector("[data-station=strunde-gierath].stale:has-text('veraltet, vor 2 h')")
    opened.wait_for_selector("[data-station=regen-gierath]:not(.stale):has-text('gerade eben')")


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
    assert "Level 3 · severity high" in opened.locator(".warning").inner_text()
    assert "not an official warning" in opened.locator(".warnings").inner_text()
    opened.reload()
    opened.wait_for_selector(".warning")
    assert "Heavy rain" in opened.locator(".warning").inner_text()


@pytest.mark.parametrize(
    ("locale", "chosen", "expected"),
    [
        ("de-AT", None, "de"),
        ("en-US", None, "en"),
        ("nl-NL", None, "en"),
        ("en-US", "de", "de"),
        ("de-DE", "en", "en"),
    ],
)
def test_the_browsers_language_until_somebody_chooses(city, browser, locale, chosen, expected):
    with served(city.app()) as (address, _):
        watched = Watched(browser, address, locale)
        watched.page.goto(address)
        watched.page.wait_for_selector(".station")
        if chosen:
            watched.page.locator(f"[data-language={chosen}]").click()
            watched.page.reload()
            watched.page.wait_for_selector(".station")
        assert watched.page.evaluate("document.documentElement.lang") == expected
        watched.close()


def test_the_maps_labels_leave_room_for_its_scale(city, browser):
    with served(city.app()) as (address, _):
        watched = Watched(browser, address, viewport={"width": 390, "height": 844})
        watched.page.goto(address)
        watched.page.wait_for_selector(".pin")  # the map shows the city, no more the whole country
        scale, *labels = watched.page.evaluate(
            "[...document.querySelectorAll('.leaflet-control-scale, .grid-label')]"
            ".map((each) => [each.className.includes('scale'), each.getBoundingClientRect()])"
            ".sort((a, b) => b[0] - a[0]).map(([, box]) => [box.top, box.bottom])"
        )
        assert labels
        assert all(bottom <= scale[0] for _, bottom in labels)
        watched.close()


def test_a_lost_connection_is_shown(city, browser):
    with served(city.app()) as (address, stop):
        watched = Watched(browser, address)
        watched.page.goto(address)
        loaded(watched.page)
        stop()
        watched.page.wait_for_selector(".connection[data-state=lost]")
        assert "Verbindung unterbrochen" in watched.page.locator("#connection").inner_text()
        assert watched.page.locator(".warning").count() == 1
        watched.page.close()
        assert watched.outside == []


def test_a_page_that_the_stream_has_no_room_for_reads_the_warnings_anew(city, browser):
    app = city.app()
    with served(app) as (address, _):
        page = new_page(browser, locale="de-DE")
        page.clock.install()
        app.state.stream.listeners = 2_000
        page.goto(address)
        page.wait_for_selector(".connection[data-state=lost]")
        page.wait_for_selector(".warning")
        page.wait_for_selector(".chart canvas")  # it comes last: the next reading is one anew
        city.warn("z-haupt", 4, episode="flut")
        page.clock.fast_forward(30_000)
        page.clock.fast_forward(60_000)
        page.wait_for_selector(".warning[data-id=flut]")
        page.close()


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
        watched.page.wait_for_selector(".warning[data-id=extreme]")
        watched.page.locator("[data-station=strunde-gierath]").click()
        watched.page.wait_for_selector(".chart canvas")
        assert faults(watched.page) == []
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
        watched.close()


def test_the_api_viewer_loads_nothing_from_elsewhere(city, browser):
    with served(city.app()) as (address, _):
        watched = Watched(browser, address)
        watched.page.goto(f"{address}/docs")
        watched.page.wait_for_selector(".opblock-summary-path[data-path='/api/v1/readings/latest']")
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
        page = new_page(browser, java_script_enabled=False)
        page.goto(address)
        said = page.locator("#warnings").inner_text()
        assert "Starkregen, Stufe 3: Regen Gierath" in said
        assert "Meldung vom 14.07., 20:30 Uhr" in said
        page.close()
