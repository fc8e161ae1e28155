"""What a kind of network server is to us."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from devices.measurement import Rejected
from ingest.device_event import DeviceEvent
from ingest.uplink import Message, Uplink


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message that is in order and tells us nothing: a short snake_case reason to count by."""

    reason: str


Found = Uplink | DeviceEvent | Rejected | Ignored
"""What one message can be."""


@dataclass(frozen=True, slots=True)
class NetworkServerKind:
    """One kind of network server.

    `mqtt` is the newest protocol it is sure to speak, `topics` what to subscribe when the configuration names
    none. `parse` never raises, whatever the message. `qos0_remedy`: what to do when uplinks come at QoS 0.
    `loss_window`: when an uplink can be lost before it reaches us.
    """

    kind: str
    name: str
    mqtt: Literal["3.1.1", "5"]
    topics: tuple[str, ...]
    qos0_remedy: str
    loss_window: str
    parse: Callable[[Message], Found]
