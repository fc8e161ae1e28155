"""The past of the demo's city: some days of traffic and parking before the demo begins.

What is usual at a counter and how full a car park will be follow from days that were seen, and there are none
on the first day. A process of its own simulates them, lets the reader of traffic and parking go through them
over a journal that is then thrown away, and leaves in the demo's files what a reader leaves: its history in
mobility.db, its state in the journal, with the cursor before the first uplink. The uplinks themselves are in
no journal. The reader starts when the past is there; nothing else waits for it.
"""

import json
import math
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from alerts.mobility.database import FILE, open_database
from alerts.mobility.engine import PART
from devices.catalogue import Catalogue, load_catalogue
from devices.measurement import Measurement, Quality
from devices.properties import observed_properties
from devices.registry import InstalledDevice, Registry, RegistryFile
from devices.simulator.simulator import Past, Simulator
from ingest.journal import Accepted
from ingest.reading import Measured, Series
from ingest.sqlite_file import sqlite_path
from ingest.sqlite_journal import SqliteJournal, open_journal
from ingest.uplink import TimeSource, Uplink
from stadtfunk.criteria import criteria_of
from stadtfunk.demo_broker import deaf_to_ctrl_c
from stadtfunk.logs import configure
from stadtfunk.mobility import reader_of
from stadtfunk.parts import Part
from stadtfunk.roads import streets_of
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings

PARKING_DAYS, TRAFFIC_DAYS = 10, 7
"""A forecast needs a week, and then three days of forecasts to know its errors by; a counter three days of a
kind, and a week is what people ask for."""
_MOVING = frozenset({"bosch-tps110", "nwave-ncc405", "parametric-tcr", "parametric-pcr2"})
_HOUR_US = 3_600_000_000
_EVERYBODY_SPEAKS_US = 4 * _HOUR_US
_BATCH = 2000
_SCRATCH = "past"
_NICE = 5
_TAKES_S = 600.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """Of which city, by which seed, before which moment (µs since the epoch, UTC)."""

    config: str
    values: Mapping[str, str]
    seed: int
    start_us: int


class WithPast:
    """A part of the service that starts when the past is there, or cannot be made."""

    def __init__(self, part: Part, order: Order) -> None:
        self._part = part
        self._order = order
        self._lock = threading.Lock()
        self._stopped = False
        self._thread = threading.Thread(target=self._wait, name="demo-past")

    def start(self) -> None:
        """Begin with the past; returns at once."""
        command = [sys.executable, "-m", "stadtfunk.demo_past"]
        with deaf_to_ctrl_c():
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
            )
        self._thread.start()

    def stop(self) -> None:
        """End both."""
        with self._lock:
            self._stopped = True
        self._process.kill()
        self._thread.join()
        shutil.rmtree(Path(self._order.values["DEMO_FOLDER"]) / _SCRATCH, ignore_errors=True)
        self._part.stop()

    def _wait(self) -> None:
        try:
            self._process.communicate(json.dumps(asdict(self._order)), timeout=_TAKES_S)
        except (OSError, subprocess.TimeoutExpired) as fault:
            self._process.kill()
            self._process.wait()
            _log.warning("no_past", fault=str(fault))
        with self._lock:
            if self._stopped:
                return
            if self._process.returncode:
                _log.warning("no_past", code=self._process.returncode)
            self._part.start()


def give_past(service: Service, order: Order, simulator: Simulator) -> bool:
    """Let a service that was not started begin with a past; False where its journal has one of its own."""
    if service.journal.series():
        return False
    # the numbers of the series are those of the past, whatever the first uplinks are of
    last_us = order.start_us - simulator.script.history_min * 60_000_000 - _EVERYBODY_SPEAKS_US
    past = simulator.past(order.start_us, lambda device: last_us if device.type in _MOVING else None)
    known = [each.series for row in accepted(past) for each in row.readings]
    service.journal.number(list(dict.fromkeys(known)))
    service.instead(service.mobility, WithPast(service.mobility, order))
    return True


