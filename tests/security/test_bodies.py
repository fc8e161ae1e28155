"""Bodies that would fill the memory: nobody needs a token to send one."""

import asyncio

import pytest

BASE = "/api/v1/admin/city-warnings"
MEGABYTE = b"x" * (1 << 20)


@pytest.mark.parametrize("path", [BASE, f"{BASE}/w/steps", "/api/v1/admin/silences", "/api/v1/subscriptions"])
def test_what_is_announced_as_too_much_is_refused(client, path):
    answer = client.post(path, content=3 * MEGABYTE, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_comes_without_an_end_is_not_taken(city):
    taken = 0

    async def receive():
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": MEGABYTE, "more_body": taken < 100}

    async def send(message):
        if message["type"] == "http.response.start":
            answered.append(message["status"])

    answered = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": BASE,
        "raw_path": BASE.encode(),
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(b"content-type", b"application/json"), (b"host", b"h")],
    }
    asyncio.run(city.app()(scope, receive, send))
    assert taken < 5
    assert answered
    assert answered[0] >= 400
