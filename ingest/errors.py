"""Every error of this package.

IngestError
 ├── JournalError     the journal cannot keep its promise (disk full, damaged file)
 │    ├── Fenced      somebody else has taken over this reader
 │    └── NoLongerRefusedError   somebody else has accepted this message
 ├── StoreError       the time-series store refuses or is away
 │    └── CannotDeleteError   it cannot delete single readings
 ├── BrokerError      a network server's url or CA file cannot be used
 ├── MappingError     the file that describes a network server's JSON cannot be used
 └── HistoryError     a file of recorded readings cannot be used
"""

from devices.errors import Fault


class IngestError(Exception):
    """Base of this package's errors."""


class JournalError(IngestError):
    """The journal cannot keep its promise (disk full, damaged file)."""


class Fenced(JournalError):  # noqa: N818 - a state, not a mistake
    """Somebody else has taken over this reader."""


class NoLongerRefusedError(JournalError):
    """Somebody else has accepted a message that was refused."""


class StoreError(IngestError):
    """The time-series store refuses or is away."""


class CannotDeleteError(StoreError):
    """This store cannot delete single readings."""


class BrokerError(IngestError):
    """A network server's url or CA file cannot be used."""


class MappingError(IngestError):
    """The file that describes a network server's JSON cannot be used; `faults` lists everything found."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class HistoryError(IngestError):
    """A file of recorded readings cannot be used."""
