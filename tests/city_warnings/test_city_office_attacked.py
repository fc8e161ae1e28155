import pytest
from city_hall import Hall

from alerts.city.order import OrderRefusedError
from alerts.city.release import ReleaseRule, Releases
from alerts.event import CityText

MINUTE = 60_000_000
TEXTS = {"de": CityText("Hochwasser", "Die Strunde steigt.", "Keller verlassen.")}


@pytest.fixture
def hall(tmp_path):
    made = Hall(tmp_path)
    yield made
    made.close()


def test_a_second_click_does_not_release_an_update_that_came_in_between(hall):
    hall.notice("raise", 3)
    hall.order("release", hall.one.id)
    hall.notice("escalate", 4)
    assert hall.one.pending.severity == "Extreme"
    hall.now_us += 1_000_000
    after = hall.order("release", hall.one.id)
    assert (after.severity, after.pending.severity) == ("Severe", "Extreme")


def test_a_real_warning_is_never_taken_for_a_second_click_of_an_exercise(hall):
    hall.order("release", severity="Severe", areas=("gierath",), reason="Probe", exercise=True)
    hall.now_us += 1_000_000
    after = hall.order("release", severity="Severe", areas=("gierath",), reason="Probe")
    assert (after.exercise, after.public) == (False, True)


def test_a_longer_time_is_no_second_click(hall):
    first = hall.order("release", severity="Severe", areas=("gierath",))
    hall.order("update", first.id, valid_min=60)
    hall.now_us += 1_000_000
    after = hall.order("update", first.id, valid_min=600)
    assert after.valid_until_us == hall.now_us + 600 * MINUTE


def test_a_rule_releases_what_a_person_made_of_its_proposal(tmp_path):
    rule = ReleaseRule(id="early", severity=("Moderate",), auto_after="10 min")
    hall = Hall(tmp_path, Releases((rule,)))
    try:
        hall.notice("raise", 2)
        hall.now_us += MINUTE
        hall.order("propose", hall.one.id, texts=TEXTS)
        hall.later(10)
        assert hall.one.status == "in_force"
        assert dict(hall.one.texts) == TEXTS
    finally:
        hall.close()


@pytest.mark.parametrize("odd", ["\ufffe", "\uffff", "\u202e", "\ud83d"])
def test_text_that_no_document_can_hold_is_refused(hall, odd):
    texts = {"de": CityText(f"Hoch{odd}wasser", "Die Strunde steigt.", "Keller verlassen.")}
    with pytest.raises(OrderRefusedError):
        hall.order("release", severity="Severe", texts=texts)
    with pytest.raises(OrderRefusedError):
        hall.order("release", severity="Severe", reason=f"a{odd}b")


def test_nobody_releases_or_declines_what_rose_while_he_read(hall):
    hall.notice("raise", 3)
    read = len(hall.one.steps)
    hall.notice("escalate", 4)
    for action in ("release", "decline"):
        with pytest.raises(OrderRefusedError, match=r"came in between .Extreme.") as refused:
            hall.order(action, hall.one.id, severity="Severe", texts=TEXTS, seen=read)
        assert refused.value.why == "not_now"
    assert hall.one.status == "proposed"
    assert hall.order("release", hall.one.id, seen=len(hall.one.steps)).severity == "Extreme"


def test_the_end_is_never_too_late(hall):
    hall.notice("raise", 3)
    hall.order("release", hall.one.id)
    read = len(hall.one.steps)
    hall.notice("escalate", 4)
    assert hall.order("cancel", hall.one.id, seen=read).status == "ended"


def test_issued_again_is_nothing_new_to_read(hall):
    hall.notice("raise", 3)
    hall.order("release", hall.one.id)
    read = len(hall.one.steps)
    hall.later(170)
    assert len(hall.one.steps) > read
    assert hall.order("update", hall.one.id, texts=TEXTS, seen=read).texts == TEXTS


def test_who_has_read_the_update_releases_it_at_once(hall):
    hall.notice("raise", 3)
    hall.order("release", hall.one.id, seen=1)
    hall.notice("escalate", 4)
    assert hall.order("release", hall.one.id, seen=1).severity == "Severe"
    assert hall.order("release", hall.one.id, seen=3).severity == "Extreme"
