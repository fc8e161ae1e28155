"""Car parks: what is kept how long."""

from typing import Annotated

from pydantic import Field

from alerts.mobility.occupancy_db import LEAST_DAYS
from stadtfunk.settings.table import Table

Days = Annotated[int, Field(ge=LEAST_DAYS, le=36_500)]


class ParkingTable(Table):
    """For how many days the occupancy of car parks and its corrections are kept, None for ever."""

    keep_quarters_days: Days | None = 400
    keep_occupancy_hours_days: Days | None = None
    keep_occupancy_days_days: Days | None = None
    keep_corrections_days: Days | None = 400
