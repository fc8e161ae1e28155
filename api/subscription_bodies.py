"""What people send about a subscription, as JSON or as a form, and what it means."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import parse_qsl

import pydantic
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from alerts.areas import LAT, LON
from alerts.errors import ContactError
from alerts.event import Severity
from alerts.scale import ReadIn
from alerts.subscriptions.contact import Contact, ContactChannel, WrittenChannel, contact, push_contact
from alerts.subscriptions.subscription import MOST_PLACES, RADII, TOLD, Choices, Place, QuietHours, Told
from alerts.web_push.browser import PushServices
from api.problems import Problem

MOST_BYTES = 16_384
_MOST_FIELDS = 200
_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"
_POINT = re.compile(r"(-?\d{1,3}\.\d{1,10}),(-?\d{1,3}\.\d{1,10}),([0-9])")
_Id = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$", max_length=80)]
_Line = Annotated[str, Field(min_length=2, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Body = TypeVar("_Body", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Point(_Strict):
    """A place on the map. It is kept rounded to three decimals."""

    lat: float = Field(ge=LAT[0], le=LAT[1], description="WGS 84, degrees")
    lon: float = Field(ge=LON[0], le=LON[1], description="WGS 84, degrees")
    radius_km: int = Field(
        default=0, ge=0, le=RADII[-1], description="rain within so many km counts; 0: areas only"
    )


class Quiet(_Strict):
    """Hours of the city's clock without messages; over midnight where the end is earlier."""

    start: str = Field(pattern=_CLOCK, examples=["22:00"])
    end: str = Field(pattern=_CLOCK, examples=["06:00"])

    @model_validator(mode="after")
    def _not_all_day(self) -> Self:
        if self.start == self.end:
            raise ValueError("start and end are the same: leave quiet out, or give hours")
        return self


class ChoicesBody(_Strict):
    """What to be told of, and when."""

    areas: tuple[_Id, ...] = Field(default=(), max_length=MOST_PLACES, description="ids of warning areas")
    gauges: tuple[_Id, ...] = Field(default=(), max_length=MOST_PLACES, description="ids of stations")
    points: tuple[Point, ...] = Field(default=(), max_length=MOST_PLACES)
    least: Severity = Field(default="Moderate", description="least severity")
    told: tuple[Told, ...] = Field(
        default=TOLD, min_length=1, max_length=2, description="measurement notices, warnings of the city"
    )
    language: ReadIn = "de"
    quiet: Quiet | None = None

    @model_validator(mode="after")
    def _some_place(self) -> Self:
        count = len(self.areas) + len(self.gauges) + len(self.points)
        if not 1 <= count <= MOST_PLACES:
            raise ValueError(f"choose 1 to {MOST_PLACES} places: areas, gauges or points")
        return self

    def choices(self, areas: Mapping[str, Any], gauges: Mapping[str, Any]) -> Choices:
        """The choices. Raises Problem 422 for an area or a gauge that does not exist."""
        for key, chosen, known in (("areas", self.areas, areas), ("gauges", self.gauges, gauges)):
            if unknown := [each for each in chosen if each not in known]:
                raise wrong({key: f"there is no {unknown[0]}"})
        places = (
            *(Place("area", each) for each in self.areas),
            *(Place("gauge", each) for each in self.gauges),
            *(Place.at(each.lat, each.lon, each.radius_km) for each in self.points),
        )
        quiet = QuietHours(_minute(self.quiet.start), _minute(self.quiet.end)) if self.quiet else None
        told = tuple(each for each in TOLD if each in self.told)
        return Choices(tuple(dict.fromkeys(places)), self.least, told, self.language, quiet)


class WhoBody(_Strict):
    """Somebody's address."""

    channel: WrittenChannel = "email"
    address: str = Field(
        min_length=3, max_length=254, description="an e-mail address or a telephone number, nothing else"
    )

    def contact(self, channels: Sequence[WrittenChannel], *, staff: bool = False) -> Contact:
        """The contact. Raises Problem 422; what was sent is not repeated."""
        allowed = channels if staff else [each for each in channels if each != "voice"]
        if self.channel not in allowed:
            raise wrong({"channel": f"possible here: {', '.join(allowed)}"})
        try:
            return contact(self.channel, self.address, anywhere=staff)
        except ContactError as error:
            raise wrong({"address": str(error)}) from error


class SubscriptionBody(ChoicesBody, WhoBody):
    """An address and what to tell it."""


class BrowserKeys(_Strict):
    """`PushSubscription.toJSON().keys`."""

    p256dh: str = Field(min_length=80, max_length=100)
    auth: str = Field(min_length=16, max_length=32)


class BrowserBody(BaseModel):
    """What `PushSubscription.toJSON()` gives."""

    model_config = ConfigDict(frozen=True)  # browsers may say more

    endpoint: str = Field(min_length=10, max_length=2048)
    keys: BrowserKeys

    def contact(self, services: PushServices) -> Contact:
        """The contact. Raises Problem 422; what was sent is not repeated."""
        try:
            return push_contact(services.browser(self.endpoint, self.keys.p256dh, self.keys.auth))
        except ContactError as error:
            raise wrong({"subscription": str(error)}) from error


