"""What everybody can read of the city's warnings, and in which forms."""

from xml.etree import ElementTree as ET

import pytest
from shapely import LinearRing
from small_town import TOKEN, Town, fill
from starlette.testclient import TestClient
from warned_city import AREAS, ARS, BASIS, MINUTE, T0, TEXTS, step, warned

from alerts.cap.archive import CapArchive
from alerts.cap.publisher import CapPublisher
from alerts.cap.rules import check
from alerts.city.city_warning import fold

ATOM = {"a": "http://www.w3.org/2005/Atom"}


@pytest.fixture
def town(tmp_path):
    town = Town(tmp_path)
    fill(town)
    town.warnings = []
    archive = CapArchive(tmp_path / "cap.db")
    publisher = CapPublisher(
        archive,
        lambda: BASIS,
        lambda: town.warnings,
        town.board,
        town.texts,
        clock=lambda: town.now_us,
        public_stations=lambda: frozenset({"regen-gierath"}),
    )
    town.changes = {"cap": publisher, "city_warnings": lambda: town.warnings, "areas": AREAS}
    yield town
    archive.close()
    town.store.close()
    town.journal.close()


@pytest.fixture
def client(town):
    with TestClient(town.app()) as client:
        yield client


def entries(answer):
    return ET.fromstring(answer.content).findall("a:entry", ATOM)


def test_the_feed_links_to_the_latest_document_of_each_warning(client, town):
    assert entries(client.get("/cap/feed.atom")) == []
    town.warnings = [warned("propose", "release", "update"), warned("propose", id_="secret")]
    answer = client.get("/cap/feed.atom")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    (entry,) = entries(answer)
    assert entry.findtext("a:title", None, ATOM) == TEXTS["de"].headline
    link = entry.find("a:link", ATOM)
    assert link.get("type") == "application/cap+xml"
    document = client.get(link.get("href"))
    assert document.headers["content-type"] == "application/cap+xml"
    assert check(document.content) == []
    # what it refers to can be read as well
    (reference,) = ET.fromstring(document.content).findtext("{*}references").split()
    assert client.get(f"/cap/{reference.split(',')[1]}.xml").status_code == 200


def test_an_all_clear_stays_in_the_feed_and_says_that_it_is_one(client, town):
    town.warnings = [warned("release", "all_clear")]
    (entry,) = entries(client.get("/cap/feed.atom"))
    assert {each.get("term") for each in entry.findall("a:category", ATOM)} == {"Actual", "Update", "ended"}
    town.warnings = []
    assert entries(client.get("/cap/feed.atom")) == []
    assert client.get(f"/cap/stadtfunk.{ARS}.w1.1.xml").status_code == 200


def test_the_feed_is_not_sent_twice(client, town):
    town.warnings = [warned("release")]
    first = client.get("/cap/feed.atom")
    etag, date = first.headers["etag"], first.headers["last-modified"]
    assert client.get("/cap/feed.atom", headers={"If-None-Match": etag}).status_code == 304
    same = client.get("/cap/feed.atom", headers={"If-Modified-Since": date})
    assert (same.status_code, same.content) == (304, b"")
    assert client.get("/cap/feed.atom", headers={"If-Modified-Since": "nonsense"}).status_code == 200
    town.now_us = T0 + 5 * MINUTE
    town.warnings = []
    # gone from the list counts as changed too
    assert client.get("/cap/feed.atom", headers={"If-Modified-Since": date}).status_code == 200
    assert client.get("/cap/feed.atom", headers={"If-None-Match": etag}).status_code == 200


def test_measurement_notices_are_for_operators(client):
    assert entries(client.get("/cap/feed.atom")) == []
    operator = {"Authorization": f"Bearer {TOKEN}"}
    seen = entries(client.get("/cap/feed.atom", headers=operator))
    assert seen
    link = seen[0].find("a:link", ATOM).get("href")
    assert client.get(link).status_code == 404
    assert b"<status>Test</status>" in client.get(link, headers=operator).content


