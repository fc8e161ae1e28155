"""The kernels as one machine: readings in, events out; no I/O and no clock."""

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import NamedTuple

import numpy as np

from alerts.areal_rain import GaugeRain, gauge_rain
from alerts.catchments import Catchments
from alerts.event import BY_PERSON, Event
from alerts.incidents.decision import Decision
from alerts.incidents.incidents import Incidents
from alerts.kernels import basin, expected, level, quality, rain, rain_seen
from alerts.kernels.checks import Checks, make_checks
from alerts.kernels.curve import windows
from alerts.kernels.curve_row import MARK_US, Tally
from alerts.kernels.expected import Beside
from alerts.kernels.neighbour_test import Neighbours
from alerts.kernels.plan import Plan, make_plan
from alerts.kernels.rain_seen import RainSeen
from alerts.kernels.rise_plan import RisePlan, make_rise_plan
from alerts.kernels.rows import Batch, Bools, Ints, Slots, Table
from alerts.kostra.kostra import Kostra
from alerts.lifecycle import Episode, Finding
from alerts.outlook import LevelOutlook, outlooks
from alerts.rules import Rules
from alerts.watch import outages, watchdog
from alerts.watch.outages import Hearing, Outages
from alerts.watch.regions import Regions
from alerts.watch.watchdog import WatchPlan
from alerts.witnesses.plan import WitnessPlan, make_witness_plan
from alerts.witnesses.witnesses import Witnesses
from devices.catalogue import DeviceType
from devices.measurement import Quality
from devices.registry import Registry
from ingest.reading import Readings, Series

BEGINNING_US = -(1 << 62)
"""Older than every reading: with it as `since_us` nothing is history."""
MADE_UP = -1
"""`seq` of a reading that stands for a missing row of a history: it is summed, but nobody reported it."""


class Plans(NamedTuple):
    """What the kernels go by, made from rules, registry and the list of series."""

    plan: Plan
    checks: Checks
    regions: Regions
    ahead: RisePlan
    witnesses: WitnessPlan


