"""The demo as people start it, and the clock it runs by."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from alerts.event import from_row
from ingest.sqlite_journal import SqliteJournal
from stadtfunk import demo, duty_officer
from stadtfunk.demo import DemoClock, Report
from stadtfunk.serve import bind

COMMAND = [sys.executable, "-m", "stadtfunk", "--log", "warning", "demo", "--port", "0"]


@pytest.fixture
def start(tmp_path):
    """Starts a demo; its output goes to a file, so that no pipe fills up."""
    running = []

    def begin(*arguments):
        output = tmp_path / f"output-{len(running)}"
        with output.open("wb") as out:
            process = subprocess.Popen(
                [*COMMAND, *arguments], stdout=out, stderr=subprocess.STDOUT, cwd=tmp_path,
                env={**os.environ, "TMPDIR": str(tmp_path)},
            )  # fmt: skip
        running.append(process)
        return process, output

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()


def eventually(question, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if answer := question():
            return answer
        time.sleep(0.1)
    pytest.fail(f"not within {seconds} s")


def get(url, token=None):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def register(url, token):
    """A device that somebody adds to the demo's city; the answer's status."""
    row = {
        "dev_eui": "70b3d57ba00009f1",
        "type": "decentlab-dl-tbrg",
        "station": "regen-neu",
        "name": "Neu",
        "lat": 50.99,
        "lon": 7.13,
    }
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/api/v1/admin/devices?by=Anna", json.dumps(row).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.status


def welcomed(output):
    text = output.read_text(encoding="utf-8")
    address, token = re.search(r"(http://\S+?)/ ", text), re.search(r"Operator token: (\S+)", text)
    return (address[1], token[1]) if address and token else None


def test_until_done_accounts_for_every_uplink_whatever_the_speed(start, tmp_path):
    reports = []
    for arguments in (
        ["--speed", "600"],
        ["--speed", "9000", "--past", "--keep", str(tmp_path / "kept")],
    ):
        process, output = start("--until-done", *arguments)
        assert process.wait(240) == 0, output.read_text()
        report = json.loads(output.read_text(encoding="utf-8").splitlines()[-1])
        assert list(report) == [
            "sent", "stored", "rejected", "readings", "warnings_raised", "warnings_cleared",
            "crossings", "crossings_alerted", "crossing_to_alert_s", "crossing_to_alert_wall_s",
            "crossings_expected", "expected_lead_min",
        ]  # fmt: skip
        assert report["sent"] == report["stored"] + report["rejected"]
        assert report["sent"] > 2_000
        assert report["rejected"] >= 5
        assert report["readings"] > report["stored"]
        assert report["warnings_raised"] == report["warnings_cleared"] >= 10
        # one gauge is silent while the water reaches its last mark
        assert report["crossings_alerted"] == report["crossings"] - 1 >= 10
        assert report["crossing_to_alert_s"]["median"] > 0
        if "--keep" not in arguments:  # at 9000 judging takes longer than the water: nothing is ahead of it
            # an interval, now and then a late uplink; and a busy machine takes a second or two to tell
            assert report["crossing_to_alert_s"]["median"] <= 300 + 1.0 * 600
            assert report["crossing_to_alert_s"]["max"] <= 14 * 60 + 2.0 * 600
            assert report["crossings_expected"] >= report["crossings"] - 2
            assert report["expected_lead_min"] >= 8
        reports.append(report)
    # the two began at different moments: parking and traffic differ, the storm does not; where judging takes
    # longer than the water, a mark may be reached before it was expected
    raised = [report["warnings_raised"] for report in reports]
    assert max(raised) - min(raised) <= 1
    assert list(tmp_path.glob("stadtfunk-demo-*")) == []
    steps = city_steps(tmp_path / "kept" / "journal.db")
    assert {"propose", "release"} <= {action for action, _ in steps}
    assert {by for action, by in steps if action != "propose"} <= {
        *(duty_officer.NAME, "rule proposal", "rule renewal"),
    }
    assert not (tmp_path / "kept" / "past").exists()
    assert {"journal.db", "readings.db"} <= {file.name for file in (tmp_path / "kept").iterdir()}


def city_steps(file):
    """What was done about warnings of the city, and by whom."""
    journal, after, found = SqliteJournal(file), 0, []
    while page := journal.events(after, 1000):
        after = page[-1][0]
        events = [from_row(row) for _, row in page]
        found += [(event.city.action, event.city.by) for event in events if event.city is not None]
    journal.close()
    return found


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_storm_shows_in_the_api_and_the_demo_ends_cleanly(start, tmp_path, ending):
    process, output = start("--speed", "600")
    url, token = eventually(lambda: welcomed(output), 120)
    stations = get(f"{url}/api/v1/stations?limit=100")["items"]
    assert len(stations) == 38
    in_force = eventually(
        lambda: [each for each in get(f"{url}/api/v1/warnings")["items"] if each["status"] == "in_force"], 120
    )
    assert {each["measure"] for each in in_force} <= {
        "dwd_starkregen",
        "dwd_dauerregen",
        "water_level",
        "basin",
    }
    assert eventually(lambda: get(f"{url}/api/v1/admin/rejected", token)["items"], 120)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        get(f"{url}/api/v1/admin/rejected")
    shipped = sorted((file.name, file.read_bytes()) for file in demo.CITY.iterdir())
    assert register(url, token) == 201
    assert sorted((file.name, file.read_bytes()) for file in demo.CITY.iterdir()) == shipped
    process.send_signal(ending)
    time.sleep(0.2)
    process.send_signal(ending)  # an impatient one changes nothing
    assert process.wait(120) == 0
    said = output.read_text(encoding="utf-8")
    assert "Traceback" not in said
    assert "nothing listens" not in said
    assert list(tmp_path.glob("stadtfunk-demo-*")) == []


def test_a_port_in_use_is_named_before_anything_starts(start):
    process, output = start()
    url, _ = eventually(lambda: welcomed(output), 120)
    second, said = start("--port", url.rpartition(":")[2])
    assert second.wait(120) == 1
    assert "port" in said.read_text()
    process.terminate()
    assert process.wait(120) == 0


def test_without_a_port_asked_for_another_one_will_do(monkeypatch):
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        monkeypatch.setattr(demo, "_PORT", taken.getsockname()[1])
        with demo._listener(None) as free:
            assert free.getsockname()[1] != taken.getsockname()[1]


def test_a_speed_of_nothing_is_a_wrong_usage(start):
    process, output = start("--speed", "0")
    assert process.wait(120) == 2
    assert "--speed" in output.read_text()


class Stopwatch:
    def __init__(self):
        self.ns = 0

    def __call__(self):
        return self.ns


def test_the_clock_runs_fast_up_to_its_limit_and_does_not_leap_after_it():
    watch = Stopwatch()
    clock = DemoClock(1_000_000, 60, watch)
    watch.ns += 5_000_000_000
    assert clock() == 1_000_000  # nothing is due yet
    clock.limit(1_000_000 + 120_000_000)
    watch.ns += 1_000_000_000
    assert clock() == 61_000_000
    watch.ns += 10_000_000_000
    assert clock() == 121_000_000  # the limit
    clock.limit(1_000_000_000)
    assert clock() == 121_000_000  # the time spent waiting does not count
    watch.ns += 500_000_000
    assert clock() == 151_000_000
    clock.limit(0)
    watch.ns += 500_000_000
    assert clock() == 181_000_000  # a limit never moves back


def test_a_report_is_complete_only_when_the_sum_is_right():
    assert Report(10, 8, 2, 30, 1, 1).complete
    assert not Report(10, 8, 1, 30, 1, 1).complete
    assert not Report(10, 8, 3, 30, 1, 1).complete
