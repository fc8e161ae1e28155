"""A whole service with official neighbours: seen, judged, shown, and none the worse for their outage."""

import random
import time

import pytest
from city import demo_registry, level_uplink, write_csv
from fastapi.testclient import TestClient
from official_servers import CELL, UUID, Page, cap, caps, pegel_history, pegel_station, pegel_stations
from servers import wait_for

from alerts.event import from_row
from devices.registry import Registry
from stadtfunk.cli import main
from stadtfunk.errors import ConfigError
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings, read_settings
from stadtfunk.tokens import new_token

MIN = 60_000_000
CITY = """
[city]
name = "Teststadt"
ars = "053780004004"
[journal]
url = "sqlite:journal.db"
[store]
url = "sqlite:readings.db"
[[device]]
dev_eui = "70b3d57ed0000001"
type = "decentlab-dl-mbx"
station = "eigen"
lat = 51.0
lon = 7.0
[[api.token]]
name = "test"
hash = "sha256:{digest}"
[[neighbour]]
kind = "pegelonline"
stations = {{ rhein-koeln = "{uuid}" }}
public = true
contact = "stadtfunk@example.org"
url = "{url}"
[[neighbour]]
kind = "dwd-cap"
public = true
url = "{url}/cap.zip"
"""
HISTORY = f"/stations/{UUID}/W/measurements.json"


@pytest.fixture
def config(tmp_path, official):
    token, digest = new_token()
    file = tmp_path / "city.toml"
    file.write_text(CITY.format(url=official.url, uuid=UUID, digest=digest))
    return file, {"Authorization": f"Bearer {token}"}


@pytest.fixture
def start(config):
    running = []

    def begin():
        service = Service(load_settings(config[0]))
        running.append(service)
        service.start()
        return service, TestClient(service.app()), TestClient(service.app(), headers=config[1])

    yield begin
    for each in running:
        each.stop()


def serve(official, level, *warnings):
    now = time.time_ns() // 1000 // MIN * MIN
    official.pages = {
        "/stations.json": Page(pegel_stations(pegel_station(now, level))),
        HISTORY: Page(pegel_history(*((now - n * 15 * MIN, 600.0 - n) for n in range(1, 4)))),
        "/cap.zip": Page(caps(*warnings)),
    }
    return now


def test_a_gauge_of_the_rhine_is_seen_and_judged_and_a_warning_is_shown(official, start):
    now = time.time_ns() // 1000
    serve(
        official,
        640.0,
        cap(1, now - MIN, now + 60 * MIN),
        cap(2, now + 30 * MIN, None, code=65, urgency="Future"),
    )
    service, public, operator = start()

    def latest():
        items = public.get("/api/v1/readings/latest").json()["items"]
        return {item["property"]: (item["station"], item["value"], item["quality"]) for item in items}

    wait_for(lambda: len(latest()) == 2, what=service.health)
    assert latest() == {
        "water_level": ("rhein-koeln", 640.0, 1),
        "official_rain_warning": ("dwd", 3.0, 1),
    }

    def reached():
        items = operator.get("/api/v1/warnings").json()["items"]
        return [item for item in items if item["measure"] == "water_level"]

    (raised,) = wait_for(reached)
    assert (raised["station"], raised["measure"], raised["level"]) == ("rhein-koeln", "water_level", 1)
    stations = {each["id"]: each for each in public.get("/api/v1/stations").json()["items"]}
    assert (stations["rhein-koeln"]["name"], stations["rhein-koeln"]["stages_cm"]) == ("Köln", [620.0, 830.0])
    answer = public.get("/api/v1/official-warnings")
    body = answer.json()
    assert [(each["kind"], each["status"], each["expires"] is None) for each in body["items"]] == [
        ("warning", "in_force", False),
        ("advance_notice", "to_come", True),
    ]
    assert body["items"][0]["description"] == "Es tritt heftiger Starkregen auf & mehr."
    assert body["attribution"] == "Quelle: Deutscher Wetterdienst"
    assert 'rel="license"' in answer.headers["link"]
    assert public.get("/api/v1/official-warnings?f=csv").text.count("\r\n") == 3
    page = public.get("/").text
    assert "Amtliche UNWETTERWARNUNG vor HEFTIGEM STARKREGEN 1" in page
    assert "Keller &lt;räumen&gt;." in page
    assert public.get("/readyz").json()["parts"]["neighbour pegelonline"]["ok"]
    metrics = operator.get("/metrics").text
    assert 'stadtfunk_neighbour_values_total{source="pegelonline"} 4.0' in metrics
    assert 'stadtfunk_neighbour_newest_seconds{source="dwd-cap"}' in metrics
    agents = {each["User-Agent"] for each in official.headers}
    assert all(agent.startswith("Stadtfunk/") for agent in agents)
    assert any(agent.endswith(" (stadtfunk@example.org)") for agent in agents)


