"""What ran into a limit before, kept from running again for a while."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_FIRST_S = 60.0
_TIMES = 4.0
_LONGEST_S = 86_400.0
_KEPT = 4096


@dataclass(frozen=True, slots=True)
class _Entry:
    until: float
    next_s: float
    why: str


class Quarantine:
    """Keys that may not run before a time, each longer every time; bounded, the oldest are forgotten.

    It ends by itself, because a machine that stood still for a second convicts the innocent, and a payload as
    short as `01` comes again for years. Not thread-safe.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, kept: int = _KEPT) -> None:
        self._clock, self._kept = clock, kept
        self._entries: OrderedDict[tuple[object, ...], _Entry] = OrderedDict()

    def add(self, key: tuple[object, ...], why: str) -> None:
        """Keep the key from running: a minute, four minutes, ... a day."""
        last = self._entries.pop(key, None)
        for_s = _FIRST_S if last is None else last.next_s
        self._entries[key] = _Entry(self._clock() + for_s, min(_LONGEST_S, for_s * _TIMES), why)
        if len(self._entries) > self._kept:
            self._entries.popitem(last=False)

    def why(self, key: tuple[object, ...]) -> str | None:
        """Why the key must not run now; None: it may."""
        entry = self._entries.get(key) if self._entries else None
        return entry.why if entry is not None and self._clock() < entry.until else None

    def left_s(self, key: tuple[object, ...]) -> float:
        """Seconds until the key may run; 0: now."""
        entry = self._entries.get(key)
        return max(0.0, entry.until - self._clock()) if entry is not None else 0.0
