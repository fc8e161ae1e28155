"""Listens for the first instance: its heartbeat at a broker, or what it says of its engine on /readyz."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import msgspec
import urllib3

from ingest.broker import read_broker_url
from ingest.health import Health
from ingest.mqtt_link import Heard, MqttLink, Session

_TIMEOUT_S = 5.0
_STOP_S = 1.9
_LONGEST_ANSWER = 1 << 20


class Ear(Protocol):
    """One way to hear the first. `health`: whether it can be heard this way, and what came last."""

    name: str

    @property
    def health(self) -> Health:
        """Its own word."""

    def start(self) -> None:
        """Begin to listen; every sign of life is passed on."""

    def stop(self) -> None:
        """End within 2 s."""


class MqttEar:
    """A heartbeat of kind mqtt; `url` ends with its topic: mqtts://user:password@host:8883/TOPIC.

    A heartbeat that the broker had kept is no sign of life, nor is one that says that its engine hangs.
    """

    def __init__(self, url: str, client_id: str, ca_file: Path | None, sign: Callable[[], None]) -> None:
        parts = urlsplit(url)
        self.name = "mqtt"
        self._topic = parts.path.strip("/")
        self._sign = sign
        broker = read_broker_url(urlunsplit(parts._replace(path="")))
        self._link = MqttLink("standby", broker, client_id, self, ca_file=ca_file)

    @property
    def health(self) -> Health:
        """As the link says."""
        return self._link.health

    def start(self) -> None:
        """Begin to connect."""
        self._link.start()

    def stop(self) -> None:
        """End within 2 s."""
        self._link.stop()

    def greet(self, session: Session, /) -> None:
        """On every connection."""
        session.subscribe(self._topic)

    def turn(self, _: Session, /) -> None:
        """Nothing is said."""

    def hear(self, message: Heard, /) -> None:
        """A heartbeat."""
        with suppress(msgspec.DecodeError):
            body = msgspec.json.decode(message.payload)
            if not message.retained and isinstance(body, dict) and body.get("ok") is True:
                self._sign()

    def bye(self, _: Session, /) -> None:
        """Nothing is said."""


class HttpEar:
    """The first one's /readyz, asked every `every_s`: alive is whose part "engine" is ok.

    Another stand-by is no first, however well it is.
    """

    def __init__(self, url: str, every_s: float, sign: Callable[[], None]) -> None:
        self.name = "http"
        self.health = Health(ok=False, detail="not asked yet")
        self._url = url
        self._every_s = every_s
        self._sign = sign
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False)
        self._stopping = threading.Event()
        # a server that does not answer holds a call up for longer than stop() may take
        self._thread = threading.Thread(target=self._run, name="standby-http", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """End within 2 s."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            problem = self._ask()
            self.health = Health(ok=not problem, detail=problem)
            if not problem:
                self._sign()
            self._stopping.wait(max(self._every_s - (time.monotonic() - began), 0.1))

    def _ask(self) -> str:
        """What is wrong with the first; "" when its engine works."""
        try:
            answer = self._pool.request("GET", self._url, redirect=False, preload_content=False)
            try:
                text = answer.read(_LONGEST_ANSWER)
            finally:
                answer.close()
            body: Any = msgspec.json.decode(text)
        except Exception as fault:  # noqa: BLE001 - whatever answers there, the next one may be the first again
            return type(fault).__name__
        try:
            # a part that is not ready answers 503 with the same object
            well = body["parts"]["engine"]["ok"] is True
            if "standby" in body["parts"]:
                # ourselves, or another one that waits for us: nobody would speak
                return "it is a stand-by itself"
        except (LookupError, TypeError):
            return f"answered {answer.status}, and nothing about an engine"
        return "" if well else "its engine does not advance"
