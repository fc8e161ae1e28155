"""Texts of warnings of the city where no template can be used: short, true, and never empty."""

from collections.abc import Mapping

from alerts.city.situation import Situation, Written
from alerts.event import CityAction, CityText
from alerts.scale import shipped_scale

TEMPLATE = "plain"

_OVER: Mapping[str, CityText] = {
    "de": CityText(
        "Entwarnung der Stadt",
        "Die Warnung der Stadt ist aufgehoben.",
        "Betreten Sie überflutete Keller und Tiefgaragen erst, wenn sie leergepumpt sind.",
    ),
    "en": CityText(
        "All-clear from the city",
        "The city has called off its warning.",
        "Do not enter flooded cellars or underground car parks before they are pumped out.",
    ),
}
_CANCELLED: Mapping[str, CityText] = {
    "de": CityText(
        "Warnung der Stadt zurückgenommen", "Die Warnung der Stadt war falsch. Sie gilt nicht mehr.", ""
    ),
    "en": CityText(
        "Warning of the city withdrawn", "The warning of the city was wrong. It no longer applies.", ""
    ),
}
_EXPIRED: Mapping[str, CityText] = {
    "de": CityText(
        "Warnung der Stadt abgelaufen",
        "Die Zeit der Warnung ist abgelaufen. Das ist keine Entwarnung.",
        "Bleiben Sie aufmerksam.",
    ),
    "en": CityText(
        "Warning of the city has expired",
        "The warning's time is over. This is not an all-clear.",
        "Stay alert.",
    ),
}
_DANGER: Mapping[str, CityText] = {
    "de": CityText(
        "Warnung der Stadt: Schwere {severity}",
        "Es besteht Gefahr durch Starkregen oder Hochwasser.",
        "Verlassen Sie Keller und Tiefgaragen. Meiden Sie Bäche und überflutete Straßen.",
    ),
    "en": CityText(
        "Warning of the city: severity {severity}",
        "Heavy rain or flooding is dangerous.",
        "Leave cellars and underground car parks. Keep away from creeks and flooded roads.",
    ),
}
_EXERCISE: Mapping[str, str] = {"de": "ÜBUNG", "en": "EXERCISE"}


def write(situation: Situation, action: CityAction) -> Written:
    """German and English, from the severity alone."""
    ends = {"all_clear": _OVER, "cancel": _CANCELLED, "expire": _EXPIRED}
    said: dict[str, CityText] = {}
    for language, text in ends.get(action, _DANGER).items():
        headline = text.headline.format(
            severity=shipped_scale().word(situation.severity, "en" if language == "en" else "de")
        )
        if situation.exercise:
            headline = f"{_EXERCISE[language]}: {headline}"
        said[language] = CityText(headline, text.description, text.instruction)
    return Written(said, TEMPLATE)