def test_nina_s_programs_find_city_and_kreis(client, town):
    town.warnings = [
        warned("release", "update"),
        warned("release", exercise=True, id_="uebung"),
        warned("release", "all_clear", id_="vorbei"),
    ]
    for ars in (ARS, f"{ARS[:5]}0000000"):
        (item,) = client.get(f"/compat/nina/dashboard/{ars}.json").json()
        assert item["id"] == item["payload"]["id"] == "w1"
        assert item["payload"]["data"]["severity"] == "Severe"
        assert item["payload"]["type"] == "UPDATE"
        assert item["i18nTitle"] == {"de": TEXTS["de"].headline, "en": TEXTS["en"].headline}
        assert item["sent"] == "2026-07-14T18:32:00+00:00"
    assert client.get("/compat/nina/dashboard/091620000000.json").status_code == 404
    assert client.get("/compat/nina/dashboard/x.json").status_code == 422
    found = client.get("/compat/nina/warnings/w1.json").json()
    assert (found["identifier"], found["msgType"], found["scope"]) == ("w1", "Update", "Public")
    german, english = found["info"]
    assert (german["language"], english["language"]) == ("de-DE", "en-GB")
    assert german["category"] == ["Met"]
    assert german["area"][0]["geocode"] == [{"valueName": "ARS", "value": ARS}]
    assert client.get("/compat/nina/warnings/vorbei.json").json()["info"][0]["responseType"] == ["AllClear"]
    assert client.get("/compat/nina/warnings/uebung.json").json()["status"] == "Exercise"
    assert client.get("/compat/nina/warnings/other.json").status_code == 404


def test_shapes_are_geojson(client, town):
    town.warnings = [warned("release", areas=("oben",)), warned("release", areas=(), id_="w2")]
    answer = client.get("/cap/warnings.geojson")
    assert answer.headers["content-type"] == "application/geo+json"
    by_id = {each["properties"]["warnId"]: each for each in answer.json()["features"]}
    assert by_id["w2"]["geometry"] is None
    assert len(by_id["w1"]["geometry"]["coordinates"]) == 2
    first, _ = by_id["w1"]["geometry"]["coordinates"]
    assert [7.175, 51.015] in first[0]
    assert LinearRing(first[0]).is_ccw
    one = client.get("/compat/nina/warnings/w1.geojson").json()
    assert one["features"] == [by_id["w1"]]


def test_a_text_for_cell_broadcast(client, town):
    town.warnings = [warned("release")]
    answer = client.get(f"/cap/stadtfunk.{ARS}.w1.1.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Tiefgaragen" in answer.text
    assert len(answer.text) <= 1395


def test_what_was_not_released_is_nowhere(client, town):
    town.warnings = [warned("propose", texts={"de": TEXTS["de"]}), warned("propose", "decline", id_="w2")]
    for address in ("/cap/feed.atom", "/cap/warnings.geojson", f"/compat/nina/dashboard/{ARS}.json"):
        assert TEXTS["de"].headline not in client.get(address).text
    assert client.get(f"/cap/stadtfunk.{ARS}.w1.1.xml").status_code == 404
    town.warnings = [fold(town.warnings[0], step(2, "release"))]
    assert client.get(f"/cap/stadtfunk.{ARS}.w1.2.xml").status_code == 200


def test_a_city_without_a_sender_has_no_cap(town):
    town.changes = {}
    with TestClient(town.app()) as client:
        answer = client.get("/cap/feed.atom")
        assert answer.status_code == 404
        assert "sender" in answer.json()["hint"]


def test_links_begin_with_the_configured_address(town):
    town.changes["cap_url"] = "https://funk.stadt.example/"
    town.warnings = [warned("release")]
    with TestClient(town.app()) as client:
        (entry,) = entries(client.get("/cap/feed.atom"))
    href = f"https://funk.stadt.example/cap/stadtfunk.{ARS}.w1.1.xml"
    assert entry.find("a:link", ATOM).get("href") == href
