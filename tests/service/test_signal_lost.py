"""A signal that comes where Python loses exceptions still ends the service."""

import os
import signal
import threading
from types import SimpleNamespace

import pytest
from fastapi import FastAPI

from stadtfunk.serve import Server, bind
from stadtfunk.signals import SIGNALS, stop_asked


class Finalised:
    """Python swallows what is raised while an object is finalised."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):  # the handler runs between two of these steps
            pass


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_an_event_and_never_an_exception(number):
    before = [signal.getsignal(each) for each in SIGNALS]
    with stop_asked() as asked:
        assert not asked.is_set()
        for _ in range(2):  # a second one changes nothing
            os.kill(os.getpid(), number)
            assert asked.wait(60)
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_a_signal_during_finalisation_is_not_lost():
    with stop_asked() as asked:
        Finalised()
        assert asked.wait(60)


def test_a_signal_while_somebody_looks_at_the_event_does_not_wait_for_him_who_was_interrupted():
    with stop_asked() as asked:
        with asked._cond:  # as `wait` and `set` do, for some steps
            os.kill(os.getpid(), signal.SIGTERM)
            for _ in range(1000):
                pass
        assert asked.wait(60)


def test_a_signal_before_the_server_listens_for_signals_ends_it():
    app = FastAPI()
    app.state.stream = SimpleNamespace(close=lambda: None)
    asked = threading.Event()
    asked.set()
    with bind("127.0.0.1", 0) as listener:
        Server(app, "127.0.0.1", 0, asked=asked).run(sockets=[listener])
