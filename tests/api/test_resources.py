from dataclasses import replace

import pytest
from small_town import MINUTE, T0, TOKEN
from starlette.testclient import TestClient

from alerts.event import Event
from alerts.mobility.states import CarPark
from alerts.scale import load_scale
from api.app import create_app, openapi
from api.schemas.measurements import Property, Reading, Station
from api.schemas.mobility import Parking, Traffic
from api.schemas.operations import AdminDevice, AdminUplink, RejectedUplink
from api.schemas.warnings import Notice


@pytest.mark.parametrize(
    "address", ["stations", "properties", "readings", "readings/latest", "warnings", "parking", "traffic"]
)
def test_every_collection_carries_licence_and_attribution(client, address):
    answer = client.get(f"/api/v1/{address}")
    document = answer.json()
    assert document["items"]
    assert document["license"] == "http://dcat-ap.de/def/licenses/dl-zero-de/2.0"
    assert document["attribution"] == "Stadt Bergisch Gladbach"
    assert answer.links["license"]["url"] == document["license"]


@pytest.mark.parametrize("address", ["rejected", "uplinks", "devices", "deliveries"])
def test_what_operators_see_is_no_open_data(operator, address):
    answer = operator.get(f"/api/v1/admin/{address}")
    document = answer.json()
    assert document["items"]
    assert (document["license"], document["attribution"]) == (None, None)
    assert "license" not in answer.links
    assert operator.get("/api/v1/stations").json()["license"]


@pytest.mark.parametrize(
    "address", ["stations", "properties", "readings/latest", "traffic?from=2026-07-14T16:00:00Z"]
)
@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_every_collection_pages(client, address, limit):
    joiner = "&" if "?" in address else "?"
    whole = client.get(f"/api/v1/{address}{joiner}limit=10000").json()["items"]
    assert whole
    found, next_ = [], f"/api/v1/{address}{joiner}limit={limit}"
    while next_:
        answer = client.get(next_)
        found += answer.json()["items"]
        next_ = answer.links.get("next", {}).get("url")
    assert found == whole


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
def test_receipts_page_across_the_channels_of_one_event(operator, limit):
    found, next_ = [], f"/api/v1/admin/deliveries?limit={limit}"
    while next_:
        answer = operator.get(next_)
        found += [(each["event"], each["channel"]) for each in answer.json()["items"]]
        next_ = answer.links.get("next", {}).get("url")
    assert found == [
        (f"event-{seq}", channel) for seq in (3, 2, 1) for channel in ("feuerwehr", "leitstelle")
    ]


def test_a_link_does_not_repeat_a_host_that_is_none(client):
    answer = client.get("/api/v1/stations?limit=1", headers={"Host": "evil>;rel=next"})
    assert "evil" not in answer.headers["link"]


def test_stations_say_what_is_measured_there(client):
    items = {item["id"]: item for item in client.get("/api/v1/stations").json()["items"]}
    assert set(items) == {"regen-gierath", "strunde-gierath", "p-markt", "z-haupt"}
    assert items["strunde-gierath"]["properties"] == ["water_level"]
    assert items["strunde-gierath"]["stages_cm"] == [40, 60]
    assert items["strunde-gierath"]["themes"] == ["level"]
    one = client.get("/api/v1/stations/strunde-gierath").json()
    assert one.pop("license")
    assert one.pop("attribution")
    assert one.pop("levels") == []
    assert one == items["strunde-gierath"]


def test_a_car_park_that_is_told_by_counters_is_one_of_parking_too(city):
    city.parks = tuple(
        CarPark(id_, "counters", 40, 9, 31, T0, T0, 2, 2) for id_ in ("z-haupt", "geheim-pegel")
    )
    with TestClient(city.app()) as client:
        themes = {each["id"]: each["themes"] for each in client.get("/api/v1/stations").json()["items"]}
        assert client.get("/api/v1/stations/z-haupt").json()["themes"] == ["parking", "traffic"]
    assert themes["z-haupt"] == ["parking", "traffic"]
    assert themes["strunde-gierath"] == ["level"]


def test_operators_see_every_station_and_its_devices(operator):
    items = {item["id"]: item for item in operator.get("/api/v1/stations").json()["items"]}
    assert items["geheim-pegel"]["devices"] == ["70b3d57ed0000005"]


def test_a_warning_says_what_where_since_when_and_what_it_is_not(client):
    [item] = client.get("/api/v1/warnings").json()["items"]
    assert (item["status"], item["level"], item["severity"], item["value"]) == (
        "in_force",
        3,
        "Severe",
        31.24,
    )
    assert item["since"] == "2026-07-14T18:30:00Z"
    assert item["notice"]["de"] == "Automatische Messwertmeldung, keine amtliche Warnung."
    assert item["headline"]["de"] == "Starkregen, Stufe 3: Regen Gierath"
    assert item["headline"]["en"]
    assert client.get(f"/api/v1/warnings/{item['id']}").json()["id"] == item["id"]


