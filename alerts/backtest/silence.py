"""Silent sensors in a history: from the gaps between its rows, without a clock.

Only series whose missing rows mean silence have part in it: a missing interval depth counts as 0 (see
backtest.py). Staleness is that of dry weather; live it comes sooner while it rains.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from alerts.event import Event
from alerts.watch import watchdog
from alerts.watch.watchdog import LOST, STALE, WatchPlan, sensor_event
from ingest.reading import Readings

_ALWAYS = -(1 << 62)


class Silence:
    """Takes a history batch by batch, sorted by time; `filled`: series whose missing rows are put in.

    Events do not depend on how the history was split.
    """

    def __init__(self, plan: WatchPlan, filled: Sequence[bool]) -> None:
        self._plan = plan
        self._rows = np.zeros(len(plan.interval), watchdog.ROW)
        self._slot_of = np.where(np.array(filled, np.bool_), -1, plan.slot_of)
        self._slot_of[plan.interval[plan.slot_of] <= 0] = -1
        self._stale = plan.stale_us(raining=False)
        self._lost = plan.lost_us()
        self._warned: dict[str, set[str]] = {}

    def merge(self, readings: Readings, events: Iterable[Event]) -> list[Event]:
        """The events of a batch with those of the sensors that were silent up to its end, by time."""
        merged = sorted([*events, *self._silent(readings)], key=_time)
        return [self._with_warning(event) for event in merged]

    def _silent(self, readings: Readings) -> list[Event]:
        slot = self._slot_of[readings["series"]]
        mine = np.flatnonzero(slot >= 0)
        mine = mine[np.argsort(slot[mine], kind="stable")]
        slot, time = slot[mine], readings["time_us"][mine]
        heard = self._rows["heard"]
        first = np.ones(len(slot), np.bool_)
        first[1:] = slot[1:] != slot[:-1]
        before = np.where(first, heard[slot], np.roll(time, 1))
        silence = np.where(before > 0, time - before, 0)
        found: list[Event] = []
        for i in np.flatnonzero(silence > np.minimum(self._stale, self._lost)[slot]).tolist():
            s = int(slot[i])
            heard[s] = before[i]
            found += self._fallen(s, int(time[i]))
            row = self._rows[s]
            found.append(sensor_event(row, self._plan, s, "sensor_back", int(time[i]), _ALWAYS))
            row["status"] = 0
        np.maximum.at(heard, slot, time)
        end = int(readings["time_us"].max(initial=0))
        waited = np.where(heard > 0, end - heard, 0)
        limit = np.where(self._rows["status"] < STALE, self._stale, self._lost)
        open_ = (self._rows["status"] < LOST) & (waited > limit)
        for s in np.flatnonzero(open_).tolist():
            found += self._fallen(s, end)
        return found

    def _fallen(self, slot: int, until: int) -> list[Event]:
        """What a slot's silence became before a time."""
        found: list[Event] = []
        row, plan = self._rows[slot], self._plan
        stale_at, lost_at = (int(row["heard"]) + int(limit[slot]) for limit in (self._stale, self._lost))
        if row["status"] < STALE and stale_at < until:
            found.append(sensor_event(row, plan, slot, "sensor_stale", stale_at, _ALWAYS))
            row["status"] = STALE
        if row["status"] < LOST and lost_at < until:
            found.append(sensor_event(row, plan, slot, "sensor_lost", lost_at, _ALWAYS))
            row["status"] = LOST
        return found

    def _with_warning(self, event: Event) -> Event:
        """Staff hear of a sensor that is lost while a warning is in force at its station."""
        if event.kind in {"raise", "escalate", "step_down"}:
            self._warned.setdefault(event.station, set()).add(event.episode)
        elif event.kind == "clear":
            self._warned.get(event.station, set()).discard(event.episode)
        elif event.kind == "sensor_lost" and self._warned.get(event.station):
            return replace(event, audience="staff", reason=event.reason + watchdog.WARNED)
        return event


def _time(event: Event) -> int:
    return event.time_us
