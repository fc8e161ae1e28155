"""Whatever happens in whatever order: who released what, who sees it, what ends it, what a restart keeps."""

import tempfile
from pathlib import Path

from city_hall import GAUGE, LEVELS, UPSTREAM, Hall
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from alerts.city.office import CityOffice
from alerts.city.order import ORDERS, OrderRefusedError
from alerts.city.release import ReleaseRule, Releases
from alerts.incidents.incidents import LINGER_US
from alerts.lifecycle import stamp
from alerts.scale import SEVERITIES, rank

MINUTE = 60_000_000
AUTO_MIN = 10
RELEASES = Releases(
    (ReleaseRule(id="low", severity=("Moderate",), auto_after=f"{AUTO_MIN} min", all_clear="auto"),)
)
STATIONS = st.sampled_from([GAUGE, UPSTREAM])
PEOPLE = st.sampled_from(["A. Beispiel", "B. Muster"])
ENDS = {"all_clear", "cancel", "expire"}


class Course(RuleBasedStateMachine):
    """One city, its creek, its people and its power cuts; `accepted`: what people ordered and got."""

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        self.hall = Hall(Path(self.folder.name), RELEASES)
        self.levels = {}
        self.calm_us = self.hall.now_us
        self.accepted = set()
        self.cleared = set()

    def teardown(self):
        if hasattr(self, "hall"):
            self.hall.close()
            self.folder.cleanup()

    @rule(
        station=STATIONS, level=st.sampled_from(sorted(LEVELS)), audience=st.sampled_from(["public", "staff"])
    )
    def crossing(self, station, level, audience):
        before = self.levels.get(station, 0)
        if not self.levels and self.hall.now_us - self.calm_us > LINGER_US:
            self.hall.incident = f"strunde.{stamp(self.hall.now_us)}"
        if level > before:
            self.levels[station] = level
            self.hall.notice("escalate" if before else "raise", level, station, audience=audience)

    @rule(station=STATIONS)
    def fall(self, station):
        before = self.levels.pop(station, 0)
        if before > min(LEVELS):
            self.levels[station] = before - 1
            self.hall.notice("step_down", before - 1, station)
        elif before:
            self.hall.notice("clear", 0, station)
            self.calm_us = self.hall.now_us

    @rule(level=st.sampled_from(sorted(LEVELS)), by=PEOPLE)
    def a_storm_that_is_released(self, level, by):
        self.crossing(GAUGE, level, "public")
        self.what_is_open_is_decided("release", by, None)

    @rule()
    def everything_falls(self):
        while self.levels:
            self.fall(next(iter(self.levels)))

    @rule(by=PEOPLE)
    def incident_is_over(self, by):
        self.hall.all_clear(by=by)
        self.cleared.add(by)

    @rule(
        action=st.sampled_from(ORDERS),
        by=PEOPLE,
        which=st.integers(0, 5),
        severity=st.sampled_from([None, *SEVERITIES]),
        areas=st.sampled_from([None, (), ("gierath",), ("oben",)]),
        valid_min=st.sampled_from([None, 15, 60, 1440]),
    )
    def order(self, action, by, which, **content):
        known = ["", *(each.id for each in self.hall.office.warnings())]
        before = {each.id: each for each in self.hall.office.warnings()}
        id_ = known[which % len(known)]
        try:
            after = self.hall.order(action, id_, by=by, **content)
        except OrderRefusedError:
            assert {each.id: each for each in self.hall.office.warnings()} == before
            return
        self.accepted.add((after.id, action, by))
        assert after in self.hall.office.warnings()
        assert any(event.id == after.steps[-1].event for event in self.hall.steps())

    @rule(
        action=st.sampled_from(["release", "update", "decline"]),
        by=PEOPLE,
        severity=st.sampled_from([None, *SEVERITIES]),
    )
    def what_is_open_is_decided(self, action, by, severity):
        for each in self.hall.office.warnings():
            if each.open:
                self.order(action, by, self.hall.office.warnings().index(each) + 1, severity=severity)

    @rule(minutes=st.sampled_from([1, 5, 11, 60, 155, 240, 26 * 60, 72 * 60]))
    def time_passes(self, minutes):
        self.hall.later(minutes)

    @rule()
    def power_cut(self):
        before = self.hall.office.warnings()
        self.hall.restart()
        assert self.hall.office.warnings() == before

    @rule()
    def replay(self):
        """Another office over the same journal has nothing to do that this one has not done."""
        self.hall.tick()
        many = len(self.hall.events())
        other = CityOffice(self.hall.journal, RELEASES, self.hall.areas, lambda: self.hall.now_us)
        other._fence = self.hall.journal.load("city-office").fence
        assert other.run_once() == 0
        assert other.warnings() == self.hall.office.warnings()
        assert len(self.hall.events()) == many
        self.hall.restart()

    def steps(self):
        by_warning = {}
        for event in self.hall.steps():
            by_warning.setdefault(event.episode, []).append(event)
        return by_warning

    @invariant()
    def everybody_sees_what_is_in_force(self):
        if not hasattr(self, "hall"):
            return
        expected = {
            id_
            for id_, events in self.steps().items()
            if any(e.city.action == "release" for e in events)
            and not any(e.city.action in ENDS for e in events)
        }
        shown = {each.id for each in self.hall.office.warnings() if each.in_force}
        assert shown == expected
        assert all(each.public for each in self.hall.office.warnings() if each.in_force)

    @invariant()
    def every_step_was_allowed(self):
        if not hasattr(self, "hall"):
            return
        for id_, events in self.steps().items():
            said = None
            for number, event in enumerate(events):
                self.allowed(id_, events[:number], said, event)
                if event.city.action in {"release", "update"}:
                    said = event.city

    def allowed(self, id_, before, said, event):
        step = event.city
        person = (id_, step.action, step.by) in self.accepted
        released = said is not None
        assert not any(each.city.action in ENDS for each in before)
        if step.action in {"update", "all_clear", "cancel"}:
            assert released
        if step.action == "cancel":
            assert person
        if step.action == "all_clear" and not person and step.by not in self.cleared:
            highest = max(
                (e.city.severity for e in before if e.city.action in {"release", "update"}), key=rank
            )
            assert step.by == "rule low"
            assert rank(highest) <= rank("Moderate")
        if step.action in {"release", "update"} and not person:
            if step.by == "rule renewal":
                assert (step.severity, step.areas, step.texts) == (said.severity, said.areas, said.texts)
                return
            assert step.by == "rule low"
            assert step.severity == "Moderate"
            asked = [
                e.time_us for e in before if e.city.action == "propose" and e.city.severity == "Moderate"
            ]
            assert event.time_us - min(asked) >= AUTO_MIN * MINUTE

    @invariant()
    def what_the_public_was_told_of_is_asked_about(self):
        """Severe for the public, and nobody has ever seen it: then it is at least proposed."""
        if not hasattr(self, "hall"):
            return
        told = self.hall.office._register.told.get(self.hall.incident)
        if told is None or told.severity not in {"Severe", "Extreme"}:
            return
        asked = [
            step.city.severity
            for events in self.steps().values()
            for step in events
            if step.incident == self.hall.incident and step.city.action in {"propose", "release", "update"}
        ]
        assert asked
        assert rank(max(asked, key=rank)) >= rank(told.severity)


TestCourse = Course.TestCase
TestCourse.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
