"""What the intake has seen, for the metrics and the operators."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of some messages; the five add up to their number."""

    accepted: int = 0
    refused: int = 0
    duplicates: int = 0
    ignored: int = 0
    events: int = 0


@dataclass(slots=True)
class IntakeStats:
    """Totals since the start. `time_sources`: how often which clock was believed (`arrival`: none could be).

    `completed`: uplinks whose gateways a duplicate told later. `events`: of devices, by kind; `events_lost`:
    those that could not be recorded. `qos0` and `last_message_us` are by network server, `lost` should stay 0
    for ever.
    """

    messages: int = 0
    bytes: int = 0
    batches: int = 0
    accepted: int = 0
    readings: int = 0
    duplicates: int = 0
    completed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    events_lost: int = 0
    time_sources: Counter[str] = field(default_factory=Counter)
    qos0: Counter[str] = field(default_factory=Counter)
    last_message_us: dict[str, int] = field(default_factory=dict)
    journal_failures: int = 0
    lost: int = 0
