import asyncio
import threading

import pytest
from asgi_scope import scope_of
from small_town import MINUTE, RAIN, SECRET, T0, TOKEN
from starlette.testclient import TestClient
from stream_listener import Listener, parse

from api.routes.warning_item import warnings_seen
from api.stream import HEARTBEAT_S, Stream
from api.visibility import SeriesBook
from ingest.errors import JournalError


def run(town, scenario, **options):
    async def main():
        hub = Stream(town.services(), SeriesBook(town.journal), **options)
        async with hub.running():
            await scenario(hub)

    asyncio.run(main())


def test_warnings_and_readings_arrive_as_they_happen(city):
    async def scenario(hub):
        listener = Listener(hub)
        _, hello, _ = await listener.until("hello")
        assert hello == {"now": "2026-07-14T18:30:00Z"}
        threading.Thread(target=city.warn, args=("strunde-gierath",)).start()
        _, warnings, _ = await listener.until("warnings")
        assert [item["station"] for item in warnings["items"]] == ["strunde-gierath"]
        city.measure(RAIN, T0 + MINUTE, ("precipitation", 4.2), ("battery_voltage", 3.5))
        _, readings, id_ = await listener.until("readings")
        assert [(item["property"], item["value"]) for item in readings["items"]] == [("precipitation", 4.2)]
        assert id_
        await listener.leave()
        assert hub.listeners == 0

    run(city, scenario)


def test_the_public_hears_nothing_of_what_is_not_public_and_operators_do(city):
    async def scenario(hub):
        public, staff = Listener(hub), Listener(hub, "leitstelle")
        await public.until("hello")
        await staff.until("hello")
        city.measure(SECRET, T0 + MINUTE, ("water_level", 99.0))
        city.warn("geheim-pegel", 4, "escalate", episode="starkregen:geheim-pegel:1")
        await staff.until("warnings")
        count = 0
        while SECRET not in str(staff.events):  # what was in the journal before may still come by
            await staff.until("readings", count=(count := count + 1))
        city.measure(RAIN, T0 + MINUTE, ("precipitation", 1.0))
        await public.until("readings")
        assert "geheim" not in str(public.events)
        assert RAIN not in str(public.events)
        await public.leave()
        await staff.leave()

    run(city, scenario)


def test_last_event_id_brings_exactly_what_was_missed(city):
    async def scenario(hub):
        first = Listener(hub)
        await first.until("hello")
        city.warn("strunde-gierath", episode="one")
        _, _, id_ = await first.until("warnings")
        await first.leave()
        city.warn("z-haupt", episode="two")
        await asyncio.sleep(0.6)
        again = Listener(hub, last=id_)
        _, warnings, later = await again.until("warnings")
        assert [item["id"] for item in warnings["items"]] == ["two"]
        assert "reset" not in again.kinds
        await again.leave()
        nothing = Listener(hub, last=later)
        await nothing.until("hello")
        await asyncio.sleep(0.1)
        assert not {"warnings", "reset"} & set(nothing.kinds)
        await nothing.leave()

    run(city, scenario)


@pytest.mark.parametrize("last", ["other-1", "nonsense", "-", "x" * 90, "²-²"])
def test_an_id_of_another_run_means_read_anew(city, last):
    async def scenario(hub):
        listener = Listener(hub, last=last)
        await listener.until("reset")
        await listener.leave()

    run(city, scenario)


def test_a_listener_too_slow_for_the_ring_is_told_to_read_anew(city, monkeypatch):
    monkeypatch.setattr("api.stream._KEPT", 3)
    monkeypatch.setattr("api.stream._GATHER_S", 0.0)

    async def scenario(hub):
        source, quick = hub.listen(None, None), Listener(hub)
        await anext(source)
        for i in range(6):
            city.warn("z-haupt", episode=f"e{i}")
            await quick.until("warnings", count=i + 1)
        await quick.leave()
        assert parse(await anext(source))[0][0] == "reset"
        await source.aclose()

    run(city, scenario)


def test_a_heartbeat_comes_in_time_also_when_only_secrets_happen(city):
    async def scenario(hub):
        listener = Listener(hub)
        await listener.until("hello")
        for i in range(2_000):
            city.measure(SECRET, T0 + (i + 1) * 1_000_000, ("water_level", 99.0 + i % 100))
            await asyncio.sleep(0.05)
            if listener.kinds.count("heartbeat") >= 2:
                break
        assert listener.kinds.count("heartbeat") >= 2
        await listener.leave()

    run(city, scenario, heartbeat_s=0.2)


