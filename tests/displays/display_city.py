"""What displays are made from, and a column that listens to a broker, for the tests of displays."""

import runpy
import threading
import time
from pathlib import Path
from zoneinfo import ZoneInfo

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from servers import wait_for
from warned_city import AREAS, PLACES

from alerts.displays.content import Scene
from alerts.scale import shipped_scale
from alerts.texts.texts import Texts

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "docs/examples/column.py"))
Column = EXAMPLE["Column"]
BERLIN = ZoneInfo("Europe/Berlin")
SCENE = Scene(
    AREAS,
    Texts(lambda id_: PLACES.get(id_, id_), "Europe/Berlin", "Bergisch Gladbach"),
    shipped_scale(),
    BERLIN,
    "Bergisch Gladbach",
    lambda _: True,
)


class Listener:
    """An MQTT 5 client that hears topic filters. `messages`: (topic, payload, retained, expiry)."""

    def __init__(self, port, *filters):
        self.messages = []
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda *_: self._client.subscribe([(each, 1) for each in filters])
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(60)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()

    def of(self, topic):
        return [each for each in list(self.messages) if each[0] == topic]

    def last(self, topic, count=1):
        wait_for(lambda: len(self.of(topic)) >= count, what=f"{count} of {topic} in {self.messages}")
        return self.of(topic)[-1]

    def _on_message(self, _client, _userdata, message):
        expiry = getattr(message.properties, "MessageExpiryInterval", None)
        self._take(message.topic, bytes(message.payload), message.retain, expiry)

    def _take(self, *message):
        self.messages.append(message)


class Watched(Listener):
    """The example's column at a broker; `ahead_s` puts its clock forward."""

    def __init__(self, port, area="gierath"):
        self.ahead_s = 0.0
        self.column = Column(area, now=lambda: time.monotonic() + self.ahead_s)
        super().__init__(port, *self.column.topics)

    def shows(self, text, timeout_s=60):
        wait_for(lambda: text in self.column.shows(), timeout_s, f"{text!r} in {self.messages}")

    def _take(self, topic, payload, retained, expiry_s):
        super()._take(topic, payload, retained, expiry_s)
        self.column.heard(topic, payload, expiry_s)


def retained(port, pattern):
    """What a client that connects now is given, {topic: payload}; those that have run out are not."""
    listener = Listener(port, pattern)
    try:
        # QoS 1 of one client in order: the marker comes after everything that is retained
        listener._client.subscribe("marker", 1)
        listener._client.publish("marker", b"end", qos=1)
        listener.last("marker")
        return {topic: payload for topic, payload, *_ in listener.messages if topic != "marker"}
    finally:
        listener.close()
