"""kill -9 in the middle of a mailing: everybody gets it, and at most 100 get it twice."""

import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

from alert_events import write_events
from mail_server import MailServer
from residents import addresses, chance, notice, open_subscriptions, subscribe
from servers import wait_for

from ingest.sqlite_journal import SqliteJournal

CHILD = Path(__file__).with_name("mass_mail_process.py")
PEOPLE = 2_000
TWICE = 100


@contextmanager
def running(folder, port):
    child = subprocess.Popen(
        [sys.executable, CHILD, folder, str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert child.stdout.readline() == "started\n"
        yield
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_kill_in_the_middle(tmp_path):
    dice = random.Random(chance())
    people = addresses(PEOPLE)
    with closing(open_subscriptions(tmp_path)) as subscriptions:
        subscribe(subscriptions, people)
    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        write_events(journal, notice("e1", "raise", severity="Extreme"))
    server = MailServer()
    try:
        for part in (0.1, 0.5):
            enough = PEOPLE * (part + dice.uniform(0, 0.3))
            # a kill that comes late is in the middle all the same
            server.most = server.taken.total() + PEOPLE - len(server.taken) - 1
            with running(tmp_path, server.port):
                wait_for(lambda: len(server.taken) >= enough, 120)  # noqa: B023 - called at once
        twice = sum(server.taken.values()) - len(server.taken)
        assert len(server.taken) < PEOPLE
        server.most = None
        with running(tmp_path, server.port):
            wait_for(lambda: state(tmp_path) == "done", 120)
        assert set(server.taken) == set(people)
        assert sum(server.taken.values()) - PEOPLE <= 2 * TWICE
        assert twice <= TWICE

        # who may have heard of it hears of its end, each once
        heard = server.taken.copy()
        with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
            write_events(journal, notice("e2", "clear"))
        with running(tmp_path, server.port):
            wait_for(lambda: state(tmp_path, "e2") == "done", 120)
        assert server.taken - heard == dict.fromkeys(people, 1)
    finally:
        server.stop()


def state(folder, event="e1"):
    # the child holds the file: only looked at from here
    with closing(sqlite3.connect(f"file:{folder}/mailings.db?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT state FROM runs JOIN mailings ON id = mailing WHERE event = ?", (event,)
        ).fetchall()
    return rows[0][0] if rows else ""
