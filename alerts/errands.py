"""Errands: what other threads ask of the one whose state it is about. It takes them between two steps."""

import queue
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Errand = TypeVar("Errand")
Answer = TypeVar("Answer")


class Errands(Generic[Errand, Answer]):
    """submit() is for any thread, take() for the one. A `refusal` concerns nobody but who asked."""

    def __init__(self, refusal: type[Exception]) -> None:
        self._refusal = refusal
        self._waiting: queue.SimpleQueue[tuple[Errand, Future[Answer]]] = queue.SimpleQueue()

    def submit(self, errand: Errand) -> "Future[Answer]":
        """An errand for the next step; the future brings what becomes of it."""
        future: Future[Answer] = Future()
        self._waiting.put((errand, future))
        return future

    def take(self, carry_out: Callable[[Errand], Answer]) -> None:
        """Carry out whatever waits, each done before its asker hears of it.

        Raises what `carry_out` raises and is no refusal; the asker has it as well.
        """
        while not self._waiting.empty():
            errand, future = self._waiting.get_nowait()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                answer = carry_out(errand)
            except BaseException as fault:
                future.set_exception(fault)
                if not isinstance(fault, self._refusal):
                    raise
            else:
                future.set_result(answer)
