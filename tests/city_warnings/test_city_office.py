import threading

import pytest
from city_hall import GAUGE, UPSTREAM, WHO, Hall

from alerts.areas import Areas
from alerts.city.office import CityOffice
from alerts.city.order import Order, OrderRefusedError
from alerts.city.release import ReleaseRule, Releases
from alerts.event import PREEMPTED, CityText
from ingest.errors import Fenced

TEXTS = {"de": CityText("Hochwasser", "Die Strunde steigt.", "Keller verlassen.")}


@pytest.fixture
def hall(tmp_path):
    made = Hall(tmp_path)
    yield made
    made.close()


@pytest.fixture
def hall_with(tmp_path):
    made = []

    def make(*rules, **options):
        made.append(Hall(tmp_path, Releases(tuple(ReleaseRule(**each) for each in rules)), **options))
        return made[0]

    yield make
    for each in made:
        each.close()


def actions(warning):
    return [each.step.action for each in warning.steps]


def test_a_severe_notice_for_the_public_proposes_one_warning_for_its_areas(hall):
    assert hall.notice("raise", 2) == 0
    assert hall.notice("escalate", 3) == 1
    warning = hall.one
    assert (warning.id, warning.status) == ("warning.strunde.20260714T183000Z", "proposed")
    assert (warning.severity, warning.areas, warning.public) == ("Severe", ("gierath",), False)
    assert warning.steps[0].step.by == "rule release-severe"
    assert warning.texts["de"].instruction
    assert hall.tick() == 0


def test_what_only_staff_hear_proposes_nothing(hall):
    assert hall.notice("raise", 4, audience="staff") == 0
    assert hall.notice("escalate", 3, id="e1.public") == 1
    assert hall.one.severity == "Severe"


def test_history_proposes_nothing(hall):
    assert hall.notice("raise", 4, audience=None) == 0


def test_a_rise_or_a_new_area_while_proposed_is_proposed_again(hall):
    hall.notice("raise", 3)
    hall.notice("escalate", 4)
    assert (hall.one.severity, actions(hall.one)) == ("Extreme", ["propose", "propose"])
    hall.notice("raise", 3, UPSTREAM)
    assert (hall.one.severity, hall.one.areas) == ("Extreme", ("gierath", "oben"))
    assert hall.one.status == "proposed"
    assert hall.notice("step_down", 3) == 0


def test_a_release_is_durable_and_in_force_as_it_was_read(hall):
    hall.notice("raise", 3)
    proposed = hall.one
    heard = []
    hall.office.listen(heard.append)
    hall.now_us += 60_000_000
    warning = hall.order("release", proposed.id)
    assert (warning.status, warning.released_us, warning.public) == ("in_force", hall.now_us, True)
    assert warning.texts == proposed.texts
    assert warning.steps[-1].step.template == proposed.steps[-1].step.template
    assert heard == [(warning,)]
    hall.restart()
    assert hall.one == warning


def test_a_second_click_is_the_same_release_and_another_person_hears_that_it_is_done(hall):
    hall.notice("raise", 3)
    first = hall.order("release", hall.one.id)
    assert hall.order("release", first.id) is first
    assert len(hall.steps()) == 2
    hall.notice("escalate", 4)
    hall.now_us += 120_000_000
    hall.order("decline", first.id)
    with pytest.raises(OrderRefusedError, match="no update of it is proposed") as refused:
        hall.order("decline", first.id, by="B. Muster")
    assert refused.value.why == "not_now"


def test_a_rise_in_force_is_a_pending_update_until_somebody_releases_it(hall):
    hall.notice("raise", 3)
    hall.order("release", hall.one.id)
    hall.notice("escalate", 4)
    warning = hall.one
    assert (warning.severity, warning.pending.severity, warning.status) == ("Severe", "Extreme", "in_force")
    assert hall.tick() == 0
    after = hall.order("release", warning.id, reason="goes on rising")
    assert (after.severity, after.pending) == ("Extreme", None)


def test_a_declined_update_leaves_what_is_in_force_and_is_not_proposed_again(hall):
    hall.notice("raise", 3)
    hall.order("release", hall.one.id)
    hall.notice("escalate", 4)
    after = hall.order("decline", hall.one.id, reason="gauge is blocked")
    assert (after.status, after.severity, after.pending) == ("in_force", "Severe", None)
    assert hall.tick() == 0
    hall.notice("raise", 3, UPSTREAM)
    assert hall.one.pending.areas == ("gierath", "oben")


