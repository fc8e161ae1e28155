"""One event for one channel: to be told, in the queue, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from alerts.city.city_warning import CityWarning
from alerts.delivery.city_messages import ENDS, Telling
from alerts.delivery.grouping import Weight
from alerts.delivery.holds import Answer, Hold
from alerts.incidents.incident import Incident
from alerts.warning import Warning  # noqa: A004 - the field's word, see there

DeliveryStatus = Literal[
    "pending", "gathered", "held", "sending", "sent", "skipped", "superseded", "failed", "expired"
]
"""gathered: waits for the next update of its incident · held: for the end of quiet hours, or for nobody to
acknowledge (`detail` says which) · skipped: not for this channel · superseded: a later
step of the same episode or warning of the city, or an update of the incident that it was gathered into
(`detail` names it), has arrived there · failed: given up after attempts, or the channel is misconfigured ·
expired: too old before any attempt."""
_CITY = "city_"
_CITY_ENDS = frozenset(_CITY + each for each in ENDS)


@dataclass(frozen=True, slots=True)
class Receipt:
    """One event for one channel and what became of it. Times µs since the epoch, UTC, by the service's clock.

    `seq` is the event's number in the journal, `kind` its kind, of a warning of the city as kind_of() has it.
    `attempts` counts starts; `interrupted` those whose end nobody saw (crash, stop, no answer in time): only
    they can have made a duplicate. `detail` is the last error.
    """

    event: str
    channel: str
    seq: int
    episode: str
    kind: str
    event_us: int
    status: DeliveryStatus
    attempts: int
    interrupted: int
    detail: str
    created_us: int
    started_us: int | None
    ended_us: int | None


@dataclass(frozen=True, slots=True)
class Due:
    """An entry of a channel's queue. `weight`: for a channel that hears by incident, else None."""

    event: str
    seq: int
    episode: str
    attempts: int
    kind: str = ""
    weight: Weight | None = None

    @property
    def group(self) -> str:
        """What it is told together with: its incident, else its episode or its warning of the city."""
        return self.weight.incident if self.weight else self.episode

    @property
    def of_the_city(self) -> bool:
        """Whether it is a step of a warning of the city: only the latest of one is told."""
        return self.kind.startswith(_CITY)

    @property
    def needs_a_former(self) -> bool:
        """Whether it is told to those alone who were told of what it ends."""
        return self.kind in _CITY_ENDS


@dataclass(frozen=True, slots=True)
class New:
    """One event to tell, with the warning as it stood after it; `kind` as kind_of() has it."""

    event: str
    seq: int
    kind: str
    event_us: int
    warning: Warning | CityWarning


@dataclass(frozen=True, slots=True)
class Entry:
    """A delivery to be: who is told of what. `weight` as in Due; `deaf`: why it is not sent, else "".

    `hold`: until when it waits; what is deaf as well is looked at again then.
    """

    new: New
    channel: str
    weight: Weight | None = None
    deaf: str = ""
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What one page of events comes to. `position`: number and id of its last event; `ended`: episodes of
    which nothing is told any more, nor of those whose id begins with one and a dot; `answers`: what
    somebody has acknowledged by these events."""  # noqa: D205, D209 - one thought

    position: tuple[int, str]
    entries: Sequence[Entry]
    episodes: Sequence[Warning] = ()
    city: Sequence[CityWarning] = ()
    incidents: Sequence[Incident] = ()
    ended: Sequence[str] = field(default=())
    answers: Sequence[Answer] = ()


def kind_of(action: Telling) -> str:
    """The kind of a delivery about a warning of the city; of a notice it is its event's."""
    return _CITY + action
