"""Live changes for everyone who listens: one ring of messages, each listener with a position of its own.

Nothing is queued per listener, so a slow one costs no memory: who falls out of the ring is told to read anew.
"""

import asyncio
import contextlib
import secrets
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from alerts.city.city_warning import CityWarning
from alerts.delivery.city_messages import PUBLIC
from alerts.warning import Warning  # noqa: A004 - the field's word, see there
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


@dataclass(slots=True)
class _Message:
    """What changed at one moment; written out once for the public and once for operators."""

    number: int
    points: tuple[Point, ...]
    warnings: tuple[Warning, ...]
    city: tuple[CityWarning, ...] = ()
    city_public: tuple[CityWarning, ...] = ()
    written: dict[bool, bytes] = field(default_factory=dict)


class Stream:
    """The hub between the threads that learn something and the listeners of one event loop.

    An id is `<start of the service>-<number>`: after a restart, or too long away, a listener gets `reset`.
    """

    def __init__(self, services: Services, book: SeriesBook, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._services = services
        self._book = book
        self._heartbeat_s = heartbeat_s
        self._run = secrets.token_hex(4)
        self._ring: deque[_Message] = deque(maxlen=_KEPT)
        self._last = 0
        self._lock = threading.Lock()
        self._points: dict[Series, Point] = {}
        self._warnings: dict[str, Warning] = {}
        self._city: dict[str, CityWarning] = {}
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
            if points or warnings or city:
                self._last += 1
                public = tuple(each for each in city if self._is_news(each))
                self._ring.append(_Message(self._last, points, warnings, city, public))
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

    def admit(self) -> None:
        """Raises Problem 503 when more listeners would not be served well."""
        if self.listeners >= _MOST_LISTENERS:
            raise Problem(503, "too many listeners", "read /api/v1/warnings instead", {"Retry-After": "60"})

    async def listen(self, operator: str | None, last_event_id: str | None) -> AsyncIterator[bytes]:
        """Server-sent events for one listener, from its Last-Event-ID on where that is still known."""
        found = self._position(last_event_id)
        position = self._last if found is None else found
        clock = asyncio.get_running_loop().time
        due = clock() + self._heartbeat_s
        self.listeners += 1
        try:
            yield b"retry: 3000\n" + self._event("hello", {"now": self._now()}, position)
            if last_event_id and found is None:
                yield self._event("reset", {"now": self._now()}, position)
            while not self._closed:
                if self._ring and position < self._ring[0].number - 1:
                    position = self._last
                    yield self._event("reset", {"now": self._now()}, position)
                for message in self._after(position):
                    position = message.number
                    if written := self._write(message, operator):
                        yield written
                if clock() >= due:
                    due = clock() + self._heartbeat_s
                    yield self._event("heartbeat", {"now": self._now()}, position)
                await self._wait(position, due - clock())
        finally:
            self.listeners -= 1

    def _after(self, position: int) -> list[_Message]:
        newer = self._last - position
        return list(self._ring)[-newer:] if newer else []

    async def _wait(self, position: int, timeout_s: float) -> None:
        """Until something is newer than the position, or the time is up."""
        with contextlib.suppress(TimeoutError):
            async with self._grown, asyncio.timeout(timeout_s):
                await self._grown.wait_for(lambda: self._last > position or self._closed)

    def _position(self, last_event_id: str | None) -> int | None:
        run, _, number = (last_event_id or "").partition("-")
        if run != self._run or not (number.isascii() and number.isdigit()):
            return None
        position = int(number)
        oldest = self._ring[0].number - 1 if self._ring else self._last
        return position if oldest <= position <= self._last else None

    def _write(self, message: _Message, operator: str | None) -> bytes:
        key = operator is not None
        if key not in message.written:
            view = View(self._services, self._book, operator)
            readings = reading_items(view, (point for point in message.points if view.sees(point.series)))
            warnings = [warning_item(view, each) for each in warnings_seen(view, message.warnings)]
            if operator is None:
                city = [city_warning_item(view, each) for each in message.city_public]
            else:
                city = [course_item(view, each) for each in message.city]
            events = [("city_warning", city), ("warnings", warnings), ("readings", readings)]
            now = self._now()
            # the id stands at the last event only: whoever is cut off between the two hears both again
            present = [(name, items) for name, items in events if items]
            message.written[key] = b"".join(
                self._event(name, {"now": now, "items": items}, message.number if i == len(present) else None)
                for i, (name, items) in enumerate(present, 1)
            )
        return message.written[key]

    def _event(self, name: str, data: object, number: int | None = None) -> bytes:
        id_ = b"" if number is None else f"id: {self._run}-{number}\n".encode()
        return id_ + b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"

    def _now(self) -> str:
        return format_us(self._services.clock())
