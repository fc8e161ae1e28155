"""What a station's level gauges are heading for, as the API writes it: numbers and a sentence."""

from collections.abc import Sequence
from typing import Any

from alerts.outlook import BasinOutlook, LevelOutlook
from alerts.scale import Language
from api.rfc3339 import format_us

_WORDS: dict[Language, dict[str, str]] = {
    "de": {
        "rising": "steigt {} cm/h",
        "falling": "fällt {} cm/h",
        "steady": "etwa gleichbleibend",
        "mark": "Marke {} in {}",
        "wave": "Welle von oben: Marke {} erwartet",
        "low": "geringe Sicherheit",
        "between": "{} bis {} min",
        "about": "etwa {} min",
        "overflows": "{} läuft über",
        "overflow": "{}: Überlauf in {}",
        "share": "Becken zu {} % gefüllt",
        "fictitious": "Kennlinie des Beckens fiktiv",
        "soon": "unter 1 min",
        "old": "seit {} min kein neuer Wert",
    },
    "en": {
        "rising": "rising {} cm/h",
        "falling": "falling {} cm/h",
        "steady": "about steady",
        "mark": "mark {} in {}",
        "wave": "wave from upstream: mark {} expected",
        "low": "low confidence",
        "between": "{} to {} min",
        "about": "about {} min",
        "overflows": "{} overflows",
        "overflow": "{}: overflow in {}",
        "share": "basin {} % full",
        "fictitious": "the basin's curve is fictitious",
        "soon": "less than 1 min",
        "old": "no new value for {} min",
    },
}
_NEARLY = 1.0
_SHOWN_MIN = 240.0
_OLD_MIN = 45.0
_MINUTE_US = 60_000_000


def level_items(outlooks: Sequence[LevelOutlook], now_us: int) -> list[dict[str, Any]]:
    """Every level gauge of a station; `outlook` says it when the newest value is too old for one."""
    return [
        {
            "gauge": each.place,
            "time": format_us(each.time_us),
            "level_cm": each.level,
            "rate_cm_h": None if each.rate is None else round(each.rate, 1),
            "rising": each.rising,
            "confidence": each.confidence,
            "marks": [
                {
                    "mark": mark.number,
                    "cm": mark.cm,
                    "reached": mark.reached,
                    "minutes": _rounded(mark.minutes),
                }
                for mark in each.marks
            ],
            "wave": None
            if each.wave is None
            else {
                "mark": each.wave.mark,
                "first": format_us(each.wave.first_us),
                "last": format_us(each.wave.last_us),
            },
            "basin": None if each.basin is None else _basin(each.basin),
            "outlook": {"de": sentence(each, "de", now_us), "en": sentence(each, "en", now_us)},
        }
        for each in outlooks
    ]


def sentence(outlook: LevelOutlook, language: Language, now_us: int) -> str:
    """In plain words: "steigt 24 cm/h, Marke 2 in 14 bis 22 min (geringe Sicherheit)"."""
    words = _WORDS[language]
    age_min = (now_us - outlook.time_us) / _MINUTE_US
    if age_min > _OLD_MIN:
        return words["old"].format(f"{age_min:.0f}")
    said = [_course(outlook, words)]
    ahead = next((each for each in outlook.marks if not each.reached and each.minutes), None)
    if ahead is not None and ahead.minutes is not None and ahead.minutes[0] <= _SHOWN_MIN:
        said.append(words["mark"].format(ahead.number, _span(ahead.minutes, words)))
    if outlook.wave is not None:
        said.append(words["wave"].format(outlook.wave.mark))
    if outlook.basin is not None:
        said += _basin_words(outlook.basin, words)
    low = f" ({words['low']})" if outlook.rising and outlook.confidence == "low" else ""
    return ", ".join(said) + low


def _course(outlook: LevelOutlook, words: dict[str, str]) -> str:
    if outlook.rising and outlook.rate is not None:
        return words["rising"].format(f"{outlook.rate:.0f}")
    # as much as a rise must be to count, downward
    falls = outlook.rate is not None and outlook.rate <= -outlook.least_rate
    return words["falling"].format(f"{-(outlook.rate or 0):.0f}") if falls else words["steady"]


def _basin_words(basin: BasinOutlook, words: dict[str, str]) -> list[str]:
    said = [words["share"].format(f"{100 * basin.share:.0f}")]
    for spillway in basin.spillways:
        if spillway.minutes == (0.0, 0.0):
            said.append(words["overflows"].format(spillway.name))
        elif spillway.minutes is not None:
            said.append(words["overflow"].format(spillway.name, _span(spillway.minutes, words)))
    return [*said, words["fictitious"]] if basin.fictitious else said


def _basin(basin: BasinOutlook) -> dict[str, Any]:
    return {
        "id": basin.id,
        "name": basin.name,
        "fictitious": basin.fictitious,
        "volume_m3": round(basin.volume),
        "share": round(basin.share, 3),
        "inflow_m3_s": None if basin.inflow is None else round(basin.inflow, 2),
        "spillways": [
            {"name": each.name, "cm": each.cm, "minutes": _rounded(each.minutes)} for each in basin.spillways
        ],
    }


def _rounded(minutes: tuple[float, float] | None) -> list[float] | None:
    return None if minutes is None else [round(each, 1) for each in minutes]


def _span(minutes: tuple[float, float], words: dict[str, str]) -> str:
    first, last = (round(each) for each in minutes)
    if minutes[1] < _NEARLY:
        return words["soon"]
    return words["about"].format(last) if first == last else words["between"].format(first, last)
