import asyncio
import gzip
import re
import threading

import httpx2 as httpx
import pytest
from small_town import MINUTE, RAIN, T0, TOKEN
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api import byte_cache
from api.byte_cache import ByteCache
from api.compression import Conditional
from api.session import COOKIE, HEADER
from api.sta.city import Cities

LATEST = "/api/v1/readings/latest"


class Kitchen:
    """An application that counts what it cooks, behind a cache whose clock the test moves."""

    def __init__(self, **headers):
        self.cooked = 0
        self.now_s = 0.0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.cooking = asyncio.Event()
        self.status = 200
        self.body = b"meal"
        self.headers = {"Cache-Control": "public, max-age=30", "ETag": '"1"', **headers}
        app = Starlette(routes=[Route("/{path:path}", self.cook)])
        app.add_middleware(ByteCache, kept_s=1.0, now_s=lambda: self.now_s)
        app.add_middleware(Conditional)
        self.app = app

    async def cook(self, _request):
        self.cooked += 1
        self.cooking.set()
        await self.go_on.wait()
        return Response(self.body, self.status, headers={k: v for k, v in self.headers.items() if v})

    def client(self):
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://city")


def run(kitchen, *asked):
    async def ask():
        async with kitchen.client() as client:
            return [await client.get(address, headers=headers) for address, headers in asked]

    return asyncio.run(ask())


def test_the_same_is_answered_once_a_second():
    kitchen = Kitchen()
    first, second = run(kitchen, (LATEST, {}), (LATEST, {}))
    assert (first.content, second.content, kitchen.cooked) == (b"meal", b"meal", 1)
    assert first.headers.items() == second.headers.items()
    kitchen.now_s = 1.0
    run(kitchen, (LATEST, {}))
    assert kitchen.cooked == 2


def test_what_is_not_equal_is_not_the_same():
    kitchen = Kitchen()
    run(
        kitchen,
        (LATEST, {}),
        (f"{LATEST}?f=csv", {}),
        (LATEST, {"Host": "other.example"}),
        (LATEST, {"Accept-Encoding": "br"}),
        ("/api/v1/readings", {}),
    )
    # httpx itself takes gzip and br, which is the first one's coding
    assert kitchen.cooked == 4


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "Stadtfunk-Console", "Range"])
def test_who_says_who_he_is_gets_his_own(name):
    kitchen = Kitchen()
    run(kitchen, (LATEST, {}), (LATEST, {name: "x"}), (LATEST, {name: "x"}))
    assert kitchen.cooked == 3


@pytest.mark.parametrize(
    "headers",
    [
        {"Cache-Control": "no-cache"},
        {"Cache-Control": "private, no-store"},
        {"Cache-Control": None},
        {"ETag": None},
        {"Vary": "Accept-Language"},
        {"Set-Cookie": "a=b"},
    ],
)
def test_what_may_not_be_kept_is_not(headers):
    kitchen = Kitchen(**headers)
    run(kitchen, (LATEST, {}), (LATEST, {}))
    assert kitchen.cooked == 2


def test_neither_errors_nor_other_addresses_are_kept():
    kitchen = Kitchen()
    run(kitchen, ("/api/v1/warnings", {}), ("/api/v1/warnings", {}))
    kitchen.status = 503
    run(kitchen, (LATEST, {}), (LATEST, {}))
    assert kitchen.cooked == 4


def test_a_known_etag_is_304_whoever_asked_first():
    kitchen = Kitchen()
    known = {"If-None-Match": '"1"'}
    answers = run(kitchen, (LATEST, known), (LATEST, {}), (LATEST, known), (LATEST, {"If-None-Match": '"2"'}))
    assert [each.status_code for each in answers] == [304, 200, 304, 200]
    assert [each.content for each in answers] == [b"", b"meal", b"", b"meal"]
    assert kitchen.cooked == 1


