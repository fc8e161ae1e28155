"""Causes behind silent devices, and what silence means for a catchment.

A gateway that dies takes with it every device that it alone hears: one cause, named once. It is lost when at
least MANY of these devices have each missed an uplink and together they have missed MISSED since the gateway
last forwarded anything, whosever it was. A device that a second gateway hears says nothing about the first.

A catchment is blind when fewer gauges live in it than its `min_live`: a gauge lives while its last good value
is younger than its limit for being lost; while it rains there or near, than that for being stale.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
import structlog

from alerts.event import Event, Kind
from alerts.kernels.rows import Bools, Ints, Rows
from alerts.lifecycle import stamp
from alerts.watch.regions import Regions
from alerts.watch.watchdog import WatchPlan
from ingest.gateways import GatewayKey, Reception

PAGE = "outages/state"
GATEWAY, CATCHMENT = "gateway", "catchment"
RULE = "watchdog"
MANY, MISSED = 3, 6
FORGET_US = 30 * 24 * 3_600_000_000
GRACE_US = 3_600_000_000
"""After a start no catchment is blind for so long: first its gauges must have had the time to report."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Hearing:
    """What could be heard. `since_us`: per network server, µs since when its uplinks reach us; `away`: those
    whose do not; `started_us`: since when anybody listens."""  # noqa: D205, D209 - one thought

    started_us: int
    since_us: Mapping[str, int] = field(default_factory=dict)
    away: Collection[str] = ()
    reception: Reception = field(default_factory=Reception)

    def of_server(self, server: str | None, now_us: int) -> int:
        """Since when a server's uplinks would have been heard; of one unknown: since when everybody's."""
        if server is not None and server in self.since_us:
            return self.since_us[server]
        if self.away:
            return now_us
        return max(self.since_us.values(), default=self.started_us)


@dataclass(frozen=True, slots=True)
class Sight:
    """What a catchment's gauges let us see: how many live, how many must, since when too few, and which
    there are. `rest`: it takes the stations of no other."""  # noqa: D205, D209 - one thought

    id: str
    name: str
    live: int
    min_live: int
    blind_since_us: int | None
    stations: tuple[str, ...]
    rest: bool


class _LostGateway(msgspec.Struct):
    server: str
    gateway: str
    heard_us: int
    stations: int
    devices: list[str]

    @property
    def key(self) -> GatewayKey:
        return self.server, self.gateway

    @property
    def episode(self) -> str:
        return f"{self.server}.{self.gateway}.{GATEWAY}.{stamp(self.heard_us)}"


class _Blind(msgspec.Struct):
    id: str
    since_us: int

    @property
    def episode(self) -> str:
        return f"{self.id}.{CATCHMENT}.{stamp(self.since_us)}"


class _State(msgspec.Struct):
    gateways: list[_LostGateway] = []
    blind: list[_Blind] = []


