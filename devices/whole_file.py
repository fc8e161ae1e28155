"""Files that are written anew in one step: who is killed meanwhile leaves the old one or the new one."""

import contextlib
import os
import stat
import tempfile
from pathlib import Path


def rewrite(file: Path, data: bytes) -> None:
    """Put other bytes into a file. Raises OSError; then it is as it was."""
    fresh = beside(file, data)
    try:
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
    sync(file.parent)


def beside(file: Path, data: bytes) -> Path:
    """A durable file of its own name in the same folder, with the rights of `file`."""
    about = file.stat()
    handle, name = tempfile.mkstemp(prefix=beginning(file), dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as written:
            written.write(data)
            written.flush()
            os.fchmod(handle, stat.S_IMODE(about.st_mode))
            with contextlib.suppress(PermissionError):  # only root gives files away
                os.fchown(handle, about.st_uid, about.st_gid)
            os.fsync(handle)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def beginning(file: Path) -> str:
    """How the names of what `beside` makes for a file begin."""
    return f".{file.name}.new-"


def sync(folder: Path) -> None:
    """Make durable which files a folder has."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
