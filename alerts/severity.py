"""One scale for every measure: the only place where levels of different criteria meet."""

from collections.abc import Mapping
from typing import Literal, get_args

Severity = Literal["Minor", "Moderate", "Severe", "Extreme"]

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""Lowest first, in the words of CAP 1.2."""

# DWD's heavy-rain levels by their own names: 2 markant, 3 Unwetter, 4 extremes Unwetter; there is no level 1
# for rain (wettwarn.de). The marks of a gauge follow the four flood classes of the Länder
# (hochwasserzentralen.de): small, medium, large, very large.
_DWD: Mapping[int, Severity] = {2: "Moderate", 3: "Severe", 4: "Extreme"}
_MARKS: Mapping[int, Severity] = {1: "Minor", 2: "Moderate", 3: "Severe", 4: "Extreme"}
# The four classes of the Starkregenindex by their own names: 1-2 Starkregen, 3-5 intensiver, 6-7
# außergewöhnlicher, 8-12 extremer Starkregen (Schmitt et al. 2018).
_SRI: Mapping[int, Severity] = {
    **dict.fromkeys((1, 2), "Minor"),
    **dict.fromkeys((3, 4, 5), "Moderate"),
    **dict.fromkeys((6, 7), "Severe"),
    **dict.fromkeys(range(8, 13), "Extreme"),
}
TABLE: Mapping[str, Mapping[int, Severity]] = {
    "dwd_starkregen": _DWD,
    "dwd_dauerregen": _DWD,
    "sri": _SRI,
    "water_level": _MARKS,
}


def severity_of(measure: str, level: int) -> Severity:
    """How serious a measure's level is.

    A level beyond the table counts as its nearest; a measure that nobody has entered counts as Severe:
    an alert that is too loud gets corrected and one that is too quiet gets missed.
    """
    levels = TABLE.get(measure)
    if not levels:
        return "Severe"
    return levels[min(max(level, min(levels)), max(levels))]


def rank(severity: Severity) -> int:
    """1 Minor to 4 Extreme, to compare by."""
    return SEVERITIES.index(severity) + 1
