"""An MQTT publisher that waits for the broker instead of filling memory."""

import threading
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from devices.errors import Fault
from ingest.broker import read_broker_url, tls_context
from ingest.errors import BrokerError
from stadtfunk.errors import ConfigError

IN_FLIGHT = 200
_CONNECT_S = 10.0


class Publisher:
    """Publishes to one broker; a context manager.

    `url`: mqtt(s)://user:password@host:port. Raises ConfigError when the broker cannot be used, TimeoutError
    when it stops answering for `patience_s`.
    """

    def __init__(self, url: str, client_id: str = "", patience_s: float = 60.0) -> None:
        self._url = url
        self._patience_s = patience_s
        self._room = threading.BoundedSemaphore(IN_FLIGHT)
        self._answered = threading.Event()
        self._refusal = ""
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id)
        self._client.max_inflight_messages_set(IN_FLIGHT // 2)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish

    def __enter__(self) -> Self:
        try:
            broker = read_broker_url(self._url)
            if broker.tls:
                self._client.tls_set_context(tls_context(None))
        except BrokerError as error:
            raise self._fault(
                "is no broker", "write mqtt://user:password@host:1883 or mqtts://..."
            ) from error
        if broker.user:
            self._client.username_pw_set(broker.user, broker.password)
        try:
            self._client.connect(broker.host, broker.port)
        except (OSError, ValueError) as error:
            raise self._fault(
                f"cannot be reached: {error}", "check host, port and whether it runs"
            ) from error
        self._client.loop_start()
        if not self._answered.wait(_CONNECT_S) or self._refusal:
            self.close()
            raise self._fault(self._refusal or "does not answer", "check user and password")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Hand over one message; blocks while too many are unanswered."""
        self._take()
        sent = self._client.publish(topic, payload, qos, retain)
        if qos == 0 and sent.rc == mqtt.MQTT_ERR_NO_CONN:  # with QoS 1 it waits for the reconnect
            self._room.release()
            raise ConnectionError("the connection broke; a message of QoS 0 is lost")

    def flush(self) -> None:
        """Block until the broker has everything."""
        taken = 0
        try:
            for _ in range(IN_FLIGHT):
                self._take()
                taken += 1
        finally:
            if taken:
                self._room.release(taken)

    def _take(self) -> None:
        if not self._room.acquire(timeout=self._patience_s):
            raise TimeoutError(f"the broker has answered nothing for {self._patience_s:.0f} s")

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, _client: object, _data: object, _flags: object, reason: ReasonCode, _: Any) -> None:
        if reason.is_failure:
            self._refusal = f"refuses the connection: {reason}"
        self._answered.set()

    def _on_publish(self, *_: object) -> None:
        self._room.release()

    def _fault(self, problem: str, remedy: str) -> ConfigError:
        where = self._url.rpartition("@")[2]  # without the password
        return ConfigError(Fault("command line", f"broker {where}", problem, remedy))
