import pytest
from small_town import T0, TOKEN, Town
from starlette.testclient import TestClient
from warned_city import AREAS

from alerts.city.office import CityOffice
from alerts.city.release import Releases
from alerts.event import Event, to_row

STAFF = {"Authorization": f"Bearer {TOKEN}"}
TEXTS = {
    "de": {"headline": "Hochwasser", "description": "Die Strunde steigt.", "instruction": "Keller verlassen."}
}
BY_HAND = {"severity": "Severe", "areas": ["gierath"], "by": "A. Beispiel", "reason": "call from the creek"}
INCIDENT = "strunde.20260714T183000Z"
MANY = (1 << 63) - 1


@pytest.fixture
def hall(tmp_path):
    town = Town(tmp_path)
    office = CityOffice(town.journal, Releases(), AREAS, lambda: town.now_us)
    office.start()
    town.changes |= {"office": office, "city_warnings": office.warnings, "areas": AREAS}
    town.office = office
    with TestClient(town.app()) as client:
        yield town, client
    office.stop()
    town.audit.close()


def raised(town):
    """A Severe notice for the public, and what the office makes of it."""
    event = Event(
        "e1",
        "level.strunde-gierath",
        T0,
        "strunde-gierath",
        "raise",
        "water_level",
        3,
        None,
        120.0,
        "water-level",
        "measured",
        audience="public",
        severity="Severe",
        incident=INCIDENT,
    )
    town.journal.commit("engine", town.journal.load("engine").fence, MANY, events=[to_row(event)])
    town.office.run_once()
    [warning] = town.office.warnings()
    return warning.id


def test_a_proposal_is_for_operators_until_a_person_releases_it(hall):
    town, client = hall
    id_ = raised(town)
    assert client.get("/api/v1/city-warnings").json()["items"] == []
    assert client.get(f"/api/v1/city-warnings/{id_}").status_code == 404
    course = client.get(f"/api/v1/admin/city-warnings/{id_}", headers=STAFF).json()
    assert (course["status"], course["public"], course["incident"]) == ("proposed", False, INCIDENT)
    answer = client.post(
        f"/api/v1/admin/city-warnings/{id_}/steps",
        json={"action": "release", "by": "A. Beispiel", "reason": "seen"},
        headers=STAFF,
    )
    assert answer.status_code == 201
    assert [each["action"] for each in answer.json()["steps"]] == ["propose", "release"]
    assert "no-store" in answer.headers["cache-control"]
    whole = client.get("/api/v1/city-warnings").json()
    [item] = whole["items"]
    assert whole["license"]
    assert (item["status"], item["released_by"], item["released_by_rule"]) == (
        "in_force",
        "A. Beispiel",
        False,
    )
    assert item["areas"] == [{"id": "gierath", "name": {"de": "Gierath", "en": "Gierath village"}}]
    assert item["kind"]["de"] == "Warnung der Stadt"
    assert item["instruction"]["de"]
    assert client.get(f"/api/v1/city-warnings/{id_}").json()["headline"] == item["headline"]
    said = [(each.by, each.action, each.subject) for each in town.audit.entries(10, None)]
    assert ("A. Beispiel", "city warning release", id_) in said


def test_the_public_hears_of_the_end_and_never_of_reasons_or_proposals(hall):
    town, client = hall
    id_ = client.post(
        "/api/v1/admin/city-warnings",
        json={**BY_HAND, "texts": TEXTS, "release": True, "valid_min": 60},
        headers=STAFF,
    ).json()["id"]
    steps = f"/api/v1/admin/city-warnings/{id_}/steps"
    proposed = {"action": "propose", "by": "B. Muster", "reason": "secret-why", "severity": "Extreme"}
    pending = client.post(steps, json=proposed, headers=STAFF).json()["pending"]
    assert (pending["severity"], pending["by"]) == ("Extreme", "B. Muster")
    public = client.get("/api/v1/city-warnings")
    assert public.json()["items"][0]["severity"] == "Severe"
    assert public.json()["items"][0]["headline"] == {"de": "Hochwasser"}
    for secret in ("secret-why", "B. Muster", "call from the creek"):
        assert secret not in public.text
    end = {"action": "all_clear", "by": "C. Wehr", "reason": "creek is back"}
    assert client.post(steps, json=end, headers=STAFF).status_code == 201
    [item] = client.get("/api/v1/city-warnings?status=ended").json()["items"]
    assert (item["end"], item["ended_by"]) == ("all_clear", "C. Wehr")
    assert "Entwarnung" in item["headline"]["de"]
    town.now_us += 25 * 3_600_000_000
    assert client.get("/api/v1/city-warnings").json()["items"] == []


def test_refusals_say_why(hall):
    town, client = hall
    id_ = raised(town)
    steps = f"/api/v1/admin/city-warnings/{id_}/steps"
    who = {"by": "A. Beispiel", "reason": "seen"}
    for code, body in (
        (409, {"action": "all_clear", **who}),
        (409, {"action": "release", **who, "areas": ["atlantis"]}),
        (409, {"action": "release", **who, "valid_min": 1}),
        (409, {"action": "release", "by": "rule x", "reason": "seen"}),
        (422, {"action": "explode", **who}),
        (422, {"action": "release", "reason": "seen"}),
        (422, {"action": "release", **who, "more": 1}),
    ):
        answer = client.post(steps, json=body, headers=STAFF)
        assert answer.status_code == code, body
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]
    unknown = client.post(
        "/api/v1/admin/city-warnings/none/steps", json={"action": "release", **who}, headers=STAFF
    )
    assert unknown.status_code == 404
    assert client.post("/api/v1/admin/city-warnings", json=BY_HAND).status_code == 401
    assert client.get(f"/api/v1/admin/city-warnings/{id_}", headers=STAFF).json()["status"] == "proposed"


def test_a_draft_shows_what_would_be_proposed(hall):
    town, client = hall
    raised(town)
    address = "/api/v1/admin/city-warnings/draft?severity=Extreme&areas=gierath&areas=oben"
    draft = client.get(f"{address}&incident={INCIDENT}", headers=STAFF)
    assert draft.status_code == 200
    assert draft.json()["texts"]["de"]["instruction"]
    assert draft.json()["template"]
    assert client.get(f"{address}&incident=none", headers=STAFF).status_code == 404
    assert (
        client.get("/api/v1/admin/city-warnings/draft?severity=Extreme&areas=x", headers=STAFF).status_code
        == 409
    )


def test_the_public_list_pages_by_release(hall):
    town, client = hall
    for n in range(5):
        town.now_us += 120_000_000
        body = {**BY_HAND, "reason": f"n{n}", "release": True}
        assert client.post("/api/v1/admin/city-warnings", json=body, headers=STAFF).status_code == 201
    address, found = "/api/v1/city-warnings?limit=2", []
    while address:
        answer = client.get(address)
        found += [each["released"] for each in answer.json()["items"]]
        address = answer.links.get("next", {}).get("url")
    assert len(found) == 5
    assert found == sorted(found, reverse=True)
    csv = client.get("/api/v1/city-warnings?f=csv").text.splitlines()
    assert len(csv) == 6
