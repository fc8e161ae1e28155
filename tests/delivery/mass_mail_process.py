"""What tells residents, in a process of its own, to be killed: folder, port of the SMTP server."""

import sys
import threading
from pathlib import Path

import structlog
from residents import mass_mail, open_subscriptions, pool

from ingest.sqlite_journal import SqliteJournal

folder, port = Path(sys.argv[1]), int(sys.argv[2])
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
mass = mass_mail(
    SqliteJournal(folder / "journal.db"),
    folder,
    open_subscriptions(folder),
    lambda stopping: {"email": pool(port, stopping)},
)
mass.start()
sys.stdout.write("started\n")
sys.stdout.flush()
threading.Event().wait()
