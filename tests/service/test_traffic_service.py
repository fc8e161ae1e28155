"""Traffic in a running service: the history is beside the journal, and its parts say how they are."""

import pytest
from servers import wait_for

from alerts.mobility.counted import Site
from ingest.journal import Accepted
from ingest.reading import Measured, Series
from ingest.uplink import TimeSource, Uplink
from stadtfunk.errors import ConfigError
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings

CITY = """
[city]
name = "Teststadt"
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "sqlite:///{folder}/readings.db"
[[device]]
dev_eui = "00005eef20000001"
type = "nwave-ncc405"
station = "strasse"
lat = 50.99
lon = 7.13
interval_s = 300
direction = "in"
{more}
"""
SERIES = Series("strasse", "vehicle_count", "in", "00005eef20000001")
MONDAY = 1_773_615_600_000_000  # 2026-03-16, midnight in Berlin
MIN = 60_000_000


def city(folder, more=""):
    path = folder / "city.toml"
    path.write_text(CITY.format(folder=folder, more=more))
    return load_settings(path)


def counter(minute, value):
    time_us = MONDAY + minute * MIN
    raw = Uplink("ns", SERIES.dev_eui, 1, 0, "", b"", time_us, time_us, time_us, TimeSource.SERVER)
    return Accepted(raw, (Measured(SERIES, time_us, float(value), 1),), ())


def test_what_is_counted_is_told_after_a_restart(tmp_path):
    site = Site("strasse", "vehicle_count", "in")
    for passed in (0, 1):
        service = Service(city(tmp_path))
        service.start()
        try:
            rows = [counter(60 * passed + 5 * i, 60 * passed + 5 * i) for i in range(13)]
            service.journal.append(rows)
            wait_for(lambda it=service: it.journal.cursor("mobility") == it.journal.last_seq())
            assert service.health()["mobility"].ok
            counted = f"stadtfunk_mobility_readings_total {len(rows)}.0"
            wait_for(lambda it=service, told=counted: told in it.metrics.render().decode())
            hours = service.mobility.counts(site, "PT1H", MONDAY, MONDAY + 120 * MIN, 9)
            assert [each.count for each in hours] == [60] * (passed + 1)
            assert [each.completeness for each in hours] == [1.0] * (passed + 1)
        finally:
            service.stop()
    assert (tmp_path / "mobility.db").exists()


def test_how_far_the_readers_are_behind_is_told_as_it_is_now(tmp_path):
    service = Service(city(tmp_path))
    try:
        service.journal.append([counter(5 * i, i) for i in range(13)])
        figures = service.metrics.render().decode()
        for reader in ("store", "engine", "mobility"):
            assert f"stadtfunk_{reader}_uplinks_behind 13.0" in figures
    finally:
        service.stop()


@pytest.mark.parametrize("days", ["36", "0", "1.5", "40000"])
def test_counts_that_may_still_change_cannot_be_deleted(tmp_path, days):
    with pytest.raises(ConfigError, match="keep_5min_days"):
        city(tmp_path, f"[traffic]\nkeep_5min_days = {days}\n")


def test_what_is_kept_is_configured_by_resolution(tmp_path):
    table = city(tmp_path, "[traffic]\nkeep_15min_days = 90\nkeep_hours_days = 1000\n").traffic
    assert (table.keep_5min_days, table.keep_15min_days, table.keep_hours_days) == (40, 90, 1000)
    assert (table.keep_days_days, table.keep_weeks_days) == (None, None)


@pytest.mark.parametrize("part", ["mobility", "device_events", "reception"])
@pytest.mark.parametrize("broken", ["damaged", "a folder in its place"])
def test_a_file_that_no_warning_needs_stops_nothing_but_what_stands_in_it(tmp_path, broken, part):
    file = tmp_path / f"{part}.db"
    if broken == "damaged":
        file.write_bytes(b"no database" * 1000)
    else:
        file.mkdir()
    service = Service(city(tmp_path))
    service.start()
    try:
        service.journal.append([counter(0, 1), counter(5, 7)])
        wait_for(lambda: service.engine.cursor == service.journal.last_seq())
        health = service.health()
        assert health["engine"].ok
        assert not health[part].ok
        assert f"{part}.db" in health[part].detail
        assert "move it away" in health[part].detail
        if part == "mobility":
            assert service.mobility.traffic() == ()
        else:
            wait_for(service.mobility.traffic)
        assert service.losses.losses([SERIES.dev_eui]) == {}
        assert service.device_events.latest() == {}
    finally:
        service.stop()
    if broken == "damaged":
        assert file.read_bytes() == b"no database" * 1000
