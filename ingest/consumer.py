"""One consumer per network server: MQTT with a persistent session, acknowledged by hand.

A thread of ours drives paho's client (its calls for foreign event loops): connect, read what is there, hand
it over as one delivery, send the acknowledgements the intake has asked for. Only this thread touches the
client, and each connection has a client and a number of its own: an acknowledgement for an earlier one,
whose packet ids the broker may have given to other messages, is never sent on a later one.
"""

import random
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ingest.broker import client_id, read_broker_url, tls_context, why_no_connection, why_refused
from ingest.errors import BrokerError
from ingest.hand_over import Delivery, HandOver
from ingest.health import Health
from ingest.network_servers.kind import NetworkServerKind
from ingest.uplink import Message

KEEPALIVE_S = 30
SESSION_EXPIRY_S = 7 * 86_400
BURST = 256
"""Messages handed over at once."""
BURST_BYTES = 1 << 20
"""A delivery that has grown beyond this is handed over: MQTT allows 256 MB a message."""
CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 10.0
RESUBSCRIBE_S = 30.0
LONG_ENOUGH_S = 10.0
"""A connection that held this long was a good one: the pauses start small again."""
LOST_IN_A_ROW = 3
PAUSE_S = (0.5, 30.0)
_STOP_S = 2.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """A network server's MQTT side. No `topics`: those usual for its kind; no `client_id`: by its name."""

    name: str
    kind: NetworkServerKind
    url: str
    topics: tuple[str, ...] = ()
    client_id: str = ""
    ca_file: Path | None = None
    receive_maximum: int = 1000


@dataclass(slots=True)
class ConsumerStats:
    """Totals since the start. `acks_void`: for a connection that was gone; the broker delivers again.

    `sessions_lost`: reconnects at which the broker knew nothing of us, so what came meanwhile is lost.
    `away_s`: seconds without a connection, until the last one came about.
    """

    messages: int = 0
    bytes: int = 0
    acks: int = 0
    acks_void: int = 0
    qos0_seen: int = 0
    connections: int = 0
    sessions_lost: int = 0
    last_message_us: int = 0
    away_s: float = 0.0


