"""One file a property and day: made once, never changed."""

import hashlib
import os
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

CLOSE_AFTER_H = 48.0


class Archive:
    """Files in a folder, `PROPERTY/YYYY-MM-DD.FORM`. Thread-safe.

    A day is closed `close_after_h` hours after its end and all of it is public. Its file is written at the
    first request from then on, and is what everybody gets for ever, whatever becomes of the readings.
    """

    def __init__(self, folder: Path, close_after_h: float = CLOSE_AFTER_H) -> None:
        self._folder = folder
        self._close_after_us = round(close_after_h * 3_600_000_000)
        self._lock = threading.Lock()
        self._etags: dict[Path, str] = {}

    def closed(self, end_us: int, now_us: int, later_us: int = 0) -> bool:
        """Whether a day that ended then is closed, of readings that are public so much later."""
        return now_us >= end_us + later_us + self._close_after_us

    def has(self, property_: str, day: date, form: str) -> bool:
        """Whether there is a file already."""
        return self._path(property_, day, form).exists()

    def file(self, property_: str, day: date, form: str, parts: Iterator[bytes]) -> tuple[Path, str]:
        """The file of a closed day and its ETag; `parts` is read where there is none yet.

        Raises OSError where it cannot be written, and whatever `parts` raises: then there is no file.
        """
        path = self._path(property_, day, form)
        with self._lock:
            if not path.exists():
                _write(path, parts)
            if path not in self._etags:
                with path.open("rb") as file:
                    self._etags[path] = f'"{hashlib.file_digest(file, "blake2b").hexdigest()[:32]}"'
            return path, self._etags[path]

    def _path(self, property_: str, day: date, form: str) -> Path:
        return self._folder / property_ / f"{day.isoformat()}.{form}"


def _write(path: Path, parts: Iterator[bytes]) -> None:
    """All of it or nothing, on the disk before anybody sees it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = path.with_suffix(f"{path.suffix}.new")
    with begun.open("wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
    begun.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