def test_declined_stays_declined_until_it_gets_worse(hall):
    hall.notice("raise", 3)
    hall.order("decline", hall.one.id)
    hall.notice("step_down", 2)
    hall.notice("escalate", 3)
    assert hall.one.status == "declined"
    hall.notice("escalate", 4)
    newest = hall.office.warnings()[0]
    assert (newest.id, newest.status) == ("warning.strunde.20260714T183000Z-2", "proposed")


def test_an_end_says_nothing_of_its_own_that_would_hide_a_later_rise(hall):
    hall.notice("raise", 3)
    hall.order("release", hall.one.id)
    ended = hall.order("cancel", hall.one.id, severity="Extreme", areas=())
    assert (ended.steps[-1].step.severity, ended.steps[-1].step.areas) == ("Severe", ("gierath",))
    assert hall.notice("escalate", 4) == 1


def test_after_the_all_clear_the_next_burst_is_proposed_anew(hall):
    hall.notice("raise", 3)
    warning = hall.order("release", hall.one.id)
    with pytest.raises(OrderRefusedError, match="still Severe"):
        hall.order("all_clear", warning.id)
    hall.notice("step_down", 2)
    ended = hall.order("all_clear", warning.id, reason="creek is back in its bed")
    assert (ended.status, ended.ended_us) == ("ended", hall.now_us)
    assert "Entwarnung" in ended.texts["de"].headline
    assert hall.tick() == 0
    assert hall.notice("escalate", 3) == 1
    assert [each.status for each in hall.office.warnings()] == ["proposed", "ended"]


def test_the_incidents_all_clear_ends_its_warning_by_the_same_person(hall):
    hall.notice("raise", 3)
    hall.order("release", hall.one.id)
    hall.notice("clear", 0)
    assert hall.one.in_force
    hall.all_clear(by="rule water-level")
    assert hall.one.in_force
    hall.all_clear(by="B. Muster", reason="checked on site")
    last = hall.one.steps[-1].step
    assert (last.action, last.by, last.reason) == ("all_clear", "B. Muster", "checked on site")


def test_a_warning_of_a_living_incident_is_issued_again_and_of_one_that_is_over_expires(hall):
    hall.notice("raise", 3)
    first = hall.order("release", hall.one.id, texts=TEXTS)
    assert hall.later(149) == 0
    assert hall.later(2) == 1
    renewed = hall.one
    assert actions(renewed) == ["propose", "release", "update"]
    assert (renewed.texts, renewed.severity) == (TEXTS, "Severe")
    assert renewed.valid_until_us > first.valid_until_us
    hall.notice("clear", 0)
    assert hall.later(200) == 1  # it waits for its all-clear
    assert hall.one.in_force
    for _ in range(60):
        hall.later(30)
    assert hall.one.steps[-1].step.action == "expire"
    assert hall.one.status == "ended"


def test_a_proposal_that_nobody_decided_expires_with_what_it_rests_on(hall):
    hall.notice("raise", 3)
    hall.notice("clear", 0)
    assert (hall.one.status, hall.one.public) == ("ended", False)
    with pytest.raises(OrderRefusedError, match="is over"):
        hall.order("release", hall.one.id)


def test_a_rule_may_release_after_its_time(hall_with):
    hall = hall_with({"id": "fast", "severity": ("Severe", "Extreme"), "auto_after": "10 min"})
    hall.notice("raise", 3)
    assert hall.later(9.9) == 0
    assert hall.later(0.2) == 1
    assert (hall.one.status, hall.one.steps[-1].step.by) == ("in_force", "rule fast")
    hall.notice("escalate", 4)
    assert hall.one.pending.severity == "Extreme"
    hall.later(11)
    assert (hall.one.severity, actions(hall.one)[-1]) == ("Extreme", "update")


