"""Traffic and parking as a part of the service."""

from contextlib import ExitStack
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from alerts.mobility.counts_db import Keep
from alerts.mobility.database import FILE, open_database
from alerts.mobility.engine import Mobility
from alerts.mobility.occupancy_db import KeepOccupancy
from ingest.sqlite_file import sqlite_path
from stadtfunk.parts import Group

if TYPE_CHECKING:
    from stadtfunk.service import Service


def mobility_of(service: "Service", opened: ExitStack) -> Mobility:
    """The reader that counts, over mobility.db beside the journal. Raises MobilityError."""
    settings = service.settings
    file = open_database(sqlite_path(settings.journal.url).with_name(FILE))
    opened.callback(file.close)
    traffic = settings.traffic
    return Mobility(
        service.journal,
        service.criteria.rules,
        lambda: service.registry.current,
        service.clock,
        file,
        zone=ZoneInfo(settings.city.timezone),
        keep=Keep(
            traffic.keep_5min_days,
            traffic.keep_15min_days,
            traffic.keep_hours_days,
            traffic.keep_days_days,
            traffic.keep_weeks_days,
        ),
        keep_occupancy=KeepOccupancy(
            settings.parking.keep_quarters_days,
            settings.parking.keep_occupancy_hours_days,
            settings.parking.keep_occupancy_days_days,
            settings.parking.keep_corrections_days,
        ),
        catalogue=service.catalogue,
    )


def mobility_group(mobility: Mobility) -> Group:
    """It as a group of the service."""
    return Group((mobility,), lambda: {"mobility": mobility.health})
