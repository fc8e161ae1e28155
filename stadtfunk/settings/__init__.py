"""A city's configuration, table by table, one module a theme; `settings_file` reads it."""

from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from stadtfunk.settings.alerts import AlertsTable, CapTable, DisplaysTable, LeitstelleTable
from stadtfunk.settings.liveness import HeartbeatTable, StandbyTable
from stadtfunk.settings.measuring import (
    DevicesTable,
    JournalTable,
    NeighbourTable,
    NetworkServer,
    StoreTable,
)
from stadtfunk.settings.mobility import TrafficTable
from stadtfunk.settings.parking import ParkingTable
from stadtfunk.settings.publishing import PropertyTable, ThemeTable
from stadtfunk.settings.residents import SubscriptionsTable, WebPushTable
from stadtfunk.settings.serving import ApiTable, DcatTable, OpenData, StaTable
from stadtfunk.settings.table import Table

__all__ = [
    "ApiTable",
    "City",
    "HeartbeatTable",
    "NetworkServer",
    "Settings",
    "StandbyTable",
    "SubscriptionsTable",
]

_ARS_DIGITS = 12


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        message = f"no time zone {name!r}; use a name such as Europe/Berlin"
        raise ValueError(message) from error
    return name


def _ars(value: str) -> str:
    if not (value.isdigit() and len(value) == _ARS_DIGITS):
        message = "an ARS (Regionalschlüssel) has 12 digits, for example 053780004004"
        raise ValueError(message)
    return value


class City(Table):
    """Who we are. `ars`: the twelve-digit Regionalschlüssel of the city."""

    name: str = Field(min_length=1)
    ars: Annotated[str, AfterValidator(_ars)] | None = None
    timezone: Annotated[str, AfterValidator(_timezone)] = "Europe/Berlin"


class Settings(Table):
    """The whole file. `source` is where it was read."""

    source: Path
    city: City
    network_server: tuple[NetworkServer, ...] = ()
    neighbour: tuple[NeighbourTable, ...] = ()
    journal: JournalTable = JournalTable()
    store: StoreTable = StoreTable()
    devices: DevicesTable = DevicesTable()
    device: tuple[dict[str, Any], ...] = ()
    property: dict[str, PropertyTable] = Field(default_factory=dict)
    theme: dict[str, ThemeTable] = Field(default_factory=dict)
    parking: ParkingTable = ParkingTable()
    alerts: AlertsTable = AlertsTable()
    cap: CapTable = CapTable()
    leitstelle: LeitstelleTable = LeitstelleTable()
    displays: DisplaysTable | None = None
    heartbeat: tuple[HeartbeatTable, ...] = ()
    standby: StandbyTable | None = None
    traffic: TrafficTable = TrafficTable()
    sta: StaTable = StaTable()
    api: ApiTable = ApiTable()
    open_data: OpenData = OpenData()
    dcat: DcatTable = DcatTable()
    subscriptions: SubscriptionsTable | None = None
    web_push: WebPushTable | None = None

    def path(self, path: Path) -> Path:
        """A path from the file, relative to the file's folder."""
        return self.source.parent / path
