"""Ctrl-C and SIGTERM, for the commands that run until somebody stops them; SIGHUP, for the service."""

import signal
import threading
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_asked() -> Iterator[threading.Event]:
    """An event that either signal sets; whoever runs inside looks at it where stopping is safe.

    Nothing is raised: an exception that a signal raises can land in the middle of somebody's constructor, or
    be lost in a finaliser, and then the program neither runs nor ends. A second signal changes nothing.
    """
    asked = threading.Event()
    # in a thread of its own: the main one may be just where it holds the event's lock
    before = [signal.signal(each, lambda *_: start_new_thread(asked.set, ())) for each in SIGNALS]
    try:
        yield asked
    finally:
        for each, handler in zip(SIGNALS, before, strict=True):
            signal.signal(each, handler)


@contextmanager
def on_hangup(then: Callable[[], object]) -> Iterator[None]:
    """Calls `then` at SIGHUP, which would else end the program.

    It is called between any two steps of the main thread, also of itself: it must take no lock.
    """
    before = signal.signal(signal.SIGHUP, lambda *_: then())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
