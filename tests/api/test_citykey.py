"""Citykey: each answer as both apps parse it, and nothing that is not public."""

import re
from dataclasses import replace
from datetime import datetime

import citykey_models as models
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept_counts import LOEWE
from small_town import LEVEL, MINUTE, SECRETS, T0, TOKEN, wait_for
from starlette.testclient import TestClient
from warned_city import warned

from alerts.mobility.states import CarPark
from api.citykey.forms import numbers, paragraphs, plain

ADDRESSES = {
    "/citykey/poi?cityId=8&lat=50.98&lng=7.1": models.POI,
    "/citykey/poi?cityId=8&actionName=GET_CityPOICategories": models.POI_CATEGORY,
    "/citykey/content?cityId=8&actionName=GET_News": models.CONTENT,
    "/citykey/infobox?cityId=8&actionName=GET_InfoBox": models.INFOBOX,
    "/citykey/services?cityId=8&actionName=GET_CityServiceData": models.SERVICES,
}
CASES = [(address, app) for address, known in ADDRESSES.items() for app in known]


def fault(app, kind, value, at=""):  # noqa: C901, PLR0911 - one line a kind
    """Why an app's parser stops at a value; "" where it does not."""
    if isinstance(kind, list):
        if not isinstance(value, list):
            return f"{at}: no list"
        return next(filter(None, (fault(app, kind[0], each, f"{at}[]") for each in value)), "")
    if isinstance(kind, dict):
        if not isinstance(value, dict):
            return f"{at}: no object"
        return next(
            filter(None, (fault(app, each, value.get(name), f"{at}.{name}") for name, each in kind.items())),
            "",
        )
    if value is None:
        return "" if kind.endswith("?") else f"{at}: missing"
    kind, gson = kind.removesuffix("?"), app == "android"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind in {"int", "long"}:
        whole = (isinstance(value, int) and number) or (gson and isinstance(value, str) and value.isdigit())
        return "" if whole and abs(int(value)) < 2 ** (31 if kind == "int" else 63) else f"{at}: {value!r}"
    if kind == "number":
        return "" if number else f"{at}: {value!r}"
    if kind == "bool":
        return "" if isinstance(value, bool) else f"{at}: {value!r}"
    if kind == "map":
        return "" if all(isinstance(each, str) for each in value.values()) else f"{at}: {value!r}"
    if kind == "date":
        return "" if re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", str(value)) else f"{at}: {value!r}"
    return "" if isinstance(value, str) or (gson and number) else f"{at}: {value!r}"


@pytest.mark.parametrize(("address", "app"), CASES)
def test_each_app_parses_each_answer(client, address, app):
    answer = client.get(address)
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["content"]
    assert answer.json()["content"]
    assert fault(app, [ADDRESSES[address][app]], answer.json()["content"]) == ""


@pytest.mark.parametrize(("address", "app"), CASES)
def test_the_parsers_of_this_test_stop_where_a_field_is_missing_or_of_another_kind(client, address, app):
    known = ADDRESSES[address][app]
    (item, *_) = client.get(address).json()["content"]
    needed = [name for name, kind in known.items() if not (isinstance(kind, str) and kind.endswith("?"))]
    for name in needed:
        assert fault(app, known, {each: value for each, value in item.items() if each != name}) != ""
        assert fault(app, known, item | {name: ["?"]}) != ""
    assert needed or (app, "content" in address) == ("ios", True)  # iOS itself forgives everything in news


@pytest.mark.parametrize(
    "wrong", ["poi?lat=x&lng=7", "poi?lat=91&lng=7", "poi?lat=nan&lng=7", "poi?categoryId=x", "poi?cityId=-1"]
)
def test_an_error_has_the_shape_the_apps_know(client, wrong):
    answer = client.get(f"/citykey/{wrong}")
    assert answer.status_code == 400
    assert answer.headers["cache-control"] == "no-store"
    for app, known in models.ERRORS.items():
        assert fault(app, [known], answer.json()["errors"]) == ""
    for address in ("content", "infobox", "services"):
        assert "errors" in client.get(f"/citykey/{address}?cityId=x").json()


def pois(client, **parameters):
    return client.get("/citykey/poi", params=parameters).json()["content"]


