"""At every moment exactly one person of a rota is on duty: summer time, swaps, before the first shift."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.routing.rota import Rota, from_us, to_us

BERLIN = ZoneInfo("Europe/Berlin")
TIMES = st.integers(to_us(datetime(2024, 1, 1, tzinfo=UTC)), to_us(datetime(2031, 1, 1, tzinfo=UTC)))
ROTAS = st.builds(
    lambda people, first, every: Rota(
        name="bereitschaft", people=people, first=from_us(first, BERLIN), every=every
    ),
    st.lists(st.sampled_from(["Anna", "Bernd", "Cem", "Dora"]), min_size=1, max_size=4, unique=True),
    TIMES,
    st.sampled_from(["4 h", "7h", "12 h", "1 day", "1 week", "2 weeks"]),
)


def weekly(*swaps, first="2026-01-05T08:00:00+01:00", every="1 week", people=("Anna", "Bernd", "Cem")):
    return Rota.model_validate(
        {"name": "r", "people": people, "first": first, "every": every, "swap": list(swaps)}
    )


def at(text, zone=BERLIN):
    return to_us(datetime.fromisoformat(text).replace(tzinfo=zone))


@given(ROTAS, TIMES)
def test_the_person_on_duty_is_the_one_whose_shift_it_is_and_no_other(rota, time_us):
    shift = rota._shift(time_us, BERLIN)
    near = range(shift - 3, shift + 4)
    covering = [n for n in near if rota.begins_us(n, BERLIN) <= time_us < rota.begins_us(n + 1, BERLIN)]
    assert covering == [shift]
    assert rota.on_duty(time_us, BERLIN) == rota.people[shift % len(rota.people)]


@given(ROTAS, st.integers(-400, 400))
def test_shifts_follow_each_other_without_a_gap_and_by_the_clock_on_the_wall(rota, number):
    begins, ends = rota.begins_us(number, BERLIN), rota.begins_us(number + 1, BERLIN)
    assert ends - begins >= 3 * 3_600_000_000
    assert rota.on_duty(ends - 1, BERLIN) == rota.people[number % len(rota.people)]
    assert rota.on_duty(ends, BERLIN) == rota.people[(number + 1) % len(rota.people)]


@given(ROTAS, st.lists(TIMES, min_size=2, max_size=6, unique=True), TIMES)
def test_a_swap_holds_from_its_first_moment_to_before_its_last_and_changes_nothing_else(rota, edges, time_us):
    edges = sorted(edges)
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    swaps = [{"from": from_us(a, UTC), "to": from_us(b, UTC), "person": "Emil"} for a, b in pairs]
    swapped = Rota.model_validate({**rota.model_dump(), "swap": swaps})
    inside = any(a <= time_us < b for a, b in pairs)
    assert swapped.on_duty(time_us, BERLIN) == ("Emil" if inside else rota.on_duty(time_us, BERLIN))


def test_the_hand_over_stays_at_eight_when_the_clocks_change():
    rota = weekly()
    for monday in ("2026-03-23", "2026-03-30", "2026-10-19", "2026-10-26"):
        before, after = at(f"{monday}T07:59:59"), at(f"{monday}T08:00:00")
        assert rota.on_duty(before, BERLIN) != rota.on_duty(after, BERLIN)


def test_the_hour_that_comes_twice_belongs_to_one_person():
    rota = weekly(first="2026-10-24T14:30:00+02:00", every="12 h", people=("Anna", "Bernd"))
    quarters = [at("2026-10-25T02:00:00") + n * 900_000_000 for n in range(8)]
    assert [rota.on_duty(each, BERLIN) for each in quarters] == ["Anna"] * 2 + ["Bernd"] * 6


def test_before_the_first_shift_somebody_is_on_duty_too():
    rota = weekly()
    assert rota.on_duty(at("2026-01-05T07:59:59"), BERLIN) == "Cem"
    assert rota.on_duty(at("2026-01-05T08:00:00"), BERLIN) == "Anna"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"every": "2 h"}, "at least 4 h"),
        ({"every": "1 fortnight"}, "1 week"),
        ({"first": "2026-01-05T08:00:00"}, "timezone"),
        ({"people": []}, "at least 1"),
    ],
)
def test_what_is_no_rota_says_why(changes, says):
    table = {"name": "r", "people": ["Anna"], "first": "2026-01-05T08:00:00+01:00", "every": "1 week"}
    with pytest.raises(ValidationError, match=says):
        Rota.model_validate({**table, **changes})


def test_swaps_that_overlap_are_refused():
    day = datetime(2026, 2, 1, tzinfo=UTC)
    swap = {"from": day, "to": day + timedelta(days=2), "person": "Bernd"}
    other = {"from": day + timedelta(days=1), "to": day + timedelta(days=3), "person": "Cem"}
    with pytest.raises(ValidationError, match="overlap"):
        weekly(swap, other)
