"""Polling into the journal: nothing twice, nothing lost, and an outage is one fault of one source."""

import json

import pytest
from official_servers import (
    CELL,
    NRW_NO,
    UUID,
    Page,
    cap,
    caps,
    nrw_station,
    nrw_values,
    pegel_history,
    pegel_station,
    pegel_stations,
)
from servers import wait_for

from devices.registry import RegistryFile
from ingest.hand_over import HandOver
from ingest.neighbours import dwd_cap, hochwasserportal_nrw, pegelonline
from ingest.neighbours.poller import Neighbours
from ingest.neighbours.sources import Neighbour
from ingest.neighbours.uplinks import neighbour_types, parse, server
from ingest.pipeline import Intake

MIN = 60_000_000
NOW = 1_784_053_800_000_000  # 2026-07-14T18:30:00Z
HISTORY = f"/stations/{UUID}/W/measurements.json"
ZIP, INDEX, CAP = "/downloads/messwerte.zip", "/internet/layers/10/index.json", "/cap.zip"
OWN = {"dev_eui": "70b3d57ed0000001", "type": "x", "station": "eigen", "lat": 51.0, "lon": 7.0}


class City:
    """A journal with its intake, and the neighbours that feed it; the clock is moved by hand."""

    def __init__(self, folder, url, journal):
        self.now_us = NOW
        self.journal = journal
        self.registry = RegistryFile(None, [OWN])
        self.hand_over = HandOver()
        self.neighbours = Neighbours(
            [
                Neighbour(pegelonline.KIND, {"rhein": UUID}, True, url=url, every_s=0.001),
                Neighbour(hochwasserportal_nrw.KIND, {"strunde": NRW_NO}, url=url, every_s=0.001),
                Neighbour(dwd_cap.KIND, {"dwd": "dwd"}, True, [CELL], f"{url}{CAP}", 0.001),
            ],
            self.hand_over,
            self.registry.join,
            lambda: self.now_us,
            folder / "neighbours.json",
        )
        kinds = (pegelonline.KIND, hochwasserportal_nrw.KIND, dwd_cap.KIND)
        parsers = {server(kind): parse for kind in kinds}
        self.intake = Intake(
            journal, self.registry, neighbour_types(), parsers, lambda: self.now_us, hand_over=self.hand_over
        )

    def poll(self):
        """Ask everybody once and take what they gave; the new readings."""
        before = self.journal.last_seq()
        self.neighbours.ask_all()
        for delivery in self.hand_over.take(10_000, 0.0):
            self.intake.take(delivery.messages)
        _, readings = self.journal.read(before, 10_000)
        series = self.journal.series()
        return sorted(
            (
                series[row["series"]].station,
                (int(row["time_us"]) - NOW) // MIN,
                float(row["value"]),
                int(row["quality"]),
            )
            for row in readings
        )


@pytest.fixture
def city(tmp_path, official, journal):
    return City(tmp_path, official.url, journal)


@pytest.fixture
def served(official):
    official.pages = {
        "/stations.json": Page(pegel_stations(pegel_station(NOW, 306.0))),
        HISTORY: Page(pegel_history(*((NOW - n * 15 * MIN, 300.0 - n) for n in range(1, 4)))),
        ZIP: Page(
            nrw_values(
                (NRW_NO, NOW - 5 * MIN, "42.60"), (NRW_NO, NOW, "44.10"), (NRW_NO, NOW - 2000 * MIN, "1")
            )
        ),
        INDEX: Page(json.dumps([nrw_station()]).encode()),
        CAP: Page(caps(cap(1, NOW - 60 * MIN, NOW + 20 * MIN))),
    }
    return official


FIRST = [
    ("dwd", 0, 3.0, 1),
    ("rhein", -45, 297.0, 1),
    ("rhein", -30, 298.0, 1),
    ("rhein", -15, 299.0, 1),
    ("rhein", 0, 306.0, 1),
    ("strunde", -5, 42.6, 1),
    ("strunde", 0, 44.1, 1),
]


