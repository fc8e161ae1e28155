"""Staff hear of an incident as one thing; residents of what their place is warned of."""

import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from alert_events import NOW_US, make_event, write_events
from outbox_desk import MIN, Desk

from alerts.delivery.channels import Channel
from alerts.delivery.deliveries import Deliveries
from alerts.delivery.grouping import AT_ONCE
from alerts.event import to_row
from alerts.kernels.kernels import Kernels
from alerts.kostra.kostra import Kostra, shipped_table
from alerts.rules import load_rules
from alerts.texts.text import BODY_LIMIT, TITLE_LIMIT
from alerts.texts.texts import Texts
from devices.registry import InstalledDevice, Registry, Station
from ingest.reading import READING, Series

INCIDENT = "strunde.20051022T165320Z"
STAFF = Channel("wache", "json://staff/")
PUBLIC = Channel("site", "json://public/", audience=("public",))


@pytest.fixture
def names():
    return Texts(str.title, "Europe/Berlin", "Stadt", catchment_name=lambda _: "Strunde")


@pytest.fixture
def open_desk(tmp_path, journal, names):
    desks = []

    def make(*channels, texts=names):
        desks.append(Desk(tmp_path / "deliveries.db", journal, texts, *(channels or (STAFF,))))
        return desks[-1]

    yield make
    for desk in desks:
        desk.close()


def step(number, station, kind="raise", level=2, **changes):
    event = make_event(
        f"e{number}", kind, episode=f"{station}.{changes.pop('of', 'rain')}", level=level, **changes
    )
    return replace(event, station=station, incident=INCIDENT)


def about(number, kind, reason="why", **changes):
    event = replace(make_event(f"e{number}", "raise", episode=INCIDENT), kind=kind, station="", level=0)
    return replace(event, incident=INCIDENT, reason=reason, **changes)


def test_the_first_goes_out_at_once_and_a_rise_as_well(open_desk):
    desk = open_desk()
    desk.tell(step(1, "a"))
    desk.tell(step(2, "a", "escalate", 3), after_min=1)
    desk.tell(step(3, "b", "raise", 4), after_min=1)
    assert desk.titles() == [
        "Starkregen, Stufe 2: A (Strunde)",
        "Steigt, Starkregen, Stufe 3: A (Strunde)",
        "Steigt, Starkregen, Stufe 4: B (Strunde)",
    ]
    assert "Außerdem: A: Starkregen, Stufe 3." in desk.bodies()[2]
    assert all(status == "sent" for status, _ in desk.receipts().values())


def test_what_is_no_more_serious_is_gathered_into_one_update_every_five_minutes(open_desk):
    desk = open_desk()
    desk.tell(step(1, "a", level=3))
    desk.tell(step(2, "b", level=2), after_min=0)
    assert len(desk.titles()) == 2
    desk.tell(step(3, "b", "escalate", 3), after_min=1)
    desk.tell(step(4, "a", "step_down", 2), after_min=1)
    assert len(desk.titles()) == 2
    desk.wait(2.9)
    assert len(desk.titles()) == 2
    assert {event for event, (status, _) in desk.receipts().items() if status == "gathered"} == {"e3", "e4"}
    assert desk.outbox.stats.deliveries["wache", "gathered"] == 2
    desk.wait(0.1)
    assert desk.titles()[2:] == ["Neuer Stand, 2 Meldungen in Kraft: Strunde"]
    assert "B, Starkregen, Stufe 3" in desk.bodies()[2]
    assert "Außerdem: A: Starkregen, Stufe 2." in desk.bodies()[2]
    assert desk.receipts() == {
        "e1": ("sent", ""),
        "e2": ("sent", ""),
        "e3": ("superseded", "told in e4"),
        "e4": ("sent", ""),
    }
    desk.wait(600)
    assert len(desk.titles()) == 3


