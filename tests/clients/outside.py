"""Clients in environments of their own: each is a script of this folder that prints JSON; see set-up."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CLIENT_S = 300


@functools.cache
def made():
    """Whether set-up could make everything, and what it said."""
    done = subprocess.run(
        [HERE / "set-up", os.path.realpath(sys._base_executable)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.strip()


def python_of(environment):
    """The Python of `.venv-clients` or `.venv-ckan`; without it the test is skipped (and fails on CI)."""
    said = made()
    if not (ROOT / environment / "ready").is_file():
        pytest.skip(f"{environment} cannot be made from its list: {said[-500:]}")
    return ROOT / environment / "bin" / "python"


def outside(script, *arguments, environment=".venv-clients"):
    """What a script of this folder prints, run with the packages of an environment and none of ours."""
    done = subprocess.run(
        [python_of(environment), "-I", HERE / script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=CLIENT_S,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
    )
    assert done.returncode == 0, f"{script}: {done.stderr[-3000:]}\n{done.stdout[-1000:]}"
    return json.loads(done.stdout.splitlines()[-1])
