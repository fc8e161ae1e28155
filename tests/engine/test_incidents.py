"""One incident for a catchment: what belongs to it, what follows from it, what people decide about it."""

import dataclasses
import threading

import numpy as np
import pytest
from engine_city import MIN, T0, one_series, readings, registry, shared, us
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.catchments import Catchment, Catchments
from alerts.delivery.mass_mail import steps
from alerts.engine import Engine
from alerts.event import from_row
from alerts.incidents.decision import Decision, DecisionRefusedError
from alerts.incidents.incident import fold
from alerts.incidents.incidents import LINGER_US, REISSUE_US
from alerts.kernels.kernels import Kernels, run
from alerts.kostra.kostra import Kostra, shipped_table
from alerts.rules import load_rules, parse_rules
from ingest.journal import Accepted
from ingest.reading import Measured, Series
from ingest.uplink import TimeSource, Uplink

CITY = [
    Series("regen", "precipitation", "", "0000000000000001"),
    Series("pegel", "water_level", "", "0000000000000002"),
    Series("unten", "water_level", "", "0000000000000003"),
    Series("anderswo", "water_level", "", "0000000000000004"),
]
MARKS = {"stages_cm": (50.0, 100.0, 150.0, 200.0)}
TWO = Catchments(
    "",
    (
        Catchment(id="strunde", stations=("regen", "pegel", "unten")),
        Catchment(id="rhein", stations=("anderswo",)),
    ),
)
REGEN, PEGEL, UNTEN, ANDERSWO = range(4)


def at(*rows):
    return readings(*((series, T0 + minute * MIN, float(value)) for series, minute, value in rows))


def machine(*rows, rules=None, catchments=TWO):
    chosen = load_rules() if rules is None else parse_rules({"rule": rules}, "r")
    it = Kernels(chosen, registry(CITY, **MARKS), None, CITY, catchments=catchments)
    return it, it.step(at(*rows))


def fall(series, minute, value=10.0):
    """Readings that end a stage: half an hour of calm for each of four marks."""
    return [(series, minute + 5 * i, value) for i in range(32)]


def short(found, *kinds):
    return [(e.kind, e.station, e.level, e.incident) for e in found if not kinds or e.kind in kinds]


def decide(incident, action, minute, by="A. Meier"):
    return Decision(incident, action, by, "looked", T0 + minute * MIN)


FIRST = "strunde.20250615T151000Z"


def test_everything_in_one_catchment_is_one_incident_and_another_catchment_another():
    _, found = machine(
        (PEGEL, 0, 60), (UNTEN, 20, 160), (ANDERSWO, 20, 60), *((REGEN, 5 * i, 9) for i in range(5, 12))
    )
    assert {(e.station, e.incident) for e in found} == {
        ("pegel", FIRST),
        ("unten", FIRST),
        ("regen", FIRST),
        ("anderswo", "rhein.20250615T153000Z"),
    }
    assert {e.kind for e in found} == {"crossing", "raise", "escalate"}


def test_the_next_burst_within_an_hour_joins_and_a_later_one_is_another():
    ended = 5 * 6  # below from minute 5 on, held half an hour
    rows = [(PEGEL, 0, 60), *((PEGEL, 5 + 5 * i, 10) for i in range(7))]
    for later, joins in ((ended + 60, True), (ended + 70, False)):
        it, found = machine(*rows)
        assert [e.kind for e in found] == ["crossing", "raise", "clear"]
        assert found[-1].time_us == T0 + (ended + 5) * MIN
        (crossing, raised) = it.step(at((UNTEN, later, 60)))
        assert (raised.incident == FIRST) is joins
        assert crossing.incident == raised.incident
    assert LINGER_US == 60 * MIN


def test_a_late_episode_joins_the_incident_that_was_open_then():
    it, _ = machine((PEGEL, 60, 60))
    # another gauge's uplinks come late: they are from before
    (_, raised) = it.step(at((UNTEN, 20, 60)))
    assert raised.incident == "strunde.20250615T161000Z"
    (_, long_ago) = it.step(at((REGEN, -3000, 0), (ANDERSWO, -3000, 60)))
    assert long_ago.incident.startswith("rhein")


