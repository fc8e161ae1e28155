import pytest
from small_town import SECRETS, TOKEN, Town
from starlette.testclient import TestClient

from api.app import openapi
from api.headers import content_security_policy
from api.public_rule import PublicRule
from api.services import BaseMap
from ingest.health import Health

OPERATORS = [
    "/metrics",
    "/api/v1/admin/rejected",
    "/api/v1/admin/uplinks",
    "/api/v1/admin/devices",
    "/api/v1/admin/deliveries",
    "/api/v1/admin/events",
    "/api/v1/admin/incidents",
    "/api/v1/admin/audit",
    "/api/v1/admin/audit/chain",
    "/api/v1/admin/city-warnings",
    "/api/v1/admin/mailings",
    "/api/v1/admin/inbox",
    "/api/v1/admin/parking/corrections",
]
# answer operators with 404 while there is nothing to show, or take no GET
OTHER_OPERATORS = [
    "/api/v1/admin/drill",
    "/api/v1/admin/inbox/{dev_eui}",
    "/api/v1/admin/devices/import",
    "/api/v1/admin/incidents/{incident_id}",
    "/api/v1/admin/incidents/{incident_id}/decisions",
    "/api/v1/admin/city-warnings/{city_warning_id}",
    "/api/v1/admin/city-warnings/{city_warning_id}/steps",
    "/api/v1/admin/city-warnings/draft",
    "/api/v1/admin/parking/{station_id}/count",
    "/api/v1/admin/silences",
    "/api/v1/admin/silences/{silence_id}",
    "/api/v1/admin/subscriptions",
    "/api/v1/admin/subscriptions/remove",
]
# of who has a link, or POST only: test_subscriptions_api.py
RESIDENTS = [path for path in openapi()["paths"] if path.startswith("/api/v1/subscriptions")]
# takes POST only, with a token of its own: test_http_push.py
NETWORK_SERVERS = ["/api/v1/uplinks/{server}"]
# what a source of its own shows: tests/sta
SENSORTHINGS = [path for path in openapi()["paths"] if path.startswith("/sta/")]
PLACES = {
    "{property_name}": "water_level",
    "{day}": "2026-07-14",
    "{form}": "csv",
    "{station_id}": "regen-gierath",
    "{warning_id}": "starkregen:regen-gierath:1",
    "{name}": "stadtfunk.053780004004.w1.2",
    "{ars}": "053780004004",
    "{id_}": "w1",
    "{city_warning_id}": "w1",
}
PUBLIC = sorted(
    path
    for path in openapi()["paths"]
    if path not in [*OPERATORS, *OTHER_OPERATORS, *RESIDENTS, *NETWORK_SERVERS, *SENSORTHINGS]
    and path != "/api/v1/stream"
)


