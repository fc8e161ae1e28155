"""What holds for every test: on CI (CI=true) nothing a test needs may be missing, so a skip is a failure."""

import os

import pytest
import servers
import structlog
from hypothesis import HealthCheck, settings
from official_servers import OfficialServer

from ingest.sqlite_journal import SqliteJournal

os.environ.setdefault("AIOSMTPD_CONTROLLER_TIMEOUT", "60")  # how long a mail server may take to start

ON_CI = os.environ.get("CI") == "true"

# a busy machine must not fail a test: speed lives in bench/
# and a change is judged by the same examples each time it is, while the runs at home explore
settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=ON_CI
)
settings.load_profile("untimed")


def pytest_report_header():
    return "CI=true: a skipped test is a failed test" if ON_CI else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _missing_part_is_failure((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _missing_part_is_failure((yield))


def _missing_part_is_failure(report):
    if ON_CI and report.skipped and not hasattr(report, "wasxfail"):
        *_, reason = report.longrepr if isinstance(report.longrepr, tuple) else (str(report.longrepr),)
        report.outcome = "failed"
        report.longrepr = f"CI=true, and this was skipped: {reason}"
    return report


@pytest.fixture(autouse=True)
def _logging_as_it_was():
    """A command of the test before may have chosen a level; what is logged now must be heard again."""
    structlog.reset_defaults()


@pytest.fixture
def mosquitto(tmp_path):
    """Starts mosquittos (see servers.Mosquitto for the arguments); they end with the test."""
    started = []

    def start(**options):
        started.append(servers.Mosquitto(tmp_path / f"mosquitto-{len(started)}", **options))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def journal(tmp_path):
    journal = SqliteJournal(tmp_path / "journal.db")
    yield journal
    journal.close()


@pytest.fixture
def official():
    """A server that answers as official sources do; the test fills its `pages`."""
    server = OfficialServer()
    yield server
    server.stop()


@pytest.fixture
def own_influxd(tmp_path):
    """One that the test may stop and start."""
    server = servers.influxd(tmp_path)
    server.start()
    yield server
    server.stop()
