"""Where the API listens, who sees what operators see, and the licence of what is public."""

import re
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field

from stadtfunk.settings.addresses import network, optional_url
from stadtfunk.settings.table import Table


def token_hash(value: str) -> str:
    """The hash of a token, without its prefix. Raises ValueError with what is expected."""
    if not re.fullmatch(r"(sha256:)?[0-9a-f]{64}", value):
        message = "expected sha256:<64 hex digits>; `stadtfunk token` makes a token and its hash"
        raise ValueError(message)
    return value.removeprefix("sha256:")


class StaTable(Table):
    """SensorThings; writing is for scratch instances of conformance suites."""

    write: bool = False


class Token(Table):
    """A bearer token by its SHA-256 hash; `stadtfunk token` makes one."""

    name: str = Field(min_length=1)
    hash: Annotated[str, AfterValidator(token_hash)]


class ApiTable(Table):
    """Where the API listens, `url` where people open it, and who may see what operators see."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    url: Annotated[str, AfterValidator(optional_url)] = ""
    trusted_proxies: tuple[Annotated[str, AfterValidator(network)], ...] = ("127.0.0.1", "::1")
    token: tuple[Token, ...] = ()
    basemap_url: str | None = None
    basemap_attribution: str = ""


class OpenData(Table):
    """Licence and attribution that every public payload carries."""

    license: str = "http://dcat-ap.de/def/licenses/dl-zero-de/2.0"
    attribution: str = ""


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
