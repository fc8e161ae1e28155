"""Every bench runs, at a fraction of its size, and says what it promises. No figure is judged here."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
NAMES = sorted(
    each.stem for each in BENCH.glob("[a-z]*.py") if "\n    run(measure)" in each.read_text("utf-8")
)


@pytest.mark.parametrize("name", NAMES)
def test_a_bench_writes_figures_goals_and_ratios(name, tmp_path):
    if name in {"path", "warn"} and not (
        shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    ):
        pytest.skip("mosquitto is not installed")
    done = subprocess.run(
        [sys.executable, BENCH, name, "--scale", "0.01", "--out", tmp_path],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / f"{name}.json").read_text())
    assert result["figures"]
    assert any(each["goal"] is not None for each in result["figures"])
    assert any(each["ratio"] is not None for each in result["figures"])
    for each in result["figures"]:
        assert each["figure"] > 0, each
        fails = each["goal"] is not None and (
            each["figure"] < each["goal"] if each["better"] == "more" else each["figure"] > each["goal"]
        )
        assert each["missed"] == fails
    for missed in result["missed"]:
        assert f"MISSED  {missed}" in done.stdout


def test_an_unknown_bench_is_refused_with_those_there_are():
    done = subprocess.run([sys.executable, BENCH, "speed"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    for name in NAMES:
        assert name in done.stderr
