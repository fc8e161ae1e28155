"""Who hears of what: areas, gauges, radii, severity, quiet hours."""

import itertools
import math
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from subscribers import ANNA, AREAS, REGISTRY, T0

from alerts.city import city_warning
from alerts.event import CityStep, CityText, Event
from alerts.scale import SEVERITIES, rank
from alerts.subscriptions.contact import contact
from alerts.subscriptions.matching import Reach, candidates, matches, reach, silent
from alerts.subscriptions.subscription import Choices, Place, QuietHours
from alerts.warning import fold, opened

BERLIN = ZoneInfo("Europe/Berlin")
GIERATH, OBEN = Place("area", "gierath"), Place("area", "oben")
NIGHT = QuietHours(22 * 60, 6 * 60)
MIDNIGHT = int(datetime(2026, 11, 1, 0, 30, tzinfo=BERLIN).timestamp()) * 1_000_000


def notice(station="regen", severity="Severe", measure="dwd_starkregen", **changes):
    event = Event(
        "e", "w", T0, station, "raise", measure, 3, 60, 31.0, "rule", "", "public", severity=severity
    )
    return opened(replace(event, **changes))


def city(*steps, exercise=False):
    """A warning of the city after (action, severity, areas)."""
    found = None
    for i, (action, severity, areas) in enumerate(steps):
        texts = {"de": CityText("h", "d", "i")}
        step = CityStep(action, severity, areas, texts, T0, "Frau Amt", "")
        event = Event(
            f"c{i}", "c", T0 + i, "", "city", "city", 0, None, None, "", "", exercise=exercise, city=step
        )
        found = city_warning.fold(found, event)
    return found


def told(desk, what, now_us=T0):
    return [each.contact.address for each in desk.file.audiences.recipients(what, now_us)]


@pytest.mark.parametrize(
    ("place", "station", "measure", "hears"),
    [
        (GIERATH, "pegel", "water_level", True),
        (GIERATH, "regen", "dwd_starkregen", True),
        (GIERATH, "fern", "water_level", False),
        (Place("gauge", "pegel"), "pegel", "water_level", True),
        (Place("gauge", "pegel"), "regen", "dwd_starkregen", False),
        (Place.at(50.98, 7.1), "pegel", "water_level", True),
        (Place.at(50.99, 7.1), "pegel", "water_level", False),
        (Place.at(50.99, 7.1, 1), "regen", "dwd_starkregen", False),
        (Place.at(50.99, 7.1, 2), "regen", "dwd_starkregen", True),
        (Place.at(50.99, 7.1, 2), "pegel", "water_level", False),
        (Place.at(51.05, 7.1, 9), "regen", "sri", True),
        (Place("area", "unknown"), "pegel", "water_level", False),
        (Place("gauge", "unknown"), "pegel", "water_level", False),
    ],
)
def test_a_notice_reaches_areas_gauges_and_radii(desk, place, station, measure, hears):
    desk.subscribe(ANNA, place)
    assert told(desk, notice(station, measure=measure)) == (["anna@example.org"] if hears else [])


def test_a_recipient_has_what_its_message_needs(desk):
    manage = desk.subscribe(ANNA, GIERATH, Place.at(50.98, 7.1, 5), language="einfach")
    (found,) = desk.file.audiences.recipients(notice())
    assert (found.contact, found.language, found.manage) == (ANNA, "einfach", manage)
    assert desk.file.find(found.leave).kind == "leave"
    assert manage not in repr(found)


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("least", SEVERITIES)
def test_from_the_least_severity_on(desk, severity, least):
    desk.subscribe(ANNA, GIERATH, least=least)
    assert bool(told(desk, notice(severity=severity))) == (rank(severity) >= rank(least))


def test_notices_and_warnings_of_the_city_are_chosen_apart(desk):
    desk.subscribe(ANNA, GIERATH, told=("notice",))
    desk.subscribe(contact("email", "ben@example.org"), GIERATH, told=("warning",))
    assert told(desk, notice()) == ["anna@example.org"]
    assert told(desk, city(("release", "Severe", ("gierath",)))) == ["ben@example.org"]


def test_what_is_not_for_residents_reaches_nobody(desk):
    desk.subscribe(ANNA, GIERATH, least="Minor")
    assert told(desk, notice(audience="staff")) == []
    assert told(desk, notice(audience=None)) == []
    assert told(desk, notice(exercise=True)) == []
    assert told(desk, city(("propose", "Extreme", ("gierath",)))) == []
    assert told(desk, city(("propose", "Extreme", ()), ("decline", "Extreme", ()))) == []
    assert told(desk, city(("release", "Extreme", ()), exercise=True)) == []


