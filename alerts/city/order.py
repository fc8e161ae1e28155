"""What a named person orders about a warning of the city."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from alerts.errors import AlertsError
from alerts.event import CityText, Severity

OrderAction = Literal["propose", "release", "update", "decline", "all_clear", "cancel"]
ORDERS: tuple[OrderAction, ...] = get_args(OrderAction)
Refusal = Literal["unknown", "not_now", "faulty"]


@dataclass(frozen=True, slots=True)
class Order:
    """An order. `by`: the person's name; `time_us`: when, µs since the epoch, UTC.

    `warning`: its id; "" raises a new one by hand (propose or release), of `incident` where there is one.
    None keeps what stands: severity, areas (ids; empty for the whole city), texts by language, `valid_min`
    (minutes from `time_us`). `exercise`: of a new one, never to be taken for real. `seen`: how many of its
    steps the person has read; a release, a change or a refusal of what has changed since is refused.
    """

    action: OrderAction
    by: str
    reason: str
    time_us: int
    warning: str = ""
    incident: str = ""
    severity: Severity | None = None
    areas: tuple[str, ...] | None = None
    texts: Mapping[str, CityText] | None = None
    valid_min: float | None = None
    exercise: bool = False
    seen: int | None = None


class OrderRefusedError(AlertsError):
    """An order that cannot be carried out: `why` for programs, the text for people.

    unknown: there is no such warning or incident · not_now: not from where it stands, such as a release of
    what was declined · faulty: name, reason, texts, areas or duration cannot be used.
    """

    def __init__(self, why: Refusal, text: str) -> None:
        super().__init__(text)
        self.why = why
