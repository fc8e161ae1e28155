"""A service with routes: wired from the configuration, silences over its own API."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from servers import wait_for

from alerts.event import Event, to_row
from stadtfunk.errors import ConfigError
from stadtfunk.service import Service, wall_clock_us
from stadtfunk.settings_file import load_settings
from stadtfunk.tokens import new_token

TOKEN, HASH = new_token()
ROUTES = '[[person]]\nname = "Anna"\nchannels = ["anna"]\n[[route]]\nto = ["person:Anna"]\n'


def settings(folder, routes=ROUTES):
    (folder / "routes.toml").write_text(routes)
    (folder / "city.toml").write_text(f"""
[city]
name = "Stadt"
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "sqlite:///{folder}/readings.db"
[[device]]
dev_eui = "0000000000000001"
type = "decentlab-dl-tbrg"
station = "s1"
name = "Eins"
lat = 50.95
lon = 7.15
[alerts]
routes = "routes.toml"
[[alerts.channel]]
name = "anna"
url = "json://127.0.0.1:9/"
[[alerts.channel]]
name = "bernd"
url = "json://127.0.0.1:9/"
[[api.token]]
name = "wache"
hash = "{HASH}"
""")
    return load_settings(folder / "city.toml")


def tell(service, number):
    now = wall_clock_us()
    names = (f"e{number}", f"ep{number}", now, "s1", "raise", "dwd_starkregen", 2, 60, 16.0, "rain", "why")
    part = service.journal.load("engine")
    service.journal.commit(
        "engine", part.fence, part.cursor, events=[to_row(Event(*names, audience="staff"))]
    )
    service.outbox.wake()


def details(service, number):
    found = {each.channel: each.detail for each in service.outbox.receipts() if each.event == f"e{number}"}
    return found if len(found) == 2 else None


def test_routes_and_silences_of_a_running_service(tmp_path):
    service = Service(settings(tmp_path))
    service.outbox.start()
    try:
        tell(service, 1)
        assert wait_for(lambda: details(service, 1))["bernd"] == "no route leads here"
        until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        body = {"stations": ["s*"], "by": "Anna", "reason": "cleaned", "until": until}
        with TestClient(service.app(), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            assert client.post("/api/v1/admin/silences", json=body).status_code == 201
        tell(service, 2)
        assert wait_for(lambda: details(service, 2))["anna"].startswith("silenced by Anna until")
    finally:
        service.outbox.stop()
        service._opened.close()


def test_a_route_that_cannot_work_stops_the_start(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'anna'"):
        Service(settings(tmp_path, ROUTES.replace('["anna"]', '["ana"]')))
