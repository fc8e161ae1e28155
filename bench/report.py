"""What a bench reports: figures beside their goals and beside a baseline that ran in the same run."""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. `ratio`: how many times better than the baseline (`better`: which way that is)."""

    what: str
    figure: float
    unit: str
    better: Literal["more", "less"]
    goal: float | None = None
    baseline: str = ""
    baseline_figure: float | None = None

    @property
    def ratio(self) -> float | None:
        if not self.baseline_figure or not self.figure:
            return None
        ratio = self.figure / self.baseline_figure
        return ratio if self.better == "more" else 1 / ratio

    @property
    def missed(self) -> bool:
        if self.goal is None:
            return False
        return self.figure < self.goal if self.better == "more" else self.figure > self.goal


@dataclass(slots=True)
class Report:
    name: str
    about: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(  # noqa: PLR0913 - the columns of a table
        self,
        what: str,
        figure: float,
        unit: str,
        better: Literal["more", "less"] = "less",
        *,
        goal: float | None = None,
        baseline: tuple[str, float] = ("", 0.0),
    ) -> None:
        name, value = baseline
        self.figures.append(Figure(what, figure, unit, better, goal, name, value or None))

    @property
    def missed(self) -> list[str]:
        return [f"{each.what}: {_number(each.figure)} {each.unit}" for each in self.figures if each.missed]

    def table(self) -> str:
        head = ("figure", "", "unit", "goal", "ratio", "baseline")
        rows = [head, *(_cells(each) for each in self.figures)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        aligns = ("<", ">", "<", ">", ">", "<")
        lines = [
            "  ".join(
                f"{cell:{align}{width}}" for cell, align, width in zip(row, aligns, widths, strict=True)
            )
            for row in rows
        ]
        missed = [f"MISSED  {each}" for each in self.missed] or ["every goal met"]
        return "\n".join([f"{self.name}: {self.about}", "", *lines, "", *self.notes, *missed, ""])

    def write(self, scale: float, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        body = {
            "bench": self.name,
            "about": self.about,
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "scale": scale,
            "machine": {
                "python": platform.python_version(),
                "cpus": os.cpu_count(),
                "processor": platform.machine(),
            },
            "figures": [
                {**asdict(each), "ratio": each.ratio, "missed": each.missed} for each in self.figures
            ],
            "notes": self.notes,
            "missed": self.missed,
        }
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps(body, indent=2) + "\n")
        return path


def run(measure: Callable[[float], Report]) -> None:
    """Run one bench as a program: print its table, write its JSON."""
    parser = argparse.ArgumentParser(description=measure.__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size, for a quick look")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the JSON file")
    arguments = parser.parse_args()
    report = measure(arguments.scale)
    print(report.table())
    print(f"written to {report.write(arguments.scale, arguments.out)}")


def best(times: int, task: Callable[[], float]) -> float:
    """The least of several measurements: the one that was disturbed least."""
    return min(task() for _ in range(times))


def cpu_us(task: Callable[[], object], per: int) -> float:
    """CPU time of this process that a task takes, µs per item."""
    begin = time.process_time()
    task()
    return (time.process_time() - begin) * 1e6 / per


def _cells(each: Figure) -> tuple[str, str, str, str, str, str]:
    sign = "≥" if each.better == "more" else "≤"
    return (
        each.what,
        _number(each.figure),
        each.unit,
        "" if each.goal is None else f"{sign} {_number(each.goal)}{' MISSED' if each.missed else ''}",
        "" if each.ratio is None else f"{each.ratio:.1f}x" if each.ratio >= 1 else f"{each.ratio:.2g}x",
        "" if each.baseline_figure is None else f"{each.baseline} {_number(each.baseline_figure)}",
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
