"""The command line brings along what the command needs, and no more."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from stadtfunk.cli import COMMANDS, parser

ROOT = Path(__file__).parents[2]
HEAVY = {"fastapi", "starlette", "uvicorn", "apprise", "pyarrow", "rdflib", "shapely", "numpy", "jinja2"}
LIGHT = [
    ["--help"],
    ["--version"],
    ["devices"],
    ["decode", "--type", "decentlab-dl-tbrg", "--fport", "1", "00"],
    ["no-such-command"],
]


def subparsers(root):
    (action,) = [each for each in root._actions if isinstance(each, argparse._SubParsersAction)]
    return action.choices


@pytest.mark.parametrize("arguments", LIGHT, ids=lambda arguments: arguments[0])
def test_a_light_command_starts_without_the_service(arguments):
    script = (
        "import sys\nfrom stadtfunk.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        f"print('loaded', *sorted({HEAVY!r} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "loaded", done.stdout + done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_named_alone_has_the_same_arguments(name):
    alone = subparsers(parser(["--log", "debug", name, "devices"]))
    whole = subparsers(parser())
    assert alone.keys() == whole.keys() == COMMANDS.keys()
    assert alone[name].format_help() == whole[name].format_help()
    assert alone[name].get_default("run") is whole[name].get_default("run")
    assert parser([]).format_help() == parser().format_help()
