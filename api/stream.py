"""Live changes for everyone who listens: a ring of messages, each listener with a position of its own.

Nothing is queued per listener, so a slow one costs no memory: who falls out of the ring is told to read anew.
The public and operators have a ring each: what the public must not know of leaves no gap in its numbers.
"""

import asyncio
import contextlib
import secrets
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
import structlog

from alerts.city.city_warning import CityWarning
from alerts.delivery.city_messages import PUBLIC
from alerts.mobility.states import Congestion
from alerts.warning import Warning  # noqa: A004 - the field's word, see there
from api.mobility.roads import congestion_items, seen_congestions
from api.problems import Problem
from api.rfc3339 import format_us
from api.routes.city_warning_item import city_warning_item, course_item
from api.routes.reading_item import reading_items
from api.routes.warning_item import warning_item, warnings_seen
from api.services import Services
from api.visibility import SeriesBook, View
from ingest.store import Point

if TYPE_CHECKING:
    from ingest.reading import Series

HEARTBEAT_S = 15.0
_GATHER_S = 0.25
_KEPT = 2_000
_MOST_LISTENERS = 2_000

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Message:
    """What changed at one moment for one audience; written out once."""

    number: int
    points: Sequence[Point]
    warnings: Sequence[Warning]
    city: Sequence[CityWarning]
    congestions: Sequence[Congestion]
    written: bytes = b""


class _Ring:
    """The latest messages for one audience. An id is `<this ring>-<number of the message>`."""

    def __init__(self) -> None:
        self.run = secrets.token_hex(4)
        self.messages: deque[_Message] = deque(maxlen=_KEPT)
        self.last = 0
        self._forgotten = 0

    def add(
        self,
        points: Sequence[Point],
        warnings: Sequence[Warning],
        city: Sequence[CityWarning],
        congestions: Sequence[Congestion],
    ) -> None:
        if points or warnings or city or congestions:
            self.last += 1
            self.messages.append(_Message(self.last, points, warnings, city, congestions))

    def forget(self) -> None:
        """Something could not be told: everybody reads anew, also who comes back."""
        self.last += 1
        self.messages.clear()
        self._forgotten = self.last

    def after(self, position: int) -> list[_Message]:
        newer = self.last - position
        return list(self.messages)[-newer:] if newer else []

    def lost(self, position: int) -> bool:
        """Whether something newer than a position is not known any more."""
        oldest = self.messages[0].number - 1 if self.messages else self._forgotten
        return position < oldest

    def position(self, last_event_id: str | None) -> int | None:
        run, _, number = (last_event_id or "").partition("-")
        if run != self.run or not (number.isascii() and number.isdigit()):
            return None
        position = int(number)
        return position if position <= self.last and not self.lost(position) else None

    def event(self, name: str, data: object, number: int | None = None) -> bytes:
        id_ = b"" if number is None else f"id: {self.run}-{number}\n".encode()
        return id_ + b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


