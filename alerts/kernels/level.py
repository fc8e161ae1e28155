"""Water levels: up to four marks per gauge, raised at once, cleared with hysteresis and hold.

The stage is the number of marks reached (level >= mark; reaching one warns). A stage is left, one at a time,
when the level has stayed below its mark minus max(`hysteresis_cm`, `hysteresis_percent` of the mark) for
`hold`, by event time. Marks are cm above the gauge zero: never a percentage of a height above sea level.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alerts.event import Event
from alerts.kernels.rows import Batch, Floats, Rows, Slots, rounds
from alerts.lifecycle import EPISODE, Episode, Finding, Subject

MARKS = 4

ROW = np.dtype(
    [
        ("time", "<i8"),
        ("value", "<f8"),
        ("below_since", "<i8"),
        ("stage", "u1"),
        ("episode", EPISODE.descr),
    ]
)
"""Newest reading, since when it has been below the mark to leave (0: it is not), marks reached, episode."""


@dataclass(frozen=True, slots=True)
class LevelRule:
    """Hysteresis in cm and in percent of the mark, hold in µs."""

    hysteresis_cm: float
    hysteresis_percent: float
    hold: int


@dataclass(frozen=True, slots=True)
class LevelPlan:
    """Slots are water-level series. `marks` (slot, MARKS) ascending cm, NaN where there is none."""

    slot_of: Slots
    marks: Floats
    rules: Sequence[LevelRule]
    subjects: Sequence[Subject]


def step(rows: Rows, plan: LevelPlan, batch: Batch, since_us: int) -> list[tuple[int, Event]]:
    """Take readings (cm) in their order; changes `rows` in place.

    Returns events with the position of the reading that caused them. A late reading says nothing about the
    stage now; a late one above the mark within a hold starts the hold anew.
    """
    slot, time, value = batch
    found: list[tuple[int, Event]] = []
    for part in rounds(slot):
        at = slot[part]
        level = value[part]
        quiet = (time[part] > rows["time"][at]) & (rows["stage"][at] == 0)
        quiet &= (rows["episode"]["level"][at] == 0) & ~(level >= plan.marks[at, 0])
        calm = at[quiet]
        rows["time"][calm] = time[part][quiet]
        rows["value"][calm] = level[quiet]
        for i in np.flatnonzero(~quiet).tolist():
            s, place = int(at[i]), int(part[i])
            events = _judge(rows[s], plan, s, int(time[place]), float(value[place]), since_us)
            found += [(place, event) for event in events]
    return found


def _judge(  # noqa: PLR0913, PLR0917 - what one decision rests on
    row: np.void, plan: LevelPlan, slot: int, time: int, value: float, since_us: int
) -> list[Event]:
    marks = plan.marks[slot]
    rule = plan.rules[slot]
    episode = Episode(row["episode"], plan.subjects[slot], since_us)
    if time <= row["time"]:
        if (
            row["below_since"]
            and time > row["below_since"]
            and value >= _leave_at(marks, rule, episode.level)
        ):
            row["below_since"] = row["time"]
        return []
    row["time"], row["value"] = time, value
    stage = int((value >= marks).sum())
    events = [
        episode.crossing(number, _reached(time, value, number, float(marks[number - 1])))
        for number in range(int(row["stage"]) + 1, stage + 1)
    ]
    row["stage"] = stage
    if stage > episode.level:
        row["below_since"] = 0
        events.append(episode.rise(stage, _reached(time, value, stage, float(marks[stage - 1]))))
        return events
    if not episode.level:
        return events
    if value >= (leave := _leave_at(marks, rule, episode.level)):
        row["below_since"] = 0
    elif not row["below_since"]:
        row["below_since"] = time
    if row["below_since"] and time - row["below_since"] >= rule.hold:
        # the next mark's hold counts from here on
        row["below_since"] = 0
        minutes = rule.hold // 60_000_000
        reason = f"{value:g} cm, below {leave:g} cm (mark {episode.level} less hysteresis) for {minutes} min"
        events.append(episode.fall(episode.level - 1, Finding(time, None, value, reason)))
        if episode.level and value < _leave_at(marks, rule, episode.level):
            row["below_since"] = time
        return events
    told = episode.tell(Finding(time, None, value, f"{value:g} cm, still in force"))
    return [*events, told] if told else events


def _leave_at(marks: Floats, rule: LevelRule, level: int) -> float:
    """Below this level (cm) the stage can be left; without its mark (it was taken away) at once."""
    mark = float(marks[level - 1]) if level else np.nan
    if np.isnan(mark):
        return np.inf
    return mark - max(rule.hysteresis_cm, rule.hysteresis_percent / 100 * mark)


def _reached(time: int, value: float, stage: int, mark: float) -> Finding:
    return Finding(time, None, value, f"{value:g} cm >= {mark:g} cm (mark {stage})")
