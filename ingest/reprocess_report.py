"""What decoding history again has changed, or would change."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Example:
    """One reading before and after; quality 0: there was or is none. Time in µs since the epoch, UTC."""

    time_us: int
    before: float | None
    before_quality: int
    after: float | None
    after_quality: int


@dataclass(slots=True)
class Changes:
    """Of one device and property: how many readings, and the first few of them."""

    changed: int = 0
    removed: int = 0
    added: int = 0
    examples: list[Example] = field(default_factory=list)

    def note(self, time_us: int, before: tuple[float, int] | None, after: tuple[float, int] | None) -> None:
        """Take one reading that differs; each side (value, quality), or None where there is none."""
        if before is None:
            self.added += 1
        elif after is None:
            self.removed += 1
        else:
            self.changed += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(Example(time_us, *_shown(before), *_shown(after)))


@dataclass(slots=True)
class Report:
    """Sums over everything so far.

    `uplinks` were decoded; `changed`, `removed`, `added` are readings; `rejected` uplinks lost their readings
    because they decode no longer; `accepted` were refused and decode now; `kept` stay as they are because
    their device or its type is in no list now, or its decoder broke; `waiting` were refused, decode now, and
    are so young that the service has to judge them; of `noted` the codec says something else beside the
    readings (warnings, unmapped fields, where the time is from), or why they decode no longer. `devices`:
    DevEUI -> property -> what changed;
    `reasons`: DevEUI -> why uplinks decode no longer -> how many.
    """

    uplinks: int = 0
    changed: int = 0
    removed: int = 0
    added: int = 0
    rejected: int = 0
    accepted: int = 0
    kept: int = 0
    waiting: int = 0
    noted: int = 0
    devices: dict[str, dict[str, Changes]] = field(default_factory=dict)
    reasons: dict[str, dict[str, int]] = field(default_factory=dict)

    def note(
        self,
        dev_eui: str,
        what: str,
        time_us: int,
        before: tuple[float, int] | None,
        after: tuple[float, int] | None,
    ) -> None:
        """Take one reading that differs."""
        if before is None:
            self.added += 1
        elif after is None:
            self.removed += 1
        else:
            self.changed += 1
        self.devices.setdefault(dev_eui, {}).setdefault(what, Changes()).note(time_us, before, after)

    def note_rejected(self, dev_eui: str, reason: str) -> None:
        """Take one uplink that decodes no longer."""
        self.rejected += 1
        reasons = self.reasons.setdefault(dev_eui, {})
        reasons[reason] = reasons.get(reason, 0) + 1

    def lines(self) -> Iterator[tuple[str, str, Changes]]:
        """DevEUI, property and what changed, in order."""
        for dev_eui, properties in sorted(self.devices.items()):
            for what, changes in sorted(properties.items()):
                yield dev_eui, what, changes


def _shown(reading: tuple[float, int] | None) -> tuple[float | None, int]:
    if reading is None:
        return None, 0
    value, quality = reading
    return (value if math.isfinite(value) else None), quality
