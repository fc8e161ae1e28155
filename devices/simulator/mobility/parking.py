"""Everyone who parks: which space, from when to when."""

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from devices.device_list import Reserved
from devices.simulator.mobility.days import Days, Floats, Ints
from devices.simulator.mobility.demand import Weather, draw, generator, rate
from devices.simulator.mobility.town import Guests, Lot

_HOUR_US = 3_600_000_000
_MARKET_H = (5.5, 14.5)
_SHOPPING_H = (7.0, 14.0)
_SHIFTED = 1.4
_OPENS_H = 5.0
_WANT_RESERVED: tuple[tuple[Reserved, float], ...] = (("disabled", 0.05), ("charging", 0.05))


@dataclass(frozen=True, slots=True)
class Stays:
    """Everyone who parked in one car park: space from 0, begin and end in µs since the epoch, by begin.

    `turned_away`: who came when it was full and went on.
    """

    lot: Lot
    space: Ints
    begin: Ints
    end: Ints
    turned_away: int

    @property
    def capacity(self) -> int:
        """Spaces that everybody may take."""
        return self.lot.open_to_all

    def occupied(self, times: npt.ArrayLike) -> Ints:
        """Taken spaces at some moments, without the reserved ones."""
        reserved = [space for spaces in self.lot.reserved.values() for space in spaces]
        return self._taken(~np.isin(self.space, reserved), times)

    def reserved(self, kind: Reserved, times: npt.ArrayLike) -> Ints:
        """Taken spaces among those reserved."""
        return self._taken(np.isin(self.space, self.lot.reserved[kind]), times)

    def _taken(self, mine: npt.NDArray[np.bool_], times: npt.ArrayLike) -> Ints:
        at = np.asarray(times, np.int64)
        came = np.searchsorted(self.begin[mine], at, side="right")
        gone = np.searchsorted(np.sort(self.end[mine]), at, side="right")
        found: Ints = came - gone
        return found


def park(lot: Lot, calendar: Days, sky: Weather, seed: int) -> Stays:
    """Let everyone park, in all the days of the calendar; it is empty at their begin."""
    rng = generator(seed, lot.station)
    arrivals: list[Ints] = []
    stays: list[Ints] = []
    for number, guests in enumerate(lot.guests):
        come = draw(
            calendar, _wanted(lot, guests, calendar, sky, generator(seed, lot.station, str(number))), rng
        )
        arrivals.append(come)
        minutes = np.exp(rng.normal(np.log(guests.stay_min), guests.spread, len(come)))
        stays.append((60e6 * np.maximum(minutes, 1.5)).astype(np.int64))
    order = np.argsort(np.concatenate(arrivals), kind="stable")
    begin = np.concatenate(arrivals)[order]
    end = begin + np.concatenate(stays)[order]
    return _fill(lot, begin, _sent_away(lot, calendar, begin, end), rng)


def _wanted(lot: Lot, guests: Guests, calendar: Days, sky: Weather, rng: np.random.Generator) -> Floats:
    wanted = rate(calendar, sky, guests.shape, guests.daily, rng)
    market = calendar.market[calendar.day]
    hour = calendar.hour
    if lot.market:
        wanted[market & (hour >= _MARKET_H[0]) & (hour < _MARKET_H[1])] = 0
    elif guests.shape == "shops":
        wanted[market & (hour >= _SHOPPING_H[0]) & (hour < _SHOPPING_H[1])] *= _SHIFTED
    if lot.closes_h is not None:
        wanted[(hour >= lot.closes_h - 0.5) | (hour < _OPENS_H)] = 0
    return wanted


def _sent_away(lot: Lot, calendar: Days, come: Ints, end: Ints) -> Ints:
    """Nobody stays into the market or past the closing hour."""
    day = np.searchsorted(calendar.midnights, come, side="right") - 1
    if lot.market:
        # a workday's night lies between midnight and the market: no hour is missing or doubled in it
        setting_up = calendar.midnights[:-1][calendar.market] + round(_MARKET_H[0] * _HOUR_US)
        following = np.searchsorted(setting_up, come)
        last = np.append(setting_up, np.iinfo(np.int64).max)[following]
        end = np.minimum(end, np.maximum(last, come + 1))
    if lot.closes_h is not None:
        closing = calendar.midnights[day + 1] - round((24 - lot.closes_h) * _HOUR_US)
        end = np.minimum(end, np.maximum(closing, come + 1))
    return end


def _fill(lot: Lot, come: Ints, end: Ints, rng: np.random.Generator) -> Stays:
    wish, luck = rng.random(len(come)), rng.random(len(come))
    free: dict[str, list[int]] = {"": [each for each in range(lot.capacity) if not lot.reserved_for(each)]}
    kinds = [lot.reserved_for(space) for space in range(lot.capacity)]
    free |= {kind: list(spaces) for kind, spaces in lot.reserved.items()}
    leaving: list[tuple[int, int]] = []
    taken: list[tuple[int, int, int]] = []
    turned_away = 0
    for begin, until, wanted, chance in zip(*map(np.ndarray.tolist, (come, end, wish, luck)), strict=True):
        while leaving and leaving[0][0] <= begin:
            _, space = heapq.heappop(leaving)
            free[kinds[space]].append(space)
        places = _open(free, wanted)
        if not places:
            turned_away += 1
            continue
        at = int(chance * len(places))
        places[at], places[-1] = places[-1], places[at]
        space = places.pop()
        heapq.heappush(leaving, (until, space))
        taken.append((space, begin, until))
    columns = np.array(taken, np.int64).reshape(-1, 3).T
    return Stays(lot, columns[0], columns[1], columns[2], turned_away)


def _open(free: dict[str, list[int]], wish: float) -> list[int]:
    for kind, share in _WANT_RESERVED:
        if wish < share and free.get(kind):
            return free[kind]
        wish -= share
    return free[""]
