"""When the public hears: by what neighbours, levels, official warnings and people say of a crossing."""

from dataclasses import replace

import numpy as np
import pytest
from engine_city import MIN, T0, readings, registry
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.catchments import Catchment, Catchments
from alerts.errors import AlertsConfigError
from alerts.explain import City, explain_rule
from alerts.incidents.decision import Decision
from alerts.incidents.incident import fold as fold_incidents
from alerts.kernels.kernels import MADE_UP, Kernels
from alerts.rule_kinds import DwdRain, Maintenance, WaterLevel
from alerts.rules import load_rules, parse_rules
from alerts.warning import as_public, fold
from alerts.witnesses import testimony
from alerts.witnesses.rule import LevelWitness, RainWitness
from ingest.reading import Series

GAUGES = [Series(f"r{i}", "precipitation", "", f"{i:016x}") for i in range(1, 7)]
PEGEL = Series("pegel", "water_level", "", "00000000000000a1")
OFFICE = Series("dwd", "official_rain_warning", "", "00000000000000a2")
CITY = [*GAUGES, PEGEL, OFFICE]
LEVEL, OFFICIAL = 6, 7
ROWS_OF_RAIN = ("agrees", "contradicts", "absent", "lone")
STRUNDE = Catchments(catchments=(Catchment(id="strunde", stations=("r*", "pegel")),))


def installed(series=CITY, north_km=0.9):
    """Gauges in a line, so many kilometres apart; marks of the level at 52 and 79 cm."""
    made = registry(series, stages_cm=(52.0, 60.0, 79.0))
    places = {
        id_: replace(each, lat=50.0 + number * north_km / 111.19, lon=7.0)
        for number, (id_, each) in enumerate(made.stations.items())
    }
    return replace(made, stations=places)


def machine(series=CITY, rules=None, catchments=STRUNDE, **where):
    return Kernels(rules or load_rules(), installed(series, **where), None, series, catchments=catchments)


def storm(*rows):
    """Rows (minutes, gauge from 1, mm) as readings."""
    return readings(*((gauge - 1, T0 + minutes * MIN, mm) for minutes, gauge, mm in rows))


def dry(minutes, gauges=range(2, 7)):
    return [(minutes, gauge, 0.0) for gauge in gauges]