class Outages:
    """Lost gateways and blind catchments; `page` is the state as pages() gave it."""

    def __init__(self, page: bytes | None = None) -> None:
        self._state = _State()
        self._changed = False
        self.sights: tuple[Sight, ...] = ()
        if page is not None:
            try:
                self._state = msgspec.json.decode(page, type=_State)
            except msgspec.DecodeError as fault:
                _log.error("state_page_damaged", page=PAGE, fault=repr(fault))

    @property
    def lost_gateways(self) -> int:
        """How many gateways are lost now."""
        return len(self._state.gateways)

    def pages(self) -> dict[str, bytes]:
        """State that changed since durable()."""
        return {PAGE: msgspec.json.encode(self._state)} if self._changed else {}

    def durable(self) -> None:
        """What pages() gave is in the journal."""
        self._changed = False

    def listening(self, plan: WatchPlan, hearing: Hearing, now_us: int) -> Ints:
        """Per slot: since when its readings would have been heard; now when its server is away."""
        since = {server: hearing.of_server(server, now_us) for server in (*hearing.since_us, *hearing.away)}
        unknown = hearing.of_server(None, now_us)
        ways = hearing.reception.devices
        return np.array(
            [
                unknown if (way := ways.get(eui)) is None else since.get(way.server, unknown)
                for eui in plan.devices
            ],
            np.int64,
        )

    def gateways(
        self,
        rows: Rows,
        plan: WatchPlan,
        hearing: Hearing,
        times: tuple[int, int],
        alarmed: Collection[str],
    ) -> list[Event]:
        """Gateways that are lost at a time or heard again; `times`: now, and since when events are fresh."""
        now_us, since_us = times
        events = self._back(hearing.reception, now_us, since_us)
        keys, gateway = _alone(plan, hearing.reception)
        if not keys:
            return events
        known = {each.key for each in self._state.gateways}
        quiet_since = np.array(
            [
                max(hearing.reception.gateways.get(key, now_us), hearing.of_server(key[0], now_us))
                for key in keys
            ],
            np.int64,
        )
        count = len(plan.interval)
        slots = np.flatnonzero((gateway >= 0) & (plan.interval > 0) & (rows["heard"][:count] > 0))
        own = gateway[slots]
        missed = np.maximum(now_us - quiet_since[own], 0) // plan.interval[slots]
        many = np.bincount(own[missed > 0], minlength=len(keys))
        total = np.bincount(own, weights=missed, minlength=len(keys))
        for number in np.flatnonzero((many >= MANY) & (total >= MISSED)).tolist():
            if keys[number] in known:
                continue
            mine = slots[own == number].tolist()
            server, name = keys[number]
            lost = _LostGateway(
                server,
                name,
                hearing.reception.gateways[keys[number]],
                len({plan.stations[s] for s in mine}),
                sorted({plan.devices[s] for s in mine}),
            )
            self._state.gateways.append(lost)
            self._changed = True
            stand = sorted({plan.stations[s] for s in mine} & set(alarmed))
            reason = (
                f"forwards nothing since {stamp(lost.heard_us)}: {lost.stations} stations have no other, "
                f"{int(many[number])} of their devices are overdue"
            )
            if stand:
                reason += f"; warnings are in force and stand at {', '.join(stand)}"
            events.append(_event(lost, "gateway_lost", now_us, reason, fresh=True))
        return events

    def causes(self, plan: WatchPlan, reception: Reception) -> dict[int, str]:
        """Slots whose device is silent because its gateway is, and the words for it."""
        gone = {eui: each for each in self._state.gateways for eui in each.devices}
        if not gone:
            return {}
        found: dict[int, str] = {}
        for slot, eui in enumerate(plan.devices):
            lost, way = gone.get(eui), reception.devices.get(eui)
            if lost is not None and (way is None or (way.server, way.alone) == lost.key):
                found[slot] = (
                    f"only gateway {lost.gateway} hears it, and that is silent since {stamp(lost.heard_us)}"
                )
        return found

    def look(  # noqa: PLR0913, PLR0917 - what a sight rests on
        self,
        rows: Rows,
        plan: WatchPlan,
        regions: Regions,
        region: Ints,
        wet: Bools,
        maintained: Bools,
        hearing: Hearing,
        times: tuple[int, int],
    ) -> list[Event]:
        """Catchments that are blind at a time or see again; `region`: each slot's catchment, `wet`: where it
        rains or near, `maintained`: slots at which somebody works."""  # noqa: D205, D209 - one thought
        now_us, since_us = times
        count = len(plan.interval)
        good = rows["good"][:count]
        gauge: Bools = plan.gauge & (plan.interval > 0)
        tight = plan.stale_us(raining=False)
        limit = np.where(wet[region], tight, np.maximum(plan.lost_us(), tight)) if count else tight
        until = np.where(maintained | (good == 0), 0, good + limit)
        # after a start of ours nobody has gone blind before each could have reported
        excused = np.where(until > 0, np.maximum(good, hearing.started_us) + limit, 0)
        surely = np.where(until > 0, good + tight, 0)
        sights: list[Sight] = []
        events: list[Event] = []
        blind = {each.id: each for each in self._state.blind}
        for number, catchment in enumerate(regions.catchments):
            mine = np.flatnonzero(gauge & (region == number))
            last = number == len(regions.catchments) - 1
            if last and not len(mine):
                self._forget(catchment.id)
                continue
            live = int((until[mine] >= now_us).sum())
            known = blind.get(catchment.id)
            if known is None and int((excused[mine] >= now_us).sum()) < catchment.min_live:
                ends = np.sort(excused[mine])[::-1]
                began = int(ends[catchment.min_live - 1]) if len(ends) >= catchment.min_live else 0
                if hearing.started_us + GRACE_US <= now_us:
                    known = _Blind(catchment.id, max(began, hearing.started_us + GRACE_US))
                    self._state.blind.append(known)
                    self._changed = True
                    reason = f"{live} gauges live, {catchment.min_live} must"
                    if hearing.away:
                        reason += f"; no uplinks reach us from {', '.join(sorted(hearing.away))}"
                    fresh = known.since_us >= since_us
                    events.append(_sight_event(known, "blind", known.since_us, live, reason, fresh=fresh))
            elif known is not None and int((surely[mine] >= now_us).sum()) >= catchment.min_live:
                seen = int(np.sort(good[mine][surely[mine] >= now_us])[-catchment.min_live])
                time_us = max(seen, known.since_us)
                reason = f"{live} gauges live again, was blind since {stamp(known.since_us)}"
                self._forget(catchment.id)
                fresh = time_us >= since_us
                events.append(_sight_event(known, "sighted", time_us, live, reason, fresh=fresh))
                known = None
            stations = tuple(sorted({plan.stations[s] for s in mine.tolist()}))
            since = known.since_us if known else None
            sights.append(
                Sight(catchment.id, catchment.name, live, catchment.min_live, since, stations, last)
            )
        self.sights = tuple(sights)
        return events

    def _forget(self, id_: str) -> None:
        kept = [each for each in self._state.blind if each.id != id_]
        self._changed |= len(kept) < len(self._state.blind)
        self._state.blind = kept

    def _back(self, reception: Reception, now_us: int, since_us: int) -> list[Event]:
        events: list[Event] = []
        for each in list(self._state.gateways):
            heard = reception.gateways.get(each.key, 0)
            if heard <= each.heard_us and now_us - each.heard_us < FORGET_US:
                continue
            self._state.gateways.remove(each)
            self._changed = True
            if heard > each.heard_us:
                reason = f"heard again, was silent since {stamp(each.heard_us)}"
                events.append(_event(each, "gateway_back", heard, reason, fresh=heard >= since_us))
        return events


