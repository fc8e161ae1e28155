import pytest
from alerts_areas import AREAS
from small_town import SECRETS, TOKEN, Town, fill
from starlette.testclient import TestClient

from alerts.areal_rain import ArealRain, GaugeRain


@pytest.fixture
def town(tmp_path):
    town = Town(tmp_path)
    fill(town)
    gauges = [GaugeRain("regen-gierath", (21.0, 30.0, None)), GaugeRain("geheim-pegel", (90.0, None, None))]
    town.changes = {"areas": AREAS, "areal_rain": ArealRain(AREAS, lambda: gauges).of}
    yield town
    town.store.close()
    town.journal.close()


@pytest.fixture
def get(town):
    with TestClient(town.app()) as client:

        def ask(path, **headers):
            return client.get(path, headers=headers)

        yield ask


def test_areas_are_geojson_with_what_is_in_force(get):
    answer = get("/api/v1/areas")
    assert answer.headers["content-type"] == "application/geo+json"
    assert answer.headers["etag"]
    body = answer.json()
    gierath, above = body["features"]
    assert gierath["geometry"]["type"] == "Polygon"
    assert gierath["properties"]["name"] == {"de": "Gierath", "en": "Gierath village"}
    assert gierath["properties"]["in_force"] is True
    assert gierath["properties"]["severity"] == "Severe"
    assert gierath["properties"]["warnings"] == ["starkregen:regen-gierath:1"]
    assert gierath["properties"]["rain_1h_mm"] == {
        "mean": 21.0,
        "max": 21.0,
        "gauges": 1,
        "completeness": 1.0,
    }
    assert gierath["properties"]["rain_24h_mm"]["mean"] is None
    # a warning for staff and one at a station that is not public are not for everybody
    assert above["properties"]["in_force"] is False
    assert body["license"]
    assert not any(secret in answer.text for secret in SECRETS)


def test_operators_see_what_is_not_public(get):
    above = get("/api/v1/areas", authorization=f"Bearer {TOKEN}").json()["features"][1]["properties"]
    assert above["warnings"] == ["starkregen:geheim-pegel:1"]
    assert set(above["stations"]) == {"p-markt", "geheim-pegel"}
    assert above["rain_1h_mm"]["max"] == 90.0


def test_a_place_finds_its_areas(get):
    assert [each["id"] for each in get("/api/v1/areas?f=json&lat=50.981&lon=7.1").json()["items"]] == [
        "gierath"
    ]
    assert get("/api/v1/areas?lat=52&lon=13").json()["features"] == []


def test_half_a_place_is_refused(get):
    answer = get("/api/v1/areas?lat=50.98")
    assert answer.status_code == 400
    assert "lon" in answer.json()["detail"]
    assert get("/api/v1/areas?lat=95&lon=7").status_code == 422


def test_the_same_areas_are_not_sent_twice(get, town):
    etag = get("/api/v1/areas").headers["etag"]
    assert get("/api/v1/areas", **{"if-none-match": etag}).status_code == 304
    town.warn("regen-gierath", 0, "clear")
    assert get("/api/v1/areas", **{"if-none-match": etag}).status_code == 200
    assert get("/api/v1/areas").json()["features"][0]["properties"]["severity"] is None


def test_as_a_table(get):
    lines = get("/api/v1/areas?f=csv").text.splitlines()
    assert lines[0] == "id,name_de,name_en,in_force,severity,warnings,stations,catchment"
    assert lines[1].startswith("gierath,Gierath,Gierath village,true,Severe,starkregen:regen-gierath:1,")


def test_a_warning_names_its_areas(get):
    (item,) = get("/api/v1/warnings").json()["items"]
    assert item["areas"] == [{"id": "gierath", "name": {"de": "Gierath", "en": "Gierath village"}}]


def test_a_city_without_areas(town):
    town.changes = {}
    with TestClient(town.app()) as client:
        assert client.get("/api/v1/areas").json()["features"] == []
        assert client.get("/api/v1/warnings").json()["items"][0]["areas"] == []
