"""Which channels a stand-by holds back: all while the first instance speaks, then those of residents."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from alerts.delivery.channels import Channel
from alerts.delivery.delivery import Entry, Page
from alerts.delivery.standing_by import HELD
from alerts.warning import ABOUT_THE_FIRST


@dataclass(frozen=True, slots=True)
class Stand:
    """Whether a stand-by speaks, and when it last heard the first (µs since the epoch, UTC, by its clock).

    `episode`: of the latest silence; `back_us`: when the first was last said to be back, 0 never; `flaps`:
    it fell silent again soon after that.
    """

    speaks: bool
    heard_us: int = 0
    episode: str = ""
    back_us: int = 0
    flaps: bool = False


class Gate:
    """Between a stand-by and its channels. `stand` is set by whoever listens for the first.

    Channels that staff do not read stay closed for good, unless `residents`.
    """

    def __init__(self, *, residents: bool = False) -> None:
        self.stand = Stand(speaks=False)
        self._residents = residents

    def closed_to(self, channels: Sequence[Channel]) -> frozenset[str]:
        """The names of the channels that hear nothing now."""
        speaks = self.stand.speaks
        return frozenset(
            each.name
            for each in channels
            if not speaks or ("staff" not in each.audience and not self._residents)
        )


def held(page: Page, closed: Collection[str]) -> Page:
    """The page as it is kept: the closed channels are told of nothing in it but the first itself."""
    return replace(page, entries=[_held(each) if each.channel in closed else each for each in page.entries])


def _held(entry: Entry) -> Entry:
    if (entry.deaf and entry.hold is None) or entry.new.kind in ABOUT_THE_FIRST:
        return entry
    # nor is it told later, when an escalation or a silence that it waited for ends
    return Entry(entry.new, entry.channel, entry.weight, HELD)
