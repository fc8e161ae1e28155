"""What operators do is noted, and operators may read it."""

from small_town import T0, TOKEN
from starlette.testclient import TestClient

BASE = "/api/v1/admin/audit"


def test_entries_newest_first_in_pages(city):
    for number in range(3):
        city.audit.note("Anna", "incident confirm", f"w.{number}", "gesehen")
    with TestClient(city.app(), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        first = client.get(f"{BASE}?limit=2")
        assert [each["subject"] for each in first.json()["items"]] == ["w.2", "w.1"]
        rest = client.get(first.links["next"]["url"])
        [entry] = rest.json()["items"]
        assert (entry["by"], entry["action"], entry["seq"]) == ("Anna", "incident confirm", 1)
        assert entry["time"] == "2026-07-14T18:30:00Z"
        assert "next" not in rest.links
        assert client.get(f"{BASE}?cursor=nonsense").status_code == 400
        assert client.get(f"{BASE}?f=csv").text.startswith("seq,time,by,action,subject,reason,detail")
        chain = client.get(f"{BASE}/chain").json()
        assert chain == {"entries": 3, "head": city.audit.entries(1)[0].hash, "broken_at": None}
    assert city.now_us == T0
