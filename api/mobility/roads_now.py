"""What the API asks for of the roads."""

from collections.abc import Callable, Sequence
from typing import Protocol

from alerts.mobility.segments import Street
from alerts.mobility.states import Congestion, FlowState, Segment

Listener = Callable[[Sequence[Congestion]], None]


class RoadsNow(Protocol):
    """What the API asks for of the roads; from any thread. Times µs since the epoch, UTC."""

    @property
    def streets(self) -> Sequence[Street]:
        """The segments as the city drew them."""

    def flow(self) -> Sequence[FlowState]:
        """Every direction that is counted."""

    def segments(self) -> Sequence[Segment]:
        """Every segment as it is now."""

    def congestions(
        self, from_us: int, to_us: int, limit: int, after: tuple[int, str] | None = None
    ) -> Sequence[Congestion]:
        """Those in force or ended after from_us that began before to_us, by begin and id.

        `after`: on from the (begin_us, id) of the last one seen. Raises MobilityError.
        """

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Call back with congestions that have begun, become worse or ended; returns what ends it."""


class NoRoads:
    """Where nothing is counted."""

    streets: Sequence[Street] = ()

    def flow(self) -> Sequence[FlowState]:
        """None."""
        return ()

    def segments(self) -> Sequence[Segment]:
        """None."""
        return ()

    def congestions(self, *_: object) -> Sequence[Congestion]:
        """None."""
        return ()

    def listen(self, _callback: Listener) -> Callable[[], None]:
        """Never."""
        return lambda: None
