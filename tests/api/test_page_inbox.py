"""The page of unknown devices in a real browser."""

from dataclasses import replace

import pytest
from inbox_town import EVIL, GAUGE, LIST, NOISE, RAIN, with_inbox
from small_town import TOKEN
from starlette.testclient import TestClient
from test_page import Watched, browser, faults, pytestmark, served
from test_page_console import PHONE, REFUSED, no_sideways_scroll

from devices.catalogue import load_catalogue
from ingest.inbox import Inbox

__all__ = ["browser", "pytestmark"]

DESKTOP = {"width": 1280, "height": 900}
PATH = "/console/inbox"


@pytest.fixture
def inbox_town(town, tmp_path):
    with with_inbox(town, tmp_path) as filled:
        yield filled


@pytest.fixture(params=[PHONE, DESKTOP], ids=["phone", "desktop"])
def opened(inbox_town, browser, request):
    with served(inbox_town.app()) as (address, _):
        watched = Watched(browser, address, viewport=request.param)
        watched.address = address
        yield watched
        # before the login the page asks and is refused, as it should be
        watched.complaints[:] = [
            each for each in watched.complaints if each != REFUSED and "status of 4" not in each
        ]
        watched.close()


def log_in(watched, path=PATH):
    page = watched.page
    page.goto(watched.address + path)
    page.get_by_label("Ihr Token").fill(TOKEN)
    page.get_by_role("button", name="Anmelden").click()
    page.wait_for_selector("#board:visible")
    assert page.url == watched.address + path, "back where the link led to"
    return page


def shot(page, request, name):
    """A picture to look at, where somebody asked for one."""
    folder = request.config.getoption("basetemp")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_an_unknown_device_is_found_recognised_and_registered(opened, inbox_town, request):
    page = log_in(opened)
    page.wait_for_selector(".card")
    assert page.locator(".card").count() == 3
    said = page.locator(f"[data-device='{GAUGE}']").inner_text()
    for expected in (
        "70b3 d57e d000 00f1",
        "3 Nachrichten",
        "-108",
        "Strunde 3",
        "decentlab-dl-mbx",
        "stadtwerke",
    ):
        assert expected in said
    assert "Kein Gerätetyp" in page.locator(f"[data-device='{NOISE}']").inner_text()
    assert faults(page) == []
    assert no_sideways_scroll(page)
    size = page.viewport_size["width"]
    shot(page, request, f"inbox-{size}")
    page.locator(f"[data-device='{GAUGE}'] a").first.click()
    page.wait_for_selector("#register")
    guess = page.locator("[data-type='decentlab-dl-mbx']").inner_text()
    assert "liest alle 3 verschiedenen Nachrichten" in guess
    assert "1234" in guess
    assert page.get_by_label("Gerätetyp").input_value() == "decentlab-dl-mbx"
    assert faults(page) == []
    assert no_sideways_scroll(page)
    page.get_by_label("Station (kurze Kennung)").fill("kippe mühle/3")
    page.get_by_label("Name der Station").fill("Kippemühle")
    page.get_by_label("Ihr Name").fill("Anna Meier")
    page.get_by_role("button", name="Anmelden").click()
    page.wait_for_selector("#register .problem")
    assert "short id" in page.locator("#register table").inner_text(), "each fault with its remedy"
    assert faults(page) == []
    shot(page, request, f"inbox-fault-{size}")
    page.get_by_label("Station (kurze Kennung)").fill("kippemuehle")
    page.get_by_label("Breite").fill("50,99")
    page.get_by_label("Länge").fill("7.15")
    page.get_by_label("Öffentlich sichtbar").check()
    page.get_by_role("button", name="Anmelden").click()
    page.wait_for_selector(".told.good")
    assert "kippemuehle" in page.locator(".told.good").inner_text()
    device = inbox_town.registry.devices[GAUGE]
    assert (device.station, device.name, device.public, device.lat) == (
        "kippemuehle",
        "Kippemühle",
        True,
        50.99,
    )
    assert inbox_town.audit.entries(1)[0].by == "Anna Meier"
    page.get_by_role("link", name="Zu den anderen").click()
    page.wait_for_selector(".card")
    assert page.locator(".card").count() == 2


def test_a_name_from_the_network_server_is_text(opened):
    page = log_in(opened)
    page.wait_for_selector(".card")
    assert EVIL in page.locator(f"[data-device='{RAIN}']").inner_text()
    page.goto(f"{opened.address}{PATH}/{RAIN}")
    page.wait_for_selector("#register")
    assert EVIL in page.locator("#device-body").inner_text()
    assert page.locator("#board img, #board script").count() == 0
    assert page.title() != "1"
    assert no_sideways_scroll(page)


def test_what_a_maker_calls_its_sensor_is_text(opened, inbox_town):
    catalogue = load_catalogue()
    evil = replace(catalogue["decentlab-dl-mbx"], maker=EVIL, model=EVIL, name_de=EVIL, name_en=EVIL)
    inbox_town.changes["inbox"] = Inbox(
        inbox_town.journal, lambda: inbox_town.registry, {"decentlab-dl-mbx": evil}
    )
    with served(inbox_town.app()) as (address, _):
        opened.address, before = address, opened.address
        page = log_in(opened)
        page.wait_for_selector(".card")
        assert EVIL in page.locator(f"[data-device='{GAUGE}']").inner_text()
        page.goto(f"{address}{PATH}/{GAUGE}")
        page.wait_for_selector("#register")
        assert EVIL in page.locator("#guesses").inner_text()
        assert page.locator("#board img, #board script").count() == 0
        assert page.title() != "1"
        assert no_sideways_scroll(page)
        opened.outside[:] = [each for each in opened.outside if not each.startswith(address)]
    opened.address = before


