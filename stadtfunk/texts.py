"""What people read, as a configuration has it: the shipped texts, and the city's own over them."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import structlog

from alerts.areas import Areas
from alerts.city import texts as warning_texts
from alerts.city.subject import Places
from alerts.city.texts import CityTexts
from alerts.errors import AlertsConfigError
from alerts.outlook import LevelOutlook
from alerts.scale import Language, Scale
from alerts.text_files import TextFile, strangers
from alerts.texts.texts import FILES as NOTICE_FILES
from alerts.texts.texts import Texts
from devices.errors import Fault
from stadtfunk.settings import Settings

KNOWN = (*NOTICE_FILES.values(), *warning_texts.FILES.values())
"""Names of the files that a city's folder may hold."""

_log = structlog.get_logger(__name__)


def own_folder(settings: Settings) -> Path | None:
    """The city's folder of texts."""
    return settings.path(settings.alerts.texts) if settings.alerts.texts else None


def city_texts(
    settings: Settings,
    station_name: Callable[[str], str],
    areas: Areas,
    scale: Scale,
    outlook: Callable[[str], Sequence[LevelOutlook]] = lambda _station: (),
) -> CityTexts:
    """The texts of warnings of the city. Raises AlertsConfigError."""

    def area_names(ids: Sequence[str], language: Language) -> list[str]:
        names = {area.id: area.names()[language] for area in areas.areas}
        return [names.get(id_, id_) for id_ in ids]

    def fastest(station: str) -> LevelOutlook | None:
        return max(outlook(station), key=lambda each: each.rate or 0, default=None)

    places = Places(settings.city.name, settings.city.timezone, station_name, area_names, fastest, scale)
    texts = CityTexts(places, own_folder(settings))
    say(texts.files.values())
    return texts


def say(files: Iterable[TextFile]) -> None:
    """Log what nobody has signed as it is."""
    for file in files:
        if file.advice:
            _log.warning("texts_not_signed", advice=file.advice)


def examine_texts(settings: Settings) -> tuple[list[Fault], list[str]]:
    """What is wrong with the city's texts, and which of them nobody has signed as they are."""
    own = own_folder(settings)
    if own is None:
        return [], []
    faults = strangers(own, KNOWN)
    try:
        files = text_files(settings)
    except AlertsConfigError as error:
        return [*faults, *error.faults], []
    return faults, [file.advice for file in files if file.advice]


def text_files(settings: Settings) -> list[TextFile]:
    """Every file as it is used, after trying out all it says. Raises AlertsConfigError."""
    faults, files = list[Fault](), list[TextFile]()
    own, city = own_folder(settings), settings.city
    try:
        files += Texts(str, city.timezone, city.name, own=own).files.values()
    except AlertsConfigError as error:
        faults += error.faults
    try:
        files += CityTexts(Places(city.name, city.timezone), own).files.values()
    except AlertsConfigError as error:
        faults += error.faults
    if faults:
        raise AlertsConfigError(*faults)
    return files