def test_another_measure_of_what_is_known_waits_longer_and_falling_values_longest(open_desk):
    desk = open_desk()
    desk.tell(step(1, "a", level=3))
    desk.tell(step(2, "a", of="long", measure="dwd_dauerregen", level=3), after_min=1)
    desk.wait(13.9)
    assert len(desk.titles()) == 1
    desk.wait(0.1)
    assert len(desk.titles()) == 2
    desk.tell(step(3, "a", "step_down", 2), after_min=5)
    desk.wait(24.9)
    assert len(desk.titles()) == 2
    desk.wait(0.1)
    assert len(desk.titles()) == 3


def test_a_further_station_is_told_at_once_until_it_would_be_a_flood(open_desk):
    desk = open_desk()
    for number in range(12):
        desk.tell(step(number, f"s{number}", level=3))
    assert len(desk.titles()) == AT_ONCE
    statuses = [status for status, _ in desk.receipts().values()]
    assert statuses.count("gathered") == 12 - AT_ONCE
    desk.wait(5)
    assert len(desk.titles()) == AT_ONCE + 1
    assert "12 Meldungen in Kraft" in desk.titles()[-1]
    assert "7 weitere" in desk.bodies()[-1]


def test_one_end_for_all(open_desk):
    desk = open_desk()
    desk.tell(step(1, "a", level=3), step(2, "b", level=2))
    desk.tell(step(3, "a", "clear"), after_min=60)
    desk.tell(step(4, "b", "clear"), after_min=1)
    assert desk.titles()[-1] == "Keine Meldung mehr in Kraft: Strunde"
    assert "Entwarnung gibt ein Mensch" in desk.bodies()[-1]
    assert len(desk.titles()) == 3
    # the next burst is told at once again
    desk.tell(step(5, "c", level=2), after_min=1)
    assert desk.titles()[-1] == "Starkregen, Stufe 2: C (Strunde)"


def test_below_severe_the_end_names_no_person(open_desk):
    desk = open_desk()
    desk.tell(step(1, "a", level=2))
    desk.tell(step(2, "a", "clear"), after_min=60)
    assert "Wasser kann noch stehen" in desk.bodies()[-1]


def test_falling_a_reminder_and_a_decision_are_told_at_once(open_desk):
    desk = open_desk()
    desk.tell(step(1, "a", level=3))
    lost = replace(
        make_event("e2", "sensor_lost", episode="a.sensor.20051022T165000Z", measure="sensor", value=None),
        station="a",
        incident=INCIDENT,
    )
    desk.tell(lost, after_min=1)
    assert len(desk.titles()) == 1
    desk.tell(about(3, "reminder"), after_min=1)
    assert desk.titles()[-1] == "Gilt weiter, 1 Meldung in Kraft: Strunde"
    assert "Sensor ausgefallen seit: A (22.10.2005, 18:50 Uhr)" in desk.bodies()[-1]
    desk.tell(step(4, "a", "step_down", 2), about(5, "falling"), after_min=1)
    assert desk.titles()[-1] == "Werte fallen: Strunde"
    assert "Entwarnung gibt ein Mensch" in desk.bodies()[-1]
    desk.tell(about(6, "decision", "vor Ort", measure="all_clear", by="A. Meier"), after_min=1)
    assert desk.titles()[-1] == "Entwarnung (A. Meier): Strunde"
    assert "vor Ort" in desk.bodies()[-1]
    assert len(desk.titles()) == 4


def test_an_unbelieved_value_alone_is_told(open_desk):
    desk = open_desk()
    desk.tell(step(1, "a", "unverified", measure="water_level", level=4, value=402.0, window_min=None))
    assert desk.titles() == ["Unbestätigter Wert (Strunde)"]
    assert "von der Prüfung verworfen: A" in desk.bodies()[0]


