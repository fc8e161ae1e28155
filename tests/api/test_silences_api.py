"""Silences over the API: who, why, until when; with a token alone."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from small_town import TOKEN

from alerts.routing.silences import Silences

BASE = "/api/v1/admin/silences"


@pytest.fixture
def silent_town(town, tmp_path):
    ended = []
    silences = Silences(tmp_path / "silences.db", lambda: town.now_us)
    town.changes["silences"] = silences
    town.changes["unsilence"] = ended.append
    town.ended = ended
    yield town
    silences.close()


@pytest.fixture
def operator(silent_town):
    with TestClient(silent_town.app(), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


def body(town, hours=2, **changes):
    until = datetime.fromtimestamp(town.now_us / 1e6, UTC) + timedelta(hours=hours)
    given = {"stations": ["strunde-gierath"], "by": "Anna Meier", "reason": "being cleaned"}
    return {**given, "until": until.isoformat(), **changes}


def test_a_silence_is_listed_ended_and_audited(silent_town, operator):
    made = operator.post(BASE, json=body(silent_town))
    assert made.status_code == 201
    [item] = operator.get(BASE).json()["items"]
    assert item == {key: value for key, value in made.json().items() if key not in {"license", "attribution"}}
    assert (item["by"], item["reason"], item["in_force"]) == ("Anna Meier", "being cleaned", True)
    assert item["max_severity"] == "Moderate"
    ended = operator.delete(f"{BASE}/{item['id']}?by=Bernd Kurz")
    assert (ended.status_code, ended.json()["ended_by"], ended.json()["in_force"]) == (
        200,
        "Bernd Kurz",
        False,
    )
    assert silent_town.ended == [item["id"]]
    actions = [each["action"] for each in operator.get("/api/v1/admin/audit").json()["items"]]
    assert actions == ["end_silence", "silence"]


def test_extreme_needs_a_second_person(silent_town, operator):
    alone = operator.post(BASE, json=body(silent_town, max_severity="Extreme"))
    assert alone.status_code == 422
    assert "second person" in alone.json()["detail"]
    both = operator.post(BASE, json=body(silent_town, max_severity="Extreme", second="Bernd Kurz"))
    assert (both.status_code, both.json()["second"]) == (201, "Bernd Kurz")


@pytest.mark.parametrize(
    "changes",
    [{"hours": 24 * 8}, {"hours": -1}, {"stations": []}, {"by": " "}, {"until": "2026-07-14T12:00:00"}],
)
def test_what_hides_too_much_or_says_too_little_is_refused(silent_town, operator, changes):
    assert operator.post(BASE, json=body(silent_town, **changes)).status_code == 422
    assert operator.get(BASE).json()["items"] == []


def test_nobody_without_a_token(silent_town):
    with TestClient(silent_town.app()) as client:
        assert client.get(BASE).status_code == 401
        assert client.post(BASE, json=body(silent_town)).status_code == 401
        assert client.delete(f"{BASE}/x?by=Anna").status_code == 401


def test_one_that_is_not_there(operator):
    assert operator.delete(f"{BASE}/x?by=Anna").status_code == 404
