"""Car parks with their state, stepped without a journal, and their readings made short."""

from types import SimpleNamespace
from zoneinfo import ZoneInfo

import numpy as np

from alerts.kernels.plan import Place
from alerts.kernels.rows import Batch
from alerts.kostra.kostra import Kostra
from alerts.mobility import drift, parking
from alerts.mobility.car_park import PARK, SENSOR, HandCount
from alerts.mobility.car_park_now import car_parks
from alerts.mobility.parking_plan import parking_plan, parking_series
from alerts.rules import parse_rules
from devices.registry import InstalledDevice, Registry, Station
from ingest.reading import Series

MIN = 60_000_000
HOUR = 60 * MIN
DAY = 24 * HOUR
BERLIN = ZoneInfo("Europe/Berlin")
MIDNIGHT = 1_750_024_800_000_000  # 2025-06-16T00:00 in Berlin, a Monday


def space(number, station="markt"):
    """A single-space sensor."""
    return Series(station, "parking_occupied", "", f"{number:016x}")


def gates(station="loewe", pairs=1):
    """Counters of cars in and out, in turns."""
    return [
        Series(station, "vehicle_count", way, f"{0xA0 + 2 * pair + (way == 'out'):016x}")
        for pair in range(pairs)
        for way in ("in", "out")
    ]


class Town:
    """Car parks that such series come from. `devices`: columns of the device list by DevEUI."""

    def __init__(self, series, *, rule=None, interval_s=600, modulus=0.0, devices=None, **station):
        self.series = list(series)
        self._rule = {"id": "p", "kind": "parking", "stations": "*", **(rule or {})}
        self._types = {
            "sensor": SimpleNamespace(
                interval_s=interval_s,
                wraps={"vehicle_count": modulus},
                properties=("parking_occupied", "vehicle_count"),
                undirected=frozenset(),
            )
        }
        self._interval_s = interval_s
        self._devices = devices or {}
        self._station = station
        self.sensors = np.zeros(200, SENSOR)
        self.parks = np.zeros(20, PARK)
        self.newest = 0
        self.quarters = []
        self.corrections = []
        self.arrange()

    def arrange(self, more=()):
        self.series += more
        columns = {each.dev_eui: self._devices.get(each.dev_eui, {}) for each in self.series}
        devices = {
            each.dev_eui: InstalledDevice(
                each.dev_eui,
                # a counter's type has no spaces
                columns[each.dev_eui].get("type", "" if each.property != "parking_occupied" else "sensor"),
                each.station,
                interval_s=columns[each.dev_eui].get("interval_s", self._interval_s),
                reserved=columns[each.dev_eui].get("reserved", ""),
            )
            for each in self.series
            if not columns[each.dev_eui].get("gone")
        }
        if any(self._types["sensor"].wraps.values()):
            devices = {
                eui: InstalledDevice(eui, "sensor", each.station, interval_s=each.interval_s)
                for eui, each in devices.items()
            }
        stations = {
            each.station: Station(each.station, each.station, None, None, True, (), **self._station)
            for each in self.series
        }
        place = Place(
            parse_rules({"rule": [self._rule]}, "rules.toml"),
            Registry(devices, stations),
            self._types,
            self.series,
            Kostra(),
        )
        self.plan = parking_plan(place, parking_series(self.series), BERLIN)
        parking.rearrange(self.sensors, self.parks, self.plan)

    def step(self, *rows):
        """Take rows (series, time_us, value) in their order; of others than car parks only the time."""
        if not rows:
            return self
        series, time, value = (np.array(column) for column in zip(*rows, strict=True))
        newest = np.maximum(np.maximum.accumulate(time), self.newest)
        self.newest = int(newest[-1])
        slot = np.array(self.plan.slot_of)[series]
        mine = slot >= 0
        found = parking.step(
            self.sensors,
            self.parks,
            self.plan,
            Batch(slot[mine], time[mine], value[mine].astype(float)),
            newest[mine],
            self.newest,
        )
        self.quarters += found.quarters
        self.corrections += found.corrections
        return self

    def count(self, time_us, occupied, station="loewe", number=1, by="Erika Muster"):
        park = list(self.plan.stations).index(station)
        found = drift.count(self.parks[park], HandCount(number, station, time_us, occupied, by))
        self.corrections.append(found)
        return found

    def now(self, now_us=0):
        return car_parks(self.sensors, self.parks, self.plan, now_us or self.newest)

    def only(self, now_us=0):
        (found,) = self.now(now_us)
        return found
