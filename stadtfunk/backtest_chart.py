"""The timeline of a backtest as SVG: a row for each station and rule set, a bar for each warning."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from html import escape

from alerts.backtest.verification import Happened, Warned
from alerts.scale import SEVERITIES

Bars = Sequence[tuple[Warned, Sequence[tuple[int, int, str]]]]
"""Warnings with their parts: begin, end (µs), severity."""

_WIDTH, _LEFT, _RIGHT, _TOP = 1000, 190, 14, 26
_BAR, _GAP = 11, 6
_THINNEST = 2.5
_MOST_STATIONS = 60
_TICKS_H = (1, 3, 6, 12, 24, 48, 168)
_MOST_TICKS = 12
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
_MOST_MARKS = 300


def timeline(
    sets: Sequence[Bars],
    period: tuple[int, int],
    happened: Sequence[Happened],
    zone: tzinfo,
    name: Callable[[str], str],
) -> str:
    """An <svg>; "" when nothing was warned of. At most 60 stations: those with the most warnings."""
    often = Counter(warned.station for bars in sets for warned, _ in bars)
    stations = sorted(each for each, _ in often.most_common(_MOST_STATIONS))
    if not stations:
        return ""
    first, last = period
    scale = (_WIDTH - _LEFT - _RIGHT) / max(last - first, 1)

    def x(time_us: int) -> float:
        return _LEFT + (min(max(time_us, first), last) - first) * scale

    row = _BAR * len(sets) + _GAP
    height = _TOP + row * len(stations) + 8
    bottom = height - 8
    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" class="timeline">']
    for moment, label in _ticks(first, last, zone):
        at = x(moment)
        parts += [
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP - 4}" y2="{bottom}" class="grid"/>',
            f'<text x="{at:.1f}" y="{_TOP - 10}" text-anchor="middle" class="tick">{label}</text>',
        ]
    for number, station in enumerate(stations):
        y = _TOP + number * row
        label = name(station)
        label = label if len(label) <= 27 else f"{label[:26]}…"  # noqa: PLR2004 - fits beside the chart
        parts += [
            f'<line x1="0" x2="{_WIDTH - _RIGHT}" y1="{y + row}" y2="{y + row}" class="grid"/>',
            f'<text x="{_LEFT - 10}" y="{y + row / 2 + 4:.1f}" text-anchor="end">{escape(label)}</text>',
        ]
        for place, bars in enumerate(sets):
            top = y + _GAP / 2 + place * _BAR
            # the gravest on top, where bars of several measures lie over each other
            mine = [
                (SEVERITIES.index(severity), begin, end, severity, warned)
                for warned, spans in bars
                if warned.station == station
                for begin, end, severity in spans
            ]
            for _, begin, end, severity, warned in sorted(mine, key=lambda each: each[:3]):
                width = max(x(end) - x(begin), _THINNEST)
                title = escape(f"{warned.measure} {warned.top}: {_local(begin, zone)} to {_local(end, zone)}")
                parts.append(
                    f'<rect x="{x(begin):.1f}" y="{top:.1f}" width="{width:.1f}" height="{_BAR - 2}" '
                    f'rx="1.5" class="{severity}"><title>{title}</title></rect>'
                )
    for each in happened[:_MOST_MARKS]:
        at = x(each.begin_us)
        title = escape(f"{_local(each.begin_us, zone)} {each.station} {each.text}".strip())
        parts.append(
            f'<path d="M{at - 4:.1f} {_TOP - 7} h8 l-4 7 z" class="happened"><title>{title}</title></path>'
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{bottom}" class="happened"/>'
        )
    return "\n".join([*parts, "</svg>"])


def _ticks(first_us: int, last_us: int, zone: tzinfo) -> Iterator[tuple[int, str]]:
    """Round local times: hours, days, or months."""
    begin = datetime.fromtimestamp(first_us / 1e6, UTC).astimezone(zone)
    hours = (last_us - first_us) / 3.6e9
    step_h = next((each for each in _TICKS_H if hours / each <= _MOST_TICKS), None)
    if step_h is None:
        months = next((each for each in _MONTHS if hours / (730.5 * each) <= _MOST_TICKS), _MONTHS[-1])
        index = begin.year * 12 + begin.month - 1
        index += -index % months
        while True:
            moment = datetime(index // 12, index % 12 + 1, 1, tzinfo=zone)
            at = round(moment.timestamp() * 1e6)
            if at > last_us:
                return
            if at >= first_us:
                yield at, moment.strftime("%m.%Y")
            index += months
    moment = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    while (at := round(moment.timestamp() * 1e6)) <= last_us:
        if at >= first_us:
            midnight = moment.hour == 0
            yield at, moment.strftime("%d.%m." if midnight else "%H:%M")
        # by the clock on the wall, whatever the summer time does
        moment = (moment.replace(tzinfo=None) + timedelta(hours=step_h)).replace(tzinfo=zone)


def _local(time_us: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).astimezone(zone).strftime("%d.%m.%Y %H:%M")