def told(events):
    """Rises from level 3 on, Dauerregen aside: minute, station, kind, level, audience, wording, witness."""
    return [
        ((e.time_us - T0) // MIN, e.station, e.kind, e.level, e.audience, e.confirmation, e.witness)
        for e in events
        if e.kind in {"raise", "escalate"} and e.level >= 3 and e.measure != "dwd_dauerregen"
    ]


def public(events):
    return [row[:4] for row in told(events) if row[4] == "public"]


def test_two_neighbours_with_a_third_of_the_threshold_confirm_at_once():
    found = machine().step(storm(*dry(0), (5, 2, 8.4), (5, 4, 9.0), (10, 1, 26.0)))
    assert told(found) == [(10, "r1", "raise", 3, "public", "confirmed", "gauge r2, gauge r4")]


@pytest.mark.parametrize(("mm", "heard"), [(8.32, 0), (8.33, 1)])
def test_a_third_is_a_third(mm, heard):
    found = machine().step(storm(*dry(0), (5, 2, 9.0), (5, 4, mm), (10, 1, 26.0)))
    assert len(public(found)) == heard


def test_a_neighbour_that_follows_within_half_an_hour_confirms_then():
    rain = storm(*dry(0), (5, 2, 9.0), (10, 1, 26.0), *dry(35), (40, 3, 9.0), (45, 4, 20.0))
    found = machine().step(rain)
    assert told(found) == [
        (10, "r1", "raise", 3, "staff", "unconfirmed", "1 of 5 reporting neighbours"),
        (40, "r1", "escalate", 3, "public", "confirmed", "gauge r2, gauge r3"),
    ]
    raised, later = [
        e for e in found if e.kind in {"raise", "escalate"} and (e.station, e.level) == ("r1", 3)
    ]
    assert later.episode == raised.episode
    assert later.id == raised.episode + ".1.escalate.3.public"
    assert later.value == 26.0


def test_one_that_follows_later_does_not():
    found = machine().step(storm(*dry(0), (5, 2, 9.0), (10, 1, 26.0), *dry(35), (45, 3, 9.0), *dry(90)))
    assert public(found) == []


def test_its_uplink_may_be_late():
    found = machine().step(storm(*dry(0), (5, 2, 9.0), (10, 1, 26.0), (44, 4, 0.0), (40, 3, 9.0)))
    assert public(found) == [(40, "r1", "escalate", 3)]


def test_dry_neighbours_keep_it_with_staff():
    rows = [row for minutes in range(0, 120, 5) for row in dry(minutes)]
    found = machine().step(storm(*rows[:10], (10, 1, 60.0), *rows[10:]))
    assert told(found) == [(10, "r1", "raise", 4, "staff", "unconfirmed", "0 of 5 reporting neighbours")]


def test_only_the_nearest_that_report_are_asked():
    """Of eight gauges the five nearest report; the three beyond have the rain."""
    series = [Series(f"g{i}", "precipitation", "", f"{i:016x}") for i in range(1, 10)]
    near = [(number, T0, 0.0) for number in range(1, 6)]
    far = [(number, T0 + 5 * MIN, 20.0) for number in range(6, 9)]
    crossing = (0, T0 + 10 * MIN, 26.0)
    asked = machine(series, north_km=0.5).step(readings(*near, *far, crossing))
    assert [row[:4] for row in told(asked) if row[1] == "g1"] == [(10, "g1", "raise", 3)]
    assert told(asked)[-1][-1] == "0 of 5 reporting neighbours"
    silent = machine(series, north_km=0.5).step(readings(*near[:2], *far, crossing))
    assert told(silent)[-1][-1] == "gauge g7, gauge g8, gauge g9"
    beyond = machine(series, north_km=3.0).step(readings(*near, *far, crossing))
    assert told(beyond)[-1][4:] == ("public", "unconfirmed", "fewer than 2 other gauges within 5 km")


def test_the_lone_gauge_is_told_at_once_and_unconfirmed():
    alone = [GAUGES[0]]
    found = machine(alone).step(storm((0, 1, 0.0), (5, 1, 26.0)))
    assert told(found) == [
        (5, "r1", "raise", 3, "public", "unconfirmed", "fewer than 2 other gauges within 5 km")
    ]


@pytest.mark.parametrize("why", ["silent", "suspect", "maintained"])
def test_who_does_not_report_is_absent_and_no_denial(why):
    rules = load_rules()
    before = storm(*dry(0))
    if why == "silent":
        before = storm(*dry(-60))
    if why == "suspect":
        before["quality"] = 3
    if why == "maintained":
        window = Maintenance.model_validate(
            {
                "stations": ["r2", "r3", "r4", "r5", "r6"],
                "from": "2020-01-01T00:00:00Z",
                "to": "2030-01-01T00:00:00Z",
            }
        )
        rules = replace(rules, maintenance=(window,))
        text = 'kind = "quality"'
        assert text
    it = machine(rules=rules)
    found = it.step(np.concatenate([before, storm((5, 1, 26.0), (10, 1, 0.0), (15, 1, 0.0))]))
    assert told(found) == [
        (5, "r1", "raise", 3, "staff", "unconfirmed", "0 of 5 neighbours report"),
        (15, "r1", "escalate", 3, "public", "unconfirmed", "0 of 5 neighbours report"),
    ]


def test_absent_falls_due_without_a_reading():
    it = machine()
    it.step(storm(*dry(-60), (5, 1, 26.0)))
    assert it.weigh(T0 + 14 * MIN) == []
    assert public(it.weigh(T0 + 15 * MIN)) == [(15, "r1", "escalate", 3)]
    assert it.weigh(T0 + 16 * MIN) == []


def test_what_was_told_unconfirmed_is_confirmed_once():
    it = machine()
    rows = [(20, 2, 9.0), (20, 3, 9.0), (25, 4, 9.0), (30, 5, 9.0)]
    found = it.step(storm(*dry(-60), (5, 1, 26.0), (15, 1, 0.0), *rows))
    assert [row[4:6] for row in told(found)] == [
        ("staff", "unconfirmed"),
        ("public", "unconfirmed"),
        ("public", "confirmed"),
    ]
    [last] = [e for e in found if e.id.endswith(".confirmed")]
    assert (last.id, last.witness) == (last.episode + ".1.escalate.3.confirmed", "gauge r2, gauge r3")


def test_the_public_hears_the_level_that_is_confirmed():
    """40 mm at one gauge, 9 mm around it: level 3 has its witnesses, level 4 has not."""
    it = machine()
    found = it.step(storm(*dry(0), (5, 2, 9.0), (5, 3, 9.0), (10, 1, 41.0)))
    assert told(found) == [
        (10, "r1", "raise", 4, "staff", "unconfirmed", "0 of 5 reporting neighbours"),
        (10, "r1", "escalate", 3, "public", "confirmed", "gauge r2, gauge r3"),
    ]
    calm = [(10 + minutes, gauge, 0.0) for minutes in range(5, 300, 5) for gauge in range(1, 7)]
    after = [e for e in it.step(storm(*calm)) if e.station == "r1" and e.measure == "dwd_starkregen"]
    steps = [(e.kind, e.level, e.audience) for e in after if e.kind in {"step_down", "clear"}]
    assert steps == [("step_down", 3, "staff"), ("step_down", 2, "public"), ("clear", 0, "public")]
    mine = [e for e in [*found, *after] if e.station == "r1" and e.measure == "dwd_starkregen"]
    staff = None
    for event in mine:
        staff = fold(staff, event)
    seen = as_public(staff)
    assert (staff.peak_level, seen.peak_level) == (4, 3)
    assert [update.kind for update in seen.history] == ["escalate", "step_down", "clear"]
    assert (seen.status, seen.confirmation, staff.audience) == ("ended", "confirmed", "public")


def test_one_rain_at_one_gauge_is_told_once():
    """Starkregen of level 3 is public: Dauerregen of level 3 stays with staff, of level 4 it does not."""
    rows = [row for minutes in range(5, 60, 5) for row in [(minutes, g, 7.0) for g in range(1, 7)]]
    found = machine().step(storm(*dry(0), *rows))
    mine = [(e.measure, e.level) for e in found if e.audience == "public" and e.station == "r1"]
    assert mine == [("dwd_starkregen", 3), ("dwd_starkregen", 4), ("dwd_dauerregen", 4)][: len(mine)]
    long = [e for e in found if e.station == "r1" and (e.measure, e.level) == ("dwd_dauerregen", 3)]
    assert [e.audience for e in long if e.kind in {"raise", "escalate"}] == ["staff"]


def test_a_level_of_the_catchment_is_a_witness():
    level = [(LEVEL, T0, 20.0), (LEVEL, T0 + 5 * MIN, 26.0)]
    rain = [(gauge, T0, 0.0) for gauge in range(1, 6)]
    found = machine().step(readings(*rain, *level, (0, T0 + 10 * MIN, 26.0)))
    assert told(found) == [(10, "r1", "raise", 3, "public", "confirmed", "level pegel")]
    still = [(LEVEL, T0, 20.0), (LEVEL, T0 + 5 * MIN, 24.0)]
    assert public(machine().step(readings(*rain, *still, (0, T0 + 10 * MIN, 26.0)))) == []
    other = Catchments(catchments=(Catchment(id="strunde", stations=("r*",)),))
    found = machine(catchments=other).step(readings(*rain, *level, (0, T0 + 10 * MIN, 26.0)))
    assert public(found) == []


@pytest.mark.parametrize(("level", "heard"), [(2.0, 0), (3.0, 1)])
def test_an_official_warning_of_the_level_is_a_witness(level, heard):
    rain = [(gauge, T0, 0.0) for gauge in range(1, 6)]
    found = machine().step(readings(*rain, (OFFICIAL, T0 - 90 * MIN, level), (0, T0 + 10 * MIN, 26.0)))
    assert len(public(found)) == heard
    over = [(OFFICIAL, T0 - 90 * MIN, level), (OFFICIAL, T0, 0.0)]
    assert public(machine().step(readings(*rain, *over, (0, T0 + 10 * MIN, 26.0)))) == []


def test_a_person_confirms_the_incident_and_the_public_hears_once():
    it = machine()
    [raised, *_] = [e for e in it.step(storm(*dry(0), (10, 1, 26.0))) if e.kind == "raise"]

    def confirm(minutes):
        return it.decide(Decision(raised.incident, "confirm", "A. Beispiel", "seen", T0 + minutes * MIN))

    decided, event = confirm(20)
    assert decided.kind == "decision"
    assert (event.audience, event.confirmation, event.witness) == (
        "public",
        "confirmed",
        "person A. Beispiel",
    )
    assert (event.id, event.incident) == (raised.episode + ".1.escalate.3.public", raised.incident)
    assert [e.kind for e in confirm(25)] == ["decision"]


def test_what_a_person_confirms_of_one_rain_is_told_once():
    it = machine()
    found = it.step(storm(*dry(0), (10, 1, 41.0)))
    assert {(e.measure, e.level) for e in found if e.kind in {"raise", "escalate"}} >= {
        ("dwd_starkregen", 4),
        ("dwd_dauerregen", 3),
    }
    _, *told = it.decide(Decision(found[-1].incident, "confirm", "A. Beispiel", "seen", T0 + 20 * MIN))
    assert [(e.measure, e.level, e.audience) for e in told] == [("dwd_starkregen", 4, "public")]


def test_the_incident_stays_as_high_as_staff_know_it():
    events = machine().step(storm(*dry(0), (5, 2, 9.0), (5, 3, 9.0), (10, 1, 41.0)))
    incidents = {}
    for incident in fold_incidents(incidents, events):
        latest = incident
    member = next(m for m in latest.members.values() if (m.station, m.measure) == ("r1", "dwd_starkregen"))
    assert (member.level, member.severity, member.audience) == (4, "Extreme", "public")


def test_a_level_is_told_at_once_and_confirmed_when_rain_agrees():
    marks = [(LEVEL, T0, 20.0), (LEVEL, T0 + 5 * MIN, 80.0)]
    found = machine().step(readings(*marks, (0, T0 + 20 * MIN, 6.0)))
    assert [row[:6] for row in told(found)] == [
        (5, "pegel", "raise", 3, "public", "unconfirmed"),
        (20, "pegel", "escalate", 3, "public", "confirmed"),
    ]
    wet = machine().step(readings((0, T0, 6.0), *marks))
    assert told(wet) == [(5, "pegel", "raise", 3, "public", "confirmed", "gauge r1")]


def test_history_waits_until_it_is_known_whether_the_rain_still_stands():
    """After an outage: the claim fell due hours ago. The public hears of it if it still stands."""
    it = machine()
    it.step(storm(*dry(-60), (5, 1, 26.0)), since_us=T0)
    assert public(it.step(storm((18, 1, 2.0), (19, 1, 0.0)), since_us=T0 + 600 * MIN)) == []
    assert public(it.step(storm((602, 1, 2.0)), since_us=T0 + 600 * MIN)) == [(602, "r1", "escalate", 3)]


def test_a_late_uplink_that_crosses_is_told_at_once():
    found = machine([GAUGES[0]]).step(storm((0, 1, 0.0), (10, 1, 0.0), (5, 1, 26.0)))
    assert [row[:5] for row in told(found)] == [(10, "r1", "raise", 3, "public")]


def test_a_row_that_stands_for_a_missing_one_is_no_report():
    rows = storm(*dry(0))
    rows["seq"] = MADE_UP
    found = machine().step(np.concatenate([rows, storm((5, 1, 26.0))]))
    assert told(found)[0][-1] == "0 of 5 neighbours report"


ROWS = st.lists(
    st.tuples(
        st.integers(0, len(CITY) - 1),
        st.one_of(
            st.integers(0, 24).map(lambda n: n * 5 * MIN),
            st.integers(-20 * 60, 150 * 60).map(lambda s: s * 1_000_000),
        ),
        st.sampled_from([0.0, 0.2, 2.0, 3.0, 6.0, 9.0, 15.0, 26.0, 41.0, 55.0, 80.0, 300.0]),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(ROWS, st.data())
def test_one_batch_equals_any_split(rows, data):
    batch = readings(*((series, T0 + time, value) for series, time, value in rows))
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=8).map(sorted))
    one, other = machine(), machine()
    together = one.step(batch)
    apart = [event for part in np.split(batch, cuts) for event in other.step(part)]
    assert together == apart
    assert one.pages() == other.pages()
    # late readings may make one crossing twice at one newest reading; the journal keeps it once
    ids = [each.id for each in together if each.kind != "crossing"]
    assert len(set(ids)) == len(ids)


@settings(max_examples=80, deadline=None)
@given(ROWS)
def test_a_reading_given_again_at_once_changes_nothing(rows):
    batch = readings(*((series, T0 + time, value) for series, time, value in rows))
    assert machine().step(batch) == machine().step(np.repeat(batch, 2))


@settings(max_examples=80, deadline=None)
@given(ROWS, st.integers(0, 60))
def test_state_restored_from_pages_goes_on_alike(rows, cut):
    batch = readings(*((series, T0 + time, value) for series, time, value in rows))
    one, other = machine(), machine()
    first = one.step(batch[:cut])
    assert first == other.step(batch[:cut])
    again = Kernels(load_rules(), installed(), None, CITY, other.pages(), catchments=STRUNDE)
    assert one.step(batch[cut:]) == again.step(batch[cut:])


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_staff_hear_everything_at_once_and_the_public_nothing_that_staff_did_not(rows):
    batch = readings(*((series, T0 + time, value) for series, time, value in rows))
    known = {}
    for event in machine().step(batch):
        if event.kind in {"raise", "escalate"}:
            if not event.id.endswith((".public", ".confirmed")):
                known[event.episode] = event.level
                assert event.audience in {"staff", "public"}
            else:
                assert event.level <= known[event.episode]


def test_the_shipped_table_is_the_default():
    rules = load_rules()
    assert rules.of(DwdRain, "x").witness == RainWitness()
    assert rules.of(WaterLevel, "x").witness == LevelWitness()


def test_a_city_sets_its_own_rows():
    table = {
        "id": "rain",
        "kind": "dwd_rain",
        "witness": {"agree": 1, "outcomes": {"contradicts": {"audience": "public", "after_min": 20}}},
    }
    rules = parse_rules({"rule": [table]}, "rules.toml")
    rain = storm(*dry(0), (10, 1, 26.0), *dry(25), *dry(30))
    assert public(machine(rules=rules).step(rain)) == [(30, "r1", "escalate", 3)]
    assert public(machine(rules=rules).step(storm(*dry(0), (5, 4, 9.0), (10, 1, 26.0)))) == [
        (10, "r1", "raise", 3)
    ]


def test_faults_of_the_table_are_named_with_their_remedy():
    table = {
        "id": "rain",
        "kind": "dwd_rain",
        "witness": {"neighbours": 1, "agree": 2, "outcome": {}, "share": 0},
    }
    with pytest.raises(AlertsConfigError) as caught:
        parse_rules({"rule": [table]}, "rules.toml")
    faults = {fault.key: (fault.problem, fault.remedy) for fault in caught.value.faults}
    assert faults["rule 1 (rain).witness.outcome"] == ("unknown key", "did you mean outcomes?")
    assert "greater than 0" in faults["rule 1 (rain).witness.share"][0]
    table["witness"] = {"neighbours": 1, "agree": 2}
    with pytest.raises(AlertsConfigError, match="nobody could confirm anything"):
        parse_rules({"rule": [table]}, "rules.toml")


@pytest.mark.parametrize(
    ("kind", "witness"),
    [
        *(
            ("dwd_rain", table)
            for table in (
                {"distance_km": 3.25},
                {"neighbours": 7},
                {"agree": 1},
                {"share": 0.5},
                {"within_min": 20},
                *({"outcomes": {case: {"audience": "public", "after_min": 7}}} for case in ROWS_OF_RAIN),
            )
        ),
        ("water_level", {"rise_cm": 7.5}),
        ("water_level", {"outcomes": {"absent": {"audience": "staff"}}}),
    ],
)
def test_the_sentence_about_a_rule_says_what_its_table_says(kind, witness):
    def told(**more):
        rules = parse_rules({"rule": [{"id": "mine", "kind": kind, **more}]}, "rules.toml")
        return explain_rule(rules.rules[0], City(rules, installed(), {}))

    before, after = told(), told(witness=witness)
    assert before.de != after.de
    assert before.en != after.en
    assert "{" not in after.de + after.en


def test_what_happens_far_away_weighs_nothing_again(monkeypatch):
    """The work grows with the gauges, not with their square: groups of three, 20 km apart."""
    weighed = []
    verdict = testimony.Testimony.verdict
    monkeypatch.setattr(
        testimony.Testimony, "verdict", lambda *args: weighed.append(args[1].place) or verdict(*args)
    )

    def work(groups):
        series = [Series(f"r{i}", "precipitation", "", f"{i + 1:016x}") for i in range(3 * groups)]
        city = installed(series)
        places = {
            id_: replace(each, lat=50.0 + number // 3 * 0.2, lon=7.0)
            for number, (id_, each) in enumerate(city.stations.items())
        }
        it = Kernels(load_rules(), replace(city, stations=places), None, series, catchments=STRUNDE)
        first = [(gauge, T0, 26.0 if gauge % 3 == 0 else 0.0) for gauge in range(3 * groups)]
        second = [(gauge, T0 + 5 * MIN, 9.0) for gauge in range(3 * groups)]
        weighed.clear()
        found = it.step(readings(*first, *second))
        assert len({e.station for e in found if e.level >= 3 and e.audience == "public"}) >= groups
        return len(weighed)

    assert work(20) < 2.5 * work(10)
