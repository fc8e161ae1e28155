"""The page of counts by hand in a real browser."""

from dataclasses import replace

from test_page import Watched, browser, expect, faults, pytestmark, served
from test_page_console import REFUSED, no_sideways_scroll
from test_page_inbox import log_in

from alerts.audit import AuditLog
from alerts.errors import CountRefusedError
from alerts.mobility.states import Correction

__all__ = ["browser", "pytestmark"]

PHONE = {"width": 360, "height": 740}


def test_a_person_counts_on_the_phone(city, browser, tmp_path):
    kept = Correction("p-markt", city.now_us, 44, 40, "over_capacity", "44 cars by the counters in 40 spaces")
    told, asked = [kept], []
    markt, other = city.parks
    city.parks = (replace(markt, source="counters"), other)

    def count(station, time_us, occupied, by):
        asked.append((station, time_us, occupied, by))
        if occupied > 30:
            raise CountRefusedError("late", "car parks are not counted at the moment")
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
        form = page.locator("#form").inner_text()
        assert "Bisher 12 von 40 belegt." in form
        assert page.locator("#count option").all_inner_texts() == ["Parkplatz Markt"]
        assert "nicht dabei: Geheimer Pegel" in form, "its number follows from sensors in its spaces"
        why = page.locator("#corrections").inner_text()
        assert "Parkplatz Markt" in why
        assert "44 Autos nach den Zählern, Plätze gibt es 40" in why
        assert "cars" not in why
        page.get_by_label("Belegte Stellplätze").fill("41")
        assert not page.get_by_label("Belegte Stellplätze").evaluate("each => each.checkValidity()")
        page.get_by_label("Belegte Stellplätze").fill("31")
        page.get_by_label("Vor wie vielen Minuten").fill("20")
        page.get_by_label("Ihr Name").fill("Erika Muster")
        page.get_by_role("button", name="Melden", exact=True).click()
        page.wait_for_selector("#count .problem")
        assert "Der Dienst kommt nicht nach" in page.locator("#count .problem").inner_text()
        page.get_by_label("Belegte Stellplätze").fill("17")
        page.get_by_role("button", name="Melden", exact=True).click()
        page.wait_for_selector("#count .good")
        assert "17" in page.locator("#count .good").inner_text()
        expect(page.locator("#corrections")).to_contain_text("Selbst gezählt: 17. Die Zähler ergaben 12.")
        assert faults(page) == []
        assert no_sideways_scroll(page)
        page.locator("[data-language=en]").click()
        assert "Taken spaces" in page.locator("#form").inner_text()
        assert "Erika Muster counted 17 cars" in page.locator("#corrections").inner_text()
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