def test_places_come_from_the_nearest_on_with_their_distance_in_metres(client):
    found = pois(client, lat=50.98, lng=7.1, cityId=8)
    assert [each["title"] for each in found] == [
        *("Regen Gierath", 'Strunde, "Gierath"', "Parkplatz Markt", "Hauptstraße"),
    ]
    assert [each["distance"] for each in found] == sorted(each["distance"] for each in found)
    # 0.01 degrees of latitude are 1112 m, 0.02 of longitude at 51 degrees 1400 m
    assert found[1]["distance"] == pytest.approx((1112**2 + 1400**2) ** 0.5, rel=0.01)
    assert {each["cityId"] for each in found} == {8}
    assert {each["distance"] for each in pois(client)} == {0}


def test_a_category_has_its_places_and_says_how_many(client):
    groups = client.get("/citykey/poi?actionName=GET_CityPOICategories").json()["content"]
    kinds = {each["categoryId"]: each["categoryName"] for group in groups for each in group["categoryList"]}
    assert kinds == {1: "Pegel", 2: "Niederschlag", 11: "Parken", 12: "Verkehr"}
    for number, name in kinds.items():
        found = pois(client, categoryId=number)
        assert {each["categoryName"] for each in found} == {name}
        counted = client.get(f"/citykey/poi?actionName=GET_CityPOICount&categoryId={number}").json()
        assert counted == {"content": len(found)}
    assert pois(client, categoryId=99) == []


def test_a_place_says_what_is_measured_there_now(city):
    def said():
        with TestClient(city.app()) as client:
            return {each["title"]: each["subtitle"] for each in pois(client)}

    assert said() == {
        "Regen Gierath": "Niederschlag im Intervall: 2,3 mm",
        'Strunde, "Gierath"': "keine aktuellen Daten",
        "Parkplatz Markt": "28 von 40 frei",
        "Hauptstraße": "258 Fahrzeuge je Stunde (in), 258 Fahrzeuge je Stunde (out)",
    }
    city.parks = (CarPark("p-markt", "spaces", 40, 0, 0, None, None, 40, 0),)
    assert said()["Parkplatz Markt"] == "keine aktuellen Daten"


def test_a_level_is_told_without_the_distance_it_is_measured_by(city):
    city.measure(LEVEL, T0 + MINUTE, ("water_distance", 2560.0), ("water_level", 44.0))
    city.now_us = T0 + MINUTE
    wait_for(lambda: "water_distance" in {each.series.property for each in city.latest.latest()})
    with TestClient(city.app()) as client:
        (place,) = pois(client, categoryId=1)
    assert place["subtitle"] == "Wasserstand: 44 cm"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "87 von 120 frei, wird voller"),
        ({"trend_per_h": -6.0}, "87 von 120 frei, wird leerer"),
        ({"trend_per_h": 0.4}, "87 von 120 frei, gleichbleibend"),
        ({"trend_per_h": None}, "87 von 120 frei"),
        ({"confidence": 0.5}, "etwa 87 von 120 frei, wird voller"),
    ],
)
def test_free_spaces_say_where_they_go_and_whether_that_is_sure(city, changes, said):
    city.parks = (replace(LOEWE, **changes),)
    with TestClient(city.app()) as client:
        (place,) = pois(client, categoryId=11)
    assert place["subtitle"] == said


def test_numbers_stay_when_stations_come(city):
    def ids():
        with TestClient(city.app()) as client:
            return {each["title"]: each["id"] for each in pois(client)}

    before = ids()
    stations = dict(reversed(city.registry.stations.items()))
    stations["a-neu"] = replace(stations["p-markt"], id="a-neu", name="Neu")
    city.registry = replace(city.registry, stations=stations)
    city.parks = (*city.parks, CarPark("a-neu", "spaces", 4, 1, 3, T0, T0, 4, 4))
    after = ids()
    assert after.pop("Neu") not in before.values()
    assert after == before


@given(st.sets(st.text(max_size=20), max_size=50), st.sets(st.text(max_size=20), max_size=5))
def test_numbers_are_positive_and_distinct_and_stay(keys, more):
    given_ = numbers("station", keys)
    assert len(set(given_.values())) == len(keys)
    assert all(0 < number < 2**31 for number in given_.values())
    assert numbers("station", sorted(keys, reverse=True)) == given_
    larger = numbers("station", keys | more)
    assert {key: larger[key] for key in keys} == given_


@given(st.text())
def test_no_text_becomes_a_tag(text):
    assert not set("<>") & set(plain(text))
    inside = re.sub(r"</?p>", "", paragraphs(text))
    assert not set("<>") & set(inside)


