"""The residents' page while something happens: what it is told and what it asks for cross on their way."""

from small_town import wait_for
from test_page import Watched, browser, pytestmark, served

__all__ = ["browser", "pytestmark"]


def hold(page, path):
    """Requests of this path wait for the test; those that wait."""
    held = []

    def keep(route):
        held.append(route)

    page.route(f"**{path}", keep)
    return held


def first(page, held):
    wait_for(lambda: page.wait_for_timeout(20) or held)
    return held[0]


def test_a_warning_that_the_stream_tells_outlasts_an_older_reading(city, browser):
    with served(city.app()) as (address, _):
        watched = Watched(browser, address)
        page = watched.page
        held = hold(page, "/api/v1/warnings")
        page.goto(address)
        page.wait_for_selector(".connection[data-state=live]")
        reading = first(page, held)
        older = reading.fetch()
        city.warn("z-haupt", 4, episode="flut")
        page.wait_for_selector(".warning[data-id=flut]")
        reading.fulfill(response=older)
        page.wait_for_selector(".warning:not([data-id=flut])")
        assert page.locator(".warning[data-id=flut]").count() == 1
        watched.close()


def test_a_warning_between_the_reading_and_the_stream_is_not_missed(city, browser):
    with served(city.app()) as (address, _):
        watched = Watched(browser, address)
        page = watched.page
        stream, reading = hold(page, "/api/v1/stream"), hold(page, "/api/v1/catchments")
        page.goto(address)
        page.wait_for_selector(".warning")
        city.warn("z-haupt", 4, episode="flut")
        first(page, stream).continue_()
        page.wait_for_selector(".connection[data-state=live]")
        first(page, reading).continue_()
        page.wait_for_selector(".warning[data-id=flut]")
        watched.close()