class Kernels:
    """Rain and levels with their state.

    The events depend on the readings and their order alone, not on how they were split into batches.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what the kernels are made from
        self,
        rules: Rules,
        registry: Registry,
        catalogue: Mapping[str, DeviceType] | None = None,
        series: Sequence[Series] = (),
        state: Mapping[str, bytes] | None = None,
        kostra: Kostra | None = None,
        catchments: Catchments | None = None,
    ) -> None:
        self.tally = Tally()
        self._rules = rules
        self._catalogue = catalogue or {}
        self._kostra = kostra or Kostra()
        self._catchments = catchments or Catchments()
        self._rain = Table("rain", rain.ROW)
        self._level = Table("level", level.ROW)
        self._expected = Table("expected", expected.ROW)
        self._basin = Table("basin", basin.ROW)
        self._rain_seen = Table("rain_seen", rain_seen.ROW)
        self._quality = Table("quality", quality.ROW)
        self._neighbours = Neighbours()
        self._watch = Table("watchdog", watchdog.ROW)
        pages: MutableMapping[str, bytes] = dict(state or {})
        self._witnesses = Witnesses(pages)
        self._tables = (
            self._rain,
            self._level,
            self._expected,
            self._basin,
            self._rain_seen,
            self._quality,
            self._watch,
            self._witnesses.sightings.table,
            *self._neighbours.tables,
        )
        self.outages = Outages(pages.pop(outages.PAGE, None))
        for table in self._tables:
            table.restore(pages)
        self._incidents = Incidents(self._catchments, rules)
        self._incidents.restore(pages)
        self.arrange(registry, series)

    def arrange(self, registry: Registry, series: Sequence[Series]) -> None:
        """Follow a new registry or more series; the state stays."""
        self.adopt(self.plans(registry, series))

    def plans(self, registry: Registry, series: Sequence[Series]) -> Plans:
        """What adopt() takes: half a second for 40,000 series, in which nothing of this is touched."""
        plan = make_plan(self._rules, registry, series, self._catalogue, self._kostra)
        return Plans(
            plan,
            make_checks(self._rules, registry, series, self._catalogue),
            Regions(self._catchments, registry),
            make_rise_plan(self._rules, registry, series, self._catchments, plan),
            make_witness_plan(self._rules, registry, self._catchments, series, plan),
        )

    def adopt(self, plans: Plans) -> None:
        """Follow plans from now on; the state stays."""
        plan, self._checks, self._regions, self._ahead, witnesses = plans
        self._plan = plan
        self._official = witnesses.official
        self._rain.claim(self._plan.rain_keys)
        self._level.claim(self._plan.level_keys)
        self._expected.claim(self._ahead.keys)
        self._basin.claim(self._ahead.keys)
        self._rain_seen.claim(self._plan.rain_keys)
        self._quality.claim(self._checks.quality_keys)
        self._neighbours.arrange(self._checks.neighbours, self._checks.neighbour_keys)
        self._watch.claim(self._checks.watch_keys)
        self._watch_region = self._regions.numbers(self._checks.watch.stations)
        self._rain_region = self._regions.numbers(each[0].station for each in self._plan.rain.subjects)
        self._witnesses.arrange(witnesses, self._rain.rows)
        self._slots = np.stack([plan.rain.slot_of, plan.level.slot_of])

    @property
    def watch_plan(self) -> WatchPlan:
        """What the silence of devices is judged by."""
        return self._checks.watch

    @property
    def series(self) -> int:
        """How many series the plan knows; readings of others must wait for arrange()."""
        return self._plan.series

    def step(self, readings: Readings, since_us: int = BEGINNING_US) -> list[Event]:
        """Take readings in their order; return what they mean, in the order of the readings.

        Readings that quality control does not leave at 1 or 2, or that are no number, change nothing else;
        those whose time cannot be one change nothing at all.
        Readings before `since_us` make history: their events have no audience.
        """
        plan = self._plan
        dated = (readings["time_us"] >= quality.FIRST_US) & (readings["time_us"] <= quality.LAST_US)
        if not dated.all():
            self.tally.undated += len(readings) - int(dated.sum())
            readings = readings[dated]
        found: list[tuple[int, Event]] = self._hear(readings, since_us)
        flags, unverified = self._flags(readings, since_us)
        found += unverified
        found.sort(key=_position)
        # neither is NaN
        good: Bools = (np.abs(readings["value"]) < quality.LARGEST) & (
            (flags == _GOOD) | (flags == _UNJUDGED)
        )
        real: Bools = readings["seq"] != MADE_UP
        doubted, odd = self._neighbours.doubts(readings, good & real, since_us)
        found = sorted([*found, *odd], key=_position)
        resting = self._resting(readings, flags) | (doubted & self._neighbours.counters(readings))
        good = (good & ~doubted) | resting
        kept = good.nonzero()[0]
        if len(kept) < len(readings):
            readings, resting = readings[kept], resting[kept]
            found = [(int(kept.searchsorted(i)), event) for i, event in found]
        watchdog.see(self._watch.rows, self._checks.watch, readings[~resting])
        of_rain, of_level = self._slots[:, readings["series"]]
        ahead = self._ahead
        seen = RainSeen(self._rain_seen.rows, ahead.rain)
        sightings = self._witnesses.sightings
        sightings.begin()
        for batch, place in batch_of(readings, of_rain):
            self._rain.touch(batch.slot)
            wet, seen = rain_seen.step(self._rain_seen.rows, ahead.rain, batch, place)
            self._rain_seen.touch(wet)
            notice = sightings.of_rain(self._rain.rows, place, readings["seq"] == MADE_UP)
            rests = resting[place]
            events = rain.step(self._rain.rows, plan.rain, batch, since_us, self.tally, rests, notice)
            found += [(int(place[i]), event) for i, event in events]
        of_marks: list[tuple[int, Event]] = []
        for batch, place in batch_of(readings, of_level):
            self._level.touch(batch.slot)
            events = level.step(self._level.rows, plan.level, batch, since_us)
            sightings.of_level(batch, place, [i for i, event in events if event.kind == "crossing"])
            of_marks = [(int(place[i]), event) for i, event in events]
        for batch, place in batch_of(readings, self._official[readings["series"]]):
            sightings.of_official(batch, place)
        found += of_marks + self._look_ahead(readings, of_marks, seen, since_us)
        # stable: of one reading the checks' events come before a kernel's
        found.sort(key=_position)
        decided = self._witnesses.step(readings["time_us"], found, since_us)
        judged = self._rules.scale.stamp([event for _, event in decided])
        return self._incidents.take(judged, since_us)

    def _look_ahead(
        self, readings: Readings, of_marks: list[tuple[int, Event]], seen: RainSeen, since_us: int
    ) -> list[tuple[int, Event]]:
        """Marks and overflows that are to come, from all level readings and what the marks made of them."""
        found: list[tuple[int, Event]] = []
        plan = self._ahead
        for batch, place in batch_of(readings, plan.expected.slot_of[readings["series"]]):
            heard = [(int(place.searchsorted(i)), event) for i, event in of_marks]
            beside = Beside(self._basin.rows, plan.basin, seen, place)
            warned, events = expected.step(
                self._expected.rows, plan.expected, beside, batch, sorted(heard, key=_position), since_us
            )
            self._expected.touch(batch.slot)
            self._expected.touch(warned)
            self._basin.touch(batch.slot[plan.basin.here[batch.slot]])
            found += [(int(place[i]), event) for i, event in events]
        return found

    def tick(
        self,
        now_us: int,
        listening_us: int = BEGINNING_US,
        since_us: int = BEGINNING_US,
        hearing: Hearing | None = None,
    ) -> list[Event]:
        """What the silence of devices means at a time, with readings heard since `listening_us`.

        With `hearing`, which then says since when each could be heard, also that of gateways and catchments.
        """
        rows, plan, times = self._watch.rows, self._checks.watch, (now_us, since_us)
        wet = self._regions.with_neighbours(self._wet(now_us))
        alarmed = self._alarmed()
        listening: Ints | int = listening_us
        found: list[Event] = []
        causes: Mapping[int, str] = {}
        if hearing is not None:
            listening = self.outages.listening(plan, hearing, now_us)
            found = self.outages.gateways(rows, plan, hearing, times, alarmed)
            causes = self.outages.causes(plan, hearing.reception)
        raining = wet[self._watch_region]
        changed, events = watchdog.tick(rows, plan, now_us, listening, since_us, raining, alarmed, causes)
        self._watch.touch(changed)
        found += events
        if hearing is not None:
            at_work = self._rules.in_maintenance(plan.stations, now_us)
            found += self.outages.look(
                rows, plan, self._regions, self._watch_region, wet, at_work, hearing, times
            )
        judged = self._rules.scale.stamp(found)
        return [*self._incidents.take(judged, since_us), *self._incidents.tick(now_us, since_us)]

    def decide(self, decision: Decision, since_us: int = BEGINNING_US) -> list[Event]:
        """Take a person's decision; return it as an event, and what it makes of episodes.

        Raises DecisionRefusedError.
        """
        decided = self._incidents.decide(decision)
        reason = f"{BY_PERSON}{decision.by}: {decision.reason}; the sensor is lost"
        ended = [
            episode.fall(0, Finding(decision.time_us, None, None, reason))
            for id_ in decided.ends
            if (episode := self._ended(id_)) is not None
        ]
        seen = self._witnesses.confirm(decided.confirms, decision.time_us, decision.by)
        judged = self._rules.scale.stamp([*seen, *self._witnesses.take(ended)])
        return [decided.event, *self._incidents.take(judged, since_us)]

    def _ended(self, id_: str) -> Episode | None:
        """An episode in force, to be ended; the rain that it was raised by does not raise it again."""
        plan, ahead = self._plan, self._ahead
        for table, subjects in (
            (self._level, plan.level.subjects),
            (self._expected, ahead.expected.subjects),
            (self._basin, ahead.basin.subjects),
        ):
            for s in np.flatnonzero(table.rows["episode"]["level"][: len(table)]).tolist():
                episode = Episode(table.rows[s]["episode"], subjects[s], BEGINNING_US)
                if episode.id == id_:
                    table.touch(np.array([s]))
                    return episode
        for s in np.flatnonzero(self._rain.rows["busy"][: len(self._rain)]).tolist():
            row = self._rain.rows[s]
            for m, subject in enumerate(plan.rain.subjects[s]):
                sri = m == len(rain.MEASURES)
                episode = Episode(row["sri_episode"] if sri else row["episode"][m], subject, BEGINNING_US)
                if episode.level and episode.id == id_:
                    if sri:
                        row["sri_spent"] = row["sri_met"]
                    else:
                        row["spent"][m] = row["met"][m]
                    self._rain.touch(np.array([s]))
                    return episode
        return None

    def _resting(self, readings: Readings, flags: quality.Flags) -> Bools:
        """Readings of rain counters in maintenance: the next one after it must not count what they did."""
        plan = self._checks.quality
        found: Bools = np.zeros(len(readings), np.bool_)
        if plan.service.size:
            slot, of_rain = plan.slot_of[readings["series"]], self._plan.rain.slot_of[readings["series"]]
            place = np.flatnonzero((slot >= 0) & (of_rain >= 0) & (flags == _SUSPECT))
            counter = self._plan.rain.curves.counter[of_rain[place]]
            at_work = quality.in_service(plan, slot[place], readings["time_us"][place])
            found[place] = counter & at_work & (np.abs(readings["value"][place]) < quality.LARGEST)
        return found

    def weigh(self, now_us: int, since_us: int = BEGINNING_US) -> list[Event]:
        """What the public is to hear of by a time although no reading came: see witnesses.py."""
        return self._incidents.take(self._rules.scale.stamp(self._witnesses.tick(now_us)), since_us)

    def _hear(self, readings: Readings, since_us: int) -> list[tuple[int, Event]]:
        slot = self._checks.watch.slot_of[readings["series"]]
        changed, found = watchdog.step(
            self._watch.rows, self._checks.watch, slot, readings["time_us"], since_us
        )
        self._watch.touch(changed)
        return found

    def _flags(self, readings: Readings, since_us: int) -> tuple[quality.Flags, list[tuple[int, Event]]]:
        """QARTOD flag of every reading, and what staff must hear of rejected ones."""
        flags: quality.Flags = readings["quality"].copy()
        found: list[tuple[int, Event]] = []
        plan = self._checks.quality
        for batch, place in batch_of(readings, plan.slot_of[readings["series"]]):
            given = flags[place]
            flags[place], events = quality.step(self._quality.rows, plan, batch, given, since_us)
            self._quality.touch(batch.slot[plan.remembers[batch.slot]])
            self._quality.touch(batch.slot[[i for i, _ in events]])
            found += [(int(place[i]), event) for i, event in events]
            of_rain = self._plan.rain.slot_of[readings["series"][place]] >= 0
            self.tally.implausible += int((of_rain & (flags[place] == _FAIL) & (given < _FAIL)).sum())
        return flags, found

    def _wet(self, now_us: int) -> Bools:
        """Catchments with a gauge that has had rain in its last 60 min and was heard in the last 60 min."""
        rows = self._rain.rows[: len(self._rain)]
        heard = np.flatnonzero(np.abs(now_us - rows["head"]["time"]) <= _HOUR_US)
        hour = np.array([_HOUR_US // MARK_US], np.int64)
        wet = heard[(windows(rows, heard, hour) >= _WET_UM)[:, 0]]
        count = np.bincount(self._rain_region[wet], minlength=len(self._regions.catchments))
        return count > 0

    def _alarmed(self) -> frozenset[str]:
        """Stations with a warning in force."""
        plan = self._plan
        high = np.flatnonzero(self._level.rows["episode"]["level"][: len(self._level)])
        busy = np.flatnonzero(self._rain.rows["busy"][: len(self._rain)])
        rows = self._rain.rows
        warned = rows["episode"]["level"][busy].any(axis=1) | (rows["sri_episode"]["level"][busy] > 0)
        return frozenset(
            [plan.level.subjects[s].station for s in high.tolist()]
            + [plan.rain.subjects[s][0].station for s in busy[warned].tolist()]
        )

    def step_carefully(
        self, readings: Readings, since_us: int, skipped: Callable[[Readings, Exception], None]
    ) -> list[Event]:
        """step() that survives a kernel that raises: the readings that do it are left out and named.

        Halves the batch until the reading is alone; the state before each half is kept to go back to.
        """
        kept = [table.rows.copy() for table in self._tables]
        incidents = self._incidents.snapshot()
        claims = self._witnesses.snapshot()
        try:
            return self.step(readings, since_us)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the other readings must be judged
            for table, rows in zip(self._tables, kept, strict=True):
                table.rows[:] = rows
            self._incidents.reset(incidents)
            self._witnesses.restore(claims)
            if len(readings) == 1:
                skipped(readings, fault)
                return []
        half = len(readings) // 2
        events = self.step_carefully(readings[:half], since_us, skipped)
        return events + self.step_carefully(readings[half:], since_us, skipped)

    def pages(self) -> dict[str, bytes]:
        """State that changed since durable(), as pages of a few hundred bytes to a few KB."""
        pages = {key: page for table in self._tables for key, page in table.pages()}
        rest = {**self.outages.pages(), **self._incidents.pages(), **dict(self._witnesses.pages())}
        return pages | rest

    def durable(self) -> None:
        """What pages() gave is in the journal."""
        for table in self._tables:
            table.durable()
        self.outages.durable()
        self._incidents.durable()
        self._witnesses.durable()

    def levels(self, station: str | None = None) -> tuple[LevelOutlook, ...]:
        """Every level gauge's rise and what it is heading for; of one station or of all."""
        return outlooks(self._expected.rows, self._ahead, station)

    def gauge_rain(self, now_us: int) -> tuple[GaugeRain, ...]:
        """Every rain gauge's sums over the last hours at a time."""
        return gauge_rain(self._rain.rows[: len(self._rain)], self._plan.rain, now_us)