def test_a_warning_that_falls_still_says_what_triggered_it(city):
    with TestClient(city.app()) as client:
        id_ = "starkregen:regen-gierath:1"

        def course():
            item = client.get(f"/api/v1/warnings/{id_}").json()
            return item["trend"], item["triggered"], item["value"]

        first = {"time": "2026-07-14T18:30:00Z", "value": 31.24, "window_min": 60}
        assert course() == ("rising", first, 31.24)
        city.warn("regen-gierath", 4, "escalate", at_us=T0 + MINUTE, value=90.0, window_min=360)
        second = {"time": "2026-07-14T18:31:00Z", "value": 90.0, "window_min": 360}
        assert course() == ("rising", second, 90.0)
        city.warn("regen-gierath", 3, "step_down", at_us=T0 + 60 * MINUTE, value=0.0)
        assert course() == ("falling", second, 0.0)
        text = client.get(f"/api/v1/warnings/{id_}").json()["text"]
        assert "0,0 l/m² in einer Stunde, gemessen" in text["de"]
        assert "viel Regen in kurzer Zeit" not in text["de"]
        assert "Höchster gemeldeter Wert: 90,0 l/m²" in text["de"]
        city.warn("regen-gierath", 0, "clear", at_us=T0 + 120 * MINUTE, value=0.0)
        assert course() == ("falling", second, 0.0)
        assert client.get("/api/v1/warnings?f=csv").text.splitlines()[1].endswith(",falling,false")


def test_history_told_again_is_no_new_rise(city):
    id_ = "e"
    history = Event(
        "e.1.raise.3.history",
        *(id_, T0, "regen-gierath", "raise", "dwd_starkregen", 3, 60, 33.0, "rule", "reason"),
    )
    fall = replace(history, id="e.2.step_down.2", kind="step_down", level=2, time_us=T0 + MINUTE, value=1.0)
    told = replace(history, id="e.1.raise.3", level=2, time_us=T0 + 2 * MINUTE, value=0.5, audience="public")
    city.board.apply([history, fall, told])
    with TestClient(city.app()) as client:
        item = client.get(f"/api/v1/warnings/{id_}").json()
    assert item["trend"] == "falling"
    assert item["triggered"] == {"time": "2026-07-14T18:30:00Z", "value": 33.0, "window_min": 60}


def test_what_only_staff_hear_is_not_public(client, operator):
    assert {item["station"] for item in operator.get("/api/v1/warnings").json()["items"]} == {
        "regen-gierath",
        "geheim-pegel",
        "strunde-gierath",
    }
    assert client.get("/api/v1/warnings/level:geheim:1").status_code == 404


def test_the_scale_is_public_and_the_city_s_own(client, city, tmp_path):
    shipped = client.get("/api/v1/scale").json()
    assert [each["severity"] for each in shipped["severities"]] == ["Minor", "Moderate", "Severe", "Extreme"]
    assert {each["level"]: each["severity"] for each in shipped["measures"]["dwd_starkregen"]} == {
        2: "Moderate",
        3: "Severe",
        4: "Extreme",
    }
    file = tmp_path / "scale.toml"
    file.write_text('[severity.Severe]\ncolour = "#004488"\nink = "#ffffff"\nde = "ernst"\nen = "grave"\n')
    city.changes["scale"] = load_scale(file)
    with TestClient(city.app()) as own:
        severe = own.get("/api/v1/scale").json()["severities"][2]
        style = own.get("/assets/scale.css")
    assert (severe["colour"], severe["name"]) == ("#004488", {"de": "ernst", "en": "grave"})
    assert style.headers["content-type"].startswith("text/css")
    assert '[data-severity="Severe"] { --tone: #004488; --on-tone: #ffffff; }' in style.text


def test_an_ended_warning_stays_for_a_day(city):
    with TestClient(city.app()) as client:
        city.warn("regen-gierath", 0, "clear", episode="starkregen:regen-gierath:1", at_us=T0 + MINUTE)
        [item] = client.get("/api/v1/warnings").json()["items"]
        assert (item["status"], item["ended"]) == ("ended", "2026-07-14T18:31:00Z")
        assert client.get("/api/v1/warnings?status=in_force").json()["items"] == []
        city.now_us += 24 * 60 * MINUTE + 2 * MINUTE
        assert client.get("/api/v1/warnings").json()["items"] == []


