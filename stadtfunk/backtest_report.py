"""The report of a backtest, as report.json for programs and report.html for people (and paper)."""

import json
import statistics
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import jinja2

from alerts.backtest.verification import (
    Happened,
    Score,
    Span,
    Warned,
    agreement,
    incidents,
    score,
    spans,
    warnings_of,
)
from alerts.event import Event
from alerts.kernels.curve_row import Tally
from alerts.rules import Rules
from alerts.scale import SEVERITIES, Scale
from devices.errors import Fault
from devices.registry import Registry
from stadtfunk.backtest_chart import timeline
from stadtfunk.errors import ConfigError

_WORDS = Path(__file__).with_name("backtest_words.toml")
_NONE = "\N{EN DASH}"
_MOST_SHOWN = 500
_HOUR_US = 3_600_000_000
_MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Judged:
    """What one rule set made of the history; `events` is empty when nobody wants a report."""

    rules: Rules
    events: Sequence[Event]
    count: int
    tally: Tally
    seconds: float


@dataclass(frozen=True, slots=True)
class _Chosen:
    """One way to look at the warnings: all, public ones, those of a measure from a level on."""

    label: str
    measure: str | None = None
    level: int = 1
    public: bool = False


def write_report(  # noqa: PLR0913 - everything that stands in it
    folder: Path,
    *,
    city: str,
    zone: str,
    language: Literal["de", "en"],
    registry: Registry,
    history: tuple[int, int, int],
    skipped: int,
    judged: Sequence[Judged],
    happened: Sequence[Happened] | None,
    tolerance_us: int,
) -> Path:
    """Write both files, return the page's path. `history`: first and last time (µs) and number of readings.

    Raises ConfigError when the folder cannot be written to.
    """
    first_us, last_us, rows = history
    words = tomllib.loads(_WORDS.read_text("utf-8"))[language]
    warned = [warnings_of(each.events) for each in judged]
    scale = judged[0].rules.scale
    within = None
    if happened is not None:
        within = [
            each
            for each in happened
            if each.end_us >= first_us - tolerance_us and each.begin_us <= last_us + tolerance_us
        ]
    chosen = _choices(warned, words)
    places = {
        id_: (station.lat, station.lon) if station.lat is not None and station.lon is not None else None
        for id_, station in registry.stations.items()
    }
    sets = [
        _set(each, mine, chosen, places, within, (last_us, tolerance_us))
        for each, mine in zip(judged, warned, strict=True)
    ]
    body: dict[str, Any] = {
        "city": city,
        "from": _iso(first_us),
        "to": _iso(last_us),
        "readings": rows,
        "rows_skipped": skipped,
        "tolerance_min": tolerance_us / _MINUTE_US,
        "happened": None if within is None else len(within),
        "happened_outside": 0 if happened is None or within is None else len(happened) - len(within),
        "sets": sets,
    }
    chart = timeline(
        [[(each, _colour_spans(each, last_us, scale)) for each in mine] for mine in warned],
        (first_us, last_us),
        within or [],
        ZoneInfo(zone),
        lambda id_: registry.stations[id_].name if id_ in registry.stations else id_,
    )
    page = _render(body, chart, words, language, zone, registry, scale)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", "utf-8")
        (folder / "report.html").write_text(page, "utf-8")
    except OSError as fault:
        problem = fault.strerror or str(fault)
        raise ConfigError(
            Fault(str(folder), "--report", problem, "give a folder that can be written to")
        ) from fault
    return folder / "report.html"


def _choices(warned: Sequence[Sequence[Warned]], words: Mapping[str, str]) -> list[_Chosen]:
    tops: dict[str, set[int]] = {}
    for each in (one for mine in warned for one in mine):
        tops.setdefault(each.measure, set()).update(step.level for step in each.steps if step.level)
    by_level = [
        _Chosen(f"{words.get(measure, measure)}, {words['from_level']} {level}", measure, level)
        for measure in sorted(tops)
        for level in sorted(tops[measure])
    ]
    return [_Chosen(words["all_warnings"]), _Chosen(words["public_warnings"], public=True), *by_level]


def _set(  # noqa: PLR0913, PLR0917 - one rule set's part of everything
    judged: Judged,
    warned: Sequence[Warned],
    chosen: Sequence[_Chosen],
    places: Mapping[str, tuple[float, float] | None],
    happened: Sequence[Happened] | None,
    limits: tuple[int, int],
) -> dict[str, Any]:
    last_us, tolerance_us = limits
    looks = []
    for each in chosen:
        found = spans(warned, last_us, measure=each.measure, level=each.level, public=each.public)
        witnesses = agreement(found, places)
        look: dict[str, Any] = {
            "of": each.label,
            "measure": each.measure,
            "level": each.level,
            "public": each.public,
            "warnings": len(found),
            "incidents": len(incidents(found)),
            "hours": round(_hours(found), 2),
            "witnesses": {
                "raises": witnesses.raises,
                "agreed": witnesses.agreed,
                "without_neighbour": witnesses.alone,
                "share": _rounded(witnesses.share),
            },
        }
        if happened is not None:
            look["scores"] = _scores(score(found, happened, tolerance_us))
        looks.append(look)
    kinds = Counter(event.kind for event in judged.events)
    return {
        "rules": judged.rules.file,
        "events": judged.count,
        "kinds": {"unverified": 0, **dict(sorted(kinds.items()))},
        "implausible": judged.tally.implausible,
        "seconds": round(judged.seconds, 2),
        "looks": looks,
        "stations": _stations(warned, last_us, judged.rules.scale),
        "warnings": [_warning(each, judged.rules.scale) for each in warned],
    }


