"""Licence and attribution as a catalogue names them."""

from collections.abc import Mapping
from typing import NamedTuple

from api.services import Services

_LIST = "http://dcat-ap.de/def/licenses"
_KNOWN: Mapping[str, str] = {
    "dl-zero-de/2.0": f"{_LIST}/dl-zero-de/2.0",
    "dl-de/zero-2-0": f"{_LIST}/dl-zero-de/2.0",
    "dl-de-zero-2.0": f"{_LIST}/dl-zero-de/2.0",
    "www.govdata.de/dl-de/zero-2-0": f"{_LIST}/dl-zero-de/2.0",
    "dl-by-de/2.0": f"{_LIST}/dl-by-de/2.0",
    "dl-de/by-2-0": f"{_LIST}/dl-by-de/2.0",
    "dl-de-by-2.0": f"{_LIST}/dl-by-de/2.0",
    "www.govdata.de/dl-de/by-2-0": f"{_LIST}/dl-by-de/2.0",
    "cc-by-4.0": f"{_LIST}/cc-by/4.0",
    "creativecommons.org/licenses/by/4.0": f"{_LIST}/cc-by/4.0",
    "cc0-1.0": f"{_LIST}/cc-zero",
    "creativecommons.org/publicdomain/zero/1.0": f"{_LIST}/cc-zero",
}
"""Other names of licences that GovData's list has."""


class Terms(NamedTuple):
    """A licence (an IRI, or "" where the configuration names none) and whom to name."""

    license: str
    attribution: str

    @property
    def by(self) -> bool:
        """Whether the licence asks to name somebody."""
        return "by" in self.license.removeprefix(_LIST).replace("/", "-").split("-")


def listed(license_: str) -> str:
    """A licence as an IRI, that of GovData's list where it has it; "" where it is no IRI and not known."""
    plain = license_.strip().rstrip("/")
    known = _KNOWN.get(plain.lower().removeprefix("https://").removeprefix("http://"))
    if known is not None:
        return known
    return plain if plain.startswith(("http://", "https://")) else ""


def terms_of(services: Services, property_: str | None = None) -> Terms:
    """Under which terms a property is public; None: what is no property."""
    terms = services.terms if property_ is None else services.terms_of(property_)
    return Terms(listed(terms.license), terms.attribution)
