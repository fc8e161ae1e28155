"""Files that warnings do not need: one that cannot be used stops nothing but what stands in it."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import structlog

T = TypeVar("T")
_log = structlog.get_logger(__name__)


def open_or_spare(
    path: Path, open_: Callable[[Path], T], error: type[Exception], opened: ExitStack
) -> tuple[T, str]:
    """What `open_` makes of a file, and ""; or of an empty one of this run alone, and what is wrong.

    The one that is raised as `error` is what is wrong; the empty file goes when `opened` is closed.
    """
    try:
        return open_(path), ""
    except error as fault:
        _log.error("file_not_usable", file=path.name, fault=str(fault))
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="stadtfunk-"))
        return open_(Path(folder) / path.name), f"{fault}; put it right or move it away, and start again"
