"""The demo's stopwatch: from the water reaching a mark to staff being told, and how long before they knew.

The simulator knows the true level and when it passed a mark; the engine's events say when staff were told.
"""

import statistics
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from alerts.event import Event
from alerts.kernels import expected
from alerts.kernels.plan import LEVEL
from devices.simulator.truth import PhysicalCrossing

_LATEST_US = 3 * 3_600_000_000
_EARLY_US = 600_000_000


@dataclass(frozen=True, slots=True)
class Told:
    """An event for people: simulated time (µs) and real time (s) at which it was committed."""

    event: Event
    clock_us: int
    wall_s: float


@dataclass(frozen=True, slots=True)
class Reaction:
    """Physical crossings and how many of them staff were told of; seconds from the crossing to that.

    `simulated`: by the city's clock, `wall`: by the real one, None where nothing was told. `expected_before`:
    crossings that an expected mark had announced, `lead_min`: median minutes by which it came before.
    """

    crossings: int
    alerted: int
    simulated: tuple[float, float] | None
    wall: tuple[float, float] | None
    expected_before: int
    lead_min: float | None

    def line(self) -> str:
        """In one sentence."""
        if self.simulated is None or self.wall is None:
            return f"{self.crossings} marks reached by the simulated water, none of them told to staff"
        median, most = (each / 60 for each in self.simulated)
        before = "" if self.lead_min is None else f", by {self.lead_min:.0f} min in the median"
        return (
            f"{self.crossings} marks reached by the simulated water, {self.alerted} told to staff: "
            f"median {median:.1f} min, at most {most:.1f} min after the crossing ({self.wall[0]:.1f} and "
            f"{self.wall[1]:.1f} s on the wall clock); {self.expected_before} expected before{before}"
        )


class Stopwatch:
    """Hears of events and of how the simulated clock runs; thread-safe."""

    def __init__(self, clock: Callable[[], int], monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._told: list[Told] = []
        self._ticks: list[tuple[int, float]] = []

    def tick(self) -> None:
        """Note how late it is on both clocks; call it often."""
        with self._lock:
            self._ticks.append((self._clock(), self._monotonic_s()))

    def hear(self, events: Sequence[Event]) -> None:
        """Events that were committed just now."""
        now = (self._clock(), self._monotonic_s())
        with self._lock:
            self._ticks.append(now)
            self._told += [Told(event, *now) for event in events if event.audience is not None]

    def reaction(self, crossings: Sequence[PhysicalCrossing]) -> Reaction:
        """What became of these crossings."""
        with self._lock:
            told, ticks = list(self._told), sorted(self._ticks)
        simulated, wall, leads = [], [], []
        for crossing in crossings:
            alert = _first(told, LEVEL, crossing, crossing.time_us - _EARLY_US)
            if alert is not None:
                # noise lets a sensor see the mark a little before the water is there
                simulated.append(max(0.0, (alert.clock_us - crossing.time_us) / 1e6))
                wall.append(max(0.0, alert.wall_s - _wall_at(ticks, crossing.time_us)))
            ahead = _first(told, expected.MEASURE, crossing, crossing.time_us - _LATEST_US)
            if ahead is not None and ahead.clock_us < crossing.time_us:
                leads.append((crossing.time_us - ahead.clock_us) / 60e6)
        return Reaction(
            crossings=len(crossings),
            alerted=len(simulated),
            simulated=_middle_and_most(simulated),
            wall=_middle_and_most(wall),
            expected_before=len(leads),
            lead_min=round(statistics.median(leads), 1) if leads else None,
        )


def _first(told: Sequence[Told], measure: str, crossing: PhysicalCrossing, since_us: int) -> Told | None:
    """The first rise to the crossing's mark that staff were told of."""
    return next(
        (
            each
            for each in told
            if each.event.station == crossing.station
            and each.event.measure == measure
            and each.event.kind in {"raise", "escalate"}
            and each.event.level >= crossing.mark
            and since_us <= each.event.time_us <= crossing.time_us + _LATEST_US
        ),
        None,
    )


def _wall_at(ticks: Sequence[tuple[int, float]], time_us: int) -> float:
    """Real time at a simulated one, linear between two ticks."""
    after = min(max(bisect_left(ticks, (time_us, 0.0)), 1), len(ticks) - 1)
    (clock_a, wall_a), (clock_b, wall_b) = ticks[after - 1], ticks[after]
    share = (time_us - clock_a) / (clock_b - clock_a) if clock_b > clock_a else 0.0
    return wall_a + min(max(share, 0.0), 1.0) * (wall_b - wall_a)


def _middle_and_most(seconds: Sequence[float]) -> tuple[float, float] | None:
    return (round(statistics.median(seconds), 1), round(max(seconds), 1)) if seconds else None