@pytest.mark.parametrize(("status", "cooked"), [(200, 1), (503, 20)])
def test_twenty_at_once_wait_for_one_answer(status, cooked):
    kitchen = Kitchen()
    kitchen.status = status

    async def ask():
        kitchen.go_on.clear()
        async with kitchen.client() as client:
            asked = [asyncio.create_task(client.get(LATEST)) for _ in range(20)]
            await kitchen.cooking.wait()
            for _ in range(50):
                await asyncio.sleep(0)
            kitchen.go_on.set()
            return await asyncio.gather(*asked)

    answers = asyncio.run(ask())
    assert {each.status_code for each in answers} == {status}
    assert kitchen.cooked == cooked


def test_who_goes_away_leaves_nobody_waiting():
    kitchen = Kitchen()

    async def ask():
        kitchen.go_on.clear()
        async with kitchen.client() as client:
            first = asyncio.create_task(client.get(LATEST))
            await kitchen.cooking.wait()
            second = asyncio.create_task(client.get(LATEST))
            for _ in range(20):
                await asyncio.sleep(0)
            first.cancel()
            kitchen.go_on.set()
            return await second

    assert asyncio.run(ask()).content == b"meal"


def test_it_holds_a_bounded_number_of_bytes(monkeypatch):
    monkeypatch.setattr(byte_cache, "_MOST_BYTES", 50_000)
    monkeypatch.setattr(byte_cache, "_MOST_OF_ONE", 10_000)
    kitchen = Kitchen()
    kitchen.body = b"x" * 8_000
    run(kitchen, *((f"{LATEST}?{i}", {}) for i in range(10)))
    run(kitchen, (f"{LATEST}?9", {}), (f"{LATEST}?0", {}))
    assert kitchen.cooked == 11
    kitchen.body = b"x" * 10_001
    run(kitchen, (f"{LATEST}?big", {}), (f"{LATEST}?big", {}))
    assert kitchen.cooked == 13


def test_a_city_s_readings_come_from_it_and_its_warnings_never(city):
    with TestClient(city.app(kept_s=3600.0)) as client:
        before = client.get("/api/v1/readings")
        warnings = client.get("/api/v1/warnings").json()
        city.measure(RAIN, T0 - MINUTE, ("precipitation", 77.0))
        city.warn("regen-gierath", 4, "escalate", episode="starkregen:regen-gierath:1", value=44.0)
        after = client.get("/api/v1/readings")
        assert after.content == before.content
        assert dict(after.headers) == dict(before.headers)
        assert client.get("/api/v1/warnings").json() != warnings
        operator = client.get("/api/v1/readings", headers={"Authorization": f"Bearer {TOKEN}"}).json()[
            "items"
        ]
        assert 77.0 in [each["value"] for each in operator]
        known = client.get("/api/v1/readings", headers={"If-None-Match": before.headers["etag"]})
        assert known.status_code == 304
        wrong = client.get("/api/v1/readings", headers={"Authorization": "Bearer x"})
        assert wrong.status_code == 401
        with client.stream("GET", "/api/v1/readings", headers={"Accept-Encoding": "gzip"}) as answer:
            packed = b"".join(answer.iter_raw())
        assert b"77.0" in gzip.decompress(packed)


def test_many_threads_of_callers_get_whole_answers(quiet_city):
    with TestClient(quiet_city.app(kept_s=0.001)) as client:
        expected = client.get("/api/v1/readings").content
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(client.get("/api/v1/readings").content))
            for _ in range(20)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert set(found) == {expected}


STA = "/sta/v1.1"


@pytest.fixture
def things(city):
    """A city that serves SensorThings, and whose answers are kept for the whole test."""
    city.changes["sta"] = Cities()
    return city.app(kept_s=3600.0)


def as_staff(how):
    return {
        "token": {"Authorization": f"Bearer {TOKEN}"},
        "cookie": {HEADER: "1", "Cookie": f"{COOKIE}={TOKEN}"},
    }[how]


@pytest.mark.parametrize("how", ["token", "cookie"])
@pytest.mark.parametrize("staff_first", [True, False])
@pytest.mark.parametrize(
    "path", [f"{STA}/Things?$expand=Datastreams", "/api/v1/stations", "/api/v1/readings"]
)
def test_operators_answers_neither_come_from_it_nor_go_into_it(things, path, staff_first, how):
    with TestClient(things) as client:
        asked = [{}, as_staff(how)] * 2
        for headers in asked[::-1] if staff_first else asked:
            answer = client.get(path, headers=headers)
            assert ("geheim" in answer.text) == bool(headers)
            assert answer.headers["cache-control"].startswith("private" if headers else "public")