def test_a_rule_releases_only_what_it_may_while_more_waits_for_a_person(hall_with):
    hall = hall_with({"id": "low", "severity": "Moderate", "auto_after": "10 min", "all_clear": "auto"})
    hall.notice("raise", 2)
    hall.later(5)
    hall.notice("escalate", 3)
    hall.later(6)
    warning = hall.one
    assert (warning.severity, warning.status) == ("Moderate", "in_force")
    assert warning.pending.severity == "Severe"
    hall.later(60)
    assert hall.one.severity == "Moderate"


def test_a_rule_releases_nothing_that_has_fallen_meanwhile(hall_with):
    hall = hall_with({"id": "fast", "severity": "Severe", "auto_after": "10 min"})
    hall.notice("raise", 3)
    hall.notice("step_down", 2)
    assert hall.later(11) == 0
    assert hall.one.status == "proposed"


def test_a_rule_may_give_the_all_clear_below_severe(hall_with):
    hall = hall_with({"id": "low", "severity": "Moderate", "release": "manual", "all_clear": "auto"})
    hall.notice("raise", 2)
    hall.order("release", hall.one.id)
    hall.notice("clear", 0)
    last = hall.one.steps[-1].step
    assert (last.action, last.by) == ("all_clear", "rule low")


def test_none_proposes_nothing(hall_with):
    hall = hall_with({"id": "never", "severity": ("Severe", "Extreme"), "release": "none"})
    assert hall.notice("raise", 4) == 0


def test_by_hand_without_an_incident(hall):
    warning = hall.order("release", severity="Severe", areas=("oben",), texts=TEXTS, valid_min=60)
    assert (warning.incident, warning.in_force, warning.areas) == ("", True, ("oben",))
    assert hall.order("release", severity="Severe", areas=("oben",), texts=TEXTS, valid_min=60) is warning
    assert hall.later(59) == 0
    assert hall.later(2) == 1
    assert hall.one.steps[-1].step.action == "expire"


def test_a_second_warning_of_an_incident_is_refused_while_one_is_open(hall):
    hall.notice("raise", 3)
    incident = hall.one.incident
    with pytest.raises(OrderRefusedError, match="is open"):
        hall.order("propose", severity="Severe", incident=incident)
    with pytest.raises(OrderRefusedError, match="real incident"):
        hall.order("propose", severity="Severe", incident=incident, exercise=True)
    with pytest.raises(OrderRefusedError) as refused:
        hall.order("propose", severity="Severe", incident="strunde.elsewhere")
    assert refused.value.why == "unknown"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"by": " "}, "by"),
        ({"by": "rule release-severe"}, "only rules sign"),
        ({"by": "A\nB"}, "one line"),
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 501}, "at most 500"),
        ({"severity": "Huge"}, "unknown severity"),
        ({"areas": ("atlantis",)}, "unknown area 'atlantis'"),
        ({"valid_min": 14}, "from 15 to 1440"),
        ({"valid_min": float("nan")}, "from 15 to 1440"),
        ({"texts": {}}, "German"),
        ({"texts": {"de": CityText("Kopf", "", "Tu was.")}}, "texts.de.description is empty"),
        ({"texts": {"de": CityText("Kopf", "Text", "")}}, "texts.de.instruction is empty"),
        ({"texts": {"de": CityText("Kopf\nBcc: x", "Text", "Tu was.")}}, "plain text"),
        ({"texts": {"de": CityText("Kopf", "<b>Text</b>", "Tu was.")}}, "plain text"),
        ({"texts": {"de": CityText("K" * 161, "Text", "Tu was.")}}, "at most 160"),
        ({"texts": {**TEXTS, "../x": CityText("K", "T", "I")}}, "no language"),
    ],
)
def test_faulty_orders_are_refused_and_change_nothing(hall, changes, words):
    hall.notice("raise", 3)
    known = {"by": WHO, "reason": "seen"} | changes
    with pytest.raises(OrderRefusedError, match=words) as refused:
        hall.order("release", hall.one.id, **known)
    assert refused.value.why == "faulty"
    assert hall.one.status == "proposed"


@pytest.mark.parametrize("action", ["update", "all_clear", "cancel"])
def test_what_was_never_released_is_not_changed_or_ended(hall, action):
    hall.notice("raise", 3)
    with pytest.raises(OrderRefusedError, match="only proposed"):
        hall.order(action, hall.one.id)
    with pytest.raises(OrderRefusedError, match="needs the id"):
        hall.order(action)
    with pytest.raises(OrderRefusedError) as refused:
        hall.order(action, "warning.unheard-of")
    assert refused.value.why == "unknown"


