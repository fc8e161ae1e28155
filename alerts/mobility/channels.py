"""Direction and vehicle class, as the channel of a counter names them.

One rule for every device type: the parts of a channel are divided by `/`. A part that is a word for a
direction is the direction; one that is a word for a class, or `class` and a number, is the class; any other
(`line1`) only tells one counter of the device from another.
"""

import re
from typing import NamedTuple

DIRECTIONS = frozenset({"in", "out", "ltr", "rtl", "forward", "backward", "north", "east", "south", "west"})
"""`ltr` and `rtl`: from left to right and the other way, seen from the sensor."""
CLASSES = frozenset(
    {"car", "van", "truck", "bus", "motorcycle", "bicycle", "scooter", "pedestrian", "trailer", "other"}
)
_NUMBERED = re.compile(r"class[0-9]+")


class Lane(NamedTuple):
    """What a channel says; None where it says nothing of it."""

    direction: str | None
    vehicle_class: str | None


def lane_of(channel: str) -> Lane:
    """Direction and class of a channel."""
    parts = channel.split("/")
    return Lane(
        next((part for part in parts if part in DIRECTIONS), None),
        next((part for part in parts if part in CLASSES or _NUMBERED.fullmatch(part)), None),
    )
