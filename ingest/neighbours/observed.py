"""What a source gives: observations, what it says of its stations, and what could not be used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from devices.measurement import Quality, Rejected
from ingest.neighbours.fetch import Away, Fetcher

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
LOOK_BACK_US = 24 * HOUR_US
"""How far back values are taken: half of what the intake remembers, so that a value is never taken twice."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One value of a source's station, in the unit of its observed property; `foreign` is the source's id.

    `note` says why the quality is not good, or what a state rests on.
    """

    foreign: str
    time_us: int
    property: str
    value: float
    quality: Quality = Quality.GOOD
    note: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """What a source says of a station. `stages_cm` ascend, at most four, cm above the gauge zero (m NHN)."""

    foreign: str
    name: str
    lat: float | None = None
    lon: float | None = None
    water: str = ""
    gauge_zero_m: float | None = None
    stages_cm: tuple[float, ...] = ()
    interval_s: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What one poll brought. `away`: what could not be had; the rest is used all the same."""

    observed: tuple[Observed, ...] = ()
    places: tuple[Place, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    away: Away | None = None


class Source(Protocol):
    """A source of observations. A radar product is one more: `precipitation` at virtual stations.

    `name` is the kind in the configuration; `every_s` seconds between polls, never less than it refreshes.
    """

    name: str
    every_s: float

    def poll(self, fetch: Fetcher, now_us: int, newest: Mapping[str, int]) -> Found:
        """Ask once. `newest`: time of the newest value taken so far, by foreign id."""


def ascending(*marks: float | None) -> tuple[float, ...]:
    """The marks in their order, up to the first that is not above the one before it."""
    rising: list[float] = []
    for mark in marks:
        if mark is None:
            continue
        if rising and mark <= rising[-1]:
            break
        rising.append(mark)
    return tuple(rising)
