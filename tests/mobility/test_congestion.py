"""Congestions of segments: a quarter by speeds or two by counts begin one, two end one."""

from itertools import pairwise

import numpy as np
import pytest
from flow_town import Town, at, plan, quarters
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.mobility import congestion, flow
from alerts.mobility.calendar import QUARTER_US
from alerts.mobility.congestion import PlacesPlan
from alerts.mobility.segments import Street

LINE = ((7.13, 50.99), (7.14, 50.99))
START = at("08:00")
SPEED = {"f": 50.0, "d": 30.0, "s": 20.0, "j": 10.0}


def street(*stations, id_="main"):
    return Street(id_, "Main street", LINE, stations)


class Segments:
    """One segment of two sites."""

    def __init__(self, streets=None, free_flow=(50, 50)):
        self.town = Town(plan(2, free_flow=free_flow))
        streets = [street("s0", "s1")] if streets is None else streets
        pairs = [
            (place, site)
            for place, each in enumerate(streets)
            for site, way in enumerate(self.town.plan.sites)
            if each.counts(way)
        ]
        place, site = np.array(pairs, np.int64).reshape(-1, 2).T
        self.plan = PlacesPlan(
            streets, [each.id for each in streets], place, site, np.zeros(len(streets), np.int64)
        )
        self.rows = np.zeros(len(streets), congestion.ROW)
        self.end = START

    def quarter(self, *letters):
        """What is told of a quarter in which the sites are free, dense, slow, in a jam, or not heard (-)."""
        rows = [(i, self.end, 50, 1.0, SPEED[each]) for i, each in enumerate(letters) if each in SPEED]
        self.end += QUARTER_US
        if rows:
            self.town.take(quarters(*rows))
        return congestion.step(self.rows, self.plan, self.town.rows, self.end)

    def course(self, text):
        return [each for letters in text.split() for each in self.quarter(*letters)]

    def now(self):
        (found,) = congestion.segments(self.rows, self.plan)
        return found


def minute(time_us):
    return None if time_us is None else (time_us - START) // 60_000_000


def told(events):
    return [(minute(each.begin_us), minute(each.end_us), each.worst) for each in events]


def test_a_quarter_by_speeds_begins_one_and_two_end_one():
    assert told(Segments().course("f f s s f f")) == [(30, None, "slow"), (30, 60, "slow")]


def test_one_good_quarter_does_not_end_it():
    assert told(Segments().course("s f s f d")) == [(0, None, "slow"), (0, 45, "slow")]


def test_by_counts_alone_two_quarters_begin_one():
    segments = Segments()
    events = []
    for _ in range(2):
        segments.quarter("s")
        segments.rows[:] = 0
        segments.town.rows["basis"] = flow.BY_COUNT
        events.append(congestion.step(segments.rows, segments.plan, segments.town.rows, segments.end))
    assert events == [[], []]
    segments.rows["slow"], segments.rows["began"] = 1, segments.end - 2 * QUARTER_US
    begun = congestion.step(segments.rows, segments.plan, segments.town.rows, segments.end)
    assert told(begun) == [(0, None, "slow")]


def test_what_becomes_worse_is_told_under_the_same_id():
    events = Segments().course("s s j j s d f")
    assert told(events) == [(0, None, "slow"), (0, None, "jam"), (0, 75, "jam")]
    assert {each.id for each in events} == {"main.20260309T070000Z"}
    assert {each.segment for each in events} == {"main"}


def test_the_worst_site_speaks():
    segments = Segments()
    assert told(segments.course("fs fj ff ff")) == [
        (0, None, "slow"),
        (0, None, "jam"),
        (0, 30, "jam"),
    ]
    segments.quarter("f", "d")
    assert (segments.now().state, segments.now().speed_kmh) == ("dense", 40)


def test_a_site_that_is_not_heard_says_nothing_of_the_segment():
    segments = Segments()
    assert told(segments.course("s- -s f- -f")) == [(0, None, "slow"), (0, 30, "slow")]


def test_silence_ends_a_congestion_where_it_was_last_seen():
    segments = Segments()
    segments.course("j j")
    assert told(segments.course("- -")) == [(0, 30, "jam")]
    assert segments.now().state == "unknown"


def test_quarters_that_are_left_out_are_ones_of_which_nothing_is_known():
    segments = Segments()
    segments.course("j j")
    segments.end += 40 * QUARTER_US
    before = congestion.step(segments.rows, segments.plan, segments.town.rows, segments.end)
    assert told(before) == [(0, 30, "jam")]
    assert told(segments.quarter("j")) == [(minute(segments.end) - 15, None, "jam")]


def test_the_same_again_tells_nothing():
    segments = Segments()
    segments.course("s s")
    before = segments.rows.tobytes()
    assert congestion.step(segments.rows, segments.plan, segments.town.rows, segments.end) == []
    assert segments.rows.tobytes() == before


def test_what_is_told_of_a_segment():
    segments = Segments()
    segments.course("f j j")
    found = segments.now()
    assert (found.id, found.name, found.line, found.state) == ("main", "Main street", LINE, "jam")
    assert (minute(found.since_us), minute(found.time_us), found.speed_kmh) == (15, 45, 10)
    segments.quarter("-")
    silent = segments.now()
    assert (silent.state, silent.since_us, minute(silent.time_us), silent.speed_kmh) == (
        "unknown",
        None,
        45,
        None,
    )


@pytest.mark.parametrize("cut", range(7))
def test_an_open_one_survives_a_restart(cut):
    whole, text = Segments(), ["s", "s", "j", "f", "f", "s", "s"]
    events = whole.course(" ".join(text))
    first, second = Segments(), Segments()
    begun = first.course(" ".join(text[:cut]))
    second.rows = np.frombuffer(first.rows.tobytes(), congestion.ROW).copy()
    second.town.rows, second.town.weeks, second.end = first.town.rows, first.town.weeks, first.end
    assert begun + second.course(" ".join(text[cut:])) == events


@settings(deadline=None)
@given(st.lists(st.sampled_from("fdsj-"), max_size=24))
def test_congestions_never_overlap_and_end_where_they_were_last_seen(letters):
    segments = Segments()
    events = segments.course(" ".join(letters))
    ended = [each for each in events if each.end_us is not None]
    for earlier, later in pairwise(ended):
        assert earlier.end_us < later.begin_us
    for each in ended:
        inside = letters[minute(each.begin_us) // 15 : minute(each.end_us) // 15]
        assert inside[0] in "sj"
        assert inside[-1] in "sj"
    ids = [each.id for each in ended]
    assert len(ids) == len(set(ids))