def test_unverified_values_belong_to_it_and_make_one_where_there_is_none():
    rules = [
        {"id": "l", "kind": "water_level"},
        {"id": "q", "kind": "quality", "properties": "water_level", "gross_max": 300},
    ]
    it, found = machine((PEGEL, 0, 400), rules=rules)
    assert short(found, "unverified") == [("unverified", "pegel", 4, FIRST)]
    (_, raised) = it.step(at((UNTEN, 30, 60)))
    assert raised.incident == FIRST


def test_falling_is_proposed_once_when_nothing_is_severe_any_more_and_again_after_a_new_rise():
    it, found = machine((PEGEL, 0, 160), (UNTEN, 0, 160))
    assert short(found, "falling") == []
    found = it.step(at(*fall(PEGEL, 5)))
    assert short(found, "falling") == []
    assert [e.level for e in found] == [2, 1, 0]
    found = it.step(at(*fall(UNTEN, 200)[:10]))
    assert short(found) == [("step_down", "unten", 2, FIRST), ("falling", "unten", 0, FIRST)]
    falling = found[-1]
    assert falling.reason.startswith("Werte fallen")
    assert (falling.audience, falling.id) == ("staff", f"{FIRST}.falling.1")
    again = it.step(at((UNTEN, 300, 160), *fall(UNTEN, 305)[:10]))
    assert [(e.kind, e.id[-1]) for e in again if e.kind == "falling"] == [("falling", "2")]


def test_below_severe_nothing_is_proposed():
    it, _ = machine((PEGEL, 0, 120))
    assert {e.kind for e in it.step(at(*fall(PEGEL, 5)))} == {"step_down", "clear"}


def test_falling_about_history_is_for_nobody():
    it, _ = machine((PEGEL, 0, 160))
    found = it.step(at(*fall(PEGEL, 5)), T0 + 1000 * MIN)
    assert [e.audience for e in found if e.kind == "falling"] == [None]


def test_on_the_erft_in_october_2005_falling_is_proposed_in_the_morning_of_the_20th():
    path = shared("rain/erft_5min_oct2005.csv")
    head, *lines = path.read_text().splitlines()
    names = head.split(",")[1:]
    series = [one_series("precipitation", station=name) for name in names]
    series = [dataclasses.replace(each, dev_eui=f"{n:016x}") for n, each in enumerate(series)]
    rows = []
    for line in lines:
        time, *values = line.split(",")
        # the file's clock, which is the local one; its stamp is the interval's start
        end = us(time.replace(" ", "T")) + 5 * MIN
        rows += [(n, end, float(value)) for n, value in enumerate(values) if value]
    found = list(
        run(
            load_rules(),
            registry(series),
            series,
            [readings(*rows)],
            kostra=Kostra(everywhere=shipped_table()),
        )
    )
    falling = [e for e in found if e.kind == "falling"]
    last = [e for e in falling if e.time_us < us("2005-10-20T12:00:00")][-1]
    assert last.time_us > us("2005-10-20T06:00:00")
    high = {"raise", "escalate"}
    assert not [e for e in found if e.kind in high and e.time_us > last.time_us and e.level > 2]
    incidents = {}
    for _ in fold(incidents, found):
        pass
    assert len({e.incident for e in found if e.kind == "raise"}) == len(incidents) <= 3


def test_a_standing_notice_is_issued_again_before_it_expires_once_for_the_incident():
    it, _ = machine((PEGEL, 0, 60), (UNTEN, 10, 160))
    keep = [(n, 5 * i, 60 if n == PEGEL else 160) for i in range(3, 140) for n in (PEGEL, UNTEN)]
    it.step(at(*keep))
    due = REISSUE_US // MIN
    assert it.tick(T0 + (due - 1) * MIN) == []
    (event,) = it.tick(T0 + (due + 1) * MIN)
    assert (event.kind, event.audience, event.time_us) == ("reminder", "staff", T0 + REISSUE_US)
    assert (event.station, event.measure, event.level, event.value) == ("unten", "water_level", 3, 160.0)
    assert "2 warnings still in force" in event.reason
    assert it.tick(T0 + (due + 2) * MIN) == []
    assert [e.time_us for e in it.tick(T0 + 2 * REISSUE_US + MIN)] == [T0 + 2 * REISSUE_US]


