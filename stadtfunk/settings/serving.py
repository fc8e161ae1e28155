"""Where the API listens, who sees what operators see, and the licence of what is public."""

import re
from pathlib import Path
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field

from stadtfunk.settings.addresses import mqtt_url, network, optional_url
from stadtfunk.settings.table import Table


def optional_mqtt_url(value: str) -> str:
    """A broker's address, or "". Raises ValueError with what is expected."""
    return mqtt_url(value) if value else ""


def token_hash(value: str) -> str:
    """The hash of a token, without its prefix. Raises ValueError with what is expected."""
    if not re.fullmatch(r"(sha256:)?[0-9a-f]{64}", value):
        message = "expected sha256:<64 hex digits>; `stadtfunk token` makes a token and its hash"
        raise ValueError(message)
    return value.removeprefix("sha256:")


class StaTable(Table):
    """SensorThings; writing is for scratch instances of conformance suites.

    `mqtt`: a broker that tells of every new public Observation.
    """

    write: bool = False
    mqtt: Annotated[str, AfterValidator(optional_mqtt_url)] = ""
    mqtt_client_id: str = Field(default="stadtfunk-sensorthings", min_length=1)
    mqtt_ca_file: Path | None = None


class Token(Table):
    """A bearer token by its SHA-256 hash; `stadtfunk token` makes one."""

    name: str = Field(min_length=1)
    hash: Annotated[str, AfterValidator(token_hash)]


class ApiTable(Table):
    """Where the API listens, `url` where people open it, and who may see what operators see.

    `requests_per_minute`: from one address, 0 for any number.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    url: Annotated[str, AfterValidator(optional_url)] = ""
    trusted_proxies: tuple[Annotated[str, AfterValidator(network)], ...] = ("127.0.0.1", "::1")
    requests_per_minute: int = Field(default=3000, ge=0)
    token: tuple[Token, ...] = ()
    basemap_url: str | None = None
    basemap_attribution: str = ""


class OpenData(Table):
    """Licence and attribution of every public payload; `close_after_h`: from a day's end to its last word."""

    license: str = "http://dcat-ap.de/def/licenses/dl-zero-de/2.0"
    attribution: str = ""
    close_after_h: float = Field(default=48.0, ge=1, le=8760)


def _contributor(value: str) -> str:
    if value and not re.fullmatch(r"http://dcat-ap\.de/def/contributors/\w+", value):
        message = "expected an IRI of GovData's list, such as http://dcat-ap.de/def/contributors/openNRW"
        raise ValueError(message)
    return value


def _mail(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False).normalized if value else ""
    except EmailNotValidError:
        raise ValueError("expected an address such as opendata@stadt.example") from None


class DcatTable(Table):
    """Who publishes the open data, for the catalogue that Open.NRW and GovData harvest.

    `base`: what its IRIs begin with, where that is not [api] url.
    """

    contributor_id: Annotated[str, AfterValidator(_contributor)] = ""
    publisher: str = ""
    homepage: Annotated[str, AfterValidator(optional_url)] = ""
    contact_name: str = ""
    contact_mail: Annotated[str, AfterValidator(_mail)] = ""
    base: Annotated[str, AfterValidator(optional_url)] = ""
