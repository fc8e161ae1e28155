"""The demo's duty officer decides as a person would, through the same doors."""

from types import SimpleNamespace

import pytest
from city_hall import UPSTREAM, Hall

from alerts.incidents.board import IncidentBoard
from stadtfunk.duty_officer import NAME, DutyOfficer


@pytest.fixture
def duty(tmp_path):
    hall = Hall(tmp_path)
    board = IncidentBoard()
    taken = []

    def decide(decision):
        taken.append((decision.action, decision.by))
        if decision.action == "all_clear":
            hall.all_clear(by=decision.by, reason=decision.reason)

    service = SimpleNamespace(engine=SimpleNamespace(decide=decide), incidents=board, office=hall.office)
    officer = DutyOfficer(service, lambda: hall.now_us)

    def later(minutes):
        hall.later(minutes)
        board.catch_up(hall.journal)
        officer.look()

    yield hall, later, taken
    hall.close()


def test_the_officer_acknowledges_releases_after_two_minutes_and_calls_off_at_the_end(duty):
    hall, later, taken = duty
    hall.notice("raise", 3, confirmation="confirmed")
    later(1.9)
    assert (taken, hall.one.status) == ([], "proposed")
    later(0.2)
    assert taken == [("acknowledge", NAME)]
    assert (hall.one.status, hall.one.steps[-1].step.by) == ("in_force", NAME)
    hall.notice("escalate", 4)
    later(2.1)
    assert (hall.one.severity, hall.one.pending) == ("Extreme", None)
    later(30)
    assert hall.one.in_force
    hall.notice("clear", 0)
    later(9)
    assert hall.one.in_force
    later(2)
    assert taken[-1] == ("all_clear", NAME)
    hall.tick()
    assert hall.one.steps[-1].step.action == "all_clear"
    assert taken.count(("acknowledge", NAME)) == 1


def test_the_officer_declines_a_single_gauge_that_no_witness_agrees_with(duty):
    hall, later, _ = duty
    hall.notice("raise", 3, confirmation="unconfirmed")
    later(3)
    assert hall.one.status == "declined"


def test_two_gauges_need_no_witness(duty):
    hall, later, _ = duty
    hall.notice("raise", 3, confirmation="unconfirmed")
    hall.notice("raise", 3, UPSTREAM, confirmation="unconfirmed")
    later(3)
    assert hall.one.in_force