def test_a_cookie_alone_is_nobody_and_yet_not_answered_from_it(city, things):
    with TestClient(things) as client:
        client.get("/api/v1/readings")
        city.measure(RAIN, T0 - MINUTE, ("precipitation", 77.0))
        own = client.get("/api/v1/readings", headers={"Cookie": f"{COOKIE}={TOKEN}"})
        assert "geheim" not in own.text
        assert 77.0 in [each["value"] for each in own.json()["items"]]
        assert 77.0 not in [each["value"] for each in client.get("/api/v1/readings").json()["items"]]


def test_each_host_gets_its_own_addresses(things):
    with TestClient(things) as client:
        for host in ("a.example", "b.example", "a.example:8080", "a.example"):
            for path in (f"{STA}/Things", f"{STA}/Observations?$top=1", STA):
                text = client.get(path, headers={"Host": host}).text
                hosts = set(re.findall("https?://([^/]+)/sta/", text))
                assert hosts == {host}


def test_a_second_host_does_not_put_its_addresses_into_another_s_answer(things):
    """A server may let two through."""
    with TestClient(things) as client:
        twice = [("Host", "a.example"), ("Host", "b.example")]
        assert "http://a.example/" in client.get(f"{STA}/Things", headers=twice).text
        assert "http://a.example/" not in client.get(f"{STA}/Things", headers={"Host": "b.example"}).text


def test_of_two_lists_of_codings_the_same_counts_as_in_the_answer(things):
    with TestClient(things) as client:
        twice = [("Accept-Encoding", "gzip"), ("Accept-Encoding", "br")]
        assert client.get(f"{STA}/Things", headers=twice).headers["content-encoding"] == "gzip"
        alone = client.get(f"{STA}/Things", headers={"Accept-Encoding": "br"})
        assert alone.headers["content-encoding"] == "br"


def test_codings_are_told_apart_and_say_the_same(things):
    with TestClient(things) as client:
        found = {}
        for coding in ("gzip", "br", "identity", "gzip", "br", "identity"):
            answer = client.get(f"{STA}/Datastreams", headers={"Accept-Encoding": coding})
            assert answer.headers.get("content-encoding", "identity") == coding
            found.setdefault(coding, set()).add((answer.content, answer.headers["etag"]))
    assert [len(each) for each in found.values()] == [1, 1, 1]
    assert len({body for each in found.values() for body, _ in each}) == 1
    assert len({etag for each in found.values() for _, etag in each}) == 3


@pytest.mark.parametrize("trusted", [True, False])
def test_what_a_proxy_says_counts_where_it_is_believed(things, trusted):
    app = ProxyHeadersMiddleware(things, trusted_hosts="*" if trusted else "192.0.2.1")
    secure = "https" if trusted else "http"
    with TestClient(app) as client:
        for forwarded, scheme in (({}, "http"), ({"X-Forwarded-Proto": "https"}, secure), ({}, "http")):
            said = {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "203.0.113.9", **forwarded}
            text = client.get(f"{STA}/Things", headers=said).text
            assert f"{scheme}://testserver/sta/" in text
            assert "evil.example" not in text


def test_an_encoded_slash_is_another_address(things):
    with TestClient(things) as client:
        thing = client.get(f"{STA}/Things").json()["value"][0]["@iot.id"]
        plain, encoded = f"{STA}/Things({thing})/name", f"{STA}/Things({thing})%2Fname"
        assert client.get(plain).status_code == 200
        assert client.get(encoded).status_code == 404


def test_what_is_kept_does_not_depend_on_accept(things):
    """Which its key leaves out."""
    with TestClient(things) as client:
        for path in (STA, f"{STA}/Things", f"{STA}/Observations", "/api/v1/readings", "/api/v1/stations"):
            kinds = ("application/json", "text/csv", "application/geo+json", "text/html", "*/*")
            # one who asks for a range is not answered from it
            answers = {client.get(path, headers={"Accept": kind, "Range": "x=1"}).content for kind in kinds}
            assert len(answers) == 1, path
