"""Situations that the texts of a warning are written from."""

from dataclasses import replace

from alerts.city.situation import Situation
from alerts.event import CityStep
from alerts.incidents.incident import Member, begun
from alerts.outlook import BasinOutlook, LevelOutlook, MarkOutlook, SpillwayOutlook, Wave

MINUTE = 60_000_000
NOW = 1_784_053_800_000_000  # 14 July 2026, 18:30 UTC, 20:30 in Berlin
AREAS = {"gierath": "Gierath", "gronau": "Gronau und Kippemühle", "mitte": "Stadtmitte an der Strunde"}
STATIONS = {"pegel": "Strunde Gierath", "regen": "Regen Gierath", "becken": "Becken Kippemühle"}
MEASURES = {
    "rain": [("dwd_starkregen", "regen", 60, 44.1)],
    "level": [("water_level", "pegel", None, 118.0)],
    "expected": [("water_level_expected", "pegel", None, 74.0)],
    "basin": [("basin", "becken", None, 221.0)],
    "several": [("dwd_starkregen", "regen", 60, 44.1), ("water_level", "pegel", None, 118.0)],
}


def incident(*measures, severity="Extreme", level=4, lost=False):
    """One with a member for each (measure, station, window in minutes, value)."""
    found = begun("strunde.20260714T173000Z", NOW - 60 * MINUTE)
    for measure, station, window, value in measures:
        found.members[measure] = Member(
            measure, station, measure, level, severity, window, value, NOW - 60 * MINUTE, NOW, NOW, "rule"
        )
    if lost:
        found.lost["gone"] = object()
    return found


def situation(kind="level", severity="Extreme", **changes):
    measured = incident(*MEASURES[kind], severity=severity) if kind in MEASURES else None
    known = Situation(
        time_us=NOW,
        severity=severity,
        areas=("gierath",),
        valid_until_us=NOW + 180 * MINUTE,
        incident=measured,
        kind="" if kind in MEASURES or kind == "hand" else kind,
    )
    return replace(known, **changes)


def stood(severity="Severe", areas=("gierath",), valid_min=180):
    """The step that an update changes."""
    return CityStep("release", severity, areas, {}, NOW + valid_min * MINUTE, "A. Beispiel", "Pegel steigt")


def outlook(**changes):
    known = {
        "station": "pegel",
        "place": "",
        "time_us": NOW,
        "level": 112.0,
        "rate": 24.4,
        "confidence": "high",
        "rising": True,
        "least_rate": 4.0,
        "marks": (MarkOutlook(4, 120.0, reached=False, minutes=(14.0, 22.0)),),
        "wave": None,
        "basin": None,
    }
    return LevelOutlook(**(known | changes))


def wave(first_min, last_min):
    return Wave(3, NOW + first_min * MINUTE, NOW + last_min * MINUTE)


def basin(*minutes):
    ways = tuple(SpillwayOutlook(f"way {n}", 180.0 + n, each) for n, each in enumerate(minutes))
    return BasinOutlook(
        "kippemuehle", "Becken", fictitious=False, volume=9000.0, share=0.8, inflow=4.0, spillways=ways
    )
