"""What a source that can be written takes: one change for each request."""

from dataclasses import dataclass
from typing import Protocol

from api.sta.options import ResourcePath


@dataclass(frozen=True, slots=True)
class Change:
    """A POST, PATCH, PUT or DELETE. `base`: the service root's address without a slash at its end."""

    method: str
    path: ResourcePath
    content_type: str
    body: bytes
    base: str


@dataclass(frozen=True, slots=True)
class Changed:
    """What came of it. `location`: address of the entity created; `body`: JSON, None for nothing to say."""

    status: int
    location: str | None = None
    body: bytes | None = None


class Writer(Protocol):
    """Writes entities. Thread-safe."""

    def write(self, change: Change) -> Changed:
        """Do it whole or not at all; raises StaError for what cannot be done."""
