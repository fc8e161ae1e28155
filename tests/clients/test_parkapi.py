"""parkapi-sources, with which MobiData BW pulls car parks."""

import json

from outside import outside

SITE = {
    "uid": "parkhaus-1", "name": "Parkhaus", "purpose": "CAR", "type": "CAR_PARK", "lat": 50.99, "lon": 7.13,
    "capacity": 120, "has_realtime_data": True, "static_data_updated_at": "2026-07-14T18:30:00Z",
    "realtime_data_updated_at": "2026-07-14T18:30:00Z", "realtime_capacity": 120,
    "realtime_free_capacity": 87, "realtime_opening_status": "OPEN",
}  # fmt: skip


def judged(folder, items):
    (folder / "sites.json").write_text(json.dumps(items))
    return outside("parkapi_sites.py", folder / "sites.json")


def test_the_validation_knows_good_from_bad(tmp_path):
    told = judged(
        tmp_path, [SITE, {**SITE, "uid": "b", "capacity": -1}, {**SITE, "uid": "c", "type": "DECK"}]
    )
    assert told["static"] == ["parkhaus-1"]
    assert told["realtime"] == ["parkhaus-1", "b", "c"]
    assert [uid for uid, *_ in told["faults"]] == ["b", "c"]


def test_every_site_is_taken_static_and_realtime(demo, tmp_path):
    items = demo.json("/parkapi/v3/parking-sites")["items"]
    told = judged(tmp_path, items)
    assert told["faults"] == []
    assert len(set(told["static"])) == len(items) >= 3
    assert set(told["realtime"]) == {each["uid"] for each in items if each["has_realtime_data"]} != set()
    parks = demo.json("/api/v1/parking")["items"]
    assert {each["uid"] for each in items} == {each["station"] for each in parks}


def test_all_that_can_be_said_of_a_site_is_taken(tmp_path):
    """What is written where the city has said everything, see tests/api/test_interchange.py."""
    more = {
        "address": "Konrad-Adenauer-Platz, 51465 Bergisch Gladbach", "description": "Einfahrt 2,1 m",
        "operator_name": "Stadt", "public_url": "https://stadt.example/parken", "opening_hours": "24/7",
        "capacity_disabled": 4, "realtime_capacity_disabled": 4, "realtime_free_capacity_disabled": 3,
        "capacity_charging": 2, "realtime_capacity_charging": 2, "realtime_free_capacity_charging": 0,
    }  # fmt: skip
    types = ["CAR_PARK", "UNDERGROUND", "OFF_STREET_PARKING_GROUND", "ON_STREET"]
    told = judged(tmp_path, [{**SITE, **more, "uid": each, "type": each} for each in types])
    assert (told["static"], told["realtime"], told["faults"]) == (types, types, [])


def test_a_silent_site_is_taken_as_static_alone(tmp_path):
    silent = {name: each for name, each in SITE.items() if not name.startswith("realtime")}
    told = judged(tmp_path, [{**silent, "has_realtime_data": False}])
    assert (told["static"], told["realtime"], told["faults"]) == (["parkhaus-1"], [], [])
