"""Tells a second place, again and again, that warnings are judged here; or that they are not.

What it carries is the engine's own progress. A web server that answers while the engine hangs would be a
heartbeat of nothing.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec
import structlog
import urllib3

from alerts.liveness.progress import Progress
from ingest.broker import read_broker_url
from ingest.health import Health
from ingest.mqtt_link import Heard, MqttLink, Publication, Session

HeartbeatKind = Literal["webhook", "ping", "mqtt"]
GOOD_FOR = 3
"""A retained heartbeat is gone after so many intervals."""

_LOOK_S = 0.5
_AGAIN_S = 15.0
_TIMEOUT_S = 10.0
_STOP_S = 1.9
_SECOND_US = 1_000_000
_log = structlog.get_logger(__name__)


def topic_of(name: str, topic: str = "") -> str:
    """Where a heartbeat of kind mqtt is said."""
    return topic or f"stadtfunk/heartbeat/{name}"


@dataclass(frozen=True, slots=True)
class HeartbeatConfig:
    """One second place. `url` may hold a secret; `topic`, `client_id` and `ca_file` are of kind mqtt."""

    name: str
    kind: HeartbeatKind
    url: str
    every_s: float = 60.0
    topic: str = ""
    client_id: str = ""
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a heartbeat says: the engine's progress, and which channels can be used."""

    progress: Progress
    channels: Mapping[str, Health]
    time_us: int

    def body(self, name: str) -> dict[str, Any]:
        """As JSON; says nothing of addresses, nor why a channel fails."""
        newest = self.progress.newest_us
        return {
            "name": name,
            "time": _stamp(self.time_us),
            "ok": self.progress.ok,
            "problem": self.progress.problem,
            "engine": {
                "newest_reading": _stamp(newest) if newest else None,
                "uplinks_behind": self.progress.lag,
                "since_step_s": round(self.progress.since_step_s, 1),
            },
            "channels": {channel: health.ok for channel, health in self.channels.items()},
        }


class HttpHeartbeat:
    """Kinds `webhook` (a POST of the body as JSON) and `ping`.

    A ping is a POST to the address while the engine advances, to the address with "/fail" when it does not,
    as healthchecks understands it. A change is told at once. start() and stop() once each.
    """

    def __init__(
        self, config: HeartbeatConfig, pulse: Callable[[], Pulse], *, timeout_s: float = _TIMEOUT_S
    ) -> None:
        self.name = config.name
        self.health = Health(ok=True, detail="not sent yet")
        self._config = config
        self._pulse = pulse
        self._pool = urllib3.PoolManager(timeout=timeout_s, retries=False)
        self._stopping = threading.Event()
        # a server that does not answer holds a call up for longer than stop() may take
        self._thread = threading.Thread(target=self._run, name=f"heartbeat-{config.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End within 2 s; the second place notices by the silence."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        due_at, said_well = 0.0, None
        while not self._stopping.is_set():
            now = time.monotonic()
            try:
                pulse = self._pulse()
                well = pulse.progress.ok
                if now >= due_at or well != said_well:
                    problem = self._send(pulse)
                    self._note(problem)
                    said_well = well
                    pause_s = min(self._config.every_s, _AGAIN_S) if problem else self._config.every_s
                    due_at = now + pause_s
            except Exception as fault:  # noqa: BLE001 - the thread survives whatever it is
                due_at = now + _AGAIN_S
                self._note(type(fault).__name__)
                with suppress(OSError, ValueError):
                    _log.exception("heartbeat_failed", name=self.name)
            self._stopping.wait(_LOOK_S)

    def _send(self, pulse: Pulse) -> str:
        """One attempt: "" when it was taken, else why not, without the address."""
        url, well = self._config.url, pulse.progress.ok
        if self._config.kind == "ping" and not well:
            parts = urlsplit(url)
            url = urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))
        body = msgspec.json.encode(pulse.body(self.name))
        headers = {"Content-Type": "application/json"}
        try:
            answer = self._pool.request("POST", url, body=body, headers=headers, redirect=False)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as fault:
            return type(fault).__name__
        return "" if answer.status // 100 == 2 else f"answered {answer.status}"  # noqa: PLR2004 - 2xx

    def _note(self, problem: str) -> None:
        health = Health(ok=not problem, detail=problem)
        if health != self.health:
            self.health = health
            with suppress(OSError, ValueError):
                (_log.warning if problem else _log.info)("heartbeat", name=self.name, problem=problem)


class MqttHeartbeat:
    """Kind `mqtt`: retained at a broker, gone after GOOD_FOR intervals; the last will says that we died."""

    def __init__(self, config: HeartbeatConfig, pulse: Callable[[], Pulse]) -> None:
        self.name = config.name
        self._config = config
        self._pulse = pulse
        self._topic = topic_of(config.name, config.topic)
        self._due_at = 0.0
        self._said_well: bool | None = None
        self._link = MqttLink(
            f"heartbeat-{config.name}",
            read_broker_url(config.url),
            config.client_id or f"stadtfunk-heartbeat-{config.name}",
            self,
            ca_file=config.ca_file,
            will=self._last("the connection ended"),
        )

    @property
    def health(self) -> Health:
        """As the link says."""
        return self._link.health

    def start(self) -> None:
        """Begin to connect."""
        self._link.start()

    def stop(self) -> None:
        """Say that it ends, and end."""
        self._link.stop()

    def greet(self, _: Session, /) -> None:
        """At once on every connection."""
        self._due_at = 0.0

    def hear(self, message: Heard, /) -> None:
        """Nothing is subscribed to."""

    def turn(self, session: Session, /) -> None:
        """Publish when it is time, and at once when the engine stops or goes on."""
        now, pulse = time.monotonic(), self._pulse()
        if now < self._due_at and pulse.progress.ok == self._said_well:
            return
        self._due_at, self._said_well = now + self._config.every_s, pulse.progress.ok
        body = msgspec.json.encode(pulse.body(self.name))
        lasts_s = round(self._config.every_s * GOOD_FOR) if pulse.progress.ok else None
        session.publish(Publication(self._topic, body, expiry_s=lasts_s))

    def bye(self, session: Session, /) -> None:
        """The service stops."""
        session.publish(self._last("the service was stopped"))

    def _last(self, problem: str) -> Publication:
        body = {"name": self.name, "ok": False, "problem": problem}
        return Publication(self._topic, msgspec.json.encode(body))


Heartbeat = HttpHeartbeat | MqttHeartbeat


def heartbeat(config: HeartbeatConfig, pulse: Callable[[], Pulse]) -> Heartbeat:
    """The heartbeat of a configuration. Raises BrokerError for a broker's url or CA file."""
    return MqttHeartbeat(config, pulse) if config.kind == "mqtt" else HttpHeartbeat(config, pulse)


def _stamp(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // _SECOND_US, UTC).isoformat().replace("+00:00", "Z")
