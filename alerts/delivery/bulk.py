"""The seam between a mailing and the ways to thousands of residents: e-mail, SMS, web push."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from alerts.event import CityText, Severity
from alerts.scale import ReadIn
from alerts.subscriptions.audiences import Recipient
from alerts.subscriptions.subscription import Told
from alerts.texts.text import Text

Handed = Literal["sent", "refused", "later", "unknown", "lost"]
"""sent: the service took it · refused: this address never will · later: not now · unknown: it may have
arrived, to be tried again · lost: the same, not to be tried again."""
Report = Callable[[int, Handed], None]
"""Takes a recipient's id and what became of the message, as soon as that is known."""

_MOST_UNANSWERED = 3


@dataclass(frozen=True, slots=True)
class Bulletin:
    """What everybody of a mailing is told in one language, rendered once; only the links are personal.

    `text` is for e-mail and push, `sms` for an SMS (beside its link), `spoken` for a call. `event` and
    `episode` as in the journal, `end`: it says that it is over. `time_us`: of the step, µs since the epoch,
    UTC; `valid_until_us`: 0 where none is said.
    """

    event: str
    episode: str
    told: Told
    severity: Severity
    end: bool
    time_us: int
    language: ReadIn
    text: Text
    sms: CityText
    valid_until_us: int = 0
    spoken: str = ""


class BulkLine(Protocol):
    """A connection to the service, used by one thread."""

    def send(self, bulletin: Bulletin, to: Sequence[Recipient], report: Report) -> None:
        """Hand over to each and report on each as it goes; returns soon once the service is stopping.

        Who was not reported on was not sent anything. Raises MailError when the service cannot be used.
        """

    def close(self) -> None:
        """Hang up, also while another thread sends, which ends that. Never raises."""


class BulkWay(Protocol):
    """One way to reach residents. It has threads of its own: when it hangs it delays no other.

    `lines`: how many connections at once; `batch`: recipients of one call. After a crash at most their
    product are sent the same message twice.
    """

    lines: int
    batch: int

    def connect(self) -> BulkLine:
        """Raises MailError."""


class Unanswered:
    """How often a service gave no answer about a message to somebody; forgotten once it is asked no more."""

    def __init__(self) -> None:
        self._times: Counter[tuple[str, int]] = Counter()

    def __len__(self) -> int:
        """Messages that may be tried again."""
        return len(self._times)

    def again(self, event: str, to: int) -> Handed:
        """Once more there was none: "unknown", or "lost" when that was the last attempt."""
        self._times[event, to] += 1
        if self._times[event, to] < _MOST_UNANSWERED:
            return "unknown"
        self.over(event, to)
        return "lost"

    def over(self, event: str, to: int) -> None:
        """There was one."""
        self._times.pop((event, to), None)
