"""mobility.db under other circumstances than it was written in: an older copy of it, another time zone."""

import shutil
from contextlib import closing
from zoneinfo import ZoneInfo

import pytest
from mobility_city import MIN, T0, registry, rules_of
from structlog.testing import capture_logs

from alerts.mobility import counts_db, occupancy_db
from alerts.mobility.counted import Site
from alerts.mobility.database import FILE, open_database
from alerts.mobility.engine import Mobility
from alerts.mobility.local_time import LocalTime
from alerts.mobility.rezone import follow_zone
from ingest.journal import Accepted
from ingest.reading import Measured, Series
from ingest.uplink import TimeSource, Uplink

ROAD = Series("road", "vehicle_count", "ltr", "0000000000000003")
SPACE = Series("markt", "parking_occupied", "", "0000000000000004")
SITE = Site("road", "vehicle_count", "ltr")
FOR_EVER = 1 << 62
BERLIN = ZoneInfo("Europe/Berlin")


def put(journal, minutes):
    """A counter that rises by one a minute, and a space that is taken."""
    rows = []
    for minute in minutes:
        time_us = T0 + minute * MIN
        for series, value in ((ROAD, minute), (SPACE, 1)):
            raw = Uplink("ns", series.dev_eui, 1, 0, "", b"", time_us, time_us, time_us, TimeSource.SERVER)
            rows.append(Accepted(raw, (Measured(series, time_us, float(value), 1),), ()))
    journal.append(rows)


class Service:
    """A reader over a file beside the journal, started anew each time; what is in the journal is taken."""

    def __init__(self, journal, path):
        self._journal = journal
        self._path = path
        self.now = FOR_EVER

    def ask(self, question, zone=BERLIN):
        city = registry([ROAD, SPACE], capacity=3)
        with closing(open_database(self._path)) as file:
            it = Mobility(
                self._journal, rules_of(), lambda: city, lambda: self.now, file, zone=zone, checkpoint_s=0
            )
            while it.run_once():
                pass
            return question(it)


@pytest.fixture
def service(journal, tmp_path):
    return Service(journal, tmp_path / FILE)


def history(it):
    levels = ("PT5M", "PT15M", "PT1H", "P1D", "P1W")
    return (
        {level: it.counts(SITE, level, 0, FOR_EVER, 10_000) for level in levels},
        {level: it.occupancy("markt", level, 0, FOR_EVER, 10_000) for level in ("PT15M", "PT1H", "P1D")},
    )


def test_an_older_copy_of_the_history_is_filled_from_the_journal(journal, service, tmp_path):
    put(journal, range(0, 300, 5))
    service.ask(history)
    shutil.copy(tmp_path / FILE, tmp_path / "copy.db")
    put(journal, range(300, 600, 5))
    before = service.ask(history)
    (tmp_path / "copy.db").replace(tmp_path / FILE)
    assert service.ask(history) == before
    put(journal, range(600, 700, 5))
    assert sum(each.count for each in service.ask(history)[0]["PT1H"]) == 695


def test_a_history_that_is_written_further_than_the_journal_goes_on(journal, service):
    put(journal, range(0, 300, 5))
    service.ask(lambda it: it.run_once())
    # as after a crash between the two writes, or with an older copy of the journal
    journal.commit("mobility", journal.load("mobility").fence, 4, {})
    assert sum(each.count for each in service.ask(history)[0]["PT1H"]) == 295


@pytest.mark.parametrize("other", ["UTC", "America/New_York", "Asia/Tokyo", "Europe/Paris"])
def test_days_and_weeks_follow_the_time_zone_of_the_city(journal, service, other):
    put(journal, range(0, 9 * 24 * 60, 60))
    first = service.ask(history)
    there = service.ask(history, ZoneInfo(other))
    counts, parked = there
    for finer, coarser in (("PT1H", "P1D"), ("P1D", "P1W")):
        ends = [each.end_us for each in counts[coarser]]
        assert [each.begin_us for each in counts[coarser][1:]] == ends[:-1]
        for each in counts[coarser]:
            parts = [part for part in counts[finer] if each.begin_us <= part.begin_us < each.end_us]
            assert sum(part.count for part in parts) == each.count
    assert {(each.begin_us, each.end_us) for each in parked["P1D"]} <= {
        (each.begin_us, each.end_us) for each in counts["P1D"]
    }
    # and nothing has changed for whoever comes back
    assert service.ask(history) == first


def test_days_whose_hours_are_deleted_are_left_alone_at_every_start(journal, service, tmp_path):
    put(journal, range(0, 9 * 24 * 60, 60))
    first = service.ask(history)
    with closing(open_database(tmp_path / FILE)) as file:
        with file.write() as connection:
            for table, level in (("total", counts_db.HOURS), ("occupancy", occupancy_db.HOURS)):
                connection.execute(f"DELETE FROM {table} WHERE level = ?", (level,))
        with capture_logs() as said:
            follow_zone(file, LocalTime(ZoneInfo("Asia/Kathmandu")))
    assert said == []
    assert service.ask(history)[0]["P1D"] == first[0]["P1D"]


def days(file):
    with file.read() as connection:
        return connection.execute("SELECT site, begin_us FROM total WHERE level = 3 ORDER BY 1, 2").fetchall()


def test_what_follows_the_time_zone_already_is_not_looked_through_at_every_start(journal, service, tmp_path):
    put(journal, range(0, 9 * 24 * 60, 60))
    service.ask(history)
    with closing(open_database(tmp_path / FILE)) as file:
        kept = days(file)
        with file.write() as connection:
            # who looked would find days that are none of this zone
            connection.execute("UPDATE total SET begin_us = begin_us + 1 WHERE level = 3")
        follow_zone(file, LocalTime(BERLIN))
        assert days(file) == [(site, begin + 1) for site, begin in kept]
        follow_zone(file, LocalTime(ZoneInfo("UTC")))
        assert days(file) != kept
        follow_zone(file, LocalTime(BERLIN))
        assert days(file) == kept


def test_a_file_that_says_nothing_of_its_time_zone_is_looked_through_once(journal, service, tmp_path):
    put(journal, range(0, 9 * 24 * 60, 60))
    service.ask(history)
    with closing(open_database(tmp_path / FILE)) as file:
        berlin = days(file)
        follow_zone(file, LocalTime(ZoneInfo("UTC")))
        with file.write() as connection:
            # as it was written before there was such a note
            connection.execute("DROP TABLE zone")
        follow_zone(file, LocalTime(BERLIN))
        assert days(file) == berlin


def test_a_clock_that_was_a_day_ahead_is_said_and_counting_anew_heals_it(journal, service, tmp_path):
    def faults(it):
        return it.health

    put(journal, range(0, 60, 5))
    put(journal, range(24 * 60, 24 * 60 + 15, 5))
    assert service.ask(faults).ok
    put(journal, range(60, 120, 5))
    service.now = T0 + 115 * MIN
    health = service.ask(faults)
    assert not health.ok
    assert "1335 minutes ahead" in health.detail
    for path in tmp_path.glob(FILE + "*"):
        path.unlink()
    assert service.ask(faults).ok
    assert sum(each.count for each in service.ask(history)[0]["PT5M"]) == 115
