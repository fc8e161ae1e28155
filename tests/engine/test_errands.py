"""Errands: what other threads ask of the engine's."""

from concurrent.futures import CancelledError

import pytest

from alerts.errands import Errands


class RefusedError(Exception):
    pass


def halved(number):
    if number < 0:
        raise RefusedError(f"{number} is less than nothing")
    return 10 // number


@pytest.fixture
def errands():
    return Errands(RefusedError)


def test_each_is_carried_out_once_and_in_its_order(errands):
    done = []
    futures = [errands.submit(number) for number in (1, 2, 5)]
    assert not any(future.done() for future in futures)
    errands.take(lambda number: done.append(number) or halved(number))
    errands.take(done.append)
    assert done == [1, 2, 5]
    assert [future.result(0) for future in futures] == [10, 5, 2]


def test_a_refusal_is_for_who_asked_alone(errands):
    refused, other = errands.submit(-1), errands.submit(2)
    errands.take(halved)
    with pytest.raises(RefusedError, match="less than nothing"):
        refused.result(0)
    assert other.result(0) == 5


def test_another_fault_is_for_both_and_the_rest_waits(errands):
    faulty, other = errands.submit(0), errands.submit(2)
    with pytest.raises(ZeroDivisionError):
        errands.take(halved)
    with pytest.raises(ZeroDivisionError):
        faulty.result(0)
    assert not other.done()
    errands.take(halved)
    assert other.result(0) == 5


def test_nobody_carries_out_what_was_taken_back(errands):
    done = []
    future = errands.submit(2)
    assert future.cancel()
    errands.take(done.append)
    assert done == []
    with pytest.raises(CancelledError):
        future.result(0)