def test_a_change_that_cannot_be_told_is_a_reset_and_the_next_one_is_told(city, monkeypatch):
    """A book that cannot be read for a moment, as when the journal's disk fails."""
    broken = iter([True])

    def warnings_seen_once_not(*arguments):
        if next(broken, False):
            raise JournalError("disk I/O error")
        return warnings_seen(*arguments)

    monkeypatch.setattr("api.stream.warnings_seen", warnings_seen_once_not)

    async def scenario(hub):
        public, staff = Listener(hub), Listener(hub, "leitstelle")
        _, _, before = await public.until("hello")
        await staff.until("hello")
        city.warn("strunde-gierath", episode="one")
        for each in (public, staff):
            await each.until("reset")
        city.warn("z-haupt", episode="two")
        for each in (public, staff):
            _, warnings, _ = await each.until("warnings")
            assert [item["id"] for item in warnings["items"]] == ["two"]
            await each.leave()
        late = Listener(hub, last=before)
        await late.until("reset")
        await late.leave()

    run(city, scenario)


def test_closing_ends_every_listener(city):
    async def scenario(hub):
        listener = Listener(hub)
        await listener.until("hello")
        threading.Thread(target=hub.close).start()
        async with asyncio.timeout(60):
            await listener._task

    run(city, scenario)


def test_more_listeners_than_can_be_served_are_sent_away(city):
    app = city.app()
    with TestClient(app) as client:
        app.state.stream.listeners = 2_000
        answer = client.get("/api/v1/stream")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")


def test_operators_are_not_sent_away_for_the_public_that_listens(city):
    async def scenario():
        app = city.app()
        async with app.router.lifespan_context(app):
            app.state.stream.listeners = 2_000
            return await asked(app, authorization=f"Bearer {TOKEN}")

    status, _, body = asyncio.run(scenario())
    assert (status, parse(body)[0][0]) == (200, "hello")


async def asked(app, **headers):
    """The stream's answer over ASGI: status, headers and the first piece; then the caller is gone."""
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = scope_of("/api/v1/stream", headers=fields)
    told, gone = asyncio.Queue(), asyncio.Event()

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    task = asyncio.create_task(app(scope, receive, told.put))
    start = await told.get()
    body = b""
    while b"\n\n" not in body:
        body += (await told.get()).get("body", b"")
    gone.set()
    await task
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body


def test_the_answer_is_what_browsers_and_proxies_take_for_a_stream(city):
    app = city.app(per_minute=3000, kept_s=1.0)

    async def main():
        async with app.router.lifespan_context(app):
            first = await asked(app, accept_encoding="gzip, br", origin="https://portal.example")
            hello = parse(first[2])[0]
            city.warn("z-haupt", episode="missed")
            await asyncio.sleep(0.6)
            return first, await asked(app, last_event_id=hello[2]), await asked(app, last_event_id="other-1")

    (status, headers, body), missed, unknown = asyncio.run(main())
    assert status == 200
    assert headers["content-type"].partition(";")[0] == "text/event-stream"
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"
    assert headers["access-control-allow-origin"] == "*"
    assert "content-encoding" not in headers
    assert "content-length" not in headers
    assert "etag" not in headers
    assert body.startswith(b"retry: 3000\n")
    assert parse(body)[0][0] == "hello"
    # what the header says reaches the hub: an id of this run goes on from there, another one does not
    assert parse(missed[2])[0][2] == parse(body)[0][2]
    assert parse(unknown[2])[0][2] != parse(body)[0][2]


def test_who_says_nothing_is_heard_of_every_15_seconds(city):
    assert HEARTBEAT_S == 15.0
    assert city.app().state.stream._heartbeat_s == HEARTBEAT_S


def test_a_heartbeat_carries_the_id_of_what_was_heard_last(city):
    async def scenario(hub):
        listener = Listener(hub)
        await listener.until("hello")
        city.warn("z-haupt", episode="one")
        _, _, heard = await listener.until("warnings")
        count = listener.kinds.count("heartbeat")
        await listener.until("heartbeat", count=count + 1)
        assert [event[2] for event in listener.events if event[0] == "heartbeat"][-1] == heard
        await listener.leave()

    run(city, scenario, heartbeat_s=0.2)


def test_a_preflight_lets_other_sites_send_the_last_event_id(client):
    asked = {"Origin": "https://portal.example", "Access-Control-Request-Method": "GET"}
    answer = client.options("/api/v1/stream", headers=asked)
    assert answer.status_code == 204
    assert "Last-Event-ID" in answer.headers["access-control-allow-headers"]
