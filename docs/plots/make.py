"""Draws the plots of the criteria's pages, each through the very kernels that warn. No measured data."""  # noqa: INP001 - no package

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from alerts.event import Event
from alerts.kernels.kernels import Kernels
from alerts.kostra.kostra import Kostra
from alerts.rules import load_rules
from alerts.scale import Scale, shipped_scale
from devices.registry import load_registry
from devices.simulator.storm import design_depths, euler_type_2
from ingest.reading import READING, Readings, Series

MINUTE_US = 60_000_000
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 760, 76, 96, 16, 270
INK, GRID, BLUE = "#374151", "#dddddd", "#60a5fa"
LINES = ("#1e3a8a", "#0f766e", "#7c3aed", "#b45309")


class Chart:
    """Curves over hours, lines for thresholds, and strips below that show what was in force."""

    def __init__(self, hours: float, most: float, unit: str, step_h: int, step: float) -> None:
        self._hours, self._most = hours, most
        self._strips = 0
        self._parts: list[str] = []
        value = 0.0
        while value <= most:
            self._path(f"M{LEFT} {self.y(value):.1f}H{WIDTH - RIGHT}", GRID)
            self._text(LEFT - 6, self.y(value) + 4, f"{value:g} {unit}", "end")
            value += step
        self._ticks = range(0, int(hours) + 1, step_h)

    def x(self, hour: float) -> float:
        """Place of a time."""
        return LEFT + hour / self._hours * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Place of a value."""
        return BOTTOM - min(value, self._most) / self._most * (BOTTOM - TOP)

    def bars(self, width_h: float, values: Sequence[float]) -> None:
        """Amounts of intervals, one after the other."""
        for i, value in enumerate(values):
            if value:
                x, wide = self.x(i * width_h), self.x(width_h) - self.x(0)
                height = BOTTOM - self.y(value)
                self._parts.append(
                    f'<rect x="{x:.1f}" y="{self.y(value):.1f}" width="{wide:.2f}" height="{height:.1f}" '
                    f'fill="{BLUE}"/>'
                )

    def curve(self, width_h: float, values: Sequence[float], colour: str, name: str) -> None:
        """Values at the ends of intervals; the name stands where it is highest for the last time."""
        points = " ".join(
            f"{self.x((i + 1) * width_h):.1f},{self.y(value):.1f}" for i, value in enumerate(values)
        )
        self._parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        last = max(i for i, value in enumerate(values) if value == max(values))
        self._text(self.x((last + 1) * width_h) + 4, self.y(values[last]) - 5, name, colour=colour)

    def limit(self, value: float, name: str, colour: str, begin_h: float = 0.0) -> None:
        """A threshold."""
        self._path(f"M{self.x(begin_h):.1f} {self.y(value):.1f}H{WIDTH - RIGHT}", colour, "5 3")
        self._text(WIDTH - RIGHT + 6, self.y(value) + 4, name, colour=colour)

    def strip(self, name: str, parts: Sequence[tuple[float, float, int, str, str]]) -> None:
        """A row of (from hour, to hour, level, colour, ink)."""
        top = BOTTOM + 12 + 26 * self._strips
        self._strips += 1
        self._text(LEFT - 6, top + 15, name, "end")
        left, right = self.x(0), self.x(self._hours)
        self._parts.append(
            f'<rect x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="22" fill="#f3f4f6"/>'
        )
        for begin, end, level, colour, ink in parts:
            x, wide = self.x(begin), self.x(end) - self.x(begin)
            self._parts.append(
                f'<rect x="{x:.1f}" y="{top}" width="{wide:.1f}" height="22" fill="{colour}"/>'
            )
            if wide > 9:  # noqa: PLR2004 - room for a figure
                self._text(x + wide / 2, top + 15, str(level), "middle", ink)

    def svg(self, source: str) -> str:
        """The whole plot."""
        below = BOTTOM + 12 + 26 * self._strips
        for hour in self._ticks:
            self._text(self.x(hour), below + 16, f"{hour} h", "middle")
        self._text(LEFT, below + 36, source)
        body = "\n".join(self._parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {below + 46}" '
            f'font-family="sans-serif" font-size="11" fill="{INK}">\n'
            f'<rect width="{WIDTH}" height="{below + 46}" fill="#fff"/>\n{body}\n</svg>\n'
        )

    def _text(self, x: float, y: float, text: str, anchor: str = "start", colour: str = INK) -> None:
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
        )

    def _path(self, path: str, colour: str, dashes: str = "") -> None:
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(f'<path d="{path}" fill="none" stroke="{colour}"{dashed}/>')


def judged(
    name: str, values: Sequence[float], interval_min: int, kostra: Kostra | None = None
) -> list[Event]:
    """What the kernels make of one series under the shipped rules."""
    table = {
        "dev_eui": "1" * 16,
        "type": "gauge",
        "station": "s",
        "interval_s": 60 * interval_min,
        "stages_cm": [52, 79, 110],
    }
    registry = load_registry(None, [table], types_optional=True)
    kernels = Kernels(load_rules(), registry, series=[Series("s", name, "", "1" * 16)], kostra=kostra)
    step_us = interval_min * MINUTE_US
    readings: Readings = np.array(
        [(i, 0, 1, i * step_us, value) for i, value in enumerate(values, 1)], READING
    )
    return kernels.step(readings)


def in_force(events: Sequence[Event], measure: str, hours: float) -> list[tuple[float, float, int, str, str]]:
    """Parts of a strip: the warning of a measure, level by level."""
    scale: Scale = shipped_scale()
    steps = [
        (each.time_us / (60 * MINUTE_US), each.level)
        for each in events
        if each.measure == measure and each.kind in {"raise", "escalate", "step_down", "clear"}
    ]
    ends = [*(time for time, _ in steps[1:]), hours]
    found = []
    for (begin, level), end in zip(steps, ends, strict=True):
        if level:
            severity = scale.severity(measure, level)
            found.append((begin, end, level, scale.colour(severity), scale.ink(severity)))
    return found


def holding(
    values: Sequence[float], limits: Sequence[tuple[int, float]], measure: str, width_h: float
) -> list[tuple[float, float, int, str, str]]:
    """Parts of a strip: the highest (level, threshold) that a value alone reaches."""
    scale = shipped_scale()
    found: list[tuple[float, float, int, str, str]] = []
    for i, value in enumerate(values, 1):
        level = max((level for level, limit in limits if value >= limit), default=0)
        if not level:
            continue
        severity = scale.severity(measure, level)
        begin = i * width_h
        if found and found[-1][2] == level and math.isclose(found[-1][1], begin):
            found[-1] = (*found[-1][:1], begin + width_h, *found[-1][2:])
        else:
            found.append((begin, begin + width_h, level, scale.colour(severity), scale.ink(severity)))
    return found


def sums(values: Sequence[float], count: int) -> list[float]:
    """Sum of the last `count` values at each."""
    return [round(sum(values[max(0, i + 1 - count) : i + 1]), 3) for i in range(len(values))]


def starkregen() -> str:
    """A cloudburst of two hours: the sum of one hour, the levels, and the warning."""
    hours = 5
    rain = [0.0] * 6 + [tenths / 10 for tenths in euler_type_2(design_depths(50), 120)]
    rain += [0.0] * (12 * hours - len(rain))
    chart = Chart(hours, 60, "mm", 1, 10)
    chart.bars(1 / 12, rain)
    for level, mm in ((2, 15), (3, 25), (4, 40)):
        chart.limit(
            mm, f"level {level}, 1 h", shipped_scale().colour(("Moderate", "Severe", "Extreme")[level - 2])
        )
    hour = sums(rain, 12)
    chart.curve(1 / 12, hour, LINES[0], "sum of 1 h")
    events = judged("precipitation", rain, 5)
    chart.strip("1 h alone", holding(hour, ((2, 15), (3, 25.001), (4, 40.001)), "dwd_starkregen", 1 / 12))
    chart.strip("warning", in_force(events, "dwd_starkregen", hours))
    return chart.svg("Euler Typ II, 2 h, 50 years. Data: Deutscher Wetterdienst, KOSTRA-DWD-2010R")


def dauerregen() -> str:
    """Thirty hours of steady rain: the long sums stay up for days, the warning ends with the rain."""
    hours = 96
    rain = [0.3] * (4 * 6) + [0.75] * (4 * 30) + [0.0] * (4 * 60)
    chart = Chart(hours, 120, "mm", 12, 20)
    for window, colour in zip((12, 24, 48, 72), LINES, strict=True):
        chart.curve(1 / 4, sums(rain, 4 * window), colour, f"{window} h")
    long = sums(rain, 4 * 48)
    chart.strip("48 h alone", holding(long, ((2, 40), (3, 60.001), (4, 90.001)), "dwd_dauerregen", 1 / 4))
    chart.strip("warning", in_force(judged("precipitation", rain, 15), "dwd_dauerregen", hours))
    return chart.svg("Made up: 1.2 mm/h for 6 h, 3 mm/h for 30 h, then dry")


def water_level() -> str:
    """A wave on a creek: marks reached at once, left below the hysteresis after the hold."""
    hours = 8
    levels = []
    for i in range(1, 12 * hours + 1):
        t = i / 12 - 1
        wave = 105 * (t / 1.2) * math.exp(1 - t / 1.2) if t > 0 else 0.0
        levels.append(round(12 + wave + 3 * math.sin(9 * t), 1))
    chart = Chart(hours, 140, "cm", 1, 20)
    scale = shipped_scale()
    for mark, (cm, severity) in enumerate(
        zip((52, 79, 110), ("Minor", "Moderate", "Severe"), strict=True), 1
    ):
        shade = "#a16207" if severity == "Minor" else scale.colour(severity)
        chart.limit(cm, f"mark {mark}, {cm} cm", shade)
        chart.limit(cm - max(5, 0.05 * cm), "", "#9ca3af")
    chart.curve(1 / 12, levels, LINES[0], "level")
    marks = ((1, 52), (2, 79), (3, 110))
    chart.strip("marks alone", holding(levels, marks, "water_level", 1 / 12))
    chart.strip("warning", in_force(judged("water_level", levels, 5), "water_level", hours))
    return chart.svg(
        "Made up; marks as on a creek in Bonn (52, 79 cm) and one more. Grey: where a mark may end"
    )


PLOTS: Mapping[str, Callable[[], str]] = {
    "starkregen": starkregen,
    "dauerregen": dauerregen,
    "water_level": water_level,
}

if __name__ == "__main__":
    for name, draw in PLOTS.items():
        Path(__file__).with_name(f"{name}.svg").write_text(draw(), encoding="utf-8")
