"""The staff page in a real browser, over a running engine."""

import re

import pytest
from small_town import LEVEL, MINUTE, T0, TOKEN, wait_for
from starlette.testclient import TestClient
from test_page import Watched, browser, faults, pytestmark, served, shows

from alerts.event import Event, to_row
from alerts.witnesses.words import joined

__all__ = ["browser", "pytestmark"]

PHONE = {"width": 390, "height": 844}
NAME = "Anna Meier"
REFUSED = "Failed to load resource: the server responded with a status of 401 (Unauthorized)"


# no button sends, and none has moved for longer than the page asks for
SETTLED = """() => {
  const buttons = [...document.querySelectorAll("#board button, #board summary")];
  const tops = buttons.map((each) => `${each.disabled} ${each.getBoundingClientRect().top}`).join();
  if (tops !== window.topsBefore) Object.assign(window, { topsBefore: tops, since: performance.now() });
  return performance.now() - window.since > 800 && !buttons.some((each) => each.disabled);
}"""


@pytest.fixture
def flooded(town):
    """Its creek stands above a mark that is Severe, and rises."""
    station = town.registry.stations[town.registry.devices[LEVEL].station]
    object.__setattr__(station, "stages_cm", (20.0, 30.0, 40.0))
    town.engine.listen(lambda _: (town.board.catch_up(town.journal), town.incidents.catch_up(town.journal)))
    town.changes |= {"levels": town.engine.levels, "city_warnings": tuple}
    town.engine.start()
    for minute, value in ((-15, 10.0), (-10, 12.0), (-5, 30.0), (0, 50.0)):
        measure(town, minute, value)
    wait_for(lambda: (found := town.incidents.incidents()) and found[0].severity == "Severe")
    yield town
    town.engine.stop()


def measure(town, minute, value):
    town.now_us = max(town.now_us, T0 + minute * MINUTE)
    town.measure(LEVEL, T0 + minute * MINUTE, ("water_level", value))


@pytest.fixture
def opened(flooded, browser):
    with served(flooded.app()) as (address, _):
        watched = Watched(browser, address, viewport=PHONE)
        watched.address = address
        yield watched
        # before the login the page asks and is refused, as it should be
        watched.complaints[:] = [each for each in watched.complaints if each != REFUSED and "404" not in each]
        watched.close()


def log_in(watched, path="/console/incidents", token=TOKEN, name=NAME):
    page = watched.page
    page.goto(watched.address + path)
    page.get_by_label("Ihr Token").fill(token)
    page.get_by_role("button", name="Anmelden").click()
    if name:
        page.get_by_label("Ihr Name").fill(name)
        page.get_by_role("button", name="Merken").click()
    if token == TOKEN:
        page.wait_for_selector("#board:visible")
        settle(page)
    return page


def settle(page):
    """Buttons take no tap while the page has just moved: that is one for what stood there before."""
    page.wait_for_function(SETTLED)


def incident(town):
    return town.incidents.incidents()[0]


def no_sideways_scroll(page):
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_wrong_token_gets_nobody_in_and_is_not_kept(opened):
    page = log_in(opened, token="wrong", name="")
    shows(page, "[role=alert]", "nicht bekannt")
    assert page.context.cookies() == []
    assert not page.locator("#board").is_visible()
    assert page.get_by_label("Ihr Token").input_value() == ""
    assert faults(page) == []


def test_the_token_opens_the_page_and_stands_in_no_address(opened, flooded):
    path = f"/console/incidents/{incident(flooded).id}"
    asked = []
    opened.page.on("request", lambda request: asked.append(request.url))
    page = log_in(opened, path)
    assert page.url == opened.address + path, "back where the message led to"
    [cookie] = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Strict", False)
    assert page.evaluate("document.cookie") == ""
    assert not [each for each in asked if TOKEN in each]
    assert TOKEN not in page.evaluate("JSON.stringify([localStorage, sessionStorage])")
    assert TOKEN not in page.content()
    page.reload()
    page.wait_for_selector(".card")
    assert page.locator("#by").inner_text() == NAME
    page.get_by_role("button", name="Abmelden").click()
    page.wait_for_selector("#login:visible")
    assert page.context.cookies() == []
    assert page.evaluate("localStorage.length") == 0


def test_what_stands_first(opened, flooded):
    page = log_in(opened)
    card = page.locator("#incidents .card")
    page.wait_for_selector("#incidents .course")
    said = card.inner_text()
    for expected in (
        "hoch",
        "läuft",
        "Seit 20:25 Uhr",
        "steigt",
        'Strunde, "Gierath"',
        "Wasserstand 50 cm",
        "Marke 3 · hoch",
        "unbestätigt",
        "kein Regen und kein anderer Pegel",
    ):
        assert expected in said, expected
    card.get_by_text("1 Meldung an 1 Messstelle").click()
    assert "gelten bis" in card.inner_text()
    assert card.locator(".chip").inner_text() == "hoch", "never by colour alone"
    assert no_sideways_scroll(page)
    assert faults(page) == []
    page.get_by_role("button", name="English").click()
    assert "values" not in card.inner_text().splitlines()[0]
    assert "unconfirmed" in card.inner_text()
    assert "rising" in card.inner_text()