def lost(it, minute):
    return [e for e in it.tick(T0 + minute * MIN) if e.kind in {"sensor_lost", "reminder"}]


def test_a_sensor_lost_during_a_warning_nags_until_somebody_decides_or_it_is_back():
    it, _ = machine((PEGEL, 0, 160))
    assert [(e.kind, e.audience, e.incident) for e in lost(it, 61)] == [("sensor_lost", "staff", FIRST)]
    nags = [e for minute in range(62, 180) for e in lost(it, minute)]
    assert [(e.time_us - T0) / MIN for e in nags] == [75, 105, 135, 165]
    assert "pegel since 20250615T151000Z" in nags[0].reason
    assert {(e.kind, e.station, e.level, e.audience) for e in nags} == {("reminder", "pegel", 3, "staff")}
    it.decide(decide(FIRST, "acknowledge", 180))
    assert [e for minute in range(180, 300) for e in lost(it, minute)] == []
    back = it.step(at((PEGEL, 300, 160)))
    assert [(e.kind, e.incident) for e in back] == [("sensor_back", FIRST)]


def test_a_sensor_that_stays_lost_is_no_flood_of_messages():
    it, _ = machine((PEGEL, 0, 160))
    nags = [e for hour in range(1, 24 * 30) for e in lost(it, 60 * hour + 1) if e.kind == "reminder"]
    assert len(nags) < 47 + 4 * 30


def test_all_clear_is_refused_while_values_are_severe_and_needed_afterwards():
    it, _ = machine((PEGEL, 0, 160))
    with pytest.raises(DecisionRefusedError, match="still Severe: pegel") as refused:
        it.decide(decide(FIRST, "all_clear", 1))
    assert refused.value.why == "too_early"
    for unknown in ("strunde.x", "nowhere", ""):
        with pytest.raises(DecisionRefusedError) as refused:
            it.decide(decide(unknown, "confirm", 1))
        assert refused.value.why == "unknown"
    it.step(at(*fall(PEGEL, 5)))
    # it waits for days
    (event,) = it.decide(decide(FIRST, "all_clear", 5000))
    assert (event.kind, event.measure, event.by, event.reason) == (
        "decision",
        "all_clear",
        "A. Meier",
        "looked",
    )
    with pytest.raises(DecisionRefusedError) as refused:
        it.decide(decide(FIRST, "all_clear", 5001))
    assert refused.value.why == "closed"


def test_an_incident_below_severe_needs_no_all_clear_and_closes_by_itself():
    it, _ = machine((PEGEL, 0, 60))
    it.step(at(*fall(PEGEL, 5)))
    with pytest.raises(DecisionRefusedError) as refused:
        it.decide(decide(FIRST, "acknowledge", 500))
    assert refused.value.why == "closed"


def test_a_rule_may_give_the_all_clear_itself():
    rules = [{"id": "l", "kind": "water_level", "all_clear": "auto"}]
    it, _ = machine((PEGEL, 0, 160), rules=rules)
    found = it.step(at(*fall(PEGEL, 5)))
    assert [(e.kind, e.measure, e.by) for e in found[-2:]] == [
        ("clear", "water_level", ""),
        ("decision", "all_clear", "rule l"),
    ]