def test_residents_hear_of_each_warning_of_their_own(open_desk):
    desk = open_desk(STAFF, PUBLIC)
    desk.tell(step(1, "a", level=3, audience="public"), step(2, "b", level=3, audience="public"))
    desk.tell(step(3, "c", level=2), after_min=1)
    desk.tell(step(4, "a", "clear"), step(5, "b", "clear"), after_min=60)
    assert sorted(desk.titles("site")) == [
        *["Starkregen, Meldung beendet: A", "Starkregen, Meldung beendet: B"],
        *["Starkregen, Stufe 3: A", "Starkregen, Stufe 3: B"],
    ]
    assert desk.receipts("site")["e3"] == ("skipped", "for staff only")


def test_a_channel_for_serious_things_hears_of_the_incident_from_then_on(open_desk):
    desk = open_desk(replace(STAFF, min_level=3))
    desk.tell(step(1, "a", level=2))
    assert desk.receipts()["e1"] == ("skipped", "below Severe")
    desk.tell(step(2, "b", level=3), after_min=1)
    desk.tell(step(3, "b", "clear"), step(4, "a", "clear"), after_min=60)
    assert desk.titles() == [
        "Starkregen, Stufe 3: B (Strunde)",
        "Keine Meldung mehr in Kraft: Strunde",
    ]


def test_other_catchments_are_not_held_back(open_desk):
    desk = open_desk()
    desk.tell(step(1, "a", level=3))
    desk.tell(replace(step(2, "x", level=3), incident="rhein.20051022T165320Z"))
    assert len(desk.titles()) == 2


def test_what_failed_is_tried_again_with_what_came_since(open_desk):
    desk = open_desk()
    desk.senders["wache"].answers = ["refused"]
    desk.tell(step(1, "a", level=3))
    desk.tell(step(2, "a", of="long", measure="dwd_dauerregen", level=3))
    assert len(desk.titles()) == 2
    assert "Außerdem" in desk.bodies()[1]
    assert desk.receipts() == {"e1": ("superseded", "told in e2"), "e2": ("sent", "")}


def test_a_restart_tells_nothing_twice_and_keeps_the_interval(open_desk):
    desk = open_desk()
    desk.tell(step(1, "a", level=3))
    desk.tell(step(2, "a", of="long", measure="dwd_dauerregen", level=3), after_min=1)
    now = desk.now
    desk.close()
    again = open_desk()
    again.now = now
    again.work()
    assert again.titles() == []
    again.wait(13)
    assert again.titles() == []
    again.wait(1)
    assert again.titles() == ["Neuer Stand, 2 Meldungen in Kraft: Strunde"]


def test_a_crash_in_the_middle_repeats_and_says_so(open_desk):
    desk = open_desk()
    write_events(desk.journal, step(1, "a", level=3))
    desk.outbox._expand()
    delivery, _ = desk.outbox._workers[0]._next()
    assert desk.outbox._deliveries.begin(delivery.due, "wache", desk.now)
    desk.close()
    again = open_desk()
    again.work()
    assert "Möglicherweise eine Wiederholung" in again.bodies()[0]
    assert again.receipts()["e1"][0] == "sent"


def test_without_what_it_knows_of_the_incident_the_warning_is_told(open_desk):
    desk = open_desk()
    write_events(desk.journal, step(1, "a", level=3))
    desk.outbox._expand()
    with desk.outbox._deliveries._file.write() as connection:
        connection.execute("DELETE FROM incidents")
    desk.work()
    assert desk.titles() == ["Starkregen, Stufe 3: A"]


def test_a_clock_that_was_put_back_holds_nothing_up(open_desk):
    desk = open_desk()
    desk.tell(step(1, "a", level=3))
    desk.tell(step(2, "a", of="long", measure="dwd_dauerregen", level=3), after_min=-600)
    assert len(desk.titles()) == 2