class Stream:
    """The hub between the threads that learn something and the listeners of one event loop.

    After a restart, or too long away, a listener gets `reset`. What the public sees later or coarser than it
    is measured never comes by stream.
    """

    def __init__(self, services: Services, book: SeriesBook, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._services = services
        self._book = book
        self._heartbeat_s = heartbeat_s
        self._public, self._operators = _Ring(), _Ring()
        self._lock = threading.Lock()
        self._points: dict[Series, Point] = {}
        self._warnings: dict[str, Warning] = {}
        self._city: dict[str, CityWarning] = {}
        self._congestions: dict[str, Congestion] = {}
        # the last public step of each warning of the city: a proposal changes nothing for everybody
        self._public_steps: dict[str, str] = {}
        self._news = asyncio.Event()
        self._grown = asyncio.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self.listeners = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hear from the services while the application runs."""
        self._loop = asyncio.get_running_loop()
        self._news, self._grown, self._closed = asyncio.Event(), asyncio.Condition(), False
        leave: list[Callable[[], None]] = [
            self._services.latest.listen(self._hear_points),
            self._services.board.listen(self._hear_warnings),
            self._services.roads.listen(self._hear_congestions),
        ]
        if self._services.office is not None:
            leave.append(self._services.office.listen(self._hear_city))
        task = asyncio.create_task(self._gather(), name="stream")
        try:
            yield
        finally:
            for each in leave:
                each()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self._end()

    def close(self) -> None:
        """End every listener's answer (from any thread): a server that stops waits for them."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(lambda: asyncio.ensure_future(self._end()))

    async def _end(self) -> None:
        self._closed = True
        async with self._grown:
            self._grown.notify_all()

    def _hear_points(self, points: Sequence[Point]) -> None:
        with self._lock:
            self._points.update((point.series, point) for point in points)
        self._wake()

    def _hear_warnings(self, warnings: Sequence[Warning]) -> None:
        with self._lock:
            self._warnings.update((warning.id, warning) for warning in warnings)
        self._wake()

    def _hear_city(self, warnings: Sequence[CityWarning]) -> None:
        with self._lock:
            self._city.update((warning.id, warning) for warning in warnings)
        self._wake()

    def _hear_congestions(self, congestions: Sequence[Congestion]) -> None:
        with self._lock:
            self._congestions.update((each.id, each) for each in congestions)
        self._wake()

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop closed between two lines: nobody listens
                loop.call_soon_threadsafe(self._news.set)

    async def _gather(self) -> None:
        """Turn what was heard into one message every quarter of a second at most."""
        while True:
            await self._news.wait()
            self._news.clear()
            with self._lock:
                points, self._points = tuple(self._points.values()), {}
                warnings, self._warnings = tuple(self._warnings.values()), {}
                city, self._city = tuple(self._city.values()), {}
                congestions, self._congestions = tuple(self._congestions.values()), {}
            if points or warnings or city or congestions:
                try:
                    view = View(self._services, self._book)
                    self._public.add(
                        view.arrived(points),
                        warnings_seen(view, warnings),
                        [each for each in city if self._is_news(each)],
                        seen_congestions(view, congestions),
                    )
                    self._operators.add(points, warnings, city, congestions)
                except Exception:  # noqa: BLE001 - whatever it is, what comes after it must be told
                    _log.exception("stream_failed")
                    for ring in (self._public, self._operators):
                        ring.forget()
                async with self._grown:
                    self._grown.notify_all()
                await asyncio.sleep(_GATHER_S)

    def _is_news(self, warning: CityWarning) -> bool:
        """Whether a warning of the city has changed for the public."""
        if not warning.public:
            return False
        step = next(each.event for each in reversed(warning.steps) if each.step.action in PUBLIC)
        known = self._public_steps.get(warning.id)
        if warning.open:
            self._public_steps[warning.id] = step
        else:
            self._public_steps.pop(warning.id, None)
        return step != known

    def admit(self, operator: str | None) -> None:
        """Raises Problem 503 when more listeners would not be served well; operators always are."""
        if operator is None and self.listeners >= _MOST_LISTENERS:
            raise Problem(503, "too many listeners", "read /api/v1/warnings instead", {"Retry-After": "60"})

    async def listen(self, operator: str | None, last_event_id: str | None) -> AsyncIterator[bytes]:
        """Server-sent events for one listener, from its Last-Event-ID on where that is still known."""
        ring = self._public if operator is None else self._operators
        found = ring.position(last_event_id)
        position = ring.last if found is None else found
        clock = asyncio.get_running_loop().time
        due = clock() + self._heartbeat_s
        self.listeners += 1
        try:
            yield b"retry: 3000\n" + ring.event("hello", {"now": self._now()}, position)
            if last_event_id and found is None:
                yield ring.event("reset", {"now": self._now()}, position)
            while not self._closed:
                if ring.lost(position):
                    position = ring.last
                    yield ring.event("reset", {"now": self._now()}, position)
                for message in ring.after(position):
                    position = message.number
                    yield self._write(ring, message, operator)
                if clock() >= due:
                    due = clock() + self._heartbeat_s
                    yield ring.event("heartbeat", {"now": self._now()}, position)
                await self._wait(ring, position, due - clock())
        finally:
            self.listeners -= 1

    async def _wait(self, ring: _Ring, position: int, timeout_s: float) -> None:
        """Until something is newer than the position, or the time is up."""
        with contextlib.suppress(TimeoutError):
            async with self._grown, asyncio.timeout(timeout_s):
                await self._grown.wait_for(lambda: ring.last > position or self._closed)

    def _write(self, ring: _Ring, message: _Message, operator: str | None) -> bytes:
        if not message.written:
            view = View(self._services, self._book, operator)
            item = city_warning_item if operator is None else course_item
            events = [
                ("city_warning", [item(view, each) for each in message.city]),
                ("warnings", [warning_item(view, each) for each in message.warnings]),
                ("readings", reading_items(view, message.points)),
                ("congestions", congestion_items(view, message.congestions)),
            ]
            now = self._now()
            # the id stands at the last event only: whoever is cut off between the two hears both again
            present = [(name, items) for name, items in events if items]
            message.written = b"".join(
                ring.event(name, {"now": now, "items": items}, message.number if i == len(present) else None)
                for i, (name, items) in enumerate(present, 1)
            )
        return message.written

    def _now(self) -> str:
        return format_us(self._services.clock())
