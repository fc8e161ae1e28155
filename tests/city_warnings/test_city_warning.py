from hypothesis import given
from hypothesis import strategies as st

from alerts.city.city_warning import fold
from alerts.event import CityStep, CityText, Event, from_row, to_row
from alerts.incidents.incident import fold as fold_incidents

TEXT = {"de": CityText("Hochwasser", "Die Strunde steigt.", "Keller verlassen.")}
ACTIONS = ("propose", "release", "update", "decline", "all_clear", "cancel", "expire")


def event(number, action, severity="Severe"):
    step = CityStep(action, severity, ("gierath",), TEXT, 10_000_000, "A. Beispiel", "")
    return Event(
        f"w.{number}.{action}", "w", number, "", "city", "", 0, None, None, "", "", incident="i", city=step
    )


def folded(events):
    warning = None
    for each in events:
        warning = fold(warning, each)
    return warning


def test_a_release_is_in_force_until_its_all_clear():
    warning = folded([event(1, "propose"), event(2, "release"), event(3, "update", "Extreme")])
    assert (warning.status, warning.severity, warning.released_us) == ("in_force", "Extreme", 2)
    ended = fold(warning, event(4, "all_clear"))
    assert (ended.status, ended.ended_us) == ("ended", 4)
    assert fold(ended, event(5, "release")) is ended


def test_what_was_declined_stays_so():
    warning = folded([event(1, "propose"), event(2, "decline")])
    assert (warning.status, warning.public) == ("declined", False)
    assert fold(warning, event(3, "release")) is warning


def test_an_update_that_is_proposed_changes_nothing_in_force_until_it_is_released():
    warning = folded([event(1, "release"), event(2, "propose", "Extreme")])
    assert (warning.status, warning.severity, warning.pending.severity) == ("in_force", "Severe", "Extreme")
    declined = fold(warning, event(3, "decline", "Extreme"))
    assert (declined.status, declined.severity, declined.pending) == ("in_force", "Severe", None)
    assert fold(declined, event(4, "decline")) is declined
    released = fold(warning, event(3, "release", "Extreme"))
    assert (released.severity, released.pending, released.released_us) == ("Extreme", None, 1)


def test_a_proposal_that_expired_was_never_public():
    warning = folded([event(1, "propose"), event(2, "expire")])
    assert (warning.status, warning.public) == ("ended", False)
    assert fold(warning, event(3, "release")) is warning


def test_the_journal_keeps_the_step():
    one = event(1, "release")
    assert from_row(to_row(one)) == one


@given(st.lists(st.sampled_from(ACTIONS), max_size=8))
def test_no_order_of_steps_ends_what_was_never_released_or_is_in_force_unreleased(actions):
    warning = folded(event(number, action) for number, action in enumerate(actions, 1))
    if warning is None:
        return
    taken = [each.step.action for each in warning.steps]
    assert warning.in_force == ("release" in taken and warning.ended_us is None)
    if warning.status == "ended":
        assert "release" in taken or taken[-1] == "expire"
    if {"all_clear", "cancel", "update"} & set(taken):
        assert "release" in taken
    assert warning.public == ("release" in taken)


@given(st.lists(st.sampled_from(ACTIONS), max_size=8))
def test_a_step_that_was_taken_changes_nothing_again(actions):
    events = [event(number, action) for number, action in enumerate(actions, 1)]
    warning = folded(events)
    for taken in warning.steps if warning else ():
        again = next(each for each in events if each.id == taken.event)
        assert fold(warning, again) is warning


def test_a_step_of_the_city_is_no_part_of_what_happens_in_its_incident():
    steps = [event(1, "propose"), event(2, "release")]
    assert list(fold_incidents({}, steps)) == []
