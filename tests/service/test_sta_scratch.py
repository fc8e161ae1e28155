"""`[sta] write = true`: a scratch instance for suites of tests, and never a city."""

import json
import signal
import subprocess
import sys
import urllib.request

import pytest
from servers import free_port, wait_for

from stadtfunk.cli import main
from stadtfunk.errors import ConfigError, StartError
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings

SCRATCH = """
[city]
name = "Probe"
[journal]
url = "sqlite:journal.db"
[store]
url = "sqlite:readings.db"
[sta]
write = true
[api]
port = {port}
"""
SERVER = """
[[network_server]]
name = "stadtwerke"
kind = "tts-v3"
url = "mqtt://127.0.0.1:1"
"""
NEIGHBOUR = """
[[neighbour]]
kind = "dwd-cap"
warncells = ["105378004"]
"""
TOKEN = """
[[api.token]]
name = "suite"
hash = "{hash}"
"""


@pytest.fixture
def config(tmp_path):
    def write(more=""):
        file = tmp_path / "scratch.toml"
        file.write_text(SCRATCH.format(port=free_port()) + more)
        return file

    return write


def test_nothing_is_wrong_with_it_alone(config, capsys):
    assert main(["check", "--config", str(config())]) == 0
    assert "no fault found" in capsys.readouterr().out


@pytest.mark.parametrize(("more", "table"), [(SERVER, "network_server"), (NEIGHBOUR, "neighbour")])
def test_beside_what_measures_it_is_a_fault(config, capsys, more, table):
    file = config(more)
    assert main(["check", "--config", str(file)]) == 1
    said = capsys.readouterr().err
    assert f"{file}" in said
    assert "sta.write" in said
    assert f"[[{table}]]" in said
    assert "set it to false" in said
    with pytest.raises(ConfigError, match=table):
        load_settings(file, {})


def test_a_file_of_somebody_else_keeps_it_from_starting(config, tmp_path):
    file = config()
    (tmp_path / "sta-scratch.db").write_text("no database" * 100)
    with pytest.raises(StartError, match=r"sta-scratch\.db"):
        Service(load_settings(file, {}))


def test_the_log_says_that_everybody_may_write(config, capsys):
    Service(load_settings(config(), {})).stop()
    assert "sta_scratch" in capsys.readouterr().out
    Service(load_settings(config(TOKEN.format(hash="sha256:" + "0" * 64)), {})).stop()
    assert "sta_scratch" not in capsys.readouterr().out


def test_the_command_serves_it(config, tmp_path):
    file = config()
    base = f"http://127.0.0.1:{load_settings(file, {}).api.port}/sta/v1.1"

    def ask(path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{base}/{path}", data), timeout=30) as answer:
            return answer.headers, json.load(answer)

    def answers():
        try:
            return ask("Things")
        except OSError:
            return None

    command = [sys.executable, "-m", "stadtfunk", "serve", "--config", file]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(answers, 120, "the scratch instance")
        headers, made = ask("Things", {"name": "a", "description": "b"})
        assert headers["location"] == f"{base}/Things(1)" == made["@iot.selfLink"]
        assert "ratelimit" not in headers, "a suite of tests asks as fast as it can"
        assert ask("Things")[1]["value"] == [made]
        assert ask("")[1]["value"][0]["name"] == "Things"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    assert (tmp_path / "sta-scratch.db").exists()
