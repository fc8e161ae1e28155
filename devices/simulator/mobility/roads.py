"""Everyone who passes: when, how fast, and where it jams."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from devices.simulator.mobility.days import CELL_US, WORKDAY, Days, Floats, Ints
from devices.simulator.mobility.demand import Weather, draw, generator, rate
from devices.simulator.mobility.town import CLOSED, DIVERSION, Street

MINUTE_US = 60_000_000
_HOUR_US = 60 * MINUTE_US
_JAMS_A_DAY = 0.5
_AT_RUSH_HOUR = 0.8
_SHORTEST_WITH_CLOSURE = 14


@dataclass(frozen=True, slots=True)
class Jam:
    """A congestion that really was, in one direction. Times µs since the epoch, UTC."""

    station: str
    channel: str
    begin_us: int
    end_us: int
    speed_kmh: float


@dataclass(frozen=True, slots=True)
class Closure:
    """A street that nobody but its residents could use."""

    station: str
    begin_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Passings:
    """Everyone in one direction: moments (µs since the epoch, ascending), km/h (0 where nobody measures)."""

    times: Ints
    speeds: Floats


@dataclass(frozen=True, slots=True)
class Traffic:
    """What happened on the streets and paths; `passings` by station and channel of the lane."""

    passings: Mapping[tuple[str, str], Passings]
    jams: tuple[Jam, ...]
    closures: tuple[Closure, ...]


def drive(streets: tuple[Street, ...], calendar: Days, sky: Weather, seed: int) -> Traffic:
    """Let everyone pass, in all the days of the calendar."""
    jams = _jams(streets, calendar, generator(seed, "jams"))
    closures = _closures(calendar, generator(seed, "closures"))
    passings = {}
    for street in streets:
        for lane in street.lanes:
            rng = generator(seed, street.station, lane.channel)
            here = [jam for jam in jams if (jam.station, jam.channel) == (street.station, lane.channel)]
            flow = rate(calendar, sky, lane.shape, lane.daily, rng) * _closed(calendar, street, closures)
            load = flow / max(float(flow.max()), 1e-9)
            for jam in here:
                flow = flow * _jammed(calendar.cells, jam)
            times = draw(calendar, flow, rng)
            speeds = _speeds(street, times, load[(times - calendar.midnights[0]) // CELL_US], here, rng)
            passings[street.station, lane.channel] = Passings(times, speeds)
    return Traffic(passings, jams, closures)


def _jams(streets: tuple[Street, ...], calendar: Days, rng: np.random.Generator) -> tuple[Jam, ...]:
    roads = [street for street in streets if street.property == "vehicle_count"]
    found: list[Jam] = []
    if not roads:
        return ()
    for day, kind in enumerate(calendar.kind.tolist()):
        for _ in range(rng.poisson(_JAMS_A_DAY * (1.0 if kind == WORKDAY else 0.4))):
            street = roads[rng.integers(len(roads))]
            lane = street.lanes[rng.integers(2)]
            rush = 7.5 if lane.shape == "inbound" else 16.4
            rushing = kind == WORKDAY and rng.random() < _AT_RUSH_HOUR
            hour = rng.normal(rush, 0.4) if rushing else rng.uniform(10, 18)
            begin = int(calendar.midnights[day + 1]) - round((24 - hour) * _HOUR_US)
            end = begin + round(rng.uniform(25, 95) * MINUTE_US)
            found.append(Jam(street.station, lane.channel, begin, end, round(rng.uniform(6, 15), 1)))
    return tuple(sorted(found, key=lambda jam: jam.begin_us))


def _closures(calendar: Days, rng: np.random.Generator) -> tuple[Closure, ...]:
    count = len(calendar.dates)
    if count < _SHORTEST_WITH_CLOSURE:
        return ()
    first = int(rng.integers(count // 2, count - 6))
    begin, end = calendar.midnights[first] + 6 * _HOUR_US, calendar.midnights[first + 4] - 5 * _HOUR_US
    return (Closure(CLOSED, int(begin), int(end)),)


def _closed(calendar: Days, street: Street, closures: tuple[Closure, ...]) -> Floats:
    factor = np.ones(len(calendar.day))
    for each in closures:
        while_closed = (calendar.cells >= each.begin_us) & (calendar.cells < each.end_us)
        factor[while_closed] = 0.02 if street.station == each.station else DIVERSION.get(street.station, 1.0)
    return factor


def _jammed(cells: Ints, jam: Jam) -> Floats:
    """Fewer get through, and those who waited come after."""
    factor = np.ones(len(cells))
    factor[(cells >= jam.begin_us) & (cells < jam.end_us)] = 0.58
    factor[(cells >= jam.end_us) & (cells < jam.end_us + 30 * MINUTE_US)] = 1.2
    return factor


def _speeds(street: Street, times: Ints, load: Floats, jams: list[Jam], rng: np.random.Generator) -> Floats:
    if not street.free_kmh:
        return np.zeros(0)
    speeds = street.free_kmh * (1 - 0.11 * load) * rng.normal(1, 0.12, len(times))
    for jam in jams:
        at = slice(*np.searchsorted(times, [jam.begin_us, jam.end_us]))
        speeds[at] = rng.normal(jam.speed_kmh, 2.5, at.stop - at.start)
    found: Floats = np.clip(speeds, 2, 119)
    return found
