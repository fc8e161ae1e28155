"""What the public sees of a property or a theme: whether, when, how finely, on what terms."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from stadtfunk.settings.table import Table

_DURATION = re.compile(r"P(?:(\d{1,4})D)?(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?")
_SECONDS = (86_400, 3_600, 60, 1)
_DAY_S, _YEAR_S = 86_400, 366 * 86_400
_MINUTE_S = 60


def seconds(text: str) -> int:
    """Seconds of an ISO 8601 duration of days, hours, minutes and seconds. Raises ValueError."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError("expected a duration such as PT15M, PT1H or P1D")
    return sum(int(count or 0) * each for count, each in zip(match.groups(), _SECONDS, strict=True))


def _delay(text: str) -> str:
    if not 0 < seconds(text) <= _YEAR_S:
        raise ValueError("a delay is longer than nothing and at most a year, such as PT15M or P1D")
    return text


def _interval(text: str) -> str:
    length = seconds(text)
    if length < _MINUTE_S or _DAY_S % length:
        raise ValueError(
            "a day must hold a whole number of them: PT1M, PT5M, PT15M, PT30M, PT1H, PT6H, P1D .."
        )
    return text


class PublicTable(Table):
    """What the city decides about readings. None: nothing here, so what the theme says, or nothing at all."""

    public: bool | None = None
    delay: Annotated[str, AfterValidator(_delay)] | None = None
    coarsen: Annotated[str, AfterValidator(_interval)] | None = None
    round: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    license: str | None = Field(default=None, pattern=r"^[^\s<>\"]+$")
    attribution: str | None = Field(default=None, min_length=1, pattern=r"^[^\r\n]*$")


class PropertyTable(PublicTable):
    """One observed property."""


class ThemeTable(PublicTable):
    """Every observed property of a theme that says nothing else itself."""

    @field_validator("public")
    @classmethod
    def _closes_only(cls, public: bool | None) -> bool | None:
        if public:
            raise ValueError("a theme can only be closed: open each property, [property.NAME] public = true")
        return public