def test_a_file_from_before_is_taken_over(tmp_path):
    path = tmp_path / "deliveries.db"
    Deliveries(path).close()
    with sqlite3.connect(path) as old:
        old.execute("DROP INDEX deliveries_held")
        old.execute("DROP INDEX deliveries_by_incident")
        for column in ("incident", "rank", "urgency", "ends", "hold", "until_us"):
            old.execute(f"ALTER TABLE deliveries DROP COLUMN {column}")
        old.execute("DROP TABLE incidents")
        old.execute("DROP TABLE heard")
        old.execute("DROP TABLE city_warnings")
        old.execute("PRAGMA user_version=1")
    old.close()
    deliveries = Deliveries(path)
    assert deliveries.queue("wache") == []
    assert deliveries.incidents(["x"]) == {}
    assert deliveries.city_warnings(["x"]) == {}
    assert deliveries.release(NOW_US) == set()
    deliveries.close()
    Deliveries(path).close()


GAUGES = 8


def storm_events(hours=6):
    """Eight gauges in one storm, one catchment: rain by two criteria and the index."""
    series = [Series(f"g{n}", "precipitation", "", f"{n:016x}") for n in range(GAUGES)]
    city = Registry(
        {s.dev_eui: InstalledDevice(s.dev_eui, "", s.station, interval_s=300) for s in series},
        {s.station: Station(s.station, s.station, None, None, True, (s.dev_eui,)) for s in series},
    )
    machine = Kernels(load_rules(), city, None, series, kostra=Kostra(everywhere=shipped_table()))

    shape = [0.5, 1, 3, 6, 9, 8, 6, 4, 4, 3, 2, 2, 1, 1, 0.5]
    for minute in range(0, hours * 60, 5):
        rows = []
        for n in range(GAUGES):
            # the storm moves over them, and each reports a few seconds after the other
            at = minute // 5 - n
            depth = shape[at] * (1 - n / 20) if 0 <= at < len(shape) else 0.0
            rows.append((n + 1, n, 1, NOW_US + minute * MIN + n * 7_000_000, depth))
        for row in rows:
            yield row[3], machine.step(np.array([row], READING))
        yield NOW_US + minute * MIN + MIN, machine.tick(NOW_US + minute * MIN + MIN)


def test_a_storm_over_eight_gauges_is_one_first_message_and_a_handful_of_updates(open_desk):
    desk = open_desk(STAFF, Channel("office", "json://office/", language="en"))
    events, rises, first = 0, 0, None
    for now, found in storm_events():
        desk.now = max(desk.now, now)
        part = desk.journal.load("engine")
        desk.journal.commit("engine", part.fence, part.cursor, events=[to_row(each) for each in found])
        desk.work()
        told = [each for each in found if each.audience]
        events += sum(each.kind != "crossing" for each in found)
        rises += sum(each.kind in {"raise", "escalate"} for each in told)
        if told and first is None:
            first = now
    titles, times = desk.titles(), desk.senders["wache"].times
    assert rises > 3 * GAUGES
    assert times[0] == first
    assert sum("Keine Meldung mehr" in title for title in titles) == 1
    assert sum(title.startswith("Werte fallen") for title in titles) == 1
    # in the hour in which everything rises: the first, a message for each severity, and one each five minutes
    assert len([time for time in times if time < first + 60 * MIN]) <= 14
    assert len(titles) <= events / 5
    for text in desk.senders["wache"].texts + desk.senders["office"].texts:
        assert len(text.title) <= TITLE_LIMIT
        assert len(text.body) <= BODY_LIMIT
        assert "\n" not in text.title
    print(f"{events} events, {rises} rises, {len(titles)} messages: {titles}")  # noqa: T201 - the figure
    receipts = desk.receipts()
    sent = {event for event, (status, _) in receipts.items() if status == "sent"}
    assert len(sent) == len(titles)
    # what was gathered says into which message
    gathered = [detail for status, detail in receipts.values() if status == "superseded"]
    assert gathered
    assert all(detail.removeprefix("told in ") in sent for detail in gathered)
