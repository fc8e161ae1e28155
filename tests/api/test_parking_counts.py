"""What people count in car parks, over the API: with a token alone, by name, in the audit log."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from small_town import TOKEN

from alerts.audit import AuditLog
from alerts.errors import CountRefusedError, MobilityError
from alerts.mobility.states import Correction

BASE = "/api/v1/admin/parking"


@pytest.fixture
def counted(city, tmp_path):
    """A town whose car park takes counts, with what was asked of it."""
    asked, refuse = [], []

    def count(station, time_us, occupied, by):
        asked.append((station, time_us, occupied, by))
        if refuse:
            raise refuse.pop()
        return Correction(station, time_us, 30, occupied, "manual", f"{by} counted {occupied} cars")

    city.changes["count_by_hand"] = count
    city.asked, city.refuse = asked, refuse
    audit = AuditLog(tmp_path / "audit.db", lambda: city.now_us)
    city.changes["audit"] = audit
    yield city
    audit.close()


@pytest.fixture
def operator(counted):
    with TestClient(counted.app(), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


def test_a_count_is_taken_at_its_time_and_noted(counted, operator):
    now = datetime.fromtimestamp(counted.now_us / 1e6, UTC)
    made = operator.post(f"{BASE}/p-markt/count", json={"occupied": 12, "by": " Erika Muster "})
    assert made.status_code == 201
    assert (made.json()["after"], made.json()["reason"]) == (12, "manual")
    earlier = (now - timedelta(minutes=20)).isoformat()
    operator.post(f"{BASE}/p-markt/count", json={"occupied": 9, "by": "Erika Muster", "time": earlier})
    assert counted.asked == [
        ("p-markt", counted.now_us, 12, "Erika Muster"),
        ("p-markt", counted.now_us - 20 * 60_000_000, 9, "Erika Muster"),
    ]
    [_, first] = operator.get("/api/v1/admin/audit").json()["items"]
    assert (first["by"], first["action"], first["subject"]) == ("Erika Muster", "count_car_park", "p-markt")
    assert first["reason"] == "Erika Muster counted 12 cars"


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (CountRefusedError("capacity", "it has 20 spaces, not 12"), 422),
        (CountRefusedError("unknown", "there is no car park"), 404),
        (CountRefusedError("late", "not at the moment"), 409),
        (MobilityError("disk full: /var/lib"), 503),
    ],
    ids=["refused", "unknown", "late", "away"],
)
def test_a_count_that_is_not_taken_says_why_and_is_not_noted(counted, operator, fault, status):
    counted.refuse.append(fault)
    answer = operator.post(f"{BASE}/p-markt/count", json={"occupied": 12, "by": "Erika"})
    assert answer.status_code == status
    assert answer.json().get("reason") == getattr(fault, "reason", None)
    assert answer.json()["hint"]
    assert "/var/lib" not in answer.text
    assert operator.get("/api/v1/admin/audit").json()["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"occupied": -1, "by": "Erika"},
        {"occupied": 1, "by": " "},
        {"occupied": 1, "by": "Erika", "time": "2026-07-14T18:00:00"},
        {"occupied": 1, "by": "Erika", "more": 1},
    ],
    ids=["nothing", "negative", "nobody", "no-offset", "more"],
)
def test_a_body_that_cannot_be_is_refused(counted, operator, body):
    assert operator.post(f"{BASE}/p-markt/count", json=body).status_code == 422
    assert counted.asked == []


def test_an_unknown_car_park_is_told_before_anybody_is_asked(counted, operator):
    answer = operator.post(f"{BASE}/nirgends/count", json={"occupied": 1, "by": "Erika"})
    assert answer.status_code == 404
    assert counted.asked == []


def test_corrections_come_newest_first_page_by_page(counted):
    told = [
        Correction(("p-markt", "z-haupt")[i % 2], i, 90 + i, 87, "over_capacity", f"number {i}")
        for i in range(5)
    ]

    def corrections(station, from_us, limit, before):
        found = [each for each in reversed(told) if station in {None, each.station}]
        keys = [(each.time_us, each.station, each.reason) for each in found]
        return [
            each
            for each, key in zip(found, keys, strict=True)
            if each.time_us >= from_us and (before is None or key < before)
        ][:limit]

    counted.changes["corrections"] = corrections
    with TestClient(counted.app(), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        first = client.get(f"{BASE}/corrections?limit=3")
        assert [each["detail"] for each in first.json()["items"]] == ["number 4", "number 3", "number 2"]
        rest = client.get(first.links["next"]["url"])
        assert [each["before"] for each in rest.json()["items"]] == [91, 90]
        assert "next" not in rest.links
        of_one = client.get(f"{BASE}/corrections?station=z-haupt").json()["items"]
        assert [each["station"] for each in of_one] == ["z-haupt", "z-haupt"]
        typo = client.get(f"{BASE}/corrections?station=p-typo")
        assert (typo.status_code, typo.json()["detail"]) == (404, "there is no public station 'p-typo'")
        csv = client.get(f"{BASE}/corrections?f=csv").text.splitlines()
        assert csv[0] == "station,time,before,after,reason,detail"
        assert client.get(f"{BASE}/corrections?from=then").status_code == 400


def test_a_body_of_another_type_is_told_its_type(counted, operator):
    form = {"Content-Type": "application/x-www-form-urlencoded"}  # what curl -d sends by itself
    answer = operator.post(f"{BASE}/p-markt/count", content=b'{"occupied": 1, "by": "Erika"}', headers=form)
    assert answer.status_code == 422
    assert "Content-Type: application/json" in answer.json()["hint"]
    assert "/docs" in operator.post(f"{BASE}/p-markt/count", json=[]).json()["hint"]
