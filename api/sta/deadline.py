"""Every request ends: what takes too long, or is too much for SQLite, is the asker's to narrow."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from api.sta.errors import BadRequestError

LONGEST_S = 10.0
NARROW = "narrow it by time or Datastream, or ask for less of it at a time"
_STEPS = 20_000
"""Of SQLite's machine, between two looks at the clock: less than a millisecond."""
_TOO_MUCH = ("too large", "too many", "too big", "stack overflow", "too deep", "too long")


@contextmanager
def bounded(connection: sqlite3.Connection) -> Iterator[None]:
    """Run statements until a deadline; raises BadRequestError where one does not end by then."""
    end = time.monotonic() + LONGEST_S
    connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        yield
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            raise BadRequestError("this takes too long to answer", NARROW) from error
        if any(each in str(error) for each in _TOO_MUCH):
            raise BadRequestError(f"this is too much at once: {error}", "ask for less at once") from error
        raise
    except (OverflowError, sqlite3.DataError) as error:
        raise BadRequestError("a number or text is too large", "write numbers of at most 64 bits") from error
    finally:
        connection.set_progress_handler(None, 0)
