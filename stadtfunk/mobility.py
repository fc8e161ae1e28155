"""Traffic and parking as a part of the service."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from alerts.errors import MobilityError
from alerts.mobility.counts_db import Keep
from alerts.mobility.database import FILE, open_database
from alerts.mobility.engine import Mobility
from alerts.mobility.occupancy_db import KeepOccupancy
from alerts.mobility.roads import Streets
from alerts.rules import Rules
from devices.catalogue import DeviceType
from devices.registry import Registry
from ingest.health import Health
from ingest.journal import Journal
from ingest.sqlite_file import SqliteFile, sqlite_path
from stadtfunk.parts import Group
from stadtfunk.roads import streets_of
from stadtfunk.settings import Settings
from stadtfunk.spare_file import open_or_spare

if TYPE_CHECKING:
    from stadtfunk.service import Service


def mobility_of(service: "Service", opened: ExitStack) -> tuple[Mobility, Group]:
    """The reader that counts, over mobility.db beside the journal, and its group. Raises ConfigError.

    Where that file cannot be used nothing is counted, and `/readyz` says so: the flood warnings need it not.
    """
    settings = service.settings
    streets = streets_of(settings, service.registry.current, service.catalogue)
    path = sqlite_path(settings.journal.url).with_name(FILE)
    file, fault = open_or_spare(path, open_database, MobilityError, opened)
    opened.callback(file.close)
    mobility = reader_of(
        settings,
        service.journal,
        file,
        lambda: service.registry.current,
        service.catalogue,
        service.criteria.rules,
        streets,
        service.clock,
    )
    if fault:
        told = Health(ok=False, detail=f"traffic and parking are not counted: {fault}")
        return mobility, Group((), lambda: {"mobility": told})
    return mobility, Group((mobility,), lambda: {"mobility": mobility.health})


def reader_of(  # noqa: PLR0913, PLR0917 - what the reader is made from
    settings: Settings,
    journal: Journal,
    file: SqliteFile,
    registry: Callable[[], Registry],
    catalogue: Mapping[str, DeviceType],
    rules: Rules,
    streets: Streets,
    clock: Callable[[], int],
    *,
    checkpoint_s: float = 1.0,
) -> Mobility:
    """The reader as the configuration has it, over a journal and a file."""
    traffic = settings.traffic
    return Mobility(
        journal,
        rules,
        registry,
        clock,
        file,
        zone=ZoneInfo(settings.city.timezone),
        keep=Keep(
            traffic.keep_5min_days,
            traffic.keep_15min_days,
            traffic.keep_hours_days,
            traffic.keep_days_days,
            traffic.keep_weeks_days,
        ),
        streets=streets,
        keep_occupancy=KeepOccupancy(
            settings.parking.keep_quarters_days,
            settings.parking.keep_occupancy_hours_days,
            settings.parking.keep_occupancy_days_days,
            settings.parking.keep_corrections_days,
        ),
        catalogue=catalogue,
        checkpoint_s=checkpoint_s,
    )
