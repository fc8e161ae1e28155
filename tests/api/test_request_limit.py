import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_town import TOKEN
from starlette.testclient import TestClient

from api import request_limit
from api.request_limit import RequestLimit
from api.services import TokenHash
from api.tokens import hash_token

READINGS = "/api/v1/readings"


def limited(most=5, **options):
    async def served(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return RequestLimit(served, most, **options)


def ask(limit, path=READINGS, *, host="192.0.2.1", query=b"", headers=()):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": query,
        "headers": list(headers),
        "client": (host, 1),
    }
    asyncio.run(limit(scope, None, send))
    return sent[0]["status"], {name: value.decode() for name, value in sent[0]["headers"]}


def test_every_answer_says_how_many_are_left():
    clock = [0.0]
    limit = limited(now_s=lambda: clock[0])
    found = [ask(limit) for _ in range(6)]
    assert [status for status, _ in found] == [200] * 5 + [429]
    assert [re.findall(r"r=(\d+)", each[b"ratelimit"])[0] for _, each in found] == list("432100")
    assert {each[b"ratelimit-policy"] for _, each in found} == {'"address";q=5;w=60'}
    assert found[-1][1][b"retry-after"] == "12"
    assert found[-1][1][b"content-type"] == "application/problem+json"
    clock[0] = 11.9
    assert ask(limit)[0] == 429
    clock[0] = 12.0
    assert ask(limit)[0] == 200
    clock[0] = 1000.0
    assert ask(limit)[1][b"ratelimit"] == '"address";r=4;t=12'


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 20))
def test_no_minute_has_more_than_twice_the_limit_and_waiting_as_told_helps(pauses, most):
    clock = [0.0]
    limit = limited(most, now_s=lambda: clock[0])
    taken = []
    for pause in pauses:
        clock[0] += pause
        status, headers = ask(limit)
        if status == 429:
            clock[0] += int(headers[b"retry-after"])
            assert ask(limit)[0] == 200
        taken.append(clock[0])
    for at in taken:
        assert sum(at <= each < at + 60 for each in taken) <= 2 * most


def test_a_long_download_counts_as_many():
    limit = limited(50)
    assert ask(limit, query=b"limit=all")[1][b"ratelimit"].startswith('"address";r=30')
    assert ask(limit, query=b"f=csv&l%69mit=%61ll")[1][b"ratelimit"].startswith('"address";r=10')
    assert ask(limited(5), query=b"limit=all")[0] == 200


def test_each_address_has_its_own_and_a_v6_network_is_one():
    limit = limited(1)
    assert ask(limit, host="192.0.2.1")[0] == ask(limit, host="192.0.2.2")[0] == 200
    assert ask(limit, host="2001:db8::1")[0] == 200
    assert ask(limit, host="2001:db8::2")[0] == 429
    assert ask(limit, host="2001:db8:0:1::2")[0] == 200


def test_an_operator_may_ask_more_but_no_guesser():
    limit = limited(1, tokens=[TokenHash("x", hash_token(TOKEN))])
    own = [(b"authorization", f"Bearer {TOKEN}".encode())]
    assert [ask(limit, headers=own)[0] for _ in range(11)] == [200] * 10 + [429]
    wrong = [(b"authorization", b"Bearer guess")]
    assert [ask(limit, headers=wrong)[0] for _ in range(2)] == [200, 429]


@pytest.mark.parametrize(
    "path",
    [
        *("/livez", "/readyz", "/metrics", "/", "/assets/page.css", "/api/v1/stations"),
        *("/api/v1/warnings", "/api/v1/warnings/x", "/cap/feed.atom", "/compat/nina/dashboard/0.json"),
        *("/api/v1/city-warnings", "/api/v1/stream", "/api/v1/uplinks/stadtwerke"),
    ],
)
def test_warnings_and_the_watchers_are_never_refused(path):
    limit = limited(1)
    ask(limit), ask(limit)
    assert {ask(limit, path)[0] for _ in range(5)} == {200}
    assert ask(limit)[0] == 429


def test_a_million_addresses_take_bounded_memory(monkeypatch):
    monkeypatch.setattr(request_limit, "_MOST_KEPT", 1000)
    clock = [0.0]
    limit = limited(5, now_s=lambda: clock[0])
    for i in range(5000):
        limit._take(i.to_bytes(4, "big"), 5, 1)
    assert len(limit._full_s) <= 1000
    clock[0] = 1000.0
    for i in range(1000):
        clock[0] += 15.0
        limit._take((i % 3).to_bytes(4, "big"), 5, 1)
    assert len(limit._full_s) == 1


def test_the_city_s_application_tells_and_refuses(quiet_city):
    with TestClient(quiet_city.app(per_minute=2, kept_s=60.0)) as client:
        answers = [client.get(READINGS) for _ in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 429]
        assert [each.headers["ratelimit"].split(";")[1] for each in answers] == ["r=1", "r=0", "r=0"]
        assert answers[2].json()["status"] == 429
        assert answers[2].headers["access-control-allow-origin"] == "*"
        assert "RateLimit" in answers[2].headers["access-control-expose-headers"]
        assert client.get("/api/v1/warnings").status_code == 200
        assert "ratelimit" not in client.get("/api/v1/warnings").headers
