"""An outbox in a process of its own, to be killed: journal, file of deliveries, address, time."""

import sys
import threading
from pathlib import Path

import structlog

from alerts.delivery.channel_worker import Retry
from alerts.delivery.channels import Channel
from alerts.delivery.outbox import Outbox
from alerts.texts.texts import Texts
from ingest.sqlite_journal import SqliteJournal

journal, deliveries, url, now_us = sys.argv[1:]
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
outbox = Outbox(
    SqliteJournal(Path(journal)),
    Path(deliveries),
    [Channel("wache", url)],
    Texts(str, "Europe/Berlin"),
    lambda: int(now_us),
    retry=Retry(first_s=0.05, most_s=0.2),
)
outbox.start()
sys.stdout.write("started\n")
sys.stdout.flush()
threading.Event().wait()