@pytest.fixture
def storm(flooded):
    """Twenty-four notices more at as many stations of the same incident, each with eight witnesses."""
    gauges = [f"regen-{i}" for i in range(24)]
    witness = joined([("gauge", each) for each in gauges[:6]] + [("level", "p1"), ("level", "p2")])
    steps = [
        Event(
            f"{station}:{kind}",
            f"{station}.dwd_starkregen.1",
            T0 + minute * MINUTE,
            station,
            kind,
            "dwd_starkregen",
            level,
            60,
            value,
            "heavy-rain",
            "sum",
            audience="public",
            incident=incident(flooded).id,
            confirmation="confirmed",
            witness=witness,
        )
        for kind, level, minute, value in (("raise", 4, -10, 42.1), ("step_down", 3, 0, 0.0))
        for station in gauges
    ]
    fence = flooded.journal.load("storm").fence
    flooded.journal.commit("storm", fence, 0, events=[to_row(each) for each in steps])
    flooded.board.catch_up(flooded.journal)
    flooded.incidents.catch_up(flooded.journal)
    wait_for(lambda: incident(flooded).live > 24)
    return flooded


def test_in_a_storm_the_buttons_are_on_the_first_screen_and_what_is_unfolded_stays(opened, storm):
    page = log_in(opened)
    card = page.locator("#incidents .card")
    place = card.bounding_box()
    buttons = card.locator(".acts").bounding_box()
    assert buttons["y"] + buttons["height"] - place["y"] <= PHONE["height"]
    assert place["height"] <= 1.5 * PHONE["height"], "all else is folded"
    assert "bestätigt: 6 Regenmesser, 2 Pegel" in card.inner_text()
    assert "Regenmesser regen-5" not in card.inner_text(), "names on unfolding"
    assert "42,1 l/m² in 1 h um 20:20 Uhr, um 20:30 Uhr 0,0 l/m²" in card.inner_text()
    card.locator("summary").filter(has_text="Meldungen an 25 Messstellen").click()
    card.locator("summary").filter(has_text="bestätigt: 6").last.click()
    assert "Regenmesser regen-5" in card.inner_text()
    assert no_sideways_scroll(page)
    card.evaluate("each => { window.before = each.querySelector('h3') }")
    held = "document.activeElement.textContent + document.activeElement.parentElement.dataset.fold"
    focus = page.evaluate(held)
    measure(storm, 5, 55.0)
    wait_for(lambda: page.evaluate("!document.contains(window.before)"))
    assert page.evaluate(held) == focus
    assert "Regenmesser regen-5" in card.inner_text()
    assert no_sideways_scroll(page)
    assert faults(page) == []


def test_who_decides_is_not_said_before_somebody_does(opened):
    page = log_in(opened, name="")
    assert not page.get_by_text("Es entscheidet:").is_visible()
    page.get_by_label("Ihr Name").fill(NAME)
    page.get_by_role("button", name="Merken").click()
    page.get_by_text("Es entscheidet:").wait_for()
    assert not page.get_by_label("Ihr Name").is_visible()


def test_one_tap_acknowledges_and_a_reason_confirms(opened, flooded):
    page = log_in(opened)
    id_ = incident(flooded).id
    page.get_by_role("button", name="Ich kümmere mich").click()
    shows(page, "#announce", "Übernommen")  # it goes by itself
    wait_for(lambda: incident(flooded).decisions)
    [decision] = incident(flooded).decisions
    assert (decision.action, decision.by, decision.reason) == ("acknowledge", NAME, "übernommen")
    settle(page)
    page.get_by_text("Bestätigen", exact=True).first.click()
    form = page.locator(".act[open]")
    form.get_by_role("button", name="Bestätigen", exact=True).click()
    assert "Grund" in form.locator(".told").inner_text()
    assert len(incident(flooded).decisions) == 1, "no reason, no decision"
    form.get_by_role("button", name="Feuerwehr vor Ort bestätigt es").click()
    form.get_by_role("button", name="Bestätigen", exact=True).click()
    shows(page, "#incidents .last", "Feuerwehr vor Ort")
    wait_for(lambda: len(flooded.audit.entries(5)) == 2)  # written after what it tells of
    assert [each.subject for each in flooded.audit.entries(5)] == [id_, id_]
    page.get_by_text("Protokoll der Entscheidungen").click()
    shows(page, "#log-list li", "incident confirm")


