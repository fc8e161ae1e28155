"""A scratch instance of SensorThings: `[sta] write = true`, for outside conformance suites."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import structlog

from api.sta.scratch import FILE, ScratchSource
from api.sta.writing.writer import ScratchWriter
from ingest.sqlite_file import sqlite_path
from stadtfunk.settings import Settings

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Scratch:
    """Entities in a file of their own, and who writes them."""

    source: ScratchSource
    writer: ScratchWriter


def open_scratch(settings: Settings, clock: Callable[[], int], opened: ExitStack) -> Scratch | None:
    """The scratch instance, None where nobody may write. Raises StorageError."""
    if not settings.sta.write:
        return None
    path = sqlite_path(settings.journal.url).with_name(FILE)
    source = ScratchSource(path)
    opened.callback(source.close)
    if not settings.api.token:
        _log.warning("sta_scratch", file=str(path), writing="everybody who reaches it, without a token")
    return Scratch(source, ScratchWriter(source, clock))