def _scores(found: Score) -> dict[str, Any]:
    lead = found.median_lead_us
    return {
        "hits": found.hits,
        "misses": found.misses,
        "false_alarms": found.false_alarms,
        "pod": _rounded(found.pod),
        "far": _rounded(found.far),
        "csi": _rounded(found.csi),
        "median_lead_min": None if lead is None else round(lead / _MINUTE_US, 1),
        "events": [
            {
                "begin": _iso(each.happened.begin_us),
                "end": _iso(each.happened.end_us),
                "station": each.happened.station,
                "text": each.happened.text,
                "hit": each.hit,
                "lead_min": None if each.lead_us is None else round(each.lead_us / _MINUTE_US, 1),
            }
            for each in found.outcomes
        ],
    }


def _stations(warned: Iterable[Warned], last_us: int, scale: Scale) -> list[dict[str, Any]]:
    grouped: dict[tuple[str, str], list[Warned]] = {}
    for each in warned:
        grouped.setdefault((each.station, each.measure), []).append(each)
    found = []
    for (station, measure), mine in sorted(grouped.items()):
        lengths = [((each.cleared_us or last_us) - each.raised_us) / _HOUR_US for each in mine]
        leads: dict[int, list[float]] = {}
        for each in mine:
            for level, lead in each.leads_us().items():
                leads.setdefault(level, []).append(lead / _MINUTE_US)
        top = max(each.top for each in mine)
        found.append(
            {
                "station": station,
                "measure": measure,
                "warnings": len(mine),
                "public": sum(each.public_us is not None for each in mine),
                "top": top,
                "severity": scale.severity(measure, top),
                "hours": round(sum(lengths), 2),
                "median_hours": round(statistics.median(lengths), 2),
                "median_lead_min": {
                    str(level): round(statistics.median(each), 1) for level, each in sorted(leads.items())
                },
            }
        )
    return found


def _warning(warned: Warned, scale: Scale) -> dict[str, Any]:
    cleared = warned.cleared_us
    return {
        "station": warned.station,
        "measure": warned.measure,
        "rule": warned.rule,
        "raised": _iso(warned.raised_us),
        "cleared": None if cleared is None else _iso(cleared),
        "hours": None if cleared is None else round((cleared - warned.raised_us) / _HOUR_US, 2),
        "top": warned.top,
        "severity": scale.severity(warned.measure, warned.top),
        "public": None if warned.public_us is None else _iso(warned.public_us),
        "lead_min": {str(level): round(lead / _MINUTE_US, 1) for level, lead in warned.leads_us().items()},
        "steps": [
            {
                "time": _iso(step.time_us),
                "kind": step.kind,
                "level": step.level,
                "value": step.value,
                "window_min": step.window_min,
                "audience": step.audience,
                "reason": step.reason,
            }
            for step in warned.steps
        ],
    }


def _colour_spans(warned: Warned, last_us: int, scale: Scale) -> list[tuple[int, int, str]]:
    """Parts of a warning by severity."""
    ends = [step.time_us for step in warned.steps[1:]]
    if warned.cleared_us is None:
        ends.append(last_us)
    return [
        (step.time_us, end, scale.severity(warned.measure, step.level))
        for step, end in zip(warned.steps, ends, strict=False)
        if step.level
    ]


def _hours(found: Iterable[Span]) -> float:
    """Hours in which at least one of the spans was in force."""
    total = end = 0
    for span in sorted(found, key=lambda each: each.begin_us):
        total += max(span.end_us - max(span.begin_us, end), 0)
        end = max(end, span.end_us)
    return total / _HOUR_US


def _render(  # noqa: PLR0913, PLR0917 - what the page shows
    body: Mapping[str, Any],
    chart: str,
    words: Mapping[str, str],
    language: str,
    zone: str,
    registry: Registry,
    scale: Scale,
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_filters(words, language, ZoneInfo(zone), registry))
    return environment.get_template("backtest_report.html").render(
        report=body,
        chart=chart,
        t=words,
        language=language,
        zone=zone,
        severities=SEVERITIES,
        looks=scale.looks,
        most_shown=_MOST_SHOWN,
    )


def _filters(
    words: Mapping[str, str], language: str, zone: ZoneInfo, registry: Registry
) -> dict[str, Callable[..., str]]:
    form = "%d.%m.%Y %H:%M" if language == "de" else "%Y-%m-%d %H:%M"

    def number(value: float | None, digits: int = 0) -> str:
        if value is None:
            return _NONE
        text = f"{value:,.{digits}f}"
        return text.translate(str.maketrans(",.", ".,")) if language == "de" else text

    def clock(text: str | None) -> str:
        return datetime.fromisoformat(text).astimezone(zone).strftime(form) if text else words["in_force"]

    def percent(share: float | None) -> str:
        return _NONE if share is None else f"{share:.0%}"

    def station(id_: str) -> str:
        return registry.stations[id_].name if id_ in registry.stations else id_

    def minutes(value: float | None) -> str:
        return _NONE if value is None else f"{number(value)} min"

    def name(measure: str) -> str:
        return words.get(measure, measure)

    return {
        "number": number,
        "clock": clock,
        "percent": percent,
        "station": station,
        "minutes": minutes,
        "name": name,
        "basename": lambda file: Path(file).name,
    }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _iso(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
