"""set-up with a stand-in for uv: when it installs, and what it believes afterwards."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("set-up")
UV = """#!/bin/sh
case "$1 ${2-}" in
    "--version "*) echo uv 0.0 ;;
    "venv "*) for folder; do :; done; rm -rf "$folder"; mkdir -p "$folder/bin"
        printf '#!/bin/sh\\n[ ! -e broken-import ]\\n' >"$folder/bin/python"; chmod +x "$folder/bin/python" ;;
    "pip install"*) for list; do :; done; echo "$list" >>"$LOG"; [ ! -e "broken-$(basename "$list")" ] ;;
esac
"""


class Copy:
    def __init__(self, folder):
        self.folder, self.log = folder, folder / "log"
        here = folder / "tests/clients"
        here.mkdir(parents=True)
        for name in ("set-up", "requirements.txt", "requirements-ckan.txt"):
            shutil.copy2(SCRIPT.with_name(name), here / name)
        (folder / "bin").mkdir()
        (folder / "bin/uv").write_text(UV)
        (folder / "bin/uv").chmod(0o755)

    def run(self, python="python3"):
        """Exit code, and the lists that were installed."""
        self.log.unlink(missing_ok=True)
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(
            [self.folder / "tests/clients/set-up", python],
            env={"PATH": path, "LOG": str(self.log)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        installed = self.log.read_text().split() if self.log.exists() else []
        return done.returncode, [Path(each).name for each in installed], done.stderr


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


def test_a_second_start_installs_nothing(copy):
    assert copy.run()[:2] == (0, ["requirements.txt", "requirements-ckan.txt"])
    assert copy.run() == (0, [], "")


def test_a_changed_list_or_another_python_is_made_afresh(copy):
    copy.run()
    with (copy.folder / "tests/clients/requirements.txt").open("a") as file:
        file.write("more==1\n")
    assert copy.run()[:2] == (0, ["requirements.txt"])
    assert copy.run("python3.99")[:2] == (0, ["requirements.txt", "requirements-ckan.txt"])


def test_what_cannot_be_made_is_named_and_tried_again(copy):
    (copy.folder / "broken-requirements.txt").touch()
    code, installed, said = copy.run()
    assert (code, installed) == (1, ["requirements.txt", "requirements-ckan.txt"])
    assert ".venv-clients/ cannot be made" in said
    (copy.folder / "broken-requirements.txt").unlink()
    assert copy.run()[:2] == (0, ["requirements.txt"])


def test_what_is_installed_and_cannot_be_imported_is_not_there(copy):
    (copy.folder / "broken-import").touch()
    code, _, said = copy.run()
    assert code == 1
    assert "apt-get install libmagic1" in said
    (copy.folder / "broken-import").unlink()
    assert copy.run()[:2] == (0, ["requirements.txt", "requirements-ckan.txt"])
