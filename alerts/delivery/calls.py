"""Calls that may hang: each in a thread of its own, left behind when its time is up."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

MOST_HANGING = 8
_POLL_S = 0.05
_GRACE_S = 1.0

_T = TypeVar("_T")


class Calls:
    """One channel's calls. What hangs is left behind in a daemon thread, so that neither the channel's next
    attempt nor the end of the process waits for it."""  # noqa: D205, D209 - one thought

    def __init__(self, name: str, timeout_s: float) -> None:
        self._name = name
        self._timeout_s = timeout_s
        self._hanging: list[threading.Thread] = []

    @property
    def hanging(self) -> int:
        """Calls left behind that have not come back."""
        self._hanging = [call for call in self._hanging if call.is_alive()]
        return len(self._hanging)

    def run(self, call: Callable[[], _T], stopping: threading.Event) -> _T | None:
        """What the call returned (it never raises); None when its time was up or `stopping` was set."""
        results: list[_T] = []
        done = threading.Event()

        def run() -> None:
            results.append(call())
            done.set()

        thread = threading.Thread(target=run, name=f"send-{self._name}", daemon=True)
        thread.start()
        end = time.monotonic() + self._timeout_s
        while not done.wait(_POLL_S):
            if stopping.is_set():
                done.wait(_GRACE_S)
                break
            if time.monotonic() >= end:
                break
        if done.is_set():
            return results[0]
        self._hanging.append(thread)
        return None
