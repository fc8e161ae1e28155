"""What a city says of its car parks that no sensor measures."""

from dataclasses import dataclass
from typing import Literal

from api.mobility.opening_hours import OpeningHours

SiteType = Literal["CAR_PARK", "UNDERGROUND", "OFF_STREET_PARKING_GROUND", "ON_STREET"]


@dataclass(frozen=True, slots=True)
class ParkingSite:
    """One car park, by the id of its station. "" and None for what nobody has said."""

    station: str
    type: SiteType = "CAR_PARK"
    address: str = ""
    url: str = ""
    operator: str = ""
    description: str = ""
    opening_hours: OpeningHours | None = None