def test_what_they_give_becomes_readings_of_known_stations(city, served):
    assert city.poll() == FIRST
    rhein = city.registry.current.stations["rhein"]
    assert (rhein.name, rhein.public, rhein.stages_cm, rhein.gauge_zero_m) == (
        "Köln",
        True,
        (620.0, 830.0),
        34.98,
    )
    strunde = city.registry.current.stations["strunde"]
    assert (strunde.public, strunde.lon, strunde.stages_cm) == (False, 7.1301, (80.0, 110.0, 140.0))
    assert "eigen" in city.registry.current.stations
    assert not any(each.watched for each in city.registry.current.devices.values() if each.station != "eigen")
    raw = {uplink.payload for _, uplink, _ in city.journal.latest_uplinks(20)}
    assert {json.loads(each)["id"] for each in raw} == {UUID, NRW_NO, "dwd"}


def test_asking_again_adds_nothing(city, served):
    city.poll()
    assert city.poll() == []
    assert served.not_modified == {"/stations.json": 1, ZIP: 1, CAP: 1}
    assert served.asked[HISTORY] == 1
    assert served.asked[INDEX] == 1


def test_a_restart_adds_nothing_but_the_state_at_its_time(tmp_path, city, served, journal):
    city.poll()
    again = City(tmp_path, served.url, journal)
    again.now_us += MIN
    assert again.poll() == [("dwd", 1, 3.0, 1)]
    assert again.intake.stats.duplicates == len(FIRST) - 1


def test_a_later_value_and_a_corrected_one(city, served):
    city.poll()
    city.now_us += 15 * MIN
    served.pages["/stations.json"] = Page(pegel_stations(pegel_station(NOW + 15 * MIN, 311.0, state="high")))
    served.pages[ZIP] = Page(
        nrw_values(
            (NRW_NO, NOW - 5 * MIN, "42.60"), (NRW_NO, NOW, "45.00"), (NRW_NO, NOW + 15 * MIN, "50.00")
        )
    )
    assert city.poll() == [
        ("dwd", 15, 3.0, 1),
        ("rhein", 15, 311.0, 1),
        ("strunde", 0, 45.0, 1),
        ("strunde", 15, 50.0, 1),
    ]
    assert served.asked[HISTORY] == 1
    assert city.intake.stats.duplicates == 0  # what is known is not even handed over


def test_after_an_outage_the_values_between_are_fetched(city, served):
    city.poll()
    kept, served.pages = served.pages, {}
    city.now_us += 90 * MIN
    assert city.poll() == []
    assert [health.ok for health in city.neighbours.health.values()] == [False] * 3
    served.pages = {
        **kept,
        "/stations.json": Page(pegel_stations(pegel_station(NOW + 90 * MIN, 330.0))),
        HISTORY: Page(pegel_history(*((NOW + n * 30 * MIN, 306.0 + n) for n in range(4)))),
    }
    assert [row for row in city.poll() if row[0] == "rhein"] == [
        ("rhein", 30, 307.0, 1),
        ("rhein", 60, 308.0, 1),
        ("rhein", 90, 330.0, 1),
    ]
    assert "start=2026-07-14T18%3A30%3A00%2B00%3A00" in next(
        each for each in served.targets[::-1] if "start" in each
    )


def test_a_history_that_cannot_be_had_is_asked_for_again(city, served):
    history = served.pages.pop(HISTORY)
    assert [row for row in city.poll() if row[0] == "rhein"] == [("rhein", 0, 306.0, 1)]
    served.pages[HISTORY] = history
    city.now_us += 15 * MIN
    served.pages["/stations.json"] = Page(pegel_stations(pegel_station(NOW + 15 * MIN, 311.0)))
    assert [row[1] for row in city.poll() if row[0] == "rhein"] == [-45, -30, -15, 15]


