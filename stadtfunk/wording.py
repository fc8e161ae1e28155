"""The texts of the configured city."""

from collections.abc import Callable

from alerts.areas import Areas
from alerts.scale import Language, Scale
from alerts.texts.texts import Texts
from stadtfunk.settings import Settings
from stadtfunk.standby import stand_in_of
from stadtfunk.texts import own_folder, say

CONSOLE = "/console/incidents"
"""Where staff decide."""


def texts_of(settings: Settings, place_name: Callable[[str], str], areas: Areas, scale: Scale) -> Texts:
    """The texts with the city's names; `place_name` knows stations, catchments and gateways by their id."""
    by_id = {area.id: area for area in areas.areas}

    def warned_by(station: str, language: Language) -> list[str]:
        return [area.names()[language] for area in areas.of(station)]

    def area_name(id_: str, language: Language) -> str:
        return by_id[id_].names()[language] if id_ in by_id else id_

    # of a stand-by's settings only this is surely not the first one's
    url = settings.api.url.rstrip("/") if settings.standby else public_url(settings)
    texts = Texts(
        place_name,
        settings.city.timezone,
        settings.city.name,
        warned_by,
        scale=scale,
        catchment_name=place_name,
        area_name=area_name,
        console=url and url + CONSOLE,
        stand_in=stand_in_of(settings),
        own=own_folder(settings),
    )
    say(texts.files.values())
    return texts


def public_url(settings: Settings) -> str:
    """Where people open the service, "" when nothing in the configuration says so."""
    subscriptions = settings.subscriptions.url if settings.subscriptions else ""
    return (settings.api.url or subscriptions or settings.cap.url).rstrip("/")
