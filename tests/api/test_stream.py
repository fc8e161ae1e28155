import asyncio
import threading

import pytest
from small_town import MINUTE, RAIN, SECRET, T0
from starlette.testclient import TestClient
from stream_listener import Listener, parse

from api.stream import Stream
from api.visibility import SeriesBook


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
        _, readings, _ = await staff.until("readings")
        assert readings["items"][0]["device"] == SECRET
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
        assert nothing.kinds == ["hello"]
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
        source = hub.listen(None, None)
        await anext(source)
        for i in range(6):
            city.warn("z-haupt", episode=f"e{i}")
            await asyncio.sleep(0.02)
        assert parse(await anext(source))[0][0] == "reset"
        await source.aclose()

    run(city, scenario)


def test_a_heartbeat_comes_in_time_also_when_only_secrets_happen(city):
    async def scenario(hub):
        listener = Listener(hub)
        await listener.until("hello")
        for i in range(12):
            city.measure(SECRET, T0 + (i + 1) * MINUTE, ("water_level", 99.0 + i))
            await asyncio.sleep(0.05)
        assert listener.kinds.count("heartbeat") >= 2
        await listener.leave()

    run(city, scenario, heartbeat_s=0.2)


def test_closing_ends_every_listener(city):
    async def scenario(hub):
        listener = Listener(hub)
        await listener.until("hello")
        threading.Thread(target=hub.close).start()
        async with asyncio.timeout(5):
            await listener._task

    run(city, scenario)


def test_more_listeners_than_can_be_served_are_sent_away(city):
    app = city.app()
    with TestClient(app) as client:
        app.state.stream.listeners = 2_000
        answer = client.get("/api/v1/stream")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
