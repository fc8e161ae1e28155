"""A connection to a broker for whatever speaks there besides the intake: displays, heartbeats, a stand-by.

A thread of the link drives paho's client. Every connection has a client of its own and starts clean: what
could not be sent on an earlier one is not sent later, the speaker says anew what is true now.
"""

import random
import selectors
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from ingest.broker import Broker, tls_context, why_no_connection, why_refused
from ingest.errors import BrokerError
from ingest.health import Health

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

KEEPALIVE_S = 10
"""The broker publishes the last will after one and a half of it where the connection dies silently."""
MOST_EXPIRY_S = (1 << 32) - 1
_CONNECT_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 10.0
_TURN_S = 0.2
_BYE_S = 0.5
_STOP_S = 1.9
_LONG_ENOUGH_S = 10.0
_PAUSE_S = (0.5, 30.0)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Publication:
    """One message to publish at QoS 1. `expiry_s`: how long the broker keeps it, None for ever.

    An empty payload takes a retained message away.
    """

    topic: str
    payload: bytes
    retain: bool = True
    expiry_s: int | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """One message that came. `retained`: the broker had it already; `expiry_s`: what is left of its time."""

    topic: str
    payload: bytes
    retained: bool
    expiry_s: int | None


class Session(Protocol):
    """What a speaker may do while it is connected, in the link's thread only."""

    def publish(self, publication: Publication, /) -> None:
        """Send; a refusal shows in the link's health."""

    def subscribe(self, topic: str, /) -> None:
        """Hear a topic filter; the own publications are not heard."""

    def waiting(self) -> int:
        """How many messages the broker has not taken yet."""


class Speaker(Protocol):
    """Who speaks over a link; called in the link's thread only, may raise whatever it wants."""

    def greet(self, session: Session, /) -> None:
        """A connection has just been made; the broker knows nothing of an earlier one."""

    def turn(self, session: Session, /) -> None:
        """About five times a second while connected."""

    def hear(self, message: Heard, /) -> None:
        """Something subscribed to has come."""

    def bye(self, session: Session, /) -> None:
        """The service stops; what is published here is sent before the end."""