def test_a_refusal_is_said_and_nothing_is_taken_for_done(opened, flooded):
    page = log_in(opened)
    page.get_by_text("Entwarnung geben", exact=True).first.click()
    form = page.locator(".act[open]")
    form.get_by_label("Grund").fill("zu früh")
    form.get_by_role("button", name="Entwarnung geben").click()
    page.wait_for_selector(".told.fault")
    said = form.locator(".told").inner_text()
    assert "Nicht angenommen" in said
    assert "Die Messwerte sind noch mindestens „hoch“: " in said  # not the service's English
    assert incident(flooded).decisions == []
    opened.complaints[:] = [each for each in opened.complaints if "409" not in each]


def test_without_a_name_nothing_is_decided(opened, flooded):
    page = log_in(opened, name="")
    page.get_by_role("button", name="Ich kümmere mich").click()
    assert page.evaluate("document.activeElement.id") == "name"
    assert incident(flooded).decisions == []


def test_when_the_service_is_away_the_page_says_so_and_keeps_what_it_knows(opened, flooded):
    page = log_in(opened)
    page.wait_for_selector("#incidents .card")
    page.context.set_offline(True)
    shows(page, "#trouble", "Sie sehen den Stand von")
    assert "Keine Verbindung" in page.locator("#connection").inner_text()
    assert page.locator("#incidents .card").count() == 1
    page.get_by_role("button", name="Ich kümmere mich").click()
    page.wait_for_selector(".told.fault")
    assert "unbekannt" in page.locator("#incidents .told.fault").inner_text()
    page.context.set_offline(False)
    page.wait_for_selector("#trouble", state="hidden")
    opened.complaints[:] = [each for each in opened.complaints if "ERR_INTERNET" not in each]


def test_hostile_names_are_text(opened, flooded):
    evil = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
    station = flooded.registry.stations["strunde-gierath"]
    object.__setattr__(station, "name", evil)
    page = log_in(opened, name=evil[:90])
    page.wait_for_selector("#incidents .course")
    page.get_by_role("button", name="Ich kümmere mich").click()
    page.wait_for_selector(".told.good")
    shows(page, "#incidents .card", "Übernommen")
    assert evil in page.locator("#incidents .card").inner_text()
    assert page.locator("#board img, #board script").count() == 0
    assert page.title() != "1"
    assert no_sideways_scroll(page)


def test_the_page_itself_says_nothing_without_a_session(flooded):
    with TestClient(flooded.app()) as client:
        answer = client.get(f"/console/incidents/{incident(flooded).id}")
        assert answer.status_code == 200
        assert "strunde" not in answer.text.replace(incident(flooded).id, "").lower()
        assert answer.headers["cache-control"] == "private, no-store"
        assert "access-control-allow-origin" not in answer.headers
        assert client.get("/console", follow_redirects=False).headers["location"] == "/console/incidents"


def test_the_cookie_counts_only_beside_the_pages_own_header(flooded):
    with TestClient(flooded.app()) as client:
        answer = client.post("/console/login", data={"token": TOKEN}, follow_redirects=False)
        assert answer.status_code == 303
        path = "/api/v1/admin/incidents"
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"Stadtfunk-Console": "1"}).status_code == 200
        body = {"action": "acknowledge", "by": "x", "reason": "y"}
        address = f"{path}/{incident(flooded).id}/decisions"
        assert client.post(address, json=body).status_code == 401
        answer = client.get("/api/v1/warnings", headers={"Stadtfunk-Console": "1"})
        assert answer.headers["cache-control"] == "private, no-store"
        assert "access-control-allow-origin" not in answer.headers
        answer = client.options(
            address,
            headers={
                "Origin": "https://evil.example",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "stadtfunk-console",
            },
        )
        assert "access-control-allow-headers" not in answer.headers
        assert client.post("/console/logout", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example",
        "/console/incidents/../../x",
        "/console/incidents?x",
        "",
        "/\\evil",
    ],
)
def test_a_login_leads_nowhere_else(flooded, target):
    with TestClient(flooded.app()) as client:
        answer = client.post("/console/login", data={"token": TOKEN, "next": target}, follow_redirects=False)
        assert answer.headers["location"] == "/console/incidents"


def test_over_tls_the_cookie_says_so(flooded):
    with TestClient(flooded.app()) as client:
        data = {"token": TOKEN, "scheme": "https:"}
        answer = client.post("/console/login", data=data, follow_redirects=False)
        assert re.search(r"HttpOnly.*SameSite=strict; Secure", answer.headers["set-cookie"])
        assert client.post("/console/login", data={"token": 'a"b;c'}).status_code == 401