@pytest.mark.parametrize(
    ("areas", "places", "hears"),
    [
        (("gierath",), (GIERATH,), True),
        (("gierath",), (OBEN,), False),
        (("gierath",), (Place("gauge", "pegel"),), True),
        (("gierath",), (Place("gauge", "fern"),), False),
        (("gierath",), (Place.at(50.98, 7.1),), True),
        (("gierath",), (Place.at(50.99, 7.1, 9),), False),
        ((), (Place.at(50.9, 7.5),), True),
        ((), (Place("gauge", "unknown"),), True),
    ],
)
def test_a_warning_of_the_city_reaches_its_areas(desk, areas, places, hears):
    desk.subscribe(ANNA, *places)
    assert bool(told(desk, city(("release", "Severe", areas)))) == hears


def test_whoever_was_told_hears_the_end(desk):
    desk.subscribe(ANNA, GIERATH, least="Extreme")
    steps = [
        ("propose", "Minor", ()),
        ("release", "Extreme", ("gierath", "oben")),
        ("update", "Moderate", ("oben",)),
        ("all_clear", "Moderate", ("oben",)),
    ]
    assert [bool(told(desk, city(*steps[: i + 1]))) for i in range(4)] == [False, True, True, True]
    raised = notice(severity="Extreme")
    lower = Event(
        "e2", "w", T0, "regen", "step_down", "dwd_starkregen", 2, 60, 9.0, "r", "", severity="Moderate"
    )
    stepped = fold(raised, lower)
    assert told(desk, fold(stepped, replace(lower, id="e3", kind="clear", level=0)))


def test_what_was_only_proposed_more_severely_does_not_count(desk):
    desk.subscribe(ANNA, GIERATH, least="Extreme")
    desk.subscribe(contact("email", "ben@example.org"), OBEN, least="Minor")
    assert told(desk, city(("propose", "Extreme", ()), ("release", "Severe", ("gierath",)))) == []


STEP = st.tuples(
    st.sampled_from(["propose", "release", "update", "decline", "all_clear", "cancel", "expire"]),
    st.sampled_from(SEVERITIES),
    st.lists(st.sampled_from(["gierath", "oben"]), unique=True).map(tuple),
)


@given(st.lists(STEP, max_size=8), st.sampled_from(SEVERITIES), st.sampled_from([GIERATH, OBEN]))
def test_nobody_hears_before_the_release_and_whoever_heard_hears_on(steps, least, place):
    heard = False
    for i in range(1, len(steps) + 1):
        what = city(*steps[:i])
        found = what and reach(what, AREAS, REGISTRY)
        hears = bool(
            found and rank(found.severity) >= rank(least) and matches(found, [place], AREAS)[0].all()
        )
        assert not hears or what.public
        assert hears or not heard
        heard = hears


IN_AREA = st.floats(-0.005, 0.005)


@given(IN_AREA, IN_AREA)
def test_a_place_in_an_area_is_warned_with_it_however_it_is_rounded(north, east):
    found = Reach("notice", "Severe", frozenset({"gierath"}))
    place = Place.at(50.98 + north, 7.1 + east)
    assert matches(found, [place], AREAS)[1].all()


@given(st.floats(50.8, 51.2), st.floats(6.8, 7.4), st.integers(0, 9))
def test_radius_against_a_plain_formula(lat, lon, radius):
    found = Reach("notice", "Severe", frozenset(), "regen", (50.98, 7.1))
    (reached,), (own,) = matches(found, [Place.at(lat, lon, radius)], AREAS)
    far = math.hypot((lat - 50.98) * 111.195, (lon - 7.1) * 111.195 * math.cos(math.radians(50.98)))
    assert not own
    if radius and far <= radius - 0.05:
        assert reached
    if not radius or far > radius + 0.25:
        assert not reached


LAT, LON = st.floats(50.85, 51.15), st.floats(6.9, 7.3)
PLACES = st.one_of(
    st.sampled_from([GIERATH, OBEN, *(Place("gauge", each) for each in ("pegel", "regen", "fern"))]),
    st.builds(Place.at, LAT, LON, st.integers(0, 9)),
    # around the corners of an area, where rounding decides
    st.builds(Place.at, st.floats(50.984, 50.986), st.floats(7.094, 7.106), st.just(0)),
)
REACHES = st.builds(
    Reach,
    st.sampled_from(["notice", "warning"]),
    st.just("Severe"),
    st.one_of(st.none(), st.frozensets(st.sampled_from(["gierath", "oben"]))),
    st.sampled_from(["pegel", "regen", "fern", ""]),
    st.one_of(st.none(), st.tuples(LAT, LON)),
)


