"""Who hears of alerts: thresholds and channels, CAP, control centre, displays."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from alerts.delivery.outbox import RECEIPTS_DAYS
from alerts.routing.quiet import read_quiet
from stadtfunk.settings.addresses import mqtt_url, topic_name, with_valid_port
from stadtfunk.settings.table import Table


def _quiet(text: str) -> str:
    if text:
        read_quiet(text)
    return text


class Channel(Table):
    """One place that hears of alerts, as an Apprise URL."""

    name: str = Field(min_length=1)
    url: str = Field(min_length=1)
    language: Literal["de", "en"] = "de"
    audience: tuple[Literal["public", "staff"], ...] = ("staff",)
    min_level: int = Field(default=1, ge=1, le=4)
    exercises: bool = False
    quiet: Annotated[str, AfterValidator(_quiet)] = ""


class WebhookTable(Table):
    """One program that hears of alerts, by signed POST."""

    name: str = Field(min_length=1)
    url: str = Field(min_length=1)
    secret: str = Field(min_length=1)
    audience: tuple[Literal["public", "staff"], ...] = ("staff",)
    min_level: int = Field(default=1, ge=1, le=4)
    exercises: bool = False


class AlertsTable(Table):
    """Thresholds and who hears of them; `scale`: what levels mean; `kostra`: a table of KOSTRA-DWD;
    `catchments`: what flows where; `areas`: the parts of the city that are warned; `routes`: who of the staff
    hears of what; `texts`: a folder of texts of its own."""  # noqa: D205, D209 - one thought

    rules: Path | None = None
    scale: Path | None = None
    kostra: Path | None = None
    catchments: Path | None = None
    areas: Path | None = None
    routes: Path | None = None
    texts: Path | None = None
    channel: tuple[Channel, ...] = ()
    webhook: tuple[WebhookTable, ...] = ()
    receipts_days: int = Field(default=RECEIPTS_DAYS, ge=2)


class CapTable(Table):
    """How warnings of the city are published as CAP 1.2; nothing is without `sender`."""

    sender: str = Field(default="", pattern=r"^[^\s,<&]*$", max_length=120)
    sender_name: str = ""
    contact: str = ""
    web: str = Field(default="", pattern=r"^(https?://\S+)?$")
    url: str = Field(default="", pattern=r"^(https?://[^\s/]\S*)?$")
    languages: tuple[Annotated[str, Field(pattern=r"^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*$")], ...] = Field(
        default=("de", "en"), min_length=1
    )
    notices: Literal["off", "restricted", "public"] = "restricted"
    key: Path | None = None
    certificate: Path | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.key is None) != (self.certificate is None):
            raise ValueError("key and certificate belong together: give both or none")
        if len({each.lower() for each in self.languages}) < len(self.languages):
            raise ValueError("languages: one stands twice")
        if not self.sender and (self.key or self.contact or self.web or self.sender_name or self.url):
            raise ValueError("sender: name the city as sender, such as warnung@stadt.example")
        return self


class LeitstelleTable(Table):
    """Where each step of a warning of the city is handed over: one or several of them."""

    folder: Path | None = None
    mail: str = ""
    url: Annotated[str, AfterValidator(with_valid_port)] = Field(default="", pattern=r"^(https?://\S+)?$")
    token: str = Field(default="", pattern=r"^[\x21-\x7e]*$")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.token and not self.url:
            raise ValueError("token: there is no url that it is for")
        return self


class SignTable(Table):
    """One car park on signs; `name`: what stands there, else `P` and the station's name."""

    station: str = Field(min_length=1)
    name: str = Field(default="", max_length=100)


class SignsTable(Table):
    """Lines of free spaces for parking signs; without any `sign` every public car park has one.

    `unsure`: what is said while a number cannot be trusted; `sure`: from which confidence on it is.
    """

    width: int = Field(default=40, ge=12, le=200)
    guidance_width: int = Field(default=160, ge=0, le=1000)
    unsure: Literal["dashes", "words"] = "dashes"
    sure: float = Field(default=0.6, ge=0, le=1)
    full_at: int = Field(default=0, ge=0)
    silent_min: float = Field(default=90.0, gt=0, le=10_080)
    sign: tuple[SignTable, ...] = ()


class DisplaysTable(Table):
    """The local broker that display columns listen to; `parking`: what signs of car parks say there."""

    url: Annotated[str, AfterValidator(mqtt_url)]
    prefix: Annotated[str, AfterValidator(topic_name)] = "stadtfunk"
    client_id: str = Field(default="stadtfunk-displays", min_length=1)
    ca_file: Path | None = None
    parking: SignsTable | None = None
