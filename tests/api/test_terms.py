"""Licence and attribution: one for all, or one for each property that has its own."""

import pytest
from small_town import T0, TOKEN
from starlette.testclient import TestClient

from api.public_rule import PublicRule
from api.schemas.envelope import Collection
from api.schemas.measurements import Property, Reading
from api.terms import Terms

ZERO, BY = "http://dcat-ap.de/def/licenses/dl-zero-de/2.0", "http://dcat-ap.de/def/licenses/dl-by-de/2.0"
CITY = "Stadt Bergisch Gladbach"
LEVELS = {"license": BY, "attribution": "Wasserverband", "properties": ["water_level"]}
RAIN = {"license": ZERO, "attribution": CITY, "properties": ["precipitation"]}


@pytest.fixture
def client(city):
    city.changes["rules"] = {
        "water_level": PublicRule(license=BY, attribution="Wasserverband"),
        "vehicle_count": PublicRule(attribution="Verkehrsamt"),
        "parking_occupancy": PublicRule(license=BY),
        "battery_voltage": PublicRule(public=False, license="https://secret.example/"),
    }
    with TestClient(city.app()) as client:
        yield client


def terms(answer):
    return {
        name: value for name, value in answer.json().items() if name in {"license", "attribution", "terms"}
    }


@pytest.mark.parametrize("path", ["readings", "readings/latest"])
@pytest.mark.parametrize("form", ["json", "geojson"])
def test_an_answer_of_one_property_has_its_terms(client, path, form):
    answer = client.get(f"/api/v1/{path}?property=water_level&f={form}")
    assert terms(answer) == {"license": BY, "attribution": "Wasserverband"}
    assert answer.headers["link"] == f'<{BY}>; rel="license"'


@pytest.mark.parametrize("path", ["readings?", "readings?limit=all&"])
@pytest.mark.parametrize("form", ["json", "geojson"])
def test_a_mixed_answer_says_what_is_under_what(client, path, form):
    query = "station=strunde-gierath&station=regen-gierath"
    answer = client.get(f"/api/v1/{path}{query}&f={form}")
    assert terms(answer) == {
        "license": None,
        "attribution": f"{CITY}; Wasserverband",
        "terms": [RAIN, LEVELS],
    }
    assert f'<{ZERO}>; rel="license", <{BY}>; rel="license"' in answer.headers["link"]
    if form == "json":
        Collection[Reading].model_validate(answer.json())


def test_csv_links_every_licence(client):
    answer = client.get("/api/v1/readings?f=csv&limit=2")
    links = answer.headers["link"]
    assert [rel in links for rel in ('rel="next"', f'<{ZERO}>; rel="license"', f'<{BY}>; rel="license"')] == [
        True
    ] * 3


def test_who_is_to_be_named_may_differ_under_one_licence(client):
    answer = client.get("/api/v1/readings?property=precipitation&property=vehicle_count")
    assert terms(answer)["license"] == ZERO
    assert terms(answer)["attribution"] == f"{CITY}; Verkehrsamt"
    assert [each["attribution"] for each in terms(answer)["terms"]] == [CITY, "Verkehrsamt"]


def test_counts_and_car_parks_have_the_terms_of_what_they_are_of(client):
    assert terms(client.get("/api/v1/traffic")) == {"license": ZERO, "attribution": "Verkehrsamt"}
    assert terms(client.get("/api/v1/parking")) == {"license": BY, "attribution": CITY}
    assert terms(client.get("/api/v1/stations")) == {"license": ZERO, "attribution": CITY}


def test_properties_say_how_they_are_public(city):
    city.changes["rules"] = {"water_level": PublicRule(True, 900_000_000, 3_600_000_000, 0.5, BY)}
    with TestClient(city.app()) as client:
        items = {item["name"]: item for item in client.get("/api/v1/properties").json()["items"]}
    known = {
        name: items["water_level"][name]
        for name in ("license", "attribution", "delay_s", "coarsen_s", "round")
    }
    assert known == {"license": BY, "attribution": CITY, "delay_s": 900, "coarsen_s": 3600, "round": 0.5}
    assert (items["precipitation"]["delay_s"], items["precipitation"]["round"]) == (0, None)
    for item in items.values():
        Property.model_validate(item)


def test_whoever_gives_data_out_asks_one_function(city, client):
    services = city.services()
    assert services.terms_of("water_level") == Terms(BY, "Wasserverband")
    assert services.terms_of("precipitation") == Terms(ZERO, CITY)


def test_live_views_hold_back_what_is_public_later_or_coarser(city):
    def seen(rules, operator=False):
        city.changes["rules"] = rules
        headers = {"Authorization": f"Bearer {TOKEN}"} if operator else {}
        with TestClient(city.app(), headers=headers) as client:
            parking = client.get("/api/v1/parking").json()["items"]
            traffic = client.get("/api/v1/traffic?station=z-haupt").json()["items"]
        free = [item["free"] for item in parking if item["station"] == "p-markt"]
        return free, sorted({item["interval"] for item in traffic})

    every = ["PT15M", "PT1H", "PT5M"]
    assert seen({}) == ([28], every)
    later, hourly = PublicRule(delay_us=1), PublicRule(coarsen_us=3_600_000_000)
    assert seen({"parking_occupancy": later, "vehicle_count": later}) == ([], [])
    # the single spaces are not public, and yet when one of them is taken must not be told at once
    single = PublicRule(public=False, delay_us=1)
    assert seen({"parking_occupied": single, "vehicle_count": hourly}) == ([], ["PT1H"])
    assert seen({"parking_occupancy": PublicRule(public=False)}) == ([], every)
    assert seen({"parking_occupancy": PublicRule(round_to=10.0)}) == ([30], every)
    assert seen({"parking_occupancy": later, "vehicle_count": later}, operator=True) == ([28], every)


def test_the_newest_of_what_comes_later_is_the_newest_visible(city):
    city.changes["rules"] = {"water_level": PublicRule(delay_us=3_600_000_000)}
    with TestClient(city.app()) as client:
        [item] = client.get("/api/v1/readings/latest?property=water_level").json()["items"]
        assert item["time"] == "2026-07-14T17:30:00Z"
        city.now_us = T0 + 300_000_000
        [item] = client.get("/api/v1/readings/latest?property=water_level").json()["items"]
        assert item["time"] == "2026-07-14T17:35:00Z"


def test_while_the_store_is_away_what_comes_at_once_is_still_there(city):
    city.changes["rules"] = {"water_level": PublicRule(delay_us=3_600_000_000)}
    with TestClient(city.app()) as client:
        city.store.close()
        items = client.get("/api/v1/readings/latest").json()["items"]
        assert {"precipitation", "vehicle_count"} == {item["property"] for item in items}


def test_and_what_was_seen_of_the_rest(city):
    city.changes["rules"] = {"water_level": PublicRule(delay_us=3_600_000_000)}
    with TestClient(city.app()) as client:
        seen = client.get("/api/v1/readings/latest").json()["items"]
        city.store.close()
        city.now_us += 600_000_000
        assert client.get("/api/v1/readings/latest").json()["items"] == seen
        assert "water_level" in {item["property"] for item in seen}
        assert "water_level" in client.get("/api/v1/stations/strunde-gierath").json()["properties"]
