"""The words of CAP documents that no person writes, by language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alerts.scale import Language

HAZARDS = ("rain", "flood")
HAZARD_OF: Mapping[str, str] = {
    "dwd_starkregen": "rain",
    "dwd_dauerregen": "rain",
    "sri": "rain",
    "precipitation": "rain",
    "water_level": "flood",
    "water_level_expected": "flood",
    "basin": "flood",
}
BY_DWD = frozenset({"dwd_starkregen", "dwd_dauerregen"})
"""Criteria of the Deutscher Wetterdienst, applied to measurements of the city's own."""
EXPECTED = frozenset({"water_level_expected"})
TAGS: Mapping[str, str] = {"de": "de-DE", "en": "en-GB"}

NOTICE = "Automatische Messwertmeldung, keine amtliche Warnung / automatic measurement notice, no warning"
RESTRICTED = "Nur für Stellen der Stadt und die Leitstelle / for the city and the control centre only"
DRAFT = "Entwurf für die Leitstelle, nicht veröffentlicht / draft for the control centre, not published"
ALL_CLEAR: Mapping[str, str] = {
    "de": "Entwarnung",
    "de_more": "Die Warnung der Stadt ist aufgehoben.",
    "en": "All clear",
    "en_more": "The city's warning has been called off.",
}
CANCELLED: Mapping[str, str] = {
    "de": "Zurückgezogen",
    "de_more": "Die Warnung der Stadt war nicht richtig und ist zurückgezogen.",
    "en": "Withdrawn",
    "en_more": "The city's warning was not right and has been withdrawn.",
}

_UNITS: Mapping[str, str] = {"water_level": "cm", "water_level_expected": "cm", "basin": "cm"}


@dataclass(frozen=True, slots=True)
class Words:
    """One language's. `events` by hazards, "" for a warning that rests on no measurement."""

    language: Language
    events: Mapping[tuple[str, ...], str]
    exercise: str
    released: str
    ended: str
    by_rule: str
    measured: str
    basis: str
    by_dwd: str
    within: str
    decimal: str

    def event(self, hazards: Sequence[str]) -> str:
        """The kind of event (CAP 3.2.2, event)."""
        return self.events[tuple(hazards)]

    def value(self, place: str, value: float | None, measure: str, window_min: int | None, level: str) -> str:
        """A measured value in words: place, value with unit and window, what it means."""
        if value is None:
            return f"{place}: {level}"
        unit = _UNITS.get(measure, "mm")
        number = f"{value:.0f}" if unit == "cm" else f"{value:.1f}".replace(".", self.decimal)
        within = self.within.format(window_min) if window_min else ""
        return f"{place}: {number} {unit}{within} ({level})"


WORDS: Mapping[Language, Words] = {
    "de": Words(
        "de",
        {
            ("rain",): "Starkregen",
            ("flood",): "Hochwasser",
            ("rain", "flood"): "Starkregen und Hochwasser",
            (): "Gefahreninformation",
        },
        exercise="ÜBUNG",
        released="freigegeben von",
        ended="beendet von",
        by_rule="einer Regel der Stadt",
        measured="Messwert",
        basis="Grundlage",
        by_dwd="Schwelle nach DWD-Kriterium, eigene Messung",
        within=" in {} min",
        decimal=",",
    ),
    "en": Words(
        "en",
        {
            ("rain",): "Heavy rain",
            ("flood",): "Flood",
            ("rain", "flood"): "Heavy rain and flood",
            (): "Danger information",
        },
        exercise="EXERCISE",
        released="released by",
        ended="ended by",
        by_rule="a rule of the city",
        measured="measured value",
        basis="basis",
        by_dwd="threshold by a criterion of the DWD, own measurement",
        within=" in {} min",
        decimal=".",
    ),
}
