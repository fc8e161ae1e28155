"""A display column: what it shows, by the rules of docs/displays.md. It needs no clock that is right.

python column.py BROKER_HOST AREA
"""  # noqa: INP001 - no package

import json
import sys
import time
from collections.abc import Callable

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

CALM = "Keine Warnung"
OUTDATED = "Keine aktuellen Daten"
LENGTH = 160


class Column:
    """One column. `now`: seconds of a clock that only has to run."""

    def __init__(
        self, area: str, prefix: str = "stadtfunk", now: Callable[[], float] = time.monotonic
    ) -> None:
        self.topics = (f"{prefix}/status", f"{prefix}/warnings/{area}/text")
        self._now = now
        self._text, self._text_until = "", 0.0
        self._current_until = 0.0
        self._since = ""

    def heard(self, topic: str, payload: bytes, expiry_s: float | None) -> None:
        """A message came; the broker says for how many more seconds it is good, None for ever."""
        until = self._now() + (expiry_s or 0)
        if topic == self.topics[1]:
            self._text, self._text_until = payload.decode(), until
        elif topic == self.topics[0]:
            status = json.loads(payload) if payload else {}
            self._since = status["time"][11:16] if "time" in status else self._since
            self._current_until = until if status.get("online") else 0.0

    def shows(self) -> str:
        """The text for this moment."""
        text = self._text if self._now() < self._text_until else ""
        if text and self._now() < self._current_until:
            return text
        shown = f"{OUTDATED} seit {self._since}" if self._since else OUTDATED
        if text and text != CALM:
            # by its own words it still holds: only whether it was called off meanwhile is not known
            shown += f". Zuletzt: {text}"
        return shown if len(shown) <= LENGTH else f"{shown[: LENGTH - 3]}..."


def main(host: str, area: str) -> None:
    """Show on the terminal what a column would."""
    column = Column(area)
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)

    def on_message(_client: Client, _userdata: object, message: MQTTMessage) -> None:
        expiry = getattr(message.properties, "MessageExpiryInterval", None)
        column.heard(message.topic, message.payload, expiry)

    client.on_connect = lambda *_: client.subscribe([(topic, 1) for topic in column.topics])
    client.on_message = on_message
    client.connect_async(host)
    client.loop_start()
    shown = ""
    while True:
        if column.shows() != shown:
            shown = column.shows()
            sys.stdout.write(f"{shown}\n")
            sys.stdout.flush()
        time.sleep(0.5)


if __name__ == "__main__":
    main(*sys.argv[1:3])
