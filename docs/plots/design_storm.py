"""Draws design_storm.svg: the storm of Bergisch Gladbach through the very kernel that warns."""  # noqa: INP001 - no package

from pathlib import Path

import numpy as np

from alerts.kernels.kernels import Kernels
from alerts.kostra.kostra import DURATIONS_MIN, Kostra, shipped_table
from alerts.rules import load_rules
from devices.registry import load_registry
from devices.simulator.storm import design_depths, euler_type_2
from ingest.reading import READING, Readings, Series

BLOCK_US = 300_000_000
STEPS = 48
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 380, 56, 90, 16, 300
MOST_MM = 60
LEVELS = ((15, "level 2", "#d97706"), (25, "level 3", "#dc2626"), (40, "level 4", "#7f1d1d"))


def storm() -> list[float]:
    """Rain (mm) in each five minutes."""
    blocks = [0] * 3 + list(euler_type_2(design_depths(50), 120))
    return [tenths / 10 for tenths in blocks + [0] * (STEPS - len(blocks))]


def index(rain: list[float]) -> list[int]:
    """SRI after each five minutes."""
    series = [Series("s", "precipitation", "", "1" * 16)]
    table = {"dev_eui": "1" * 16, "type": "gauge", "station": "s", "interval_s": 300}
    registry = load_registry(None, [table], types_optional=True)
    kernels = Kernels(load_rules(), registry, series=series, kostra=Kostra(everywhere=shipped_table()))
    found = []
    for number, mm in enumerate(rain, 1):
        reading: Readings = np.array([(number, 0, 1, number * BLOCK_US, mm)], READING)
        kernels.step(reading)
        found.append(int(kernels._rain.rows["sri_met"][0, : DURATIONS_MIN.index(360) + 1].max()))  # noqa: SLF001 - the plot shows the state itself
    return found


def draw() -> str:
    """The plot as SVG."""
    rain = storm()
    sums = [sum(rain[max(0, i - 11) : i + 1]) for i in range(STEPS)]
    step = (WIDTH - LEFT - RIGHT) / STEPS

    def y(mm: float) -> float:
        return BOTTOM - mm / MOST_MM * (BOTTOM - TOP)

    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    for mm in range(0, MOST_MM + 1, 10):
        parts.append(f'<path d="M{LEFT} {y(mm):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(mm) + 4:.1f}" text-anchor="end">{mm} mm</text>')
    for i, mm in enumerate(rain):
        parts.append(
            f'<rect x="{LEFT + i * step:.1f}" y="{y(mm):.1f}" width="{step - 1:.1f}" '
            f'height="{BOTTOM - y(mm):.1f}" fill="#60a5fa"/>'
        )
    for mm, name, colour in LEVELS:
        parts.append(
            f'<path d="M{LEFT} {y(mm):.1f}H{WIDTH - RIGHT}" stroke="{colour}" stroke-dasharray="5 3"/>'
        )
        parts.append(f'<text x="{WIDTH - RIGHT + 6}" y="{y(mm) + 4:.1f}" fill="{colour}">DWD {name}</text>')
    line = " ".join(f"{LEFT + (i + 1) * step:.1f},{y(mm):.1f}" for i, mm in enumerate(sums))
    parts.append(f'<polyline points="{line}" fill="none" stroke="#1e3a8a" stroke-width="2"/>')
    for i, level in enumerate(index(rain)):
        shade = f"hsl({max(0, 50 - 7 * level)} 90% {95 - 6 * level}%)" if level else "#f3f4f6"
        x = LEFT + i * step
        parts.append(f'<rect x="{x:.1f}" y="{BOTTOM + 12}" width="{step:.1f}" height="22" fill="{shade}"/>')
        if level:
            parts.append(
                f'<text x="{x + step / 2:.1f}" y="{BOTTOM + 27}" text-anchor="middle">{level}</text>'
            )
    parts.append(f'<text x="{LEFT - 6}" y="{BOTTOM + 27}" text-anchor="end">SRI</text>')
    parts += [
        f'<text x="{LEFT + 12 * hour * step:.1f}" y="{BOTTOM + 52}" text-anchor="middle">{hour} h</text>'
        for hour in range(STEPS // 12 + 1)
    ]
    parts.append(f'<text x="{LEFT}" y="{BOTTOM + 72}">Data: Deutscher Wetterdienst, KOSTRA-DWD-2010R</text>')
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="11" fill="#374151">\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(draw(), encoding="utf-8")
