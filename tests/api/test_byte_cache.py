import asyncio
import gzip
import threading

import httpx2 as httpx
import pytest
from small_town import MINUTE, RAIN, T0, TOKEN
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from api import byte_cache
from api.byte_cache import ByteCache
from api.compression import Conditional

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
