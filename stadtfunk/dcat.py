"""The catalogue of the open data: what the configuration makes of it, and what it lacks for GovData."""

from collections.abc import Iterator

from api.dcat.publisher import Publisher
from api.dcat.terms import Terms, listed
from devices.registry import Registry
from stadtfunk.settings import Settings


def publisher_of(settings: Settings) -> Publisher:
    """Who publishes, by the configuration."""
    table = settings.dcat
    return Publisher(
        name=table.publisher,
        homepage=table.homepage,
        contact_name=table.contact_name,
        contact_mail=table.contact_mail,
        contributor_id=table.contributor_id,
        base=table.base or settings.api.url,
    )


def advice(settings: Settings, registry: Registry) -> Iterator[str]:
    """In one line what the catalogue lacks for GovData, where the city has anything public."""
    if not any(station.public for station in registry.stations.values()):
        return
    lacking = list(_lacking(settings))
    if lacking:
        yield f"dcat: for Open.NRW and GovData the catalogue lacks {', '.join(lacking)} (docs/dcat.md)"


def _lacking(settings: Settings) -> Iterator[str]:
    table, data = settings.dcat, settings.open_data
    if not settings.city.ars:
        yield "[city] ars"
    if not (table.base or settings.api.url):
        yield "[api] url"
    if not table.contributor_id:
        yield "[dcat] contributor_id"
    if not table.contact_mail:
        yield "[dcat] contact_mail"
    terms = Terms(listed(data.license), data.attribution)
    if not terms.license:
        yield "[open_data] license as an IRI of https://www.dcat-ap.de/def/licenses/"
    elif terms.by and not data.attribution:
        yield "[open_data] attribution, which this licence asks for"