@pytest.mark.parametrize("address", ["content", "infobox"])
def test_messages_are_what_is_in_force_and_what_has_ended_in_german(city, address):
    city.warn("strunde-gierath", 2, measure="water_level", value=66.0, window_min=None, episode="level:1")
    city.warn(
        "strunde-gierath", 0, "clear", measure="water_level", value=30.0, window_min=None, episode="level:1"
    )
    city.changes["city_warnings"] = lambda: [
        warned("release", "update", areas=()),
        warned("release", "all_clear", id_="w2"),
        warned("propose", id_="warning.geheim", reason="geheim-entwurf"),
    ]
    with TestClient(city.app()) as client:
        items = client.get(f"/citykey/{address}").json()["content"]
    headlines = [each["headline"] if address == "infobox" else each["contentTeaser"] for each in items]
    assert sorted(headlines) == sorted(
        [
            "Hochwasser der Strunde in Gierath",
            "Entwarnung: Hochwasser der Strunde in Gierath",
            "Starkregen, Stufe 3: Regen Gierath",
            'Wasserstand, Meldung beendet: Strunde, "Gierath"',
        ]
    )
    kinds = {
        each["category"]["categoryName"] if address == "infobox" else each["contentSubtitle"]
        for each in items
    }
    assert kinds == {"Messwertmeldung", "Warnung der Stadt"}
    if address == "content":
        assert [each["sticky"] for each in items] == [True, True, False, False]
    else:
        assert all(
            "keine amtliche Warnung" in each["details"]
            for each in items
            if "Messwert" in str(each["category"])
        )
    assert "geheim" not in str(items)


def test_a_message_keeps_its_number_through_its_course(city):
    def message():
        with TestClient(city.app()) as client:
            (item,) = client.get("/citykey/infobox").json()["content"]
        return item

    city.changes["city_warnings"] = lambda: [warned("release")]
    city.board.apply([])
    city.changes["board"] = type(city.board)(lambda: city.now_us)
    first = message()
    city.changes["city_warnings"] = lambda: [warned("release", "update", "all_clear")]
    last = message()
    assert first["messageId"] == last["messageId"] == last["userInfoId"]
    assert first["creationDate"] < last["creationDate"]
    assert last["headline"].startswith("Entwarnung: ")


def test_times_are_those_of_the_city(client):
    items = client.get("/citykey/infobox").json()["content"]
    (notice,) = (each for each in items if each["category"]["categoryName"] == "Messwertmeldung")
    # 18:30 in UTC is 20:30 by the clocks of Berlin in summer
    assert datetime.fromisoformat(notice["creationDate"]) == datetime(2026, 7, 14, 20, 30)  # noqa: DTZ001 - as the apps read it


def test_details_are_html_and_nothing_in_them_is_a_tag_of_somebody_else(city):
    stations = dict(city.registry.stations)
    stations["regen-gierath"] = replace(stations["regen-gierath"], name='<img src=x onerror="alert(1)">')
    city.registry = replace(city.registry, stations=stations)
    with TestClient(city.app()) as client:
        for item in client.get("/citykey/infobox").json()["content"]:
            assert not re.search(r"<(?!/?p>)", item["details"])
        for item in client.get("/citykey/content").json()["content"]:
            assert "<" not in item["contentDetails"]
        for item in pois(client):
            assert "<" not in item["description"]


def test_the_tile_opens_the_residents_page(client):
    (categories,) = client.get("/citykey/services?cityId=8").json()["content"]
    ((tile,),) = (each["cityServiceList"] for each in categories["cityServiceCategoryList"])
    (action,) = tile["serviceAction"]
    assert action["androidUri"] == action["iosUri"] == "http://testserver/"
    assert client.get(action["iosUri"]).headers["content-type"].startswith("text/html")
    picture = client.get("/citykey/content").json()["content"][0]["contentImage"]
    assert client.get(picture).headers["content-type"] == "image/png"


@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_in_it_is_internal_whatever_token_the_app_sends(quiet_city, address):
    with TestClient(quiet_city.app()) as client:
        plain_ = client.get(address)
        for token in (TOKEN, "a-token-of-citykey"):
            answer = client.get(address, headers={"Authorization": f"Bearer {token}"})
            assert (answer.status_code, answer.content) == (200, plain_.content)
    for secret in SECRETS:
        assert secret not in plain_.text


def test_it_is_not_sent_twice(client):
    for address in ADDRESSES:
        first = client.get(address)
        again = client.get(address, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_a_day_after_its_end_a_message_is_gone(city):
    city.changes["city_warnings"] = tuple
    city.warn("regen-gierath", 0, "clear", value=0.0)
    with TestClient(city.app()) as client:
        assert len(client.get("/citykey/infobox").json()["content"]) == 1
        city.now_us += 24 * 60 * MINUTE + 1
        assert client.get("/citykey/infobox").json()["content"] == []
