"""A signal that comes where Python loses exceptions still ends the service."""

import os
import signal
import sys

import pytest

from stadtfunk.serve import interruptible


class Finalised:
    """Python swallows what is raised while an object is finalised."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):  # the handler runs between two of these steps
            pass


def test_a_signal_during_finalisation_is_seen_at_the_next_look(monkeypatch):
    lost = []
    monkeypatch.setattr(sys, "unraisablehook", lost.append)
    before = signal.getsignal(signal.SIGTERM)
    reached = []
    try:
        with interruptible() as look:
            look()
            Finalised()
            reached.append("after the signal")
            look()
            pytest.fail("nobody saw the signal")
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert reached == ["after the signal"]
    assert [each.exc_type for each in lost] == [KeyboardInterrupt]
