"""Every request ends: what takes too long, or is too much for SQLite, is the asker's to narrow."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from api.sta.errors import BadRequestError

LONGEST_S = 10.0
LONGEST_OF_ALL_S = 3.0
"""For what no index narrows: all Observations are read for it."""
NARROW = "narrow it by time or Datastream, or ask for less of it at a time"
NARROW_ALL = "narrow it: Datastreams(1)/Observations, or phenomenonTime ge 2026-07-14T00:00:00Z"
_STEPS = 20_000
"""Of SQLite's machine, between two looks at the clock: less than a millisecond."""
_TOO_MUCH = ("too large", "too many", "too big", "stack overflow", "too deep", "too long")


class Deadline:
    """When a request has to be answered."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._end = self._begin + LONGEST_S
        self._of_all = False

    def reads_everything(self) -> None:
        """It reads all Observations: it has less time."""
        self._of_all = True
        self._end = min(self._end, self._begin + LONGEST_OF_ALL_S)

    def passed(self) -> bool:
        """Whether it is over."""
        return time.monotonic() > self._end

    def error(self) -> BadRequestError:
        """What to tell who asked."""
        if self._of_all:
            return BadRequestError("this reads all Observations, which takes too long", NARROW_ALL)
        return BadRequestError("this takes too long to answer", NARROW)


@contextmanager
def bounded(connection: sqlite3.Connection) -> Iterator[Deadline]:
    """Run statements until a deadline; raises BadRequestError where one does not end by then."""
    deadline = Deadline()
    connection.set_progress_handler(deadline.passed, _STEPS)
    try:
        yield deadline
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            raise deadline.error() from error
        if any(each in str(error) for each in _TOO_MUCH):
            raise BadRequestError(f"this is too much at once: {error}", "ask for less at once") from error
        raise
    except (OverflowError, sqlite3.DataError) as error:
        raise BadRequestError("a number or text is too large", "write numbers of at most 64 bits") from error
    finally:
        connection.set_progress_handler(None, 0)
