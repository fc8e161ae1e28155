"""Who is on duty: people in turn, the same hour of the clock at every hand-over, and swaps."""

import itertools
import re
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

_US = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVERY = re.compile(r"(\d{1,3}) ?(h|hours?|days?|weeks?)")
_YEARS = range(1971, 2200)
_HOURS = {"h": 1, "d": 24, "w": 168}
LEAST = timedelta(hours=4)
"""A shift is no shorter: hand-overs keep their order when the clocks change."""


def _every(text: str) -> str:
    match = _EVERY.fullmatch(text)
    if match is None or length(text) < LEAST:
        raise ValueError('expected "1 week", "2 days" or "12 h", at least 4 h')
    return text


def length(text: str) -> timedelta:
    """How long a shift is, by the clock on the wall."""
    match = _EVERY.fullmatch(text)
    return timedelta(hours=int(match[1]) * _HOURS[match[2][0]]) if match else timedelta()


def to_us(time: datetime) -> int:
    """An aware time in µs since the epoch, UTC."""
    return (time - _EPOCH) // _US


def from_us(time_us: int, zone: ZoneInfo) -> datetime:
    """µs since the epoch, UTC, as a time in a zone."""
    return (_EPOCH + timedelta(microseconds=time_us)).astimezone(zone)


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Swap(_Table):
    """Somebody takes over from one moment to another."""

    begin: AwareDatetime = Field(alias="from")
    end: AwareDatetime = Field(alias="to")
    person: str = Field(min_length=1)

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.begin >= self.end:
            raise ValueError("from must be before to")
        return self


class Rota(_Table):
    """People in turn, each for one shift. `first`: when the first one's shift begins.

    Shifts keep the hour of the clock on the wall, so one over the change to summer time is an hour shorter.
    Before `first` the turn is counted backwards: at every moment exactly one person is on duty.
    """

    name: str = Field(min_length=1)
    people: tuple[str, ...] = Field(min_length=1)
    first: AwareDatetime
    every: Annotated[str, AfterValidator(_every)]
    swap: tuple[Swap, ...] = ()

    @model_validator(mode="after")
    def _one_at_a_time(self) -> Self:
        if self.first.year not in _YEARS:
            raise ValueError(f"first: the year {self.first.year} is none of ours")
        swaps = sorted(self.swap, key=lambda each: each.begin)
        for one, other in itertools.pairwise(swaps):
            if other.begin < one.end:
                text = f"swap: {one.person} until {one.end} and {other.person} from {other.begin} overlap"
                raise ValueError(text)
        return self

    @cached_property
    def _length(self) -> timedelta:
        return length(self.every)

    def on_duty(self, time_us: int, zone: ZoneInfo) -> str:
        """The person on duty at a time (µs since the epoch, UTC); `zone`: the city's."""
        for swap in self.swap:
            if to_us(swap.begin) <= time_us < to_us(swap.end):
                return swap.person
        return self.people[self._shift(time_us, zone) % len(self.people)]

    def shifts_us(self, time_us: int, zone: ZoneInfo) -> list[int]:
        """This time, and when each shift of the round and the swaps after it begin.

        The present shift comes again at the round's end: this time may be its last minutes, when an
        escalation already calls the next person.
        """
        shift = self._shift(time_us, zone)
        begins = [self.begins_us(shift + each, zone) for each in range(1, len(self.people) + 1)]
        return [time_us, *begins, *(to_us(each.begin) for each in self.swap if to_us(each.begin) > time_us)]

    def _shift(self, time_us: int, zone: ZoneInfo) -> int:
        wall = from_us(time_us, zone).replace(tzinfo=None)
        shift = (wall - self.first.astimezone(zone).replace(tzinfo=None)) // self._length
        # in the hour that comes twice the clock on the wall is not enough
        while self.begins_us(shift, zone) > time_us:
            shift -= 1
        while self.begins_us(shift + 1, zone) <= time_us:
            shift += 1
        return shift

    def begins_us(self, shift: int, zone: ZoneInfo) -> int:
        """When (µs since the epoch, UTC) the shift of this number begins, 0 the first."""
        wall = self.first.astimezone(zone).replace(tzinfo=None, fold=0) + shift * self._length
        return to_us(wall.replace(tzinfo=zone))