def test_a_person_ends_the_warning_of_a_lost_sensor_and_it_rises_again_only_by_new_values():
    it, _ = machine((PEGEL, 0, 160), *((REGEN, 5 * i, 9) for i in range(8)))
    lost(it, 200)
    decided, *ended = it.decide(decide(FIRST, "all_clear", 200))
    assert decided.measure == "all_clear"
    assert {(e.kind, e.station, e.measure) for e in ended} == {
        ("clear", "pegel", "water_level"),
        ("clear", "regen", "dwd_starkregen"),
        ("clear", "regen", "dwd_dauerregen"),
    }
    assert it._alarmed() == frozenset()
    assert [e for minute in range(200, 900) for e in lost(it, minute)] == []
    # rain that was told before is over; the level still stands high
    found = it.step(at((REGEN, 900, 0), (PEGEL, 900, 160)))
    assert [(e.kind, e.station) for e in found if e.kind == "raise"] == [("raise", "pegel")]


def test_an_all_clear_for_what_the_city_never_warned_of_is_told_to_no_resident():
    it, found = machine((PEGEL, 0, 160), *((REGEN, 5 * i, 9) for i in range(8)))
    told, known = steps(found, {})
    assert {each.kind for each in told} <= {"raise", "escalate"}
    assert told, "the public has heard of it"
    lost(it, 200)
    decided, *ended = it.decide(decide(FIRST, "all_clear", 200))
    assert steps([decided], known) == ([], {})
    ends, _ = steps(ended, known)
    assert {each.what.id for each in ends} == {each.what.id for each in told}, "whoever heard hears the end"
    assert all(each.ends and each.what.history[-1].by_person for each in ends)


ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.one_of(st.integers(0, 60).map(lambda n: 5 * n), st.integers(0, 900)),
        st.sampled_from([0, 10, 60, 160, 210]),
    ),
    min_size=1,
    max_size=60,
)


def storm_machine():
    return Kernels(load_rules(), registry(CITY, **MARKS), None, CITY, catchments=TWO)


@settings(max_examples=150, deadline=None)
@given(ROWS, st.data())
def test_incidents_do_not_depend_on_the_split(rows, data):
    batch = at(*rows)
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=8).map(sorted))
    ticks = data.draw(st.lists(st.integers(0, 3000), max_size=4).map(sorted))
    one, other = storm_machine(), storm_machine()
    together = one.step(batch)
    apart = [event for part in np.split(batch, cuts) for event in other.step(part)]
    assert together == apart
    for minute in ticks:
        assert one.tick(T0 + minute * MIN) == other.tick(T0 + minute * MIN)
    assert one.pages() == other.pages()
    # late readings may make one crossing twice at one newest reading; the journal keeps it once
    ids = [each.id for each in together if each.kind != "crossing"]
    assert len(set(ids)) == len(ids)
    assert all(e.incident for e in together if e.kind in {"raise", "escalate", "step_down", "clear"})


@settings(max_examples=100, deadline=None)
@given(ROWS, st.integers(0, 60), st.lists(st.integers(0, 3000), max_size=3).map(sorted))
def test_a_restart_in_the_middle_changes_nothing(rows, cut, ticks):
    batch = at(*rows)
    one, first = storm_machine(), storm_machine()
    together = one.step(batch)
    apart = first.step(batch[:cut])
    later = Kernels(load_rules(), registry(CITY, **MARKS), None, CITY, first.pages(), catchments=TWO)
    apart += later.step(batch[cut:])
    assert together == apart
    for minute in ticks:
        assert one.tick(T0 + minute * MIN) == later.tick(T0 + minute * MIN)


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_the_board_folds_what_the_engine_has(rows):
    it = storm_machine()
    board = {}
    for _ in fold(board, it.step(at(*rows))):
        pass
    for kept in (each for here in it._incidents._kept.values() for each in here):
        mine, its = kept.incident, board[kept.incident.id]
        assert (mine.live, mine.severe, mine.peak, mine.status) == (
            its.live,
            its.severe,
            its.peak,
            its.status,
        )
        assert mine.in_force == its.in_force