def run(  # noqa: PLR0913, PLR0917 - what the kernels are made from
    rules: Rules,
    registry: Registry,
    series: Sequence[Series],
    batches: Iterable[Readings],
    catalogue: Mapping[str, DeviceType] | None = None,
    kostra: Kostra | None = None,
    catchments: Catchments | None = None,
) -> Iterator[Event]:
    """Events of a whole history, without a journal: what a backtest and a test need.

    The watchdog looks at the times of the newest reading so far, every 15 minutes: event time is the clock.
    """
    kernels = Kernels(rules, registry, catalogue, series, kostra=kostra, catchments=catchments)
    tick = None
    for readings in batches:
        if not len(readings):
            continue
        ticks = np.maximum.accumulate(readings["time_us"]) // _TICK_US
        tick = int(ticks[0]) if tick is None else tick
        ticks = np.maximum(ticks, tick)
        for part in np.split(readings, np.flatnonzero(np.diff(ticks)) + 1):
            now = max(int(part["time_us"].max()) // _TICK_US, tick)
            if now > tick:
                yield from kernels.tick(now * _TICK_US)
                tick = now
            yield from kernels.step(part)


_GOOD, _UNJUDGED, _FAIL = int(Quality.GOOD), int(Quality.NOT_EVALUATED), int(Quality.FAIL)
_SUSPECT = int(Quality.SUSPECT)
_HOUR_US = 3_600_000_000
_TICK_US = 900_000_000
_WET_UM = rain.UM_PER_MM // 2


def batch_of(readings: Readings, slot: Slots) -> Iterator[tuple[Batch, Slots]]:
    """A kernel's part of the readings and its positions in them, where there is any."""
    place = (slot >= 0).nonzero()[0]
    if len(place):
        yield Batch(slot[place], readings["time_us"][place], readings["value"][place]), place


def _position(found: tuple[int, Event]) -> int:
    return found[0]
