"""Car parks: what is kept how long, and what no sensor measures."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from alerts.mobility.occupancy_db import LEAST_DAYS
from api.mobility.opening_hours import OpeningHours, read_opening_hours
from api.mobility.sites import ParkingSite, SiteType
from stadtfunk.settings.addresses import optional_url
from stadtfunk.settings.table import Table

Days = Annotated[int, Field(ge=LEAST_DAYS, le=36_500)]


def _hours(value: Any) -> OpeningHours | None:
    if isinstance(value, OpeningHours) or value is None:
        return value
    if not isinstance(value, str):
        raise ValueError("expected a text such as Mo-Fr 06:00-22:00")  # noqa: TRY004 - pydantic wants this one
    return read_opening_hours(value)


class ParkingSiteTable(Table):
    """One car park, by the id of its station."""

    station: str = Field(min_length=1)
    type: SiteType = "CAR_PARK"
    address: str = Field(default="", max_length=512)
    url: Annotated[str, AfterValidator(optional_url)] = ""
    operator: str = Field(default="", max_length=256)
    description: str = Field(default="", max_length=4096)
    opening_hours: Annotated[OpeningHours | None, BeforeValidator(_hours)] = None

    def site(self) -> ParkingSite:
        """The same, as the API has it."""
        return ParkingSite(
            self.station,
            self.type,
            self.address,
            self.url,
            self.operator,
            self.description,
            self.opening_hours,
        )


class ParkingTable(Table):
    """Car parks; `site`: what the city says of them.

    For how many days their occupancy and its corrections are kept, None for ever.
    """

    site: tuple[ParkingSiteTable, ...] = ()
    keep_quarters_days: Days | None = 400
    keep_occupancy_hours_days: Days | None = None
    keep_occupancy_days_days: Days | None = None
    keep_corrections_days: Days | None = 400
