"""Traffic and parking: what is kept how long."""

from typing import Annotated

from pydantic import Field

from alerts.mobility.counts_db import LEAST_DAYS
from stadtfunk.settings.table import Table

Days = Annotated[int, Field(ge=LEAST_DAYS, le=36_500)]


class TrafficTable(Table):
    """For how many days counts are kept, None for ever.

    At least 35: a counter that speaks after a month of silence changes all the counts of that month.
    """

    keep_5min_days: Days | None = 40
    keep_15min_days: Days | None = 400
    keep_hours_days: Days | None = None
    keep_days_days: Days | None = None
    keep_weeks_days: Days | None = None