@pytest.mark.parametrize("address", OPERATORS)
def test_operators_data_needs_a_known_token(client, address):
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
    ):
        answer = client.get(address, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert ("invalid_token" in answer.headers["www-authenticate"]) == bool(headers)
    for scheme in ("Bearer", "bearer"):
        assert client.get(address, headers={"Authorization": f"{scheme} {TOKEN}"}).status_code == 200


@pytest.mark.parametrize("address", OPERATORS)
def test_without_a_configured_token_nobody_gets_in(tmp_path, address):
    town = Town(tmp_path, tokens=())
    with TestClient(town.app()) as client:
        for headers in ({}, {"Authorization": f"Bearer {TOKEN}"}):
            assert client.get(address, headers=headers).status_code == 403


@pytest.mark.parametrize("address", ["/api/v1/stations", "/api/v1/readings", "/api/v1/stream", "/readyz"])
def test_a_wrong_token_never_silently_becomes_the_public(client, address):
    assert client.get(address, headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_every_route_of_the_application_is_in_this_test(city):
    described = set(city.app().openapi()["paths"])
    others = {*RESIDENTS, *NETWORK_SERVERS, *SENSORTHINGS, "/api/v1/stream"}
    assert described == {*PUBLIC, *OPERATORS, *OTHER_OPERATORS, *others}
    assert len(PUBLIC) >= 11
    assert not [path for path in PUBLIC if "admin" in path]


def test_nothing_of_the_operators_is_done_or_said_without_a_token(client):
    for path, methods in openapi()["paths"].items():
        if path in [*OPERATORS, *OTHER_OPERATORS]:
            for method in methods:
                assert client.request(method, path).status_code == 401, (method, path)


@pytest.mark.parametrize("form", ["json", "geojson", "csv"])
@pytest.mark.parametrize("path", [*PUBLIC, "/", "/docs", "/openapi.json", "/favicon.ico"])
def test_no_public_answer_holds_a_secret(client, path, form):
    address = path
    for name, value in PLACES.items():
        address = address.replace(name, value)
    for query in ("", f"?f={form}", f"?f={form}&limit=all", f"?f={form}&limit=2"):
        answer = client.get(address + query)
        if query == "" or answer.status_code != 422:
            assert answer.status_code == 200, (address, query)
        said = answer.text + str(answer.headers)
        found = [secret for secret in SECRETS if secret in said]
        if path == "/openapi.json":
            found = [secret for secret in found if secret != "battery"]
        assert not found, (address, query, found)
        while "next" in answer.links:
            answer = client.get(answer.links["next"]["url"])
            assert not [secret for secret in SECRETS if secret in answer.text + str(answer.headers)]


def test_the_same_secrets_are_there_for_operators(operator):
    said = "".join(
        operator.get(address).text for address in ["/api/v1/readings", "/api/v1/stations", *OPERATORS]
    )
    assert [secret for secret in SECRETS if secret not in said and secret != TOKEN and len(secret) < 64] == []


def test_a_city_decides_about_each_property(city):
    city.changes["rules"] = {"battery_voltage": PublicRule(), "precipitation": PublicRule(public=False)}
    with TestClient(city.app()) as client:
        seen = {item["property"] for item in client.get("/api/v1/readings").json()["items"]}
        assert "battery_voltage" in seen
        assert "precipitation" not in seen
        assert client.get("/api/v1/readings?property=precipitation").status_code == 404
        assert '"precipitation"' not in client.get("/api/v1/properties").text


def test_refused_messages_page_and_filter(city):
    for i in range(5):
        city.refuse("malformed_json" if i % 2 else "unknown_device", b"\xff{")
    with TestClient(city.app(), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        whole = client.get("/api/v1/admin/rejected").json()["items"]
        assert [item["id"] for item in whole] == sorted((item["id"] for item in whole), reverse=True)
        assert len(whole) == 6
        address, pages = "/api/v1/admin/rejected?limit=2", []
        while address:
            answer = client.get(address)
            pages += answer.json()["items"]
            address = answer.links.get("next", {}).get("url")
        assert pages == whole
        only = client.get("/api/v1/admin/rejected?reason=malformed_json").json()["items"]
        assert {item["reason"] for item in only} == {"malformed_json"}


def test_an_uplink_is_shown_raw_and_read(operator):
    [uplink] = operator.get("/api/v1/admin/uplinks?limit=1&device=70-B3-D5-7E-D0-00-00-01").json()["items"]
    assert uplink["payload"] == "0102"
    assert uplink["gateways"] == [{"id": "gw-kirchturm", "rssi": -101.0, "snr": 5.5}]
    assert {reading["property"] for reading in uplink["readings"]} == {"precipitation", "battery_voltage"}


def test_devices_tell_when_they_were_heard(operator):
    devices = {item["device"]: item for item in operator.get("/api/v1/admin/devices").json()["items"]}
    assert devices["70b3d57ed0000001"]["last_time"] == "2026-07-14T18:25:00Z"
    assert devices["70b3d57ed0000005"]["note"] == "geheime-notiz"


def readiness(town, **parts):
    town.health = {"journal": Health(True), "store": Health(True), **parts}
    with TestClient(town.app()) as client:
        public = client.get("/readyz")
        staff = client.get("/readyz", headers={"Authorization": f"Bearer {TOKEN}"})
    return public, staff


def test_ready_needs_what_takes_uplinks_and_alerts(town):
    public, staff = readiness(town, intake=Health(False, "no login at geheim:8883"))
    assert public.status_code == staff.status_code == 503
    assert public.headers["content-type"] == "application/problem+json"
    assert public.json()["state"] == "unready"
    assert public.json()["parts"]["intake"] == {"ok": False}
    assert "geheim" not in public.text
    assert staff.json()["parts"]["intake"]["detail"] == "no login at geheim:8883"


def test_a_store_that_is_away_only_degrades(town):
    public, _ = readiness(town, store=Health(False, "away"), latest=Health(False, "store: away"))
    assert (public.status_code, public.json()["state"]) == (200, "degraded")


def test_one_of_two_network_servers_only_degrades(town):
    away = {"network_server a": Health(False, "away"), "network_server b": Health(True)}
    public, _ = readiness(town, **away)
    assert (public.status_code, public.json()["state"]) == (200, "degraded")
    public, _ = readiness(town, **dict.fromkeys(away, Health(False, "away")))
    assert (public.status_code, public.json()["state"]) == (503, "unready")


def test_one_dead_channel_only_degrades(town):
    public, _ = readiness(town, **{"channel mail": Health(False, "refused"), "outbox": Health(True)})
    assert (public.status_code, public.json()["state"]) == (200, "degraded")


def test_the_window_of_loss_is_told_to_everyone(town):
    town.changes["loss_window"] = lambda: {"stadtwerke": "publishes at QoS 0", "other": ""}
    public, _ = readiness(town)
    assert public.json()["loss_window"] == {"stadtwerke": "publishes at QoS 0"}


def test_alive_needs_nobody(client):
    assert client.get("/livez").text == "ok\n"


def test_only_the_host_of_the_base_map_is_let_in():
    policy = content_security_policy(BaseMap("https://{s}.tiles.example/{z}/{x}/{y}.png", "©"))
    assert "img-src 'self' data: https://*.tiles.example;" in policy
    assert "script-src 'self';" in policy
