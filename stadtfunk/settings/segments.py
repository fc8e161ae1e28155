"""Pieces of street that the city draws, [[traffic.segment]]."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from stadtfunk.settings.table import Table

Position = Annotated[
    tuple[
        Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)],
        Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)],
    ],
    Field(description="longitude, latitude"),
]


class SegmentTable(Table):
    """One segment. `line`: its positions in the direction of travel, or a GeoJSON file with its line.

    `stations` count there, of which `channels` where only some do. `free_flow_kmh`: how fast traffic flows
    when nothing is in its way; learned where it is not given.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=80)
    name: str = Field(min_length=1, max_length=80)
    line: tuple[Position, ...] | Path
    stations: tuple[str, ...] = Field(min_length=1)
    channels: tuple[str, ...] = ()
    free_flow_kmh: float | None = Field(default=None, ge=5, le=130)
