"""Warnings of the city on the stream: pushed at the commit of a step, to everybody what was released."""

import asyncio
import threading

import pytest
from small_town import T0, Town
from stream_listener import Listener
from warned_city import AREAS, TEXTS

from alerts.city.office import CityOffice
from alerts.city.order import Order
from alerts.city.release import Releases
from api.stream import Stream
from api.visibility import SeriesBook


@pytest.fixture
def hall(tmp_path):
    town = Town(tmp_path)
    # its thread is not started: whatever arrives was pushed by the order itself
    town.office = CityOffice(town.journal, Releases(), AREAS, lambda: town.now_us)
    town.office._fence = town.journal.load("city-office").fence
    town.changes |= {"office": town.office, "city_warnings": town.office.warnings, "areas": AREAS}
    yield town
    town.audit.close()


def decide(town, action, warning="", severity="Severe"):
    """In a thread, as a request does."""
    found = []
    valid = None if action in {"decline", "all_clear"} else 60
    texts = None if action in {"decline", "all_clear"} else TEXTS
    order = Order(action, "A. Beispiel", "creek", T0, warning, "", severity, ("gierath",), texts, valid)
    thread = threading.Thread(target=lambda: found.append(town.office.decide(order)))
    thread.start()
    thread.join()
    return found[0].id


async def heard(listener, count):
    """The items of so many `city_warning` events, each the only one in its event."""
    await listener.until("city_warning", count=count)
    return [item for kind, data, _ in listener.events if kind == "city_warning" for item in data["items"]]


def test_everybody_hears_what_was_released_and_operators_each_step(hall):
    async def scenario():
        hub = Stream(hall.services(), SeriesBook(hall.journal))
        async with hub.running():
            public, staff = Listener(hub), Listener(hub, "leitstelle")
            await public.until("hello")
            await staff.until("hello")
            id_ = await asyncio.to_thread(decide, hall, "propose")
            assert [item["status"] for item in await heard(staff, 1)] == ["proposed"]
            await asyncio.to_thread(decide, hall, "release", id_)
            assert [item["status"] for item in await heard(public, 1)] == ["in_force"]
            await heard(staff, 2)
            await asyncio.to_thread(decide, hall, "propose", id_, "Extreme")
            await heard(staff, 3)
            await asyncio.to_thread(decide, hall, "decline", id_)
            await heard(staff, 4)
            await asyncio.to_thread(decide, hall, "all_clear", id_)
            items = await heard(public, 2)
            assert [item["status"] for item in items] == ["in_force", "ended"]
            assert [each["severity"] for each in items] == ["Severe", "Severe"]
            assert "reason" not in items[0]
            assert len(await heard(staff, 5)) == 5
            await public.leave()
            await staff.leave()

    asyncio.run(scenario())


def test_a_release_is_not_lost_when_a_change_is_proposed_in_the_same_moment(hall):
    async def scenario():
        hub = Stream(hall.services(), SeriesBook(hall.journal))
        async with hub.running():
            public = Listener(hub)
            await public.until("hello")
            id_ = await asyncio.to_thread(decide, hall, "propose")
            await asyncio.to_thread(
                lambda: (decide(hall, "release", id_), decide(hall, "propose", id_, "Extreme"))
            )
            (item,) = await heard(public, 1)
            assert (item["status"], item["severity"]) == ("in_force", "Severe")
            await public.leave()

    asyncio.run(scenario())
