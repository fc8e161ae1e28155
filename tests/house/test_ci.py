"""What .ci/run makes of a failing test, with a `run` that only plays."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = (
    "mosquitto",
    "mosquitto_sub",
    "influxd",
    "victoria-metrics",
    "chromium",
    "docker-compose",
    "caddy",
)
PASSED = ('echo "SKIPPED [1] x.py: no disk"\necho "== 9 passed =="', 0)
SUMMARY = 'echo "ERROR it logged, at length"\necho "=== short test summary info ==="\n'
RACE = (f'{SUMMARY}echo "FAILED a.py::test_a"\necho "== 1 failed, 8 passed =="', 1)
MANY = (f'{SUMMARY}for n in 1 2 3 4; do echo "FAILED a.py::test_$n"; done\necho "== 4 failed =="', 1)
BROKEN = ('echo "usage: pytest"', 1)


@pytest.fixture
def judged(tmp_path):
    """judged(*runs, check=0) -> (exit status, what was printed, the arguments of each `./run test`)."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    there = tmp_path / "bin"
    there.mkdir()
    for program in (*PROGRAMS, "flock", "systemd-analyze", "openssl", "uv"):
        (there / program).write_text("#!/bin/sh\n")
        (there / program).chmod(0o755)

    def judge(*runs, check=0):
        for number, (prints, status) in enumerate(runs, 1):
            (tmp_path / f"answer-{number}").write_text(f"{prints}\nexit {status}\n")
        (tmp_path / "run").write_text(
            "#!/bin/sh\n"
            f'[ "$1" = test ] || exit {check}\n'
            'echo "$*" >>asked\n'
            'exec sh "answer-$(wc -l <asked)"\n'
        )
        (tmp_path / "run").chmod(0o755)
        path = f"{there}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [tmp_path / ".ci/run"],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, (tmp_path / "asked").read_text().splitlines()

    return judge


def test_what_passes_passes_and_what_was_skipped_is_said(judged):
    status, said, asked = judged(PASSED)
    assert (status, len(asked)) == (0, 1)
    assert said.endswith(
        "== failed at first\nnothing\n== skipped\nSKIPPED [1] x.py: no disk\n== 9 passed ==\n"
    )


def test_a_few_that_fail_in_company_are_run_once_more_alone_and_named(judged):
    status, said, asked = judged(RACE, PASSED)
    assert status == 0
    assert asked[1].startswith("test --numprocesses 0 --last-failed")
    assert "== failed at first\nFAILED a.py::test_a\n" in said
    assert said.endswith("== 1 failed, 8 passed ==\n"), "the count of the whole run"


def test_what_fails_alone_too_fails(judged):
    status, _, asked = judged(RACE, RACE)
    assert (status, len(asked)) == (1, 2)


@pytest.mark.parametrize("run", [MANY, BROKEN], ids=["many", "not even begun"])
def test_many_failures_and_runs_that_never_began_are_no_races(judged, run):
    status, _, asked = judged(run)
    assert (status, len(asked)) == (1, 1)


def test_a_failed_check_is_not_forgotten(judged):
    status, said, _ = judged(PASSED, check=1)
    assert status == 1
    assert "== 9 passed ==" in said
