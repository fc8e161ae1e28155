"""A journal that was restored or begun anew behind a reader's position."""

import structlog

from ingest.journal import Journal

_log = structlog.get_logger(__name__)


def replaced(journal: Journal, position: tuple[int, str]) -> bool:
    """Whether the event of a position (number, id) is no longer the journal's: then it counts from 1 again.

    To wait for the old number would lose warnings.
    """
    cursor, event = position
    if not cursor:
        return False
    found = journal.events(cursor - 1, 1)
    if found and (found[0][0], found[0][1].id) == (cursor, event):
        return False
    _log.warning("journal_replaced", cursor=cursor, event_id=event)
    return True