def make(order: Order) -> None:
    """Leave the past in the files of the demo's city. Raises what a reader raises."""
    settings = load_settings(Path(order.config), dict(order.values))
    catalogue = load_catalogue()
    registry = RegistryFile(
        settings.devices.file and settings.path(settings.devices.file), settings.device, catalogue=catalogue
    )
    database = sqlite_path(settings.journal.url).with_name(FILE)
    with (
        closing(open_journal(settings.journal.url)) as journal,
        closing(open_database(database)) as file,
        _scratch(Path(order.values["DEMO_FOLDER"])) as scratch,
        closing(SqliteJournal(scratch / "journal.db")) as before,
    ):
        series = journal.series()
        before.number(series)
        rows = accepted(simulated(order, catalogue, registry.current))
        while some := list(islice(rows, _BATCH)):
            before.append(some)
        if list(before.series()) != list(series)[: len(before.series())]:
            raise RuntimeError("the past has series that the demo's journal numbers otherwise")
        reader = reader_of(
            settings,
            before,
            file,
            lambda: registry.current,
            catalogue,
            criteria_of(settings, registry.current, catalogue).rules,
            streets_of(settings, registry.current, catalogue),
            lambda: order.start_us,
            checkpoint_s=0.0,
        )
        while reader.run_once():
            pass
        position = journal.load(PART)
        journal.commit(PART, position.fence, 0, before.load(PART).state)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder that whoever waits for the past can remove as well."""
    scratch = folder / _SCRATCH
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def simulated(order: Order, catalogue: Catalogue, registry: Registry) -> Iterator[Past]:
    """What counters and parking spaces sent in the days before, from a midnight on."""
    simulator = Simulator(catalogue, registry, order.seed)
    zone = ZoneInfo(simulator.script.timezone)
    return simulator.past(order.start_us, lambda device: _since(device, registry, order.start_us, zone))


def accepted(past: Iterable[Past]) -> Iterator[Accepted]:
    """The uplinks with what the reader takes of them, as the intake would have it."""
    for number, each in enumerate(past):
        readings = tuple(_measured(each))
        uplink = Uplink(
            server="past",
            dev_eui=each.device.dev_eui,
            f_port=1,
            f_cnt=number,
            session="past",
            payload=b"",
            received_us=each.time_us,
            arrived_us=each.time_us,
            time_us=each.time_us,
            time_source=TimeSource.SERVER,
            simulated=True,
        )
        yield Accepted(uplink, readings, ())


def _measured(past: Past) -> Iterator[Measured]:
    device = past.device
    given = [
        Measurement(name, value, channel=channel)
        for (name, channel), value in (
            ((key, "") if isinstance(key, str) else key, value) for key, value in past.values.items()
        )
        if name in _told()
    ]
    for each in device.derive(given):
        series = Series(device.station, each.property, each.channel, device.dev_eui)
        if each.value is None:
            yield Measured(series, past.time_us, math.nan, int(Quality.MISSING))
        else:
            yield Measured(series, past.time_us, float(each.value), int(each.quality))


@cache
def _told() -> frozenset[str]:
    """What traffic and parking are told by: of voltages and temperatures nobody asks last week's."""
    return frozenset(
        name for name, each in observed_properties().items() if each.theme in {"traffic", "parking"}
    )


def _since(device: InstalledDevice, registry: Registry, start_us: int, zone: ZoneInfo) -> int | None:
    """From when on a device has a past: a midnight of the city's."""
    if device.type not in _MOVING:
        return None
    days = TRAFFIC_DAYS if registry.stations[device.station].capacity is None else PARKING_DAYS
    today = datetime.fromtimestamp(start_us / 1e6, zone).date() - timedelta(days)
    return round(datetime(today.year, today.month, today.day, tzinfo=zone).timestamp()) * 1_000_000


if __name__ == "__main__":
    configure("warning")
    os.nice(_NICE)
    make(Order(**json.load(sys.stdin)))
