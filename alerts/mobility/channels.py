"""Direction and vehicle class, as the channel of a counter names them.

One rule for every device type (docs/device-types.md): the direction, then after a slash the class or the
line. What stands first is the direction unless it is a word for a class; a later part is the class if it is
such a word or `class` and a number, else it only tells one line of a device from another.
"""

import re
from typing import NamedTuple

CLASSES = frozenset(
    {"car", "van", "truck", "bus", "motorcycle", "bicycle", "scooter", "pedestrian", "trailer", "other"}
)
_NUMBERED = re.compile(r"class[0-9]+")


class Lane(NamedTuple):
    """What a channel says; None where it says nothing of it."""

    direction: str | None
    vehicle_class: str | None
    line: str | None


def lane_of(channel: str) -> Lane:
    """Direction, class and line of a channel."""
    first, *rest = channel.split("/")
    if first and _is_class(first):
        first, rest = "", [first, *rest]
    return Lane(
        first or None,
        next(filter(_is_class, rest), None),
        "/".join(part for part in rest if not _is_class(part)) or None,
    )


def _is_class(part: str) -> bool:
    return part in CLASSES or _NUMBERED.fullmatch(part) is not None