def test_a_damaged_page_begins_anew_and_the_warnings_go_on():
    it, _ = machine((PEGEL, 0, 60))
    pages = it.pages()
    assert [key for key in pages if key.startswith("incidents/")] == ["incidents/strunde"]
    pages["incidents/strunde"] = b"damaged"
    again = Kernels(load_rules(), registry(CITY, **MARKS), None, CITY, pages, catchments=TWO)
    (crossing, event) = again.step(at((PEGEL, 5, 120)))
    assert (crossing.kind, event.kind, event.incident) == ("crossing", "escalate", "strunde.20250615T151500Z")


def test_a_reading_that_makes_a_rule_fail_leaves_no_trace_in_the_incidents():
    it, _ = machine((PEGEL, 0, 60))
    whole, _ = machine((PEGEL, 0, 60))
    step, calls = it.step, []

    def failing(batch, since):
        found = step(batch, since)
        if (batch["value"] == 77).any():
            calls.append(len(batch))
            raise ValueError("a rule failed")
        return found

    it.step = failing
    rows = at((UNTEN, 5, 160), (PEGEL, 10, 77), (PEGEL, 15, 210))
    skipped = []
    found = it.step_carefully(rows, 0, lambda batch, _: skipped.extend(batch["value"]))
    assert skipped == [77]
    assert found == whole.step(rows[[0, 2]])
    assert it.pages() == whole.pages()


def put(journal, *rows):
    for series, minute, value in rows:
        time = T0 + minute * MIN
        each = CITY[series]
        raw = Uplink("ns", each.dev_eui, 1, 0, "", b"", time, time, time, TimeSource.SERVER)
        journal.append([Accepted(raw, (Measured(each, time, float(value), 1),), ())])


@pytest.fixture
def live(journal):
    now = [T0]
    city = registry(CITY, **MARKS)

    def make():
        return Engine(
            journal,
            load_rules(),
            lambda: city,
            lambda: now[0],
            catchments=TWO,
            checkpoint_s=0,
            max_alert_age_s=1e7,
        )

    return make, now


def drain(it):
    while it.run_once():
        pass


def journaled(journal, *kinds):
    events = [from_row(row) for _, row in journal.events(0, 1000)]
    return [e for e in events if not kinds or e.kind in kinds]


def test_a_decision_is_taken_in_the_loop_and_is_in_the_journal_before_its_maker_hears(journal, live):
    make, now = live
    put(journal, (PEGEL, 0, 160), *fall(PEGEL, 5))
    it = make()
    now[0] = T0 + 200 * MIN
    drain(it)
    it.start()
    try:
        event = it.decide(decide(FIRST, "confirm", 200))
        assert journaled(journal, "decision") == [event]
        answers = []

        def clear(by):
            try:
                answers.append(it.decide(decide(FIRST, "all_clear", 201, by)).by)
            except DecisionRefusedError as refused:
                answers.append(refused.why)

        threads = [threading.Thread(target=clear, args=(by,)) for by in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert "closed" in answers
        assert len(journaled(journal, "decision")) == 2
    finally:
        it.stop()
    again = make()
    future = again.submit(decide(FIRST, "all_clear", 202))
    drain(again)
    with pytest.raises(DecisionRefusedError, match="is over"):
        future.result(0)


def test_a_journal_judged_again_from_its_beginning_knows_what_was_decided(journal, live):
    make, now = live
    put(journal, (PEGEL, 0, 160), *fall(PEGEL, 5))
    now[0] = T0 + 200 * MIN
    it = make()
    drain(it)
    it.submit(decide(FIRST, "all_clear", 200))
    drain(it)
    before = journaled(journal)
    with journal._file.write() as connection:
        connection.execute("DELETE FROM pages")
        connection.execute("UPDATE parts SET cursor = 0")
    again = make()
    drain(again)
    future = again.submit(decide(FIRST, "all_clear", 201))
    drain(again)
    with pytest.raises(DecisionRefusedError, match="is over"):
        future.result(0)
    assert journaled(journal) == before


def test_nobody_waits_for_ever_for_an_engine_that_stands_still(live):
    make, _ = live
    with pytest.raises(DecisionRefusedError) as refused:
        make().decide(decide(FIRST, "confirm", 1), timeout_s=0.05)
    assert refused.value.why == "late"
