"""Ctrl-C and SIGTERM, for the commands that run until somebody stops them."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_asked() -> Iterator[threading.Event]:
    """An event that either signal sets; whoever runs inside looks at it where stopping is safe.

    Nothing is raised: an exception that a signal raises can land in the middle of somebody's constructor, or
    be lost in a finaliser, and then the program neither runs nor ends. A second signal changes nothing.
    """
    asked = threading.Event()
    before = [signal.signal(each, lambda *_: asked.set()) for each in SIGNALS]
    try:
        yield asked
    finally:
        for each, handler in zip(SIGNALS, before, strict=True):
            signal.signal(each, handler)