def test_an_update_with_another_severity_is_written_anew(hall):
    hall.notice("raise", 3)
    hall.order("release", hall.one.id, texts=TEXTS)
    after = hall.order("update", hall.one.id, severity="Extreme", valid_min=30)
    assert after.texts["de"].headline == "Warnung der Stadt: Schwere sehr hoch"
    assert after.valid_until_us == hall.now_us + 30 * 60_000_000
    kept = hall.order("update", hall.one.id, reason="wording", texts=TEXTS)
    assert (kept.texts, kept.severity) == (TEXTS, "Extreme")


def test_what_the_journal_refuses_was_not_decided(hall):
    hall.notice("raise", 3)
    hall.journal.load("city-office")
    with pytest.raises(Fenced):
        hall.order("release", hall.one.id)
    assert hall.one.status == "proposed"


def test_a_text_that_fails_keeps_no_warning_back(hall):
    def fails(*_):
        raise ValueError("template")

    object.__setattr__(hall.office._steps, "write", fails)
    hall.notice("raise", 3)
    assert hall.one.texts["de"].headline == "Warnung der Stadt: Schwere hoch"


def drill(hall, released, **changes):
    start = "exercise, released to the public by B. Muster" if released else "exercise"
    known = {"audience": "public" if released else "staff"} | changes
    return {
        "exercise": True,
        "episode": "exercise.1.level",
        "incident": "exercise.1.strunde.20260714T183000Z",
        "reason": f"{start}: measured",
        **known,
    }


@pytest.mark.parametrize("released", [True, False])
def test_a_drill_makes_exercise_warnings_that_are_public_only_when_it_is(hall, released):
    hall.notice("raise", 3, **drill(hall, released))
    assert (hall.one.exercise, hall.one.staff_only) == (True, not released)
    warning = hall.order("release", hall.one.id)
    assert (warning.in_force, warning.public) == (True, released)
    assert warning.texts["de"].headline.startswith("ÜBUNG")
    over = {"episode": "exercise.1", "incident": "", "audience": None, "reason": PREEMPTED}
    hall.notice("clear", 0, **drill(hall, released, **over))
    assert (hall.one.status, hall.one.steps[-1].step.reason) == ("ended", PREEMPTED)


def test_an_exercise_by_hand_ends_at_a_real_warning(hall):
    made = hall.order("release", severity="Severe", exercise=True)
    assert (made.public, made.exercise) == (False, True)
    hall.notice("raise", 3)
    hall.tick()
    real, exercise = sorted(hall.office.warnings(), key=lambda each: each.exercise)
    assert (real.status, exercise.status) == ("proposed", "ended")


def test_the_thread_follows_the_journal_and_orders_come_from_everywhere(hall):
    hall.office.start()
    try:
        hall.commit()
        proposed = threading.Event()
        hall.office.listen(lambda _: proposed.set())
        hall.tick = hall.office.wake
        hall.notice("raise", 3)
        assert proposed.wait(60)
        outcomes = []

        def release(name):
            try:
                order = Order("release", name, "seen", hall.now_us, hall.one.id)
                outcomes.append(hall.office.decide(order).status)
            except OrderRefusedError as refused:
                outcomes.append(refused.why)

        threads = [threading.Thread(target=release, args=(f"P. {n}",)) for n in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert hall.office.health.ok
    finally:
        hall.office.stop()
    assert sorted(outcomes) == ["in_force", "not_now", "not_now", "not_now"]
    assert [each.city.action for each in hall.steps()] == ["propose", "release"]


def test_a_city_without_areas_is_warned_as_a_whole(hall_with):
    hall = hall_with(areas=Areas())
    hall.notice("raise", 3, GAUGE)
    assert hall.one.areas == ()
    assert hall.notice("raise", 3, UPSTREAM) == 0


def test_before_the_first_decision_it_keeps_no_uplink_from_leaving_the_journal(hall):
    """A part's cursor says which uplinks it still needs: the office needs none."""
    office = CityOffice(hall.journal, Releases(), Areas(), lambda: 0)
    office.start()
    office.stop()
    assert hall.journal.cursor("city-office") > hall.journal.last_seq()