def test_an_outage_of_all_of_them_changes_nothing_else(official, start):
    service, public, operator = start()
    fails = {"neighbour dwd-cap", "neighbour pegelonline"}
    wait_for(lambda: {name for name, each in service.health().items() if not each.ok} == fails)
    ready = operator.get("/readyz")
    assert (ready.status_code, ready.json()["state"]) == (200, "degraded")
    assert "never reached" in ready.json()["parts"]["neighbour pegelonline"]["detail"]
    others = {name: part for name, part in ready.json()["parts"].items() if not name.startswith("neighbour")}
    assert all(part["ok"] for part in others.values()), others
    unknown = public.get("/api/v1/official-warnings")
    assert (unknown.status_code, "dwd.de/warnungen" in unknown.text) == (503, True)
    assert "Das ist keine Entwarnung." in public.get("/").text
    assert operator.get("/api/v1/admin/rejected").json()["items"] == []
    assert service.journal.counts().stored == 0


def test_while_all_of_them_hang_the_city_s_own_gauge_warns_and_the_service_stops(
    config, official, start, mosquitto
):
    gauge = next(
        each
        for each in demo_registry().devices.values()
        if each.type == "decentlab-dl-mbx" and each.stages_cm
    )
    broker = mosquitto()
    write_csv(Registry({gauge.dev_eui: gauge}, {}), config[0].with_name("devices.csv"))
    server = f'[[network_server]]\nname = "chirpstack"\nkind = "chirpstack-v4"\nurl = "{broker.url}"\n'
    text = config[0].read_text()
    own = text[text.index("[[device]]") : text.index("[[api.token]]")]
    config[0].write_text(f'{text.replace(own, "")}{server}[devices]\nfile = "devices.csv"\n')
    official.pages = {path: Page(b"x" * 50, seconds=1.0) for path in ("/stations.json", "/cap.zip")}
    service, _, operator = start()
    wait_for(lambda: service.consumers[0].health.ok and official.asked)
    broker.publish(*level_uplink(gauge, gauge.stages_cm[0] + 3, 1, random.Random(1)))

    def reached():
        items = operator.get("/api/v1/warnings").json()["items"]
        return [item for item in items if item["measure"] == "water_level"]

    (raised,) = wait_for(reached)
    assert raised["station"] == gauge.station
    began = time.monotonic()
    service.neighbours.stop()
    assert time.monotonic() - began < 20  # the request would take 30


def test_a_high_value_of_a_gauge_with_an_announced_fault_is_unverified(official, start):
    now = time.time_ns() // 1000
    serve(official, 300.0)
    official.pages["/stations.json"] = Page(
        pegel_stations(pegel_station(now, 700.0, comment="Pegel gestört"))
    )
    service, _, operator = start()
    wait_for(lambda: service.journal.events(0, 10))
    kinds = [from_row(row).kind for _, row in service.journal.events(0, 10)]
    assert kinds == ["unverified"]
    assert operator.get("/api/v1/warnings").json()["items"] == []


def test_a_calm_day_says_so(official, start):
    serve(official, 300.0)
    service, public, _ = start()
    wait_for(lambda: service.neighbours.official().as_of_us)
    assert public.get("/api/v1/official-warnings").json()["items"] == []
    assert "Zurzeit warnt der Deutsche Wetterdienst hier nicht." in public.get("/").text


