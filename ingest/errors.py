"""Every error of this package.

IngestError
 ├── JournalError     the journal cannot keep its promise (disk full, damaged file)
 │    └── Fenced      somebody else has taken over this reader
 ├── StoreError       the time-series store refuses or is away
 │    └── CannotDeleteError   it cannot delete single readings
 ├── BrokerError      a network server's url, kind or CA file cannot be used
 └── HistoryError     a file of recorded readings cannot be used
"""


class IngestError(Exception):
    """Base of this package's errors."""


class JournalError(IngestError):
    """The journal cannot keep its promise (disk full, damaged file)."""


class Fenced(JournalError):  # noqa: N818 - a state, not a mistake
    """Somebody else has taken over this reader."""


class StoreError(IngestError):
    """The time-series store refuses or is away."""


class CannotDeleteError(StoreError):
    """This store cannot delete single readings."""


class BrokerError(IngestError):
    """A network server's url, kind or CA file cannot be used."""


class HistoryError(IngestError):
    """A file of recorded readings cannot be used."""