@given(REACHES, st.lists(PLACES, min_size=1, max_size=30))
def test_what_the_file_leaves_out_would_not_have_been_reached(found, places):
    condition, values = candidates(found, AREAS)
    with closing(sqlite3.connect(":memory:")) as file:
        file.execute("CREATE TABLE places(kind, ref, lat, lon, radius_km)")
        rows = [(p.kind, p.ref, p.lat, p.lon, p.radius_km) for p in places]
        file.executemany("INSERT INTO places VALUES(?, ?, ?, ?, ?)", rows)
        kept = file.execute(f"SELECT rowid - 1 FROM places p WHERE {condition}", values).fetchall()
    reached, _ = matches(found, places, AREAS)
    assert set(np.flatnonzero(reached)) <= {i for (i,) in kept}


def test_quiet_hours_hold_back_unless_it_is_serious_at_home(desk):
    desk.subscribe(ANNA, GIERATH, least="Minor", quiet=NIGHT)
    desk.subscribe(contact("email", "ben@example.org"), Place.at(50.99, 7.1, 5), least="Minor", quiet=NIGHT)
    desk.subscribe(contact("email", "cem@example.org"), GIERATH, least="Minor")
    by_day = MIDNIGHT + 12 * 3_600_000_000
    assert len(told(desk, notice(severity="Minor"), by_day)) == 3
    assert told(desk, notice(severity="Moderate"), MIDNIGHT) == ["cem@example.org"]
    assert told(desk, notice(severity="Severe"), MIDNIGHT) == ["anna@example.org", "cem@example.org"]
    assert len(told(desk, notice(severity="Extreme"), MIDNIGHT)) == 3
    # of the whole city one's own place is a part
    assert len(told(desk, city(("release", "Severe", ())), MIDNIGHT)) == 3


MINUTES = st.integers(0, 1439)
# the hours around both changes of the clock, and the rest of the year
NOW = st.one_of(
    st.integers(0, 12 * 60).map(lambda m: datetime(2026, 3, 28, 20, tzinfo=UTC) + timedelta(minutes=m)),
    st.integers(0, 12 * 60).map(lambda m: datetime(2026, 10, 24, 20, tzinfo=UTC) + timedelta(minutes=m)),
    st.integers(0, 365 * 1440).map(lambda m: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=m)),
)


@given(MINUTES, MINUTES, NOW)
def test_quiet_hours_follow_the_clock_on_the_wall(start, end, now):
    if start == end:
        return
    local = now.astimezone(BERLIN)
    minute = local.hour * 60 + local.minute
    between = {m % 1440 for m in range(start, end if end > start else end + 1440)}
    now_us = int(now.timestamp()) * 1_000_000
    assert QuietHours(start, end).hold(now_us, BERLIN) == (minute in between)
    assert QuietHours(start, end).hold(now_us, BERLIN) != QuietHours(end, start).hold(now_us, BERLIN)


@pytest.mark.parametrize(("day", "quiet_hours"), [((2026, 3, 28), 7), ((2026, 10, 24), 9), ((2026, 7, 1), 8)])
def test_a_night_with_a_change_of_the_clock_is_an_hour_shorter_or_longer(day, quiet_hours):
    noon = datetime(*day, 12, tzinfo=UTC)
    minutes = [
        NIGHT.hold(int((noon + timedelta(minutes=m)).timestamp()) * 1_000_000, BERLIN) for m in range(24 * 60)
    ]
    assert sum(minutes) == quiet_hours * 60
    assert sum(a != b for a, b in itertools.pairwise(minutes)) == 2, "one stretch"


@given(st.sampled_from(SEVERITIES), st.booleans(), MINUTES, MINUTES, NOW)
def test_extreme_always_gets_through_and_nothing_is_held_back_by_day(severity, own, start, end, now):
    if start == end:
        return
    found = Reach("notice", severity, frozenset())
    now_us = int(now.timestamp()) * 1_000_000
    quiet = QuietHours(start, end)
    held = silent(quiet, found, now_us, BERLIN, own=own)
    if severity == "Extreme" or (own and severity == "Severe"):
        assert not held
    else:
        assert held == quiet.hold(now_us, BERLIN)
    assert not silent(None, found, now_us, BERLIN, own=own)


def test_choices_have_no_quiet_hours_by_default():
    assert Choices((GIERATH,)).quiet is None
