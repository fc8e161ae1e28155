import pytest
from small_town import T0, Town, fill
from starlette.testclient import TestClient

from ingest.errors import StoreError

BAD = [
    ("/nothing/here", 404, "/docs"),
    ("/api/v1/stations/nope", 404, "/api/v1/stations"),
    ("/api/v1/stations/geheim-pegel", 404, "/api/v1/stations"),
    ("/api/v1/readings?station=geheim-pegel", 404, "/api/v1/stations"),
    ("/api/v1/readings/latest?station=geheim-pegel", 404, "/api/v1/stations"),
    ("/api/v1/parking?station=geheim-pegel", 404, "/api/v1/stations"),
    ("/api/v1/traffic?station=geheim-pegel", 404, "/api/v1/stations"),
    ("/api/v1/warnings?station=geheim-pegel", 404, "/api/v1/stations"),
    ("/api/v1/readings?property=battery_voltage", 404, "/api/v1/properties"),
    ("/api/v1/readings?property=no_such", 404, "/api/v1/properties"),
    ("/api/v1/warnings/starkregen:geheim-pegel:1", 404, "/api/v1/warnings"),
    ("/assets/../app.py", 404, ""),
    ("/assets/%2e%2e/%2e%2e/app.py", 404, ""),
    ("/assets/vendor/..%2f..%2fapp.py", 404, ""),
    ("/api/v1/readings?from=2026-07-14T18:30:00", 400, "offset"),
    ("/api/v1/readings?from=yesterday", 400, "2026-07-14T18:30:00Z"),
    ("/api/v1/readings?from=2026-02-30T00:00:00Z", 400, "no such time"),
    ("/api/v1/readings?from=0001-01-01T00:00:00%2B14:00", 400, "no such time"),
    ("/api/v1/readings?to=9999-12-31T23:59:59-14:00", 400, "no such time"),
    ("/api/v1/readings?from=2026-07-15T00:00:00Z&to=2026-07-14T00:00:00Z", 400, "exchange"),
    ("/api/v1/readings?cursor=abc", 400, "Link"),
    ("/api/v1/readings?cursor=WzEsOTk5OTk5XQ", 400, "Link"),
    ("/api/v1/readings?cursor=WzEsLTFd", 400, "Link"),
    ("/api/v1/readings?cursor=WzkyMjMzNzIwMzY4NTQ3NzU4MDgsMF0", 400, "Link"),
    ("/api/v1/readings?limit=all&cursor=WzkyMjMzNzIwMzY4NTQ3NzU4MDgsMF0", 400, "Link"),
    ("/api/v1/stations?cursor=WzFd", 400, "Link"),
    ("/api/v1/readings?limit=0", 422, "/docs"),
    ("/api/v1/readings?limit=10001", 422, "/docs"),
    ("/api/v1/readings?limit=many", 422, "/docs"),
    ("/api/v1/readings?interval=PT7M", 400, "PT1H"),
    *(
        (f"/api/v1/readings?interval=P1D&timezone={name}", 400, "Europe/Berlin")
        for name in (
            *("localtime", "posixrules", "Factory", "right/Europe/Berlin", "posix/UTC"),
            *("../localtime", "/etc/localtime", "Berlin", "tzdata.zi", "Europe", "."),
        )
    ),
    ("/api/v1/readings?f=xml", 422, "/docs"),
    ("/api/v1/stations?f=parquet", 422, "/docs"),
    ("/api/v1/traffic?interval=PT7M", 422, "/docs"),
    (f"/api/v1/readings?station={'x' * 201}", 422, "/docs"),
    ("/api/v1/readings?" + "&".join(f"station=s{i}" for i in range(101)), 422, "/docs"),
]


def assert_problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    document = answer.json()
    assert document["status"] == status
    assert document["type"] == "about:blank"
    assert document["title"]
    assert document["detail"]
    return document


@pytest.mark.parametrize(("address", "status", "hint"), BAD)
def test_every_wrong_request_gets_a_problem_document_with_a_hint(client, address, status, hint):
    assert hint in assert_problem(client.get(address), status).get("hint", "")