def test_the_official_level_for_rain_ends_with_the_warning(city, served):
    assert ("dwd", 0, 3.0, 1) in city.poll()
    seen = []
    for minute in range(1, 41):
        city.now_us = NOW + minute * MIN
        seen += [row for row in city.poll() if row[0] == "dwd"]
    assert seen == [("dwd", 10, 3.0, 1), ("dwd", 20, 0.0, 1), ("dwd", 30, 0.0, 1), ("dwd", 40, 0.0, 1)]


def test_a_warning_taken_back_is_over_at_once(city, served):
    city.poll()
    served.pages[CAP] = Page(caps())
    city.now_us += MIN
    assert city.poll() == [("dwd", 1, 0.0, 1)]


def test_when_the_weather_service_is_silent_nothing_is_known(city, served):
    city.poll()
    served.pages[CAP] = Page(b"<html>maintenance</html>")
    said = []
    for minute in range(5, 60, 5):
        city.now_us = NOW + minute * MIN
        said += [row for row in city.poll() if row[0] == "dwd"]
    assert said == [("dwd", 10, 3.0, 1), ("dwd", 20, 0.0, 1), ("dwd", 30, 0.0, 1)]
    assert city.neighbours.official().as_of_us == NOW
    assert "bad_zip" in city.neighbours.health["neighbour dwd-cap"].detail


@pytest.mark.parametrize(
    "page", [Page(b"garbage"), Page(b"", 500), Page(b"[]"), Page(b"{}"), Page(b"[1,null]")]
)
def test_one_source_s_fault_is_its_own(city, served, page):
    served.pages["/stations.json"] = page
    assert city.poll() == [row for row in FIRST if row[0] != "rhein"]
    assert city.neighbours.health["neighbour hochwasserportal-nrw"].ok
    assert city.neighbours.stats["pegelonline"].values == 0
    served.pages["/stations.json"] = Page(pegel_stations(pegel_station(NOW, 306.0)))
    assert [row for row in city.poll() if row[0] == "rhein"] == [row for row in FIRST if row[0] == "rhein"]
    assert city.neighbours.health["neighbour pegelonline"].ok


def test_an_ambiguous_number_gives_no_values(city, served):
    served.pages[INDEX] = Page(json.dumps([nrw_station(), nrw_station(station_id="7")]).encode())
    assert [row for row in city.poll() if row[0] == "strunde"] == []
    assert "ambiguous" in city.neighbours.health["neighbour hochwasserportal-nrw"].detail


def test_without_the_list_of_stations_there_are_values(city, served):
    del served.pages[INDEX]
    assert len([row for row in city.poll() if row[0] == "strunde"]) == 2
    assert city.registry.current.stations["strunde"].name == "strunde"


def test_names_and_marks_outlive_a_restart_without_the_source(tmp_path, city, served, journal):
    city.poll()
    served.pages = {}
    again = City(tmp_path, served.url, journal)
    assert again.registry.current.stations["rhein"].stages_cm == (620.0, 830.0)
    (tmp_path / "neighbours.json").write_bytes(b"\x00damaged")
    assert City(tmp_path, served.url, journal).registry.current.stations["rhein"].name == "rhein"


def test_a_gauge_that_stopped_is_named(city, served):
    city.poll()
    city.now_us += 200 * MIN
    city.poll()
    health = city.neighbours.health["neighbour pegelonline"]
    assert health.ok
    assert "rhein: newest value of 2026-07-14 18:30 UTC" in health.detail


def test_the_city_s_own_station_wins(city, served):
    city.poll()
    assert city.registry.current.stations["eigen"].lat == 51.0
    city.registry.join(
        city.registry.current.__class__({}, {"eigen": city.registry.current.stations["rhein"]})
    )
    assert city.registry.current.stations["eigen"].lat == 51.0


def test_the_thread_asks_by_itself_less_often_while_nobody_answers_and_stops(city, served):
    served.pages.pop(CAP)
    city.neighbours.start()
    wait_for(lambda: served.asked["/stations.json"] > 2 and served.asked[CAP] > 1)
    city.neighbours.stop()
    wait_for(lambda: city.neighbours.stats["dwd-cap"].failures == served.asked[CAP])
    assert served.asked[CAP] <= served.asked["/stations.json"]
