"""A second instance that judges everything and says nothing, until the first one has been silent too long.

Then staff hear that the first is silent, what stands, and from then on what this one sees. When the first can
be heard again they hear that, and this one holds back again.

The first is judged by when its signs of life arrive, by this machine's steady clock: what time it has itself,
and whether either clock is put right meanwhile, changes nothing. One that comes and goes is back when it has
been heard for FLAPS_S without a gap: staff hear of at most one return in that time, and this one speaks.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import msgspec
import structlog

from alerts.delivery.gate import Gate, Stand
from alerts.event import Event, Kind, to_row
from alerts.liveness.first import Ear
from ingest.errors import Fenced, JournalError
from ingest.health import Health
from ingest.journal import Journal

PART = "standby"
MEASURE = "service"
FLAPS_S = 1800.0
"""Silent again within this after it was back: it comes and goes."""

_LOOK_S = 0.25
_AGAIN_S = 2.0
_STOP_S = 1.9
# a part's cursor says which uplinks it still needs: this one needs none
_NEEDS_NO_UPLINK = (1 << 63) - 1
_SECOND_US = 1_000_000
_STATE = "stand"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class First:
    """The instance that speaks. `after_s`: so long it may be silent."""

    name: str
    after_s: float = 180.0


class StandBy:
    """Opens and closes the gate. What it did last outlives a restart.

    `ears` makes the ways to hear the first, each with the function to call at a sign of life. The first
    counts as heard while one of them hears it. `tell` is called when there is a new event.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - everything is injected
        self,
        first: First,
        gate: Gate,
        journal: Journal,
        ears: Callable[[Callable[[], None]], Sequence[Ear]],
        tell: Callable[[], None],
        clock: Callable[[], int],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first = first
        self._gate = gate
        self._journal = journal
        self._ears = ears(self.heard)
        self._tell = tell
        self._clock = clock
        self._monotonic = monotonic
        # before the outbox starts, so that it does not hold back for a moment what a former run was saying
        part = journal.load(PART)
        self._fence = part.fence
        journal.commit(PART, part.fence, _NEEDS_NO_UPLINK)
        if stand := part.state.get(_STATE):
            gate.stand = msgspec.json.decode(stand, type=Stand)
        self._heard_at = monotonic()
        self._back_from: float | None = None
        self._fault = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="standby", daemon=True)

    @property
    def health(self) -> Health:
        """Not ok while nobody else speaks, or when the first cannot be listened for."""
        silent_s = self._monotonic() - self._heard_at
        heard = "; ".join(f"{each.name}: {each.health.detail}" for each in self._ears if not each.health.ok)
        if self._fault:
            return Health(ok=False, detail=self._fault)
        if self._gate.stand.speaks:
            said = f"silent for {silent_s:.0f} s"
            if self._gate.stand.flaps:
                said = f"comes and goes, heard {silent_s:.0f} s ago"
            return Health(ok=False, detail=f"speaks: {self._first.name} {said}; {heard}".rstrip("; "))
        return Health(ok=not heard, detail=heard or f"holds: {self._first.name} heard {silent_s:.0f} s ago")

    def start(self) -> None:
        """Begin to listen; the first has all its time from here."""
        self._heard_at = self._monotonic()
        for each in self._ears:
            each.start()
        self._thread.start()

    def stop(self) -> None:
        """End within 2 s."""
        self._stopping.set()
        for each in self._ears:
            each.stop()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    def heard(self) -> None:
        """A sign of life of the first; from any thread."""
        now = self._monotonic()
        if self._back_from is None or now - self._heard_at > self._first.after_s:
            self._back_from = now
        self._heard_at = now

    def look(self) -> None:
        """Decide who speaks. Raises JournalError."""
        now, now_us, stand = self._monotonic(), self._clock(), self._gate.stand
        silent_s = now - self._heard_at
        silent, back_from = silent_s > self._first.after_s, self._back_from
        if stand.speaks:
            steady_s = FLAPS_S if stand.flaps else 0.0
            if not silent and back_from is not None and now - back_from >= steady_s:
                self._change("partner_back", replace(stand, speaks=False, back_us=now_us), now_us)
        elif silent:
            self._back_from = None
            again_s = (now_us - stand.back_us) / _SECOND_US
            silence = Stand(
                speaks=True,
                heard_us=now_us - round(silent_s * _SECOND_US),
                episode=f"standby:{self._first.name}:{now_us}",
                back_us=stand.back_us,
                flaps=0 <= again_s < FLAPS_S,
            )
            self._change("partner_silent", silence, now_us)

    def _change(self, kind: Kind, stand: Stand, now_us: int) -> None:
        minutes = round((now_us - stand.heard_us) / 60 / _SECOND_US) if stand.speaks else None
        event = Event(
            id=f"standby:{self._first.name}:{now_us}:{kind}",
            # one for both: a silence that could not be told is not told after the return
            episode=stand.episode or f"standby:{self._first.name}:{now_us}",
            time_us=now_us,
            station=self._first.name,
            kind=kind,
            measure=MEASURE,
            level=1,
            window_min=None,
            value=minutes or None,
            rule="standby",
            reason=f"{self._first.name} {'has been silent' if stand.speaks else 'can be heard again'}",
            audience="staff",
            severity="Severe",
        )
        state = {_STATE: msgspec.json.encode(stand)}
        self._journal.commit(PART, self._fence, _NEEDS_NO_UPLINK, state, [to_row(event)])
        self._gate.stand = stand
        with suppress(OSError, ValueError):
            _log.warning(kind, first=self._first.name, speaks=stand.speaks)
        self._tell()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
                self._fault = ""
            except Fenced:
                self._fault = "another process has taken over this journal"
                return
            except Exception as fault:  # noqa: BLE001 - the thread survives whatever it is
                self._fault = f"{type(fault).__name__}: {fault}"
                if not isinstance(fault, JournalError):
                    with suppress(OSError, ValueError):
                        _log.exception("standby_failed")
                self._stopping.wait(_AGAIN_S)
            self._stopping.wait(_LOOK_S)