def test_types_that_are_not_tried_yet_are_said_and_a_button_goes_on(opened, inbox_town):
    looks = []

    class Short(Inbox):
        """The first look at the device has no time; the list is not asked for."""

        def look(self, devices):
            looks.append(len(devices))
            self._budget_s = 0.0 if len(looks) == 1 else 60.0
            return super().look(devices)

    inbox_town.changes["inbox"] = Short(inbox_town.journal, lambda: inbox_town.registry, load_catalogue())
    with served(inbox_town.app()) as (address, _):
        opened.address, before = address, opened.address
        page = log_in(opened, f"{PATH}/{GAUGE}")
        page.wait_for_selector("#register")
        said = page.locator("#guesses").inner_text()
        assert "noch nicht durchprobiert" in said
        assert "Kein Gerätetyp" not in said, "nobody knows that yet"
        assert faults(page) == []
        page.get_by_label("Name der Station").fill("Kippemühle")
        page.get_by_role("button", name="Weiter probieren").click()
        page.wait_for_selector("[data-type='decentlab-dl-mbx']")
        assert page.get_by_role("button", name="Weiter probieren").count() == 0
        assert page.get_by_label("Name der Station").input_value() == "Kippemühle", "the form stays"
        assert page.evaluate("document.activeElement.id") == "guesses"
        assert faults(page) == []
        opened.outside[:] = [each for each in opened.outside if not each.startswith(address)]
    opened.address = before


def test_a_file_that_is_too_large_is_named_before_it_is_sent(opened, tmp_path):
    page = log_in(opened)
    page.locator("#import summary").click()
    large = tmp_path / "large.csv"
    large.write_text("x" * 1_100_000, encoding="utf-8")
    page.get_by_label("CSV-Datei").set_input_files(large)
    page.locator("#import").get_by_label("Ihr Name").fill("Anna Meier")
    page.get_by_role("button", name="Prüfen").click()
    page.get_by_text("mehr als 1 MB").wait_for()


def test_a_list_is_checked_before_it_is_written(opened, inbox_town, tmp_path, request):
    page = log_in(opened)
    page.locator("#import summary").click()
    bad, good = tmp_path / "bad.csv", tmp_path / "good.csv"
    head = "dev_eui;type;station;lat;lon\n"
    row = f"{GAUGE};decentlab-dl-mbx;kippemuehle;50,99;7,15\n"
    bad.write_text(f"{head}{row}12;decentlab-dl-tbrg;r;50,99;7,15\n", encoding="utf-8")
    good.write_text(head + row, encoding="utf-8")
    page.get_by_label("CSV-Datei").set_input_files(bad)
    page.locator("#import").get_by_label("Ihr Name").fill("Anna Meier")
    page.get_by_role("button", name="Prüfen").click()
    page.wait_for_selector("#import table")
    found = page.locator("#import tbody tr").first.inner_text().split("\t")
    assert found[:2] == ["3", "DevEUI"]
    assert "16 hex digits" in found[3]
    assert faults(page) == []
    assert no_sideways_scroll(page)
    shot(page, request, f"inbox-import-{page.viewport_size['width']}")
    page.get_by_label("CSV-Datei").set_input_files(good)
    page.get_by_role("button", name="Prüfen").click()
    page.get_by_role("button", name="1 Gerät anmelden").wait_for()
    assert inbox_town.list.read_text(encoding="utf-8") == LIST, "nothing is written yet"
    page.get_by_role("button", name="1 Gerät anmelden").click()
    page.get_by_text("1 Gerät ist angemeldet").wait_for()
    assert GAUGE in inbox_town.registry.devices


def test_it_speaks_english(opened):
    page = log_in(opened)
    page.wait_for_selector(".card")
    page.locator("[data-language=en]").click()
    assert page.get_by_role("heading", name="Unknown devices").is_visible()
    said = page.locator(f"[data-device='{GAUGE}']").inner_text()
    assert "3 messages" in said
    assert "Probably" in said
    assert page.locator("html").get_attribute("lang") == "en"


def test_the_page_itself_says_nothing_without_a_session(inbox_town):
    with TestClient(inbox_town.app()) as client:
        answer = client.get(f"{PATH}/{GAUGE}")
        assert answer.status_code == 200
        assert "Strunde 3" not in answer.text
        assert answer.headers["cache-control"] == "private, no-store"
        data = {"token": TOKEN, "next": f"{PATH}/{GAUGE}"}
        answer = client.post("/console/login", data=data, follow_redirects=False)
        assert answer.headers["location"] == f"{PATH}/{GAUGE}"
        wrong = client.post("/console/login", data={"token": "x", "next": PATH}, follow_redirects=False)
        assert "/assets/js/console/inbox.js" in wrong.text
        data = {"token": TOKEN, "next": f"{PATH}?x=//evil"}
        answer = client.post("/console/login", data=data, follow_redirects=False)
        assert answer.headers["location"] == "/console/incidents"
        for markup in ("%3Cscript%3E", '"%3E%3Cimg%3E'):
            assert "<script>" not in client.get(f"{PATH}/{markup}").text