def test_warnings_page_with_those_in_force_first(city):
    for i in range(5):
        city.warn("regen-gierath", episode=f"e{i}", at_us=T0 + i * MINUTE)
    city.warn("regen-gierath", 0, "clear", episode="e4", at_us=T0 + 6 * MINUTE)
    with TestClient(city.app()) as client:
        found, next_ = [], "/api/v1/warnings?limit=2"
        while next_:
            answer = client.get(next_)
            found += [item["id"] for item in answer.json()["items"]]
            next_ = answer.links.get("next", {}).get("url")
    assert found == ["e3", "e2", "e1", "e0", "starkregen:regen-gierath:1", "e4"]


def test_parking_has_the_agreed_members(client):
    assert client.get("/api/v1/parking").json()["items"] == [
        {
            "station": "p-markt",
            "name": "Parkplatz Markt",
            "capacity": 40,
            "occupied": 12,
            "free": 28,
            "trend_per_h": None,
            "changed": "2026-07-14T18:30:00Z",
            "confidence": 1.0,
            "time": "2026-07-14T18:30:00Z",
            "sensors_known": 40,
            "sensors_total": 40,
            "source": "spaces",
            "reserved": {},
            "expected": [],
        }
    ]


def test_a_silent_car_park_claims_no_free_spaces(operator):
    silent = next(
        item for item in operator.get("/api/v1/parking").json()["items"] if item["station"] == "geheim-pegel"
    )
    assert (silent["free"], silent["occupied"], silent["time"]) == (None, None, None)


def test_traffic_gives_the_newest_finished_interval(client):
    items = client.get("/api/v1/traffic?interval=PT15M").json()["items"]
    assert items[0] == {
        "station": "z-haupt",
        "property": "vehicle_count",
        "channel": "in",
        "direction": "in",
        "vehicle_class": None,
        "interval": "PT15M",
        "begin": "2026-07-14T18:15:00Z",
        "time": "2026-07-14T18:30:00Z",
        "value": 10 + 11 + 12,
        "suppressed": False,
        "completeness": 1.0,
        "corrected": None,
        "speed_mean_kmh": None,
        "speed_v85_kmh": None,
    }
    assert len(items) == 2
    assert (
        len(client.get("/api/v1/traffic?interval=PT5M&from=2026-07-14T17:30:00Z").json()["items"]) == 2 * 12
    )


def test_the_document_describes_every_answer():
    document = openapi()
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            (done,) = (status for status in operation["responses"] if status[0] == "2")
            assert done in {"202", "204"} or operation["responses"][done]["content"], path
            for status, response in operation["responses"].items():
                if status[0] in "45":
                    # Citykey's apps know errors in one shape only; who asks too often is no app
                    citykey = path.startswith("/citykey") and status != "429"
                    told = "application/json" if citykey else "application/problem+json"
                    assert list(response["content"]) == [told], (path, status)
    locked = {
        path for path, each in document["paths"].items() if all("security" in one for one in each.values())
    }
    pushed = "/api/v1/uplinks/{server}"  # a network server has a token of its own
    assert locked == {path for path in document["paths"] if path in {"/metrics", pushed} or "/admin/" in path}
    reading = document["components"]["schemas"]["Reading"]
    assert reading["examples"]
    assert {"station", "property", "time", "value", "unit", "quality"} <= set(reading["required"])


def test_the_answers_are_as_the_document_says(operator, client):
    models = {
        "stations": Station,
        "properties": Property,
        "readings": Reading,
        "readings/latest": Reading,
        "warnings": Notice,
        "parking": Parking,
        "traffic": Traffic,
        "admin/rejected": RejectedUplink,
        "admin/uplinks": AdminUplink,
        "admin/devices": AdminDevice,
    }
    for address, model in models.items():
        for caller in (operator, client) if "admin" not in address else (operator,):
            items = caller.get(f"/api/v1/{address}").json()["items"]
            assert items, address
            for item in items:
                model.model_validate(item)
                assert item.keys() <= model.model_fields.keys(), address


def test_the_page_works_without_the_npm_packages(city, tmp_path):
    with TestClient(create_app(city.services(), node_modules=tmp_path)) as client:
        page = client.get("/")
        assert page.status_code == 200
        assert "/assets/vendor/" not in page.text
        assert "/api/v1/stations" in client.get("/docs").text
        assert client.get("/assets/vendor/leaflet.js").status_code == 404


def test_the_page_names_warnings_and_escapes_names(city):
    city.warn("strunde-gierath", 2, episode="w", measure="water_level", window_min=None, value=44.0)
    with TestClient(city.app()) as client:
        text = client.get("/").text
        assert "Wasserstand, Marke 2: Strunde, &#34;Gierath&#34;" in text
        assert "geheim" not in client.get("/", headers={"Authorization": f"Bearer {TOKEN}"}).text
