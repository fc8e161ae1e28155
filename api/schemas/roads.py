"""The state of the roads: directions that are counted, street segments, congestions."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

State = Literal["free", "dense", "slow", "jam", "unknown"]
_STATE = "free / frei, dense / dicht, slow / zäh, jam / Stau, unknown / unbekannt"


class FlowItem(BaseModel):
    """One counted direction in the newest quarter of an hour that is judged."""

    station: str
    property: str = Field(examples=["vehicle_count"])
    channel: str = Field(
        description="Direction; vehicle classes are added / Richtung, Fahrzeugklassen zusammen",
        examples=["in"],
    )
    state: State = Field(description=_STATE)
    basis: Literal["speed", "count", "none"] = Field(
        description="What the state follows from / woraus der Zustand folgt"
    )
    since: AwareDatetime | None = Field(description="Begin of this state / Beginn des Zustands")
    time: AwareDatetime | None = Field(description="END of the quarter / ENDE der Viertelstunde")
    value: int | None = Field(description="Count in that quarter / Anzahl in der Viertelstunde")
    speed_kmh: float | None = Field(description="Mean speed, km/h / mittlere Geschwindigkeit")
    typical_low: int | None = Field(description="10 % quantile of such quarters / 10-%-Quantil")
    typical: int | None = Field(
        description="Median of the same quarter on such days before; null: not yet known / "
        "Median derselben Viertelstunde an solchen Tagen; null: noch unbekannt"
    )
    typical_high: int | None = Field(description="90 % quantile / 90-%-Quantil")


class SegmentItem(BaseModel):
    """A piece of street, in one direction."""

    id: str = Field(examples=["bensberger-stadteinwaerts"])
    name: str = Field(examples=["Bensberger Straße stadteinwärts"])
    state: State = Field(
        description=_STATE + "; that of the worst of its stations / der schlechtesten Stelle"
    )
    since: AwareDatetime | None = Field(description="Begin of this state / Beginn des Zustands")
    time: AwareDatetime | None = Field(description="END of the newest quarter / ENDE der Viertelstunde")
    speed_kmh: float | None = Field(description="Mean speed, km/h / mittlere Geschwindigkeit")
    free_flow_kmh: float | None = Field(
        description="As configured; null: learned / wie eingestellt; null: gelernt"
    )
    stations: list[str] = Field(description="What counts there / was dort zählt")


class CongestionItem(BaseModel):
    """A time in which traffic was slow or jammed: on a segment, or at a station that is on none."""

    id: str = Field(examples=["bensberger-stadteinwaerts.20260714T153000Z"])
    segment: str | None = Field(
        examples=["bensberger-stadteinwaerts"],
        description="null where no segment has this direction / null, wo kein Abschnitt diese Richtung hat",
    )
    station: str | None = Field(
        description="Where it is instead / wo er stattdessen ist", examples=["verkehr-hauptstrasse"]
    )
    channel: str | None = Field(description="Its direction there / Richtung dort", examples=["in"])
    name: str = Field(
        examples=["Bensberger Straße stadteinwärts"],
        description="Of the segment or the station / des Abschnitts oder der Station",
    )
    begin: AwareDatetime
    end: AwareDatetime | None = Field(description="null while it lasts / null, solange er besteht")
    in_force: bool
    worst: State = Field(description="Worst state so far / schlechtester Zustand bisher")
