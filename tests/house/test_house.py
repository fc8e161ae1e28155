"""What the repository as a whole promises."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOFT, HARD = 300, 500


def tracked(*patterns):
    done = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in done.stdout.decode().split("\0") if name]
    return [file for file in files if file.is_file()]


def pinned(name):
    return [Requirement(line) for line in (ROOT / name).read_text().splitlines()]


@pytest.mark.parametrize(
    "name",
    [
        *("requirements.txt", "requirements-dev.txt"),
        *("tests/clients/requirements.txt", "tests/clients/requirements-ckan.txt"),
    ],
)
def test_every_requirement_is_pinned(name):
    for requirement in pinned(name):
        assert re.fullmatch(r"==[\w.!+]+", str(requirement.specifier)), requirement


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("requirements.txt", PROJECT["project"]["dependencies"]),
        ("requirements-dev.txt", PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]),
    ],
)
def test_the_pins_satisfy_the_project(name, wanted):
    """Make them anew with the commands in pyproject.toml."""
    found = {}
    for requirement in pinned(name):
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    for text in wanted:
        requirement = Requirement(text)
        pins = found.get(canonicalize_name(requirement.name))
        assert pins, f"{name} lacks {requirement.name}"
        for pin in pins:
            (specifier,) = pin.specifier
            assert requirement.specifier.contains(specifier.version), (requirement, pin)


def test_tests_run_on_the_versions_that_are_shipped():
    dev = {(each.name, str(each.specifier)) for each in pinned("requirements-dev.txt")}
    assert {(each.name, str(each.specifier)) for each in pinned("requirements.txt")} <= dev


def test_nothing_names_a_registry_or_somebody_s_machine():
    hosts = ("registry.npmjs" + ".org", "pypi" + ".org/simple", "files.python" + "hosted")
    paths = re.compile(r"(?<![\w.~])/(?:" + "root|work|home" + r")/\w")
    for file in tracked():
        if file.suffix in {".png", ".ico", ".woff2"}:
            continue
        text = file.read_text(encoding="utf-8")
        for host in hosts:
            assert host not in text, f"{file} names {host}"
        assert not paths.search(text), f"{file}: {paths.search(text)}"


def test_no_module_is_longer_than_the_hard_limit():
    for file in tracked("*.py"):
        assert len(file.read_text().splitlines()) <= HARD, file


def test_no_two_modules_of_tests_have_one_name():
    """pytest imports them by it: one process of a run that meets both fails on the second."""
    names = [file.name for file in tracked("tests/*.py") if file.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))


def test_the_wheel_holds_the_packages_and_nothing_else():
    packages = {file.parent.name for file in ROOT.glob("*/__init__.py")}
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]) == packages
    assert set(PROJECT["tool"]["importlinter"]["root_packages"]) == packages
    assert set(PROJECT["tool"]["mypy"]["packages"]) == packages


def test_every_exception_from_a_check_has_its_reason():
    bare = re.compile("# no" + r"qa(?!: [A-Z0-9, ]+ - \S)|# type: " + r"ignore(?!\[[\w, -]+\]  ?# \S)")
    for file in tracked("*.py"):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            assert not bare.search(line), f"{file}:{number}: give code and reason"


def test_the_licence_is_the_one_the_project_names():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert PROJECT["project"]["license"] == "EUPL-1.2"
    assert text.startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2\n")
    assert "15.Applicable Law" in text
    assert text.rstrip().endswith("a new EUPL version.")
