"""Incidents for operators, and people's decisions about them, over a running engine."""

import pytest
from fastapi.testclient import TestClient
from small_town import LEVEL, MINUTE, T0, TOKEN, wait_for

BASE = "/api/v1/admin/incidents"
BY = {"by": "Anna Meier", "reason": "vor Ort gesehen"}


@pytest.fixture
def flooded(town):
    """Its marks are 40 and 60 cm: raised to Severe by a third one here."""
    device = town.registry.devices[LEVEL]
    station = town.registry.stations[device.station]
    object.__setattr__(station, "stages_cm", (20.0, 30.0, 40.0))
    town.engine.listen(lambda _: (town.board.catch_up(town.journal), town.incidents.catch_up(town.journal)))
    town.engine.start()
    measure(town, 0, 50.0)
    wait_for(town.incidents.incidents)
    yield town
    town.engine.stop()


@pytest.fixture
def operator(flooded):
    with TestClient(flooded.app(), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


def measure(town, minute, value):
    town.now_us = max(town.now_us, T0 + minute * MINUTE)
    town.measure(LEVEL, T0 + minute * MINUTE, ("water_level", value))


def ebb(town):
    for minute in range(5, 120, 5):
        measure(town, minute, 5.0)
    wait_for(lambda: town.incidents.incidents()[0].status == "awaiting_all_clear")


def decide(client, id_, action, **changes):
    return client.post(f"{BASE}/{id_}/decisions", json={"action": action, **BY, **changes})


def test_an_incident_with_its_members_and_only_with_a_token(flooded, operator):
    [item] = operator.get(BASE).json()["items"]
    assert item["id"] == "city.20260714T183000Z"
    assert (item["status"], item["severity"], item["peak_severity"]) == ("open", "Severe", "Severe")
    assert item["all_clear"] is None
    [member] = item["members"]
    assert (member["station"], member["measure"], member["level"]) == ("strunde-gierath", "water_level", 3)
    assert (member["value"], member["unit"], member["in_force"]) == (50.0, "cm", True)
    assert operator.get(f"{BASE}/{item['id']}").json()["id"] == item["id"]
    assert operator.get(f"{BASE}?f=csv").text.splitlines()[1].startswith("city.20260714T183000Z,city,open")
    with TestClient(flooded.app()) as public:
        assert public.get(BASE).status_code == 401
        assert public.get(f"{BASE}/{item['id']}").status_code == 401
        assert decide(public, item["id"], "confirm").status_code == 401


def test_the_all_clear_is_a_persons_and_the_board_of_warnings_says_so(flooded, operator):
    id_ = flooded.incidents.incidents()[0].id
    assert decide(operator, id_, "all_clear").status_code == 409
    public = TestClient(flooded.app())

    def warning():
        [found] = public.get("/api/v1/warnings").json()["items"]
        return found["status"], found["all_clear"], found["incident"]

    assert warning() == ("in_force", None, id_)
    ebb(flooded)
    assert warning() == ("ended", "pending", id_)
    answer = decide(operator, id_, "all_clear")
    assert answer.status_code == 201
    body = answer.json()
    assert (body["status"], body["all_clear"]) == ("closed", "given")
    assert [(d["action"], d["by"], d["reason"]) for d in body["decisions"]] == [
        ("all_clear", "Anna Meier", "vor Ort gesehen")
    ]
    assert warning() == ("ended", "given", id_)
    again = decide(operator, id_, "confirm")
    assert again.status_code == 409
    assert again.headers["content-type"] == "application/problem+json"


def test_a_warning_in_force_says_when_it_would_be_outdated(flooded):
    with TestClient(flooded.app()) as public:
        [item] = public.get("/api/v1/warnings").json()["items"]
    assert item["expires"] == "2026-07-15T00:30:00Z"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "destroy", **BY},
        {"action": "confirm", "by": "  ", "reason": "x"},
        {"action": "confirm", "by": "A\nBcc: x", "reason": "x"},
        {"action": "confirm", "by": "A", "reason": "x" * 501},
        {"action": "confirm", **BY, "more": 1},
    ],
)
def test_a_decision_says_who_and_why(flooded, operator, body):
    id_ = flooded.incidents.incidents()[0].id
    assert operator.post(f"{BASE}/{id_}/decisions", json=body).status_code == 422
    assert flooded.incidents.get(id_).decisions == []


def test_what_does_not_exist(operator):
    assert operator.get(f"{BASE}/city.20000101T000000Z").status_code == 404
    assert decide(operator, "city.20000101T000000Z", "confirm").status_code == 404


def test_an_engine_that_stands_still_is_no_silence(flooded, operator, monkeypatch):
    id_ = flooded.incidents.incidents()[0].id
    flooded.engine.stop()
    monkeypatch.setattr("alerts.engine._DECIDE_S", 0.05)
    monkeypatch.setattr(type(flooded.engine).decide, "__defaults__", (0.05,))
    assert decide(operator, id_, "confirm").status_code == 503


def test_decisions_are_noted_refused_ones_are_not(flooded, operator):
    id_ = flooded.incidents.incidents()[0].id
    assert decide(operator, id_, "all_clear").status_code == 409
    assert decide(operator, id_, "acknowledge", reason="Rückruf 02202 141234").status_code == 201
    [entry] = operator.get("/api/v1/admin/audit").json()["items"]
    assert (entry["by"], entry["action"], entry["subject"]) == ("Anna Meier", "incident acknowledge", id_)
    assert entry["reason"] == "Rückruf [removed]"
    assert entry["detail"] == "token leitstelle"