class Consumer:
    """Brings one network server's messages to the sink and acknowledges them when told to.

    Raises BrokerError for a url or CA file that cannot be used. Everything else (login refused, broker
    away, subscription refused) shows in `health`, is tried again for ever and stops nobody else. `connected`
    hears of each connection: when the last message before it arrived, 0 for none; it must not block.
    """

    def __init__(
        self,
        server: ServerConfig,
        sink: HandOver,
        clock: Callable[[], int],
        connected: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.server = server
        self.stats = ConsumerStats()
        self.health = Health(ok=False, detail="not started")
        self._kind = server.kind
        self._broker = read_broker_url(server.url)
        if self._broker.tls:
            tls_context(server.ca_file)
        self._client_id = client_id(server.name, server.client_id)
        self._sink = sink
        self._clock = clock
        self._tell_connected = connected
        self._acks: deque[Delivery] = deque()
        self._stopping = threading.Event()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        # a name server that does not answer holds connect() up for longer than stop() may take
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{server.name}", daemon=True)
        # of the present connection, used by its thread only
        self._number = 0
        self._connected = False
        self._away_since = 0.0
        self._failed = ""
        self._burst: list[Message] = []
        self._burst_bytes = 0
        self._packet_ids: list[int] = []
        self._subscribing: dict[int, Sequence[str]] = {}
        self._refused_topics: list[str] = []

    @property
    def loss_window(self) -> str:
        """When an uplink can be lost on its way here, for the operators."""
        return self._kind.loss_window

    def start(self) -> None:
        """Begin to connect."""
        self.health = Health(ok=False, detail=f"connecting to {self._broker}")
        self._thread.start()

    def stop(self) -> None:
        """Send the acknowledgements that wait, disconnect, keep the session at the broker."""
        self._stopping.set()
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)
        self.health = Health(ok=False, detail="stopped")

    def ack(self, delivery: Delivery) -> None:
        """Acknowledge a delivery, if its connection still stands. Does not block; from any thread."""
        if delivery.packet_ids:
            self._acks.append(delivery)
            self._wake()

    def _wake(self) -> None:
        with suppress(OSError):  # full: it wakes anyway; closed: nobody is there to wake
            self._wake_in.send(b"\0")

    def _run(self) -> None:
        shortest_s, longest_s = PAUSE_S
        pause_s, lost_early = shortest_s, 0
        self._away_since = time.monotonic()
        while not self._stopping.is_set():
            began = time.monotonic()
            self._number += 1
            self._failed, self._connected = "", False
            try:
                self._serve()
            except Exception as fault:  # noqa: BLE001 - whatever it is: show it and try again
                if not isinstance(fault, (OSError, BrokerError)):
                    _log.exception("consumer_failed", server=self.server.name)
                self._failed = why_no_connection(self._broker, fault)
            if self._stopping.is_set():
                break
            if self._connected:
                self._away_since = time.monotonic()
            lost_early = lost_early + 1 if self._connected else 0
            if time.monotonic() - began >= LONG_ENOUGH_S:
                pause_s, lost_early = shortest_s, 0
            self._say(ok=False, detail=self._failed or self._why_lost(lost_early))
            # jitter: a city's services must not all come back in the same second
            self._stopping.wait(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause_s = min(pause_s * 2, longest_s)
        self._wake_in.close()
        self._wake_out.close()

    def _why_lost(self, lost_early: int) -> str:
        lost = f"{self._broker}: connection lost"
        if lost_early < LOST_IN_A_ROW:
            return lost
        # mosquitto does not tell a client that another one has taken its session
        return f"{lost} soon again and again: does another client use the client_id {self._client_id}?"

    def _serve(self) -> None:
        """One connection, from its beginning to its end."""
        self._refused_topics = []
        # what an earlier connection broke off in the middle of: its packet ids mean nothing on this one
        self._burst, self._burst_bytes, self._packet_ids = [], 0, []
        client = self._client()
        try:
            client.connect(self._broker.host, self._broker.port, KEEPALIVE_S, **self._session())
            self._talk(client)
        finally:
            client.disconnect()

    def _talk(self, client: Client) -> None:
        connection = client.socket()
        if connection is None:
            return
        answer_by = time.monotonic() + ANSWER_TIMEOUT_S
        subscribe_at = answer_by + RESUBSCRIBE_S
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            selector.register(self._wake_out, selectors.EVENT_READ)
            while client.socket() is connection and not self._stopping.is_set():
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.want_write() else 0)
                selector.modify(connection, wanted)
                decrypted = isinstance(connection, ssl.SSLSocket) and connection.pending()
                for key, events in selector.select(0 if decrypted else 0.5):
                    if key.fileobj is self._wake_out:
                        self._wake_out.recv(4096)
                    elif events & selectors.EVENT_WRITE:
                        client.loop_write()
                self._read(client)
                self._send_acks(client)
                client.loop_misc()
                if not self._connected and time.monotonic() > answer_by:
                    raise TimeoutError
                if self._refused_topics and time.monotonic() > subscribe_at:
                    subscribe_at = time.monotonic() + RESUBSCRIBE_S
                    self._subscribe(client, self._refused_topics)
        self._send_acks(client)

    def _read(self, client: Client) -> None:
        """Read what is there, at most a burst, and hand it over; waits while the hand-over is full."""
        while len(self._burst) < BURST and self._burst_bytes < BURST_BYTES:
            before = len(self._burst)
            if client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS or len(self._burst) == before:
                break
        if self._burst:
            delivery = Delivery(self._burst, self, self._number, self._packet_ids)
            self._burst, self._burst_bytes, self._packet_ids = [], 0, []
            self._sink.put(delivery, self._stopping)

    def _send_acks(self, client: Client) -> None:
        while self._acks:
            delivery = self._acks.popleft()
            if delivery.connection != self._number or not client.is_connected():
                self.stats.acks_void += len(delivery.packet_ids)
                continue
            for packet_id in delivery.packet_ids:
                client.ack(packet_id, 1)
            self.stats.acks += len(delivery.packet_ids)

    def _client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=None if self._kind.mqtt == "5" else False,
            protocol=MQTTProtocolVersion.MQTTv5 if self._kind.mqtt == "5" else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.username_pw_set(self._broker.user, self._broker.password)
        if self._broker.tls:
            client.tls_set_context(tls_context(self.server.ca_file))
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _session(self) -> dict[str, Any]:
        """What `connect` needs for a session that outlives the connection (3.1.1 has it in the client)."""
        if self._kind.mqtt != "5":
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own gap
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.ReceiveMaximum = self.server.receive_maximum
        return {"clean_start": False, "properties": properties}

    def _subscribe(self, client: Client, topics: Sequence[str]) -> None:
        _, packet_id = client.subscribe([(topic, 1) for topic in topics])
        if packet_id is not None:
            self._subscribing[packet_id] = topics

    def _on_connect(
        self, client: Client, _userdata: Any, flags: ConnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._failed = why_refused(self._broker, reason)
            return
        self._connected = True
        self.stats.away_s += time.monotonic() - self._away_since
        if self.stats.connections and not flags.session_present:
            self.stats.sessions_lost += 1
            _log.warning("session_lost", server=self.server.name, broker=str(self._broker))
        self.stats.connections += 1
        self._tell_connected(self.stats.last_message_us)
        self._subscribing = {}
        self._subscribe(client, self.server.topics or self._kind.topics)

    def _on_disconnect(
        self, _client: Client, _userdata: Any, flags: DisconnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        if self._failed:
            return
        if flags.is_disconnect_packet_from_server:
            self._failed = why_refused(self._broker, reason)
        elif not self._connected:
            self._failed = why_no_connection(self._broker, ConnectionResetError())

    def _on_subscribe(
        self, _client: Client, _userdata: Any, packet_id: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        topics = self._subscribing.pop(packet_id, ())
        self._refused_topics = [
            topic for topic, reason in zip(topics, reasons, strict=False) if reason.is_failure
        ]
        self._report()

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        now_us = self._clock()
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # no broker lets that through; identity is in the payload anyway
        payload = bytes(message.payload)
        stats = self.stats
        stats.messages += 1
        stats.bytes += len(payload)
        stats.last_message_us = now_us
        if message.qos:
            self._packet_ids.append(message.mid)
        else:
            stats.qos0_seen += 1
            if stats.qos0_seen == 1:
                _log.warning("uplinks_at_qos_0", server=self.server.name, remedy=self._kind.qos0_remedy)
                self._report()
        self._burst_bytes += len(payload)
        self._burst.append(Message(self.server.name, topic, payload, message.qos, message.retain, now_us))

    def _report(self) -> None:
        """What a connected consumer has to say."""
        if self._refused_topics:
            topics = ", ".join(self._refused_topics)
            remedy = "let this user read them in the broker's access list"
            self._say(ok=False, detail=f"{self._broker}: subscription refused: {topics}: {remedy}")
        elif self.stats.qos0_seen:
            warning = "uplinks come at QoS 0: the broker keeps none of them while we are away"
            self._say(ok=True, detail=f"{self._broker}: {warning}: {self._kind.qos0_remedy}")
        else:
            self._say(ok=True, detail=f"connected to {self._broker}")

    def _say(self, *, ok: bool, detail: str) -> None:
        health = Health(ok, detail)
        if health != self.health:
            self.health = health
            (_log.info if ok else _log.warning)("consumer", server=self.server.name, ok=ok, detail=detail)