def test_a_422_names_each_parameter(client):
    document = assert_problem(client.get("/api/v1/readings?limit=x&colour=red"), 422)
    assert [each["parameter"] for each in document["errors"]] == ["limit", "colour"]
    assert document["errors"][1]["problem"] == "no such parameter"


ALLOWED = [
    ("/api/v1/stations", "GET, HEAD, OPTIONS"),
    ("/api/v1/stations/regen-gierath", "GET, HEAD, OPTIONS"),
    ("/api/v1/admin/devices", "GET, HEAD, POST, OPTIONS"),
    ("/api/v1/admin/drill", "GET, HEAD, POST, DELETE, OPTIONS"),
    ("/api/v1/subscriptions", "POST, OPTIONS"),
    (f"/api/v1/subscriptions/{'x' * 43}", "GET, HEAD, PUT, DELETE, OPTIONS"),
    ("/api/v1/stream", "GET, OPTIONS"),
    ("/livez", "GET, HEAD, OPTIONS"),
    ("/", "GET, HEAD, OPTIONS"),
]


@pytest.mark.parametrize(("address", "allow"), ALLOWED)
def test_a_405_names_every_method_the_address_has_and_options_does_too(client, address, allow):
    for method in {"POST", "PUT", "PATCH", "DELETE", "TRACE"} - set(allow.split(", ")):
        answer = client.request(method, address)
        assert allow in assert_problem(answer, 405)["hint"]
        assert answer.headers["allow"] == allow
    answer = client.options(address)
    assert (answer.status_code, answer.content, answer.headers["allow"]) == (204, b"", allow)


def test_what_has_no_address_has_no_methods(client):
    assert_problem(client.options("/nothing/here"), 404)


def test_head_works_where_allow_says_so(client):
    for address, allow in ALLOWED:
        answer = client.head(address)
        assert (answer.status_code == 405) == ("HEAD" not in allow), address
        assert answer.content == b""


class Broken:
    def __init__(self, error):
        self.error = error

    def query(self, _query):
        raise self.error


def test_a_store_that_is_away_is_a_503_and_the_rest_goes_on(city):
    city.changes["store"] = Broken(StoreError("connection refused by geheim:8086"))
    with TestClient(city.app()) as client:
        answer = client.get("/api/v1/readings")
        assert "geheim" not in answer.text
        assert_problem(answer, 503)
        assert answer.headers["retry-after"] == "10"
        assert client.get("/api/v1/warnings").status_code == 200
        assert client.get("/api/v1/readings/latest").status_code == 200


def test_what_nobody_expected_is_a_500_without_its_reason(city):
    city.changes["store"] = Broken(RuntimeError("geheim"))
    with TestClient(city.app(), raise_server_exceptions=False) as client:
        answer = client.get("/api/v1/readings")
        assert "geheim" not in answer.text
        assert_problem(answer, 500)
        assert answer.headers["content-security-policy"]


def test_a_download_that_breaks_is_cut_not_finished(city):
    city.changes["store"] = Broken(StoreError("away"))
    with TestClient(city.app()) as client, pytest.raises(RuntimeError, match="already started"):
        client.get("/api/v1/readings?limit=all")


def test_two_applications_do_not_know_each_other(tmp_path):
    one, other = Town(tmp_path, "Bergisch Gladbach"), Town(tmp_path, "Odenthal", tokens=())
    fill(one)
    with TestClient(one.app()) as first, TestClient(other.app()) as second:
        assert len(first.get("/api/v1/warnings").json()["items"]) == 1
        assert second.get("/api/v1/warnings").json()["items"] == []
        other.warn("regen-gierath", at_us=T0)
        assert len(second.get("/api/v1/warnings").json()["items"]) == 1
        assert "Odenthal" in second.get("/").text
        assert first.get("/metrics").status_code == 401
        assert second.get("/metrics").status_code == 403
    for town in (one, other):
        town.store.close()
        town.journal.close()
