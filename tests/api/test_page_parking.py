"""The page of counts by hand in a real browser."""

from test_page import Watched, browser, faults, pytestmark, served
from test_page_console import REFUSED, no_sideways_scroll
from test_page_inbox import log_in

from alerts.audit import AuditLog
from alerts.errors import CountRefusedError
from alerts.mobility.states import Correction

__all__ = ["browser", "pytestmark"]

PHONE = {"width": 360, "height": 740}


def test_a_person_counts_on_the_phone(city, browser, tmp_path):
    told, asked = [], []

    def count(station, time_us, occupied, by):
        asked.append((station, time_us, occupied, by))
        if occupied > 40:
            raise CountRefusedError("capacity", f"it has 40 spaces, not {occupied}")
        told.append(Correction(station, time_us, 12, occupied, "manual", f"{by} counted {occupied} cars"))
        return told[-1]

    audit = AuditLog(tmp_path / "audit.db", lambda: city.now_us)
    city.changes |= {
        "count_by_hand": count,
        "corrections": lambda *_: list(reversed(told)),
        "audit": audit,
    }
    with served(city.app()) as (address, _):
        watched = Watched(browser, address, viewport=PHONE)
        watched.address = address
        page = log_in(watched, "/console/parking")
        page.wait_for_selector("#count")
        assert "Bisher wurde nichts berichtigt" in page.locator("#corrections").inner_text()
        page.get_by_label("Parkplatz").select_option("p-markt")
        page.get_by_label("Belegte Stellplätze").fill("41")
        page.get_by_label("Vor wie vielen Minuten").fill("20")
        page.get_by_label("Ihr Name").fill("Erika Muster")
        page.get_by_role("button", name="Melden", exact=True).click()
        page.wait_for_selector("#count .problem")
        assert "Diese Zahl kann nicht gelten." in page.locator("#count .problem").inner_text()
        assert "40 spaces" in page.locator("#count .problem").inner_text()
        page.get_by_label("Belegte Stellplätze").fill("17")
        page.get_by_role("button", name="Melden", exact=True).click()
        page.wait_for_selector("#count .good")
        assert "17" in page.locator("#count .good").inner_text()
        listed = page.locator("#corrections").inner_text()
        assert listed.index("Selbst gezählt wurden 17") < listed.index("Erika Muster counted 17 cars")
        assert "Erika Muster counted 17 cars" in page.locator("#corrections").inner_text()
        assert faults(page) == []
        assert no_sideways_scroll(page)
        page.locator("[data-language=en]").click()
        page.wait_for_selector("text=Taken spaces")
        assert faults(page) == []
        # the login and the count that cannot be are refused, as they should be
        watched.complaints[:] = [
            each for each in watched.complaints if each != REFUSED and "status of 4" not in each
        ]
        watched.close()
    station, time_us, occupied, by = asked[-1]
    assert (station, occupied, by) == ("p-markt", 17, "Erika Muster")
    assert abs(city.now_us - 20 * 60_000_000 - time_us) < 60_000_000
    assert audit.entries(1)[0].by == "Erika Muster"
    audit.close()
