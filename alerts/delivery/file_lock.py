"""One process at a time: two that send from one file would tell everything twice."""

import fcntl
import os
from pathlib import Path

from alerts.errors import DeliveriesError


def held(path: Path) -> int:
    """Lock beside the file, gone with its process; the descriptor to close. Raises DeliveriesError."""
    lock = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as fault:
        raise DeliveriesError(f"{lock}: {fault.strerror}: make the folder writable for this user") from fault
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        os.close(handle)
        raise DeliveriesError(f"{path}: another process sends from it: end that one first") from fault
    return handle
