"""An episode's way through raise, escalate, step down and clear; the same for rain and water levels.

Ids are functions of what happened: an episode is station, measure and the time it was raised; an event is its
episode, its number in it, its kind and level. A replay makes the same ones and the journal ignores them.

An event about readings older than the oldest that people are still told about carries no audience and
`.history` at the end of its id. When a fresh reading finds the episode still in force, the last rise is told
then, under the id it would have had: nobody is paged for last week, and nobody is left untold of what stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from alerts.event import Audience, Event, Kind

EPISODE = np.dtype(
    [
        ("began", "<i8"),
        ("changed", "<i8"),
        ("number", "<u4"),
        ("rise", "<u4"),
        ("level", "u1"),
        ("told", "?"),
    ]
)
"""`level` 0: no episode. `began`, `changed`: µs since the epoch of its raise and its last event, `number` of
that event in the episode, `rise` the number of its last raise or escalation, `told` whether that had an
audience."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What an episode is about. `place` is the station, with a number where several gauges stand there."""

    station: str
    place: str
    measure: str
    rule: str
    audience: Mapping[int, Audience]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a reading says: time (µs since the epoch), rain window, value, the reason in words, and the data
    that it rests on; `expected_min` and `cause` of what is to come (see Event)."""  # noqa: D205, D209 - one thought

    time_us: int
    window_min: int | None
    value: float | None
    reason: str
    reference: str = ""
    expected_min: tuple[float, float] | None = None
    cause: str = ""


class Episode:
    """One episode's row in the state, moved on by findings."""

    def __init__(self, row: Any, subject: Subject, since_us: int) -> None:
        self._row = row
        self._subject = subject
        self._since_us = since_us

    @property
    def level(self) -> int:
        """Level in force, 0 none."""
        return int(self._row["level"])

    @property
    def id(self) -> str:
        """Its id: station, measure and the time it was raised."""
        return self._id()

    @property
    def changed_us(self) -> int:
        """Time of the last event."""
        return int(self._row["changed"])

    @property
    def rose_last(self) -> bool:
        """Whether the last event was a raise or an escalation."""
        return bool(self._row["number"] == self._row["rise"])

    def crossing(self, level: int, finding: Finding) -> Event:
        """A raw criterion newly met, whatever the episode makes of it."""
        subject = self._subject
        begun = int(self._row["began"]) if self.level else finding.time_us
        parts = [subject.place, subject.measure, stamp(finding.time_us), "crossing", str(level)]
        if finding.window_min is not None:
            parts.append(str(finding.window_min))
        return self._event(".".join(parts), "crossing", level, finding, self._id(begun))

    def rise(self, level: int, finding: Finding) -> Event:
        """Raise or escalate at once."""
        row = self._row
        kind: Kind = "escalate" if row["level"] else "raise"
        if kind == "raise":
            row["began"], row["number"] = finding.time_us, 0
        self._move(level, finding)
        row["rise"] = row["number"]
        row["told"] = finding.time_us >= self._since_us
        return self._rise_event(kind, finding, told=bool(row["told"]))

    def fall(self, level: int, finding: Finding) -> Event:
        """Step down to a level, or clear with 0."""
        self._move(level, finding)
        kind: Kind = "step_down" if level else "clear"
        return self._event(self._event_id(kind, level), kind, level, finding, self._id())

    def tell(self, finding: Finding) -> Event | None:
        """The last rise once more, when it was history and the level still stands in a fresh reading."""
        row = self._row
        if row["told"] or not row["level"] or finding.time_us < self._since_us:
            return None
        row["told"] = True
        kind: Kind = "raise" if row["rise"] == 1 else "escalate"
        return self._rise_event(kind, finding, told=True)

    def _move(self, level: int, finding: Finding) -> None:
        self._row["number"] += 1
        self._row["level"] = level
        self._row["changed"] = finding.time_us

    def _rise_event(self, kind: Kind, finding: Finding, *, told: bool) -> Event:
        level = self.level
        id_ = self._event_id(kind, level, number=int(self._row["rise"])) + ("" if told else ".history")
        audience = self._subject.audience.get(level) if told else None
        return self._event(id_, kind, level, finding, self._id(), audience)

    def _event_id(self, kind: Kind, level: int, number: int | None = None) -> str:
        number = int(self._row["number"]) if number is None else number
        return f"{self._id()}.{number}.{kind}.{level}"

    def _id(self, began_us: int | None = None) -> str:
        began = int(self._row["began"]) if began_us is None else began_us
        return f"{self._subject.place}.{self._subject.measure}.{stamp(began)}"

    def _event(  # noqa: PLR0913, PLR0917 - an event has that many parts
        self,
        id_: str,
        kind: Kind,
        level: int,
        finding: Finding,
        episode: str,
        audience: Audience | None = None,
    ) -> Event:
        return Event(
            id=id_,
            episode=episode,
            time_us=finding.time_us,
            station=self._subject.station,
            kind=kind,
            measure=self._subject.measure,
            level=level,
            window_min=finding.window_min,
            value=finding.value,
            rule=self._subject.rule,
            reason=finding.reason,
            audience=audience,
            reference=finding.reference,
            expected_min=finding.expected_min,
            cause=finding.cause,
        )


def stamp(time_us: int) -> str:
    """A time as ids carry it: 20260714T181000Z."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")


def stamped(text: str) -> int | None:
    """The time (µs) of a stamp, None for what is no stamp."""
    try:
        moment = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * 1_000_000
