"""Traffic: what is kept how long, and what is too few to be told."""

from typing import Annotated

from pydantic import Field

from alerts.mobility.counts_db import LEAST_DAYS
from stadtfunk.settings.segments import SegmentTable
from stadtfunk.settings.table import Table

Days = Annotated[int, Field(ge=LEAST_DAYS, le=36_500)]


class TrafficTable(Table):
    """For how many days counts are kept, None for ever; `segment`: pieces of street.

    `suppress_below`: fewer people are not told, 0: all. At least 37 days, because a counter that speaks after
    a month of silence changes all the counts of that month.
    """

    keep_5min_days: Days | None = 40
    keep_15min_days: Days | None = 400
    keep_hours_days: Days | None = None
    keep_days_days: Days | None = None
    keep_weeks_days: Days | None = None
    segment: tuple[SegmentTable, ...] = ()
    suppress_below: int = Field(default=0, ge=0, le=1000)
