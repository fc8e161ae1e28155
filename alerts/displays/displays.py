"""Keeps the displays' topics true: retained messages that run out by themselves, a heartbeat, a last will."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import structlog

from alerts.board import WarningBoard
from alerts.city.city_warning import CityWarning
from alerts.displays.content import Content, Scene, contents, entries, stamp
from alerts.displays.spaces import Spaces
from alerts.liveness.progress import Progress
from ingest.broker import Broker
from ingest.health import Health
from ingest.mqtt_link import Heard, MqttLink, Publication, Session

INTERVAL_S = 30
"""Between two heartbeats."""
GOOD_FOR = 3
"""A heartbeat and the word that all is calm are good for so many intervals: one may get lost, or two."""
OFFLINE = b'{"online":false}'

_LOOK_S = 1.0
_SECOND_US = 1_000_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DisplayConfig:
    """Where the displays listen. `prefix`: the first levels of every topic."""

    broker: Broker
    prefix: str = "stadtfunk"
    client_id: str = "stadtfunk-displays"
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A retained message as it is to be. `until_us` None: it is good for GOOD_FOR intervals and repeated,
    of what says `calm` only while the engine advances."""  # noqa: D205, D209 - one thought

    payload: Any
    until_us: int | None
    calm: bool = True


class Displays:
    """One city's displays. Publishes nothing that is good for longer than it is true.

    While the engine does not advance nobody may read that all is calm: the status says so, and what says calm
    is not repeated and runs out. Warnings stay until their own end. `spaces`: what signs say of car parks.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - everything is injected
        self,
        config: DisplayConfig,
        scene: Scene,
        city_warnings: Callable[[], Sequence[CityWarning]],
        board: WarningBoard,
        progress: Callable[[], Progress],
        clock: Callable[[], int],
        *,
        spaces: Spaces | None = None,
        interval_s: int = INTERVAL_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prefix = config.prefix
        self._scene = scene
        self._city_warnings = city_warnings
        self._board = board
        self._progress = progress
        self._clock = clock
        self._spaces = spaces
        self._interval_s = interval_s
        self._monotonic = monotonic
        self._status = f"{config.prefix}/status"
        self._warnings = (f"{config.prefix}/warnings", f"{config.prefix}/exercise/warnings")
        signs = (f"{config.prefix}/parking", f"{config.prefix}/guidance")
        self._trees = (*self._warnings, *(signs if spaces else ()))
        self._link = MqttLink(
            "displays",
            config.broker,
            config.client_id,
            self,
            ca_file=config.ca_file,
            will=Publication(self._status, OFFLINE),
        )
        self._leave: Callable[[], None] = lambda: None
        self._woken = False
        # of the present connection, used in the link's thread only
        self._published: dict[str, tuple[_Wanted, float]] = {}
        self._foreign: set[str] = set()
        self._looked_at = self._beat_at = -1e9
        self._said_well: bool | None = None

    @property
    def health(self) -> Health:
        """As the link says."""
        return self._link.health

    def start(self) -> None:
        """Follow the warnings, begin to connect."""
        self._leave = self._board.listen(lambda _: self.wake())
        self._link.start()

    def stop(self) -> None:
        """Tell the displays that nothing more comes, then end."""
        self._leave()
        self._link.stop()

    def wake(self) -> None:
        """Something has changed; from any thread."""
        self._woken = True
        self._link.wake()

    def greet(self, session: Session, /) -> None:
        """Everything is published anew; what stands there of areas that are gone is found by subscribing."""
        self._published, self._foreign = {}, set()
        self._looked_at = self._beat_at = -1e9
        self._said_well = None
        for tree in self._trees:
            session.subscribe(f"{tree}/#")

    def hear(self, message: Heard, /) -> None:
        """What stands at the broker, or what somebody else writes to our topics."""
        if message.payload:
            self._foreign.add(message.topic)
        if not message.retained:
            self._published.pop(message.topic, None)
            with suppress(OSError, ValueError):
                _log.warning("display_topic_written_by_another", topic=message.topic)
        self._looked_at = -1e9

    def turn(self, session: Session, /) -> None:
        """Publish what has changed or must be said again."""
        now = self._monotonic()
        if not self._woken and now - self._looked_at < _LOOK_S:
            return
        self._woken, self._looked_at = False, now
        progress = self._progress()
        beat = progress.ok != self._said_well or now - self._beat_at >= self._interval_s
        self._publish(session, self._wanted(), calm=progress.ok, now=now)
        if beat:
            self._beat_at, self._said_well = now, progress.ok
            session.publish(self._heartbeat(progress))

    def bye(self, session: Session, /) -> None:
        """The service stops."""
        session.publish(Publication(self._status, OFFLINE))

    def _wanted(self) -> dict[str, _Wanted]:
        now_us = self._clock()
        notices = self._board.snapshot().in_force
        found = entries(self._city_warnings(), notices, self._scene, now_us)
        wanted: dict[str, _Wanted] = {}
        for tree, exercise in zip(self._warnings, (False, True), strict=True):
            made = contents([each for each in found if each.exercise == exercise], self._scene, now_us)
            for place, content in made.items():
                # no exercise: nothing is said about it
                if not exercise or content.until_us is not None:
                    wanted |= _messages(f"{tree}/{place}", content)
        if self._spaces is not None:
            said = self._spaces.messages(self._prefix, now_us)
            wanted |= {topic: _Wanted(payload, None, calm=False) for topic, payload in said.items()}
        return wanted

    def _publish(self, session: Session, wanted: dict[str, _Wanted], *, calm: bool, now: float) -> None:
        for topic in (self._published.keys() | self._foreign) - wanted.keys():
            session.publish(Publication(topic, b""))
            self._published.pop(topic, None)
        self._foreign.clear()
        for topic, message in wanted.items():
            before, at = self._published.get(topic, (None, -1e9))
            again = message.until_us is None and now - at >= self._interval_s
            if (message.until_us is None and message.calm and not calm) or (message == before and not again):
                continue
            session.publish(self._publication(topic, message))
            self._published[topic] = message, now

    def _publication(self, topic: str, message: _Wanted) -> Publication:
        now_us = self._clock()
        lasts_s = self._interval_s * GOOD_FOR
        if message.until_us is not None:
            lasts_s = -((now_us - message.until_us) // _SECOND_US)
        if isinstance(message.payload, str):
            return Publication(topic, message.payload.encode(), expiry_s=lasts_s)
        until_us = now_us + lasts_s * _SECOND_US if message.until_us is None else message.until_us
        zone = self._scene.zone
        body = {**message.payload, "issued": stamp(now_us, zone), "valid_until": stamp(until_us, zone)}
        return Publication(topic, msgspec.json.encode(body), expiry_s=lasts_s)

    def _heartbeat(self, progress: Progress) -> Publication:
        zone = self._scene.zone
        body = {
            "online": progress.ok,
            "time": stamp(self._clock(), zone),
            "interval_s": self._interval_s,
            "newest_reading": stamp(progress.newest_us, zone) if progress.newest_us else None,
            "uplinks_behind": progress.lag,
            "problem": progress.problem,
        }
        # what is not online stays until something better is known
        lasts_s = self._interval_s * GOOD_FOR if progress.ok else None
        return Publication(self._status, msgspec.json.encode(body), expiry_s=lasts_s)


def _messages(topic: str, content: Content) -> dict[str, _Wanted]:
    return {
        topic: _Wanted(content.body, content.until_us),
        f"{topic}/text": _Wanted(content.line, content.line_until_us),
    }
