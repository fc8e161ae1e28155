"""A warning as the API writes it."""

from collections.abc import Sequence
from typing import Any

from alerts.errors import TextError
from alerts.scale import LANGUAGES, Language
from alerts.texts.text import Text, plain
from alerts.warning import Warning, as_public  # noqa: A004 - the field's word, see there
from alerts.witnesses.words import counted
from api.formats import Layout
from api.rfc3339 import format_us
from api.routes.stations import place
from api.visibility import View

NOTICE = {
    "de": "Automatische Messwertmeldung, keine amtliche Warnung.",
    "en": "Automatic measurement notice, not an official warning.",
}
UNITS = {
    "water_level": "cm",
    "water_level_expected": "cm",
    "basin": "cm",
    "dwd_starkregen": "mm",
    "dwd_dauerregen": "mm",
    "sri": "mm",
}
_RISES = ("raise", "escalate")
LAYOUT = Layout(
    (
        *("id", "status", "station", "station_name", "measure", "level", "severity", "window_min"),
        *(
            "value",
            "unit",
            "since",
            "changed",
            "ended",
            "peak_level",
            "peak_value",
            "audience",
            "trend",
            "exercise",
        ),
    ),
    place,
)


def warnings_seen(view: View, warnings: Sequence[Warning]) -> list[Warning]:
    """The warnings this caller may see: the public those for the public, at public stations.

    A drill's are for the public only when it was released to it (alerts/drill.py); `exercise` marks them.
    """
    if view.operator is not None:
        return list(warnings)
    public = (as_public(each) for each in warnings if each.station in view.stations)
    return [each for each in public if each is not None]


def warning_item(view: View, warning: Warning) -> dict[str, Any]:
    """One warning as a JSON object, with its texts in every language."""
    station = view.stations.get(warning.station)
    texts = {language: _text(view, warning, language) for language in LANGUAGES}
    return {
        "id": warning.id,
        "exercise": warning.exercise,
        "status": warning.status,
        "station": warning.station,
        "station_name": warning.station if station is None else station.name,
        "lat": None if station is None else station.lat,
        "lon": None if station is None else station.lon,
        "measure": warning.measure,
        "level": warning.level,
        "severity": warning.severity,
        "window_min": warning.window_min,
        "value": warning.value,
        "unit": UNITS.get(warning.measure, ""),
        "since": format_us(warning.raised_us),
        "changed": format_us(warning.changed_us),
        "ended": None if warning.ended_us is None else format_us(warning.ended_us),
        "peak_level": warning.peak_level,
        "peak_value": warning.peak_value,
        "headline": {language: text.title for language, text in texts.items()},
        "text": {language: text.body for language, text in texts.items()},
        "notice": NOTICE,
        "areas": [{"id": area.id, "name": area.names()} for area in view.services.areas.of(warning.station)],
        "audience": warning.audience,
        "incident": warning.incident or None,
        "all_clear": warning.all_clear or None,
        "expires": None if warning.expires_us is None else format_us(warning.expires_us),
        "confirmation": warning.confirmation or None,
        "witness": _witness(view, warning),
        **_course(warning),
    }


def _course(warning: Warning) -> dict[str, Any]:
    """Where the latest step went, and the last step up: what the level in force comes from.

    A rise that was history is told again with a later value (alerts/lifecycle.py): no step of its own.
    """
    known = {update.event for update in warning.history}
    steps = [update for update in warning.history if f"{update.event}.history" not in known]
    rises = [update for update in steps if update.kind in _RISES]
    rises = [update for update in rises if not update.later] or rises
    triggered = None
    if rises:
        last = rises[-1]
        triggered = {"time": format_us(last.time_us), "value": last.value, "window_min": last.window_min}
    return {"trend": "rising" if steps[-1].kind in _RISES else "falling", "triggered": triggered}


def _witness(view: View, warning: Warning) -> str | None:
    """Who agreed or why nobody did; names of stations and people are for operators."""
    words = warning.witness
    if view.operator is None and warning.confirmation == "confirmed":
        words = ", ".join(f"{count} {kind}" for kind, count in counted(words).items())
    return words or None


def _text(view: View, warning: Warning, language: Language) -> Text:
    try:
        return view.services.texts.render(warning, language)
    except TextError:
        return plain(warning)
