"""Who wants to hear of something."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

import structlog

News = TypeVar("News")
_log = structlog.get_logger(__name__)


class Listeners(Generic[News]):
    """Callbacks; all of it for any thread. What one of them raises is logged as `fault`, and harms nobody."""

    def __init__(self, fault: str) -> None:
        self._fault = fault
        self._lock = threading.Lock()
        self._callbacks: tuple[Callable[[News], None], ...] = ()

    def add(self, callback: Callable[[News], None]) -> Callable[[], None]:
        """Call back from now on; returns what ends it."""
        with self._lock:
            self._callbacks = (*self._callbacks, callback)

        def leave() -> None:
            with self._lock:
                self._callbacks = tuple(each for each in self._callbacks if each is not callback)

        return leave

    def tell(self, news: News) -> None:
        """Call all of them, one after the other, in this thread."""
        for each in self._callbacks:
            try:
                each(news)
            except Exception:  # noqa: BLE001 - a listener's fault is not the teller's
                # nor is that of a log that cannot be written
                with suppress(OSError, ValueError):
                    _log.exception(self._fault)
