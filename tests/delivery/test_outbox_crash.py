"""kill -9 at random moments: everything is told at least once, and only what was interrupted twice."""

import random
import re
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path

from alert_events import NOW_US, make_event, write_events
from servers import wait_for as until

from alerts.delivery.deliveries import Deliveries
from ingest.sqlite_journal import SqliteJournal

CHILD = Path(__file__).with_name("outbox_process.py")
EPISODES = 40
KILLS = 6


@contextmanager
def running(journal, deliveries, url):
    child = subprocess.Popen(
        [sys.executable, CHILD, journal, deliveries, url, str(NOW_US)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout.readline() == "started\n"
        yield
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_kill_at_random_moments(tmp_path, endpoint):
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - to run a failure again
    chance = random.Random(seed)
    endpoint.delay_s = 0.02
    journal_path, path = tmp_path / "journal.db", tmp_path / "deliveries.db"
    sent = []
    with closing(SqliteJournal(journal_path)) as journal:
        for round_ in range(KILLS):
            with running(journal_path, path, endpoint.url):
                for episode in range(EPISODES * round_ // KILLS, EPISODES * (round_ + 1) // KILLS):
                    for kind in ("raise", "escalate", "clear"):
                        event = make_event(f"{kind[0]}{episode}", kind, episode=f"ep{episode}", level=3)
                        sent.append(event.id)
                        write_events(journal, event)
                time.sleep(chance.uniform(0, 0.6))
        with running(journal_path, path, endpoint.url):
            until(lambda: len({number(body) for body in endpoint.bodies()}) == len(sent), timeout_s=120)
            until(lambda: not _open(path))
    with closing(Deliveries(path)) as deliveries:
        receipts = {receipt.event: receipt for receipt in deliveries.receipts(limit=10_000)}
    told = Counter(number(body) for body in endpoint.bodies())
    assert set(told) == set(sent) == set(receipts)
    for event, receipt in receipts.items():
        assert receipt.status == "sent"
        assert receipt.attempts == receipt.interrupted + 1
        assert told[event] <= receipt.attempts
    repeated = {event for event, times in told.items() if times > 1}
    assert repeated <= {event for event, receipt in receipts.items() if receipt.interrupted}
    assert len(repeated) <= KILLS
    # whatever came a second time says that it may be one
    seen = set()
    for body in endpoint.bodies():
        assert number(body) not in seen or "Möglicherweise eine Wiederholung" in body
        seen.add(number(body))


def number(body):
    return re.search(r"Meldung (\w+)$", body)[1]


def _open(path):
    # the child holds the file: only looked at from here
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(
            "SELECT count(*) FROM deliveries WHERE status IN ('pending', 'sending')"
        ).fetchone()[0]