class MqttLink:
    """One connection, made again with growing pauses whenever it ends. `will`: published when we die.

    Raises BrokerError for a CA file that cannot be used; everything else shows in `health`.
    """

    def __init__(  # noqa: PLR0913 - everything is injected
        self,
        name: str,
        broker: Broker,
        client_id: str,
        speaker: Speaker,
        *,
        ca_file: Path | None = None,
        will: Publication | None = None,
    ) -> None:
        self.health = Health(ok=False, detail="not started")
        self._name = name
        self._broker = broker
        self._client_id = client_id
        self._speaker = speaker
        self._ca_file = ca_file
        self._will = will
        if broker.tls:
            tls_context(ca_file)
        self._stopping = threading.Event()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        # a name server that does not answer holds connect() up for longer than stop() may take
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{name}", daemon=True)
        # of the present connection, used by its thread only
        self._connected = False
        self._failed = ""
        self._refused: dict[str, str] = {}
        self._under_way: dict[int, str] = {}

    def start(self) -> None:
        """Begin to connect."""
        self.health = Health(ok=False, detail=f"connecting to {self._broker}")
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye and disconnect, within 2 s."""
        self._stopping.set()
        self.wake()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)
        self.health = Health(ok=False, detail="stopped")

    def wake(self) -> None:
        """Give the speaker its turn at once; from any thread."""
        with suppress(OSError):  # full: it wakes anyway; closed: nobody is there to wake
            self._wake_in.send(b"\0")

    def _run(self) -> None:
        shortest_s, longest_s = _PAUSE_S
        pause_s = shortest_s
        while not self._stopping.is_set():
            began = time.monotonic()
            self._failed, self._connected = "", False
            try:
                self._serve()
            except Exception as fault:  # noqa: BLE001 - whatever it is: show it and try again
                if not isinstance(fault, (OSError, BrokerError)):
                    with suppress(OSError, ValueError):
                        _log.exception("mqtt_link_failed", name=self._name)
                self._failed = why_no_connection(self._broker, fault)
            if self._stopping.is_set():
                break
            if time.monotonic() - began >= _LONG_ENOUGH_S:
                pause_s = shortest_s
            self._say(
                ok=False, detail=self._failed or self._why_refused() or f"{self._broker}: connection lost"
            )
            self._stopping.wait(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, hides nothing
            pause_s = min(pause_s * 2, longest_s)
        self._wake_in.close()
        self._wake_out.close()

    def _serve(self) -> None:
        """One connection, from its beginning to its end."""
        self._under_way = {}
        client = self._client()
        try:
            client.connect(self._broker.host, self._broker.port, KEEPALIVE_S, clean_start=True)
            self._talk(client)
        finally:
            # with the last will: whatever ends a connection, nobody may believe that we go on speaking
            client.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))

    def _talk(self, client: Client) -> None:
        connection = client.socket()
        if connection is None:
            return
        answer_by = time.monotonic() + _ANSWER_TIMEOUT_S
        session = _Session(client, self._under_way)
        greeted = False
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            selector.register(self._wake_out, selectors.EVENT_READ)
            while client.socket() is connection and not self._stopping.is_set():
                self._exchange(client, connection, selector, _TURN_S)
                if self._connected:
                    if not greeted:
                        greeted = True
                        self._speaker.greet(session)
                    self._speaker.turn(session)
                    self._report()
                elif time.monotonic() > answer_by:
                    raise TimeoutError
            if self._connected and client.socket() is connection:
                self._say_goodbye(client, connection, selector, session)

    def _say_goodbye(
        self,
        client: Client,
        connection: "SocketLike",
        selector: selectors.BaseSelector,
        session: Session,
    ) -> None:
        self._speaker.bye(session)
        end = time.monotonic() + _BYE_S
        while self._under_way and client.socket() is connection and time.monotonic() < end:
            self._exchange(client, connection, selector, 0.05)

    def _exchange(
        self,
        client: Client,
        connection: "SocketLike",
        selector: selectors.BaseSelector,
        wait_s: float,
    ) -> None:
        """Read and write what there is, at most a moment long."""
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.want_write() else 0)
        selector.modify(connection, wanted)
        decrypted = isinstance(connection, ssl.SSLSocket) and connection.pending()
        for key, events in selector.select(0 if decrypted else wait_s):
            if key.fileobj is self._wake_out:
                self._wake_out.recv(4096)
            elif events & selectors.EVENT_WRITE:
                client.loop_write()
        client.loop_read()
        client.loop_misc()

    def _client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = _CONNECT_TIMEOUT_S
        client.username_pw_set(self._broker.user, self._broker.password)
        if self._broker.tls:
            client.tls_set_context(tls_context(self._ca_file))
        if self._will is not None:
            properties = _expiry(PacketTypes.WILLMESSAGE, self._will.expiry_s)
            client.will_set(
                self._will.topic, self._will.payload, qos=1, retain=self._will.retain, properties=properties
            )
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _on_connect(
        self, _client: Client, _userdata: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._failed = why_refused(self._broker, reason)
        else:
            self._connected = True

    def _on_disconnect(
        self, _client: Client, _userdata: Any, flags: DisconnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        if self._failed:
            return
        if flags.is_disconnect_packet_from_server:
            self._failed = why_refused(self._broker, reason)
        elif not self._connected:
            self._failed = why_no_connection(self._broker, ConnectionResetError())

    def _on_publish(
        self, _client: Client, _userdata: Any, packet_id: int, reason: ReasonCode, _properties: Any
    ) -> None:
        topic = self._under_way.pop(packet_id, "")
        if reason.is_failure:
            self._refused[topic] = f"publishing refused: {topic}: let this user write it"
        else:
            self._refused.pop(topic, None)

    def _on_subscribe(
        self, _client: Client, _userdata: Any, packet_id: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        topic = self._under_way.pop(packet_id, "")
        if any(reason.is_failure for reason in reasons):
            self._refused[topic] = f"subscription refused: {topic}: let this user read it"
        else:
            self._refused.pop(topic, None)

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # no broker lets that through
        expiry = getattr(message.properties, "MessageExpiryInterval", None)
        self._speaker.hear(Heard(topic, bytes(message.payload), message.retain, expiry))

    def _report(self) -> None:
        refused = self._why_refused()
        self._say(ok=not refused, detail=refused or f"connected to {self._broker}")

    def _why_refused(self) -> str:
        """Held over a connection's end: some brokers close it when they have refused something."""
        if not self._refused:
            return ""
        return f"{self._broker}: {'; '.join(sorted(self._refused.values())[:3])} in the broker's access list"

    def _say(self, *, ok: bool, detail: str) -> None:
        health = Health(ok, detail)
        if health != self.health:
            self.health = health
            with suppress(OSError, ValueError):
                (_log.info if ok else _log.warning)("mqtt_link", name=self._name, ok=ok, detail=detail)


class _Session:
    def __init__(self, client: Client, under_way: dict[int, str]) -> None:
        self._client = client
        self._under_way = under_way

    def publish(self, publication: Publication, /) -> None:
        info = self._client.publish(
            publication.topic,
            publication.payload,
            qos=1,
            retain=publication.retain,
            properties=_expiry(PacketTypes.PUBLISH, publication.expiry_s),
        )
        self._under_way[info.mid] = publication.topic

    def subscribe(self, topic: str, /) -> None:
        _, packet_id = self._client.subscribe(topic, options=SubscribeOptions(qos=1, noLocal=True))
        if packet_id is not None:
            self._under_way[packet_id] = topic

    def waiting(self) -> int:
        return len(self._under_way)


def _expiry(kind: int, expiry_s: int | None) -> Properties | None:
    if expiry_s is None:
        return None
    properties = Properties(kind)  # type: ignore[no-untyped-call]  # paho's own gap
    properties.MessageExpiryInterval = min(max(expiry_s, 1), MOST_EXPIRY_S)
    return properties
