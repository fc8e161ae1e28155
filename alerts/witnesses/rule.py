"""Who bears witness to a measurement, and what follows for the public: the [rule.witness] table of a rule."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alerts.event import Audience

Wording = Literal["confirmed", "unconfirmed"]
_MINUTE_US = 60_000_000
Case = Literal["agrees", "contradicts", "absent", "lone"]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Outcome(_Table):
    """One row: who hears, how many minutes after the crossing, in which wording."""

    audience: Audience
    after_min: Annotated[float, Field(ge=0, le=360)] = 0
    wording: Wording = "unconfirmed"

    @property
    def after_us(self) -> int:
        """`after_min` in µs."""
        return round(self.after_min * _MINUTE_US)


class RainOutcomes(_Table):
    """What follows for a rain gauge. `absent`: it has neighbours, but too few of them report; `lone`: it has
    too few in the first place."""  # noqa: D205, D209 - one thought

    agrees: Outcome = Outcome(audience="public", wording="confirmed")
    contradicts: Outcome = Outcome(audience="staff", after_min=30)
    absent: Outcome = Outcome(audience="public", after_min=10)
    lone: Outcome = Outcome(audience="public")

    @property
    def rows(self) -> tuple[Outcome, ...]:
        """All of them."""
        return self.agrees, self.contradicts, self.absent, self.lone


class LevelOutcomes(_Table):
    """What follows for a water level. Nothing contradicts one: a creek can rise without rain at any gauge."""

    agrees: Outcome = Outcome(audience="public", wording="confirmed")
    absent: Outcome = Outcome(audience="public")

    @property
    def rows(self) -> tuple[Outcome, ...]:
        """All of them."""
        return self.agrees, self.absent


class _Witness(_Table):
    within_min: Annotated[float, Field(gt=0, le=360)] = 30
    distance_km: Annotated[float, Field(ge=0, le=100)] = 5.0

    @property
    def within_us(self) -> int:
        """`within_min` in µs."""
        return round(self.within_min * _MINUTE_US)


class LevelWitness(_Witness):
    """Rain (the share of level 2's depth that the gauge's rule asks of a neighbour) or another level of the
    same catchment; where none is configured, within `distance_km`."""  # noqa: D205, D209 - one thought

    rise_cm: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 5.0
    outcomes: LevelOutcomes = LevelOutcomes()


class RainWitness(_Witness):
    """`agree` of the `neighbours` nearest gauges within `distance_km` that report, each with `share` of the
    threshold in the same window within `within_min` minutes before or after; or a level of the catchment that
    reached a mark or rose by `rise_cm`; or an official warning; or a person."""  # noqa: D205, D209 - one thought

    neighbours: Annotated[int, Field(ge=1, le=50)] = 5
    agree: Annotated[int, Field(ge=1, le=50)] = 2
    share: Annotated[float, Field(gt=0, le=1)] = 0.333
    outcomes: RainOutcomes = RainOutcomes()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.agree > self.neighbours:
            raise ValueError("agree must not be more than neighbours: nobody could confirm anything")
        return self