class PushBody(ChoicesBody):
    """A browser and what to tell it."""

    subscription: BrowserBody


class LinkBody(WhoBody):
    """Whom to send the link to."""

    language: ReadIn = "de"


class PaperBody(SubscriptionBody):
    """A paper form."""

    staff: _Line = Field(description="who of the staff enters it")
    form_date: dt.date = Field(description="when the form was signed")


class RemoveBody(WhoBody):
    """Somebody who asked staff to end it."""

    staff: _Line = Field(description="who of the staff was asked")


class AddressQuery(_Strict):
    """What somebody types."""

    q: str = Field(min_length=1, max_length=100, examples=["Hauptstr 12"])


class Sent(BaseModel):
    """The same for every address."""

    status: Literal["sent"] = "sent"
    detail: str = "if the address can be reached, a message is on its way to it; it is valid for 72 hours"


class AddressItem(BaseModel):
    """One house of the city's address file."""

    label: str = Field(examples=["Hauptstraße 12"])
    lat: float
    lon: float


class AddressItems(BaseModel):
    """At most ten."""

    items: list[AddressItem]


class HeldItem(BaseModel):
    """What a link stands for."""

    link: Literal["confirm", "manage", "leave"]
    channel: ContactChannel
    address: str = Field(
        description="not in full; of a browser the host of its push service", examples=["m…@example.org"]
    )
    choices: ChoicesBody | None = Field(description="null for a link that only ends messages")


async def read_json(request: Request, model: type[_Body]) -> _Body:
    """The body as JSON. Raises Problem 413, 415, 422."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(415, "this is no JSON", "send it with `Content-Type: application/json`")
    try:
        return model.model_validate_json(await _read(request))
    except pydantic.ValidationError as error:
        raise _invalid(error) from error


async def read_form(request: Request) -> list[tuple[str, str]]:
    """The fields of a form in their order. Raises Problem 413, 422."""
    try:
        text = (await _read(request)).decode()
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Problem(422, "this form cannot be read") from error


def from_form(fields: Sequence[tuple[str, str]], model: type[_Body], **more: Any) -> _Body:
    """What a form of the page says. Raises Problem 422."""
    several: dict[str, list[str]] = {}
    for name, value in fields:
        several.setdefault(name, []).append(value)
    points = [_POINT.fullmatch(each) for each in several.get("point", ())]
    if not all(points):
        raise wrong({"points": "cannot be read"})
    single: dict[str, Any] = {
        key: several[key][-1] for key in ("channel", "address", "least", "language") if key in several
    }
    data: dict[str, Any] = {
        **single,
        **{key: several[name] for key, name in (("areas", "area"), ("gauges", "gauge")) if name in several},
        **more,
    }
    if issubclass(model, ChoicesBody):
        data["points"] = [
            {"lat": float(each[1]), "lon": float(each[2]), "radius_km": int(each[3])}
            for each in points
            if each
        ]
        data["told"] = several.get("told", [])
        if "quiet" in several:
            data["quiet"] = {key: several.get(f"quiet_{key}", [""])[-1] for key in ("start", "end")}
    known = {key: value for key, value in data.items() if key in model.model_fields}
    try:
        return model.model_validate(known)
    except pydantic.ValidationError as error:
        raise _invalid(error) from error


def body_of(choices: Choices) -> ChoicesBody:
    """The other way round. Not validated: more places may have come together than one can ask for."""
    hours = choices.quiet
    quiet = Quiet(start=_clock(hours.start_min), end=_clock(hours.end_min)) if hours else None
    return ChoicesBody.model_construct(
        areas=tuple(each.ref for each in choices.places if each.kind == "area"),
        gauges=tuple(each.ref for each in choices.places if each.kind == "gauge"),
        points=tuple(
            Point(lat=each.lat, lon=each.lon, radius_km=each.radius_km)
            for each in choices.places
            if each.kind == "point"
        ),
        least=choices.least,
        told=choices.told,
        language=choices.language,
        quiet=quiet,
    )


def wrong(problems: Mapping[str, str]) -> Problem:
    """422 that names the parameters."""
    return Problem(
        422,
        "; ".join(f"{name}: {problem}" for name, problem in problems.items()),
        "the parameters of each address: /docs",
        errors=[{"parameter": name, "problem": problem} for name, problem in problems.items()],
    )


def request_body(model: type[BaseModel]) -> dict[str, Any]:
    """For the OpenAPI document of a route that reads its body itself."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)  # schemas() has them
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def schemas() -> dict[str, Any]:
    """What request_body() refers to."""
    found: dict[str, Any] = {}
    for model in (SubscriptionBody, PushBody, LinkBody, PaperBody, RemoveBody, AddressQuery):
        found |= model.model_json_schema(ref_template="#/components/schemas/{model}").get("$defs", {})
    return found


def _invalid(error: pydantic.ValidationError) -> Problem:
    """Without what was sent: it may be somebody's address."""
    return wrong(
        {
            ".".join(map(str, item["loc"])) or "body": item["msg"].removeprefix("Value error, ")
            for item in error.errors(include_input=False, include_url=False)
        }
    )


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Problem(413, f"more than {MOST_BYTES >> 10} kB", "send one subscription at a time")
    return bytes(body)


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
