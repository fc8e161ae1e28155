import pytest
from starlette.testclient import TestClient

ADDRESSES = [
    "/api/v1/stations",
    "/api/v1/stations/regen-gierath",
    "/api/v1/properties",
    "/api/v1/readings",
    "/api/v1/readings/latest",
    "/api/v1/warnings",
    "/api/v1/warnings/starkregen:regen-gierath:1",
    "/api/v1/official-warnings",
    "/api/v1/parking",
    "/api/v1/traffic",
    "/",
    "/docs",
    "/assets/page.css",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_has_not_changed_is_not_sent_again(client, address):
    first = client.get(address)
    etag = first.headers["etag"]
    assert etag.startswith('"')
    for given in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        second = client.get(address, headers={"If-None-Match": given})
        assert (second.status_code, second.content) == (304, b"")
        assert second.headers["etag"] == etag
        assert second.headers["cache-control"] == first.headers["cache-control"]
    assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("address", ADDRESSES)
def test_head_says_what_get_would_send(client, address):
    get, head = client.get(address), client.head(address)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == get.headers["etag"]
    assert head.headers["content-length"] == get.headers["content-length"]


def test_each_format_has_an_etag_of_its_own(client):
    etags = {client.get(f"/api/v1/stations?f={form}").headers["etag"] for form in ("json", "geojson", "csv")}
    assert len(etags) == 3


def test_a_changed_warning_changes_the_etag(city):
    with TestClient(city.app()) as client:
        etag = client.get("/api/v1/warnings").headers["etag"]
        city.warn("regen-gierath", 4, "escalate", episode="starkregen:regen-gierath:1", value=44.0)
        answer = client.get("/api/v1/warnings", headers={"If-None-Match": etag})
        assert answer.json()["items"][0]["level"] == 4


def test_a_warning_is_never_taken_from_a_cache_unasked(client):
    assert client.get("/api/v1/warnings").headers["cache-control"] == "no-cache"
    assert client.get("/").headers["cache-control"] == "no-cache"
    assert client.get("/api/v1/readings/latest").headers["cache-control"] == "public, max-age=30"


def test_what_an_operator_sees_is_not_kept_by_any_cache(operator):
    for address in (
        "/api/v1/stations",
        "/api/v1/readings",
        "/api/v1/readings?limit=all",
        "/api/v1/admin/devices",
    ):
        assert operator.get(address).headers["cache-control"] in {"private, no-store", "no-store"}


def test_public_data_can_be_read_from_any_page(client):
    answer = client.get("/api/v1/stations", headers={"Origin": "https://portal.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "Link" in answer.headers["access-control-expose-headers"]
    preflight = client.options(
        "/api/v1/stations",
        headers={
            "Origin": "https://portal.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "if-none-match",
        },
    )
    assert preflight.status_code == 204
    assert "If-None-Match" in preflight.headers["access-control-allow-headers"]


def test_operators_data_cannot(operator):
    assert "access-control-allow-origin" not in operator.get("/api/v1/stations").headers
    assert "access-control-allow-origin" not in operator.get("/api/v1/admin/devices").headers


def test_the_clock_the_data_lives_by_is_a_header(client):
    assert client.get("/api/v1/stations").headers["stadtfunk-now"] == "2026-07-14T18:30:00Z"


def test_the_pages_may_load_nothing_from_elsewhere_and_nothing_inline(client):
    policy = client.get("/").headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "default-src 'none'" in policy
