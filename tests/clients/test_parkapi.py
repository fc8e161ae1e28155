"""parkapi-sources, with which MobiData BW pulls car parks."""

import json

import pytest
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
    if "/parkapi/v3/parking-sites" not in demo.json("/openapi.json")["paths"]:
        pytest.xfail("/parkapi/v3/parking-sites is not built yet")
    answer = demo.json("/parkapi/v3/parking-sites")
    items = answer["items"] if isinstance(answer, dict) else answer
    told = judged(tmp_path, items)
    assert told["faults"] == []
    assert len(set(told["static"])) == len(items) >= 3
    assert set(told["realtime"]) == {each["uid"] for each in items if each["has_realtime_data"]}
    parks = demo.json("/api/v1/parking")["items"]
    assert len(items) == len(parks)