def test_without_a_source_of_warnings_there_is_none_on_the_page(config, official, start):
    text = config[0].read_text()
    config[0].write_text(text[: text.rindex("[[neighbour]]")])
    _, public, _ = start()
    assert public.get("/api/v1/official-warnings").status_code == 404
    assert "Wetterdienst" not in public.get("/").text


def test_warnings_that_are_not_public_are_for_operators(config, official, start):
    config[0].write_text(config[0].read_text().replace("public = true", "public = false"))
    now = serve(official, 300.0)
    official.pages["/cap.zip"] = Page(caps(cap(1, now - MIN, now + 60 * MIN)))
    service, public, operator = start()
    wait_for(lambda: service.neighbours.official().warnings)
    assert public.get("/api/v1/official-warnings").status_code == 404
    assert "Wetterdienst" not in public.get("/").text
    assert len(operator.get("/api/v1/official-warnings").json()["items"]) == 1


def test_the_command_shows_what_they_give(config, official, capsys):
    now = serve(official, 640.0)
    official.pages["/cap.zip"] = Page(caps(cap(1, now - MIN, now + 60 * MIN)))
    assert main(["neighbours", "--config", str(config[0])]) == 0
    said = capsys.readouterr().out
    assert "rhein-koeln: Köln (Rhein), 50.9369 6.9633, marks in cm: 620, 830" in said
    assert '"value":640.0' in said
    assert f"Amtliche UNWETTERWARNUNG vor HEFTIGEM STARKREGEN 1 (Stadt {CELL})" in said
    official.pages.pop("/cap.zip")
    assert main(["neighbours", "--config", str(config[0])]) == 1
    assert "neighbour dwd-cap: NO ANSWER" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "key", "said"),
    [
        ('kind = "pegel"', "kind", "not known"),
        ('kind = "pegelonline"', "neighbour[2]", "name gauges"),
        ('kind = "hochwasserportal-nrw"\nstations = { a = "1234567" }', "neighbour[2]", "placeholder"),
        ('kind = "hochwasserportal-nrw"\nstations = { a = "x" }', "neighbour[2]", "no station number"),
        ('kind = "hochwasserportal-nrw"\nstations = { a = "27369", b = "27369" }', "neighbour[2]", "two ids"),
        (
            'kind = "hochwasserportal-nrw"\nstations = { rhein-koeln = "27369" }',
            "rhein-koeln",
            "two stations",
        ),
        (
            'kind = "hochwasserportal-nrw"\nstations = { a = "27369" }\nevery_s = 10',
            "neighbour[2]",
            "no faster",
        ),
        ('kind = "hochwasserportal-nrw"\nstations = { a = "27369" }\nurl = "ftp://x"', "url", "pattern"),
        ('kind = "pegelonline"\nstations = { a = "koeln" }', "neighbour[2]", "uuid or number"),
        ('kind = "dwd-cap"\nwarncells = ["05378"]', "neighbour[2]", "WARNCELLID"),
        ('kind = "dwd-cap"\nstations = { a = "1" }', "neighbour[2]", "no stations"),
        ('kind = "dwd-cap"', "neighbour[2].kind", "stands twice"),
    ],
)
def test_a_neighbour_that_cannot_be_meant_so(config, wrong, key, said):
    config[0].write_text(f"{config[0].read_text()}[[neighbour]]\n{wrong}\n")
    faults = [str(fault) for fault in read_settings(config[0])[1]]
    assert any(key in fault and said in fault for fault in faults), faults


def test_a_station_of_the_list_is_no_neighbour(config, capsys):
    config[0].write_text(config[0].read_text().replace("rhein-koeln", "eigen"))
    assert main(["check", "--config", str(config[0])]) == 1
    assert "stands in the device list as well" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="stands in the device list"):
        Service(load_settings(config[0]))


def test_a_rule_may_name_a_neighbour(config, capsys):
    rules = config[0].with_name("rules.toml")
    rules.write_text(
        '[[rule]]\nid = "rhein"\nkind = "water_level"\nstations = ["rhein-koeln"]\nstages_cm = [450]\n'
        'audience = { 1 = "staff" }\n'
    )
    config[0].write_text(f'{config[0].read_text()}[alerts]\nrules = "rules.toml"\n')
    assert main(["check", "--config", str(config[0])]) == 0, capsys.readouterr().err