def _alone(plan: WatchPlan, reception: Reception) -> tuple[list[GatewayKey], Ints]:
    """Gateways that alone hear some device, and the number of it for every slot, -1 for none."""
    number: dict[GatewayKey, int] = {}
    ways = reception.devices
    gateway = [
        number.setdefault((way.server, way.alone), len(number))
        if (way := ways.get(eui)) is not None and way.alone
        else -1
        for eui in plan.devices
    ]
    return list(number), np.array(gateway, np.int64)


def _event(lost: _LostGateway, kind: Kind, time_us: int, reason: str, *, fresh: bool) -> Event:
    return Event(
        id=f"{lost.episode}.{kind.removeprefix('gateway_')}",
        episode=lost.episode,
        time_us=time_us,
        station=lost.gateway,
        kind=kind,
        measure=GATEWAY,
        level=0,
        window_min=None,
        value=float(lost.stations),
        rule=RULE,
        reason=reason,
        audience="staff" if fresh else None,
        # repaired in working hours; a catchment that is blind for it is told apart, as Severe
        severity="Moderate",
    )


def _sight_event(  # noqa: PLR0913 - an event has that many parts
    blind: _Blind, kind: Kind, time_us: int, live: int, reason: str, *, fresh: bool
) -> Event:
    return Event(
        id=f"{blind.episode}.{kind}",
        episode=blind.episode,
        time_us=time_us,
        station=blind.id,
        kind=kind,
        measure=CATCHMENT,
        level=0,
        window_min=None,
        value=float(live),
        rule=RULE,
        reason=reason,
        audience="staff" if fresh else None,
    )
