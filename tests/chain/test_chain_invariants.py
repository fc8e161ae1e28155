"""In whichever order things happen: nothing is public that nobody sees or released, nothing ends unannounced.

Real here are the journal, the engine with three gauges, the city's office, the board, the outbox with routes,
rota, escalation and silences, the mailings to residents, the CAP documents and the lists of the API. See
whole_chain.py for what stands in for the rest.
"""

from collections import Counter

import pytest
from chain_city import EARLY, FAST, GAUGES, MIN, PUBLIC, SEVERITIES, SHIPPED, STAFF
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from warned_city import AREAS
from whole_chain import PARTS, Chain

from alerts.board import WarningBoard
from alerts.city.city_warning import fold
from alerts.city.office import CityOffice
from alerts.city.order import ORDERS, OrderRefusedError
from alerts.errors import SilenceRefusedError
from alerts.event import PREEMPTED, CityText
from alerts.incidents.decision import ACTIONS, DecisionRefusedError
from alerts.incidents.incident import fold as fold_incidents
from alerts.scale import rank
from api.routes.city_warning_item import warnings_heard

DAY = 24 * 60 * MIN
LATE = DAY - 120 * MIN
SAYS = {"release", "update"}
ENDS = {"all_clear", "cancel", "expire"}
NAMES = st.sampled_from([*["Anna Meier", "Bernd Kurz"] * 4, "rule release-severe", " "])
TEXTS = {"de": CityText("Hochwasser", "Die Strunde steigt.", "Keller verlassen.")}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr("alerts.delivery.bulk_worker._IDLE_S", 0.0)


class Everything(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.chain = Chain()
        self.warnings = {}
        self.incidents = {}
        self.cleared = set()
        self.checked = 0
        self.spoken = 0
        self.residents = {}
        self.joined = 0
        self.seen_by_silence = {}

    def teardown(self):
        try:
            self.everything_settles()
        finally:
            self.chain.end()

    # what happens

    @initialize(releases=st.sampled_from([SHIPPED, EARLY, FAST]))
    def a_city_with_residents(self, releases):
        self.new_rules(releases)
        self.somebody_joins("Minor", at="")
        self.somebody_joins("Severe", at="oben-pegel")

    @rule(gauge=st.sampled_from(GAUGES), level=st.sampled_from([0, 1, 2, 3, 3, 4]))
    def water_rises_or_falls(self, gauge, level):
        self.chain.water(gauge, level)

    @rule(minutes=st.sampled_from([1, 5, 11, 21, 40, 90, 300, 1440]))
    def time_passes(self, minutes):
        self.chain.wait(minutes)

    @rule(gauge=st.sampled_from(GAUGES))
    def a_gauge_falls_silent(self, gauge):
        self.chain.alive[gauge] = False

    @precondition(lambda self: self.incidents)
    @rule(action=st.sampled_from(ACTIONS), newest=st.integers(0, 1), by=NAMES)
    def somebody_decides_about_an_incident(self, action, newest, by):
        ids = list(self.incidents)
        try:
            self.chain.decide(ids[-1 - min(newest, len(ids) - 1)], action, by)
        except DecisionRefusedError:
            self.chain.work()

    @rule()
    def a_storm_comes(self):
        self.chain.water(GAUGES[0], 3)
        self.chain.water(GAUGES[2], 4)

    @rule()
    def it_gets_worse_after_the_release(self):
        self.chain.water(GAUGES[0], 3)
        for each in self.chain.office.warnings():
            if each.status == "proposed" and not each.exercise:
                self.ordered("release", "Anna Meier", each.id)
        self.chain.water(GAUGES[0], 4)

    @rule()
    def a_storm_is_over(self):
        for gauge in GAUGES:
            self.chain.water(gauge, 0)
        self.chain.wait(40)

    @precondition(lambda self: any(each.open for each in self.chain.office.warnings()))
    @rule(newest=st.booleans(), clear=st.booleans(), by=NAMES)
    def somebody_does_what_is_asked(self, newest, clear, by):
        asked = [each for each in self.chain.office.warnings() if each.open][0 if newest else -1]
        releases = asked.pending is not None or not asked.in_force
        self.ordered("release" if releases else "all_clear" if clear else "cancel", by, asked.id)

    @precondition(lambda self: self.chain.office.warnings())
    @rule(
        action=st.sampled_from([*ORDERS, "release", "release"]),
        number=st.integers(0, 2),
        by=NAMES,
        severity=st.sampled_from([*[None] * 4, *SEVERITIES[1:]]),
        areas=st.sampled_from([*[None] * 6, (), ("gierath",), ("oben", "gierath"), ("atlantis",)]),
    )
    def somebody_orders(self, action, number, by, severity, areas):
        known = self.chain.office.warnings()
        warning = known[min(number, len(known) - 1)].id
        self.ordered(action, by, warning, severity=severity, areas=areas)

    @rule(
        action=st.sampled_from(["propose", "release", "release", "cancel"]),
        by=NAMES,
        severity=st.sampled_from([None, *SEVERITIES[1:]]),
        exercise=st.booleans(),
        of_incident=st.booleans(),
        texts=st.sampled_from([None, TEXTS]),
        valid_min=st.sampled_from([None, 15, 60, 14]),
    )
    def somebody_warns_by_hand(self, action, by, severity, of_incident, **content):
        incident = next(reversed(self.incidents), "") if of_incident else ""
        self.ordered(action, by, severity=severity, incident=incident, **content)

    def ordered(self, action, by, *warning, **content):
        try:
            self.chain.order(action, by, *warning, **content)
        except OrderRefusedError:
            self.chain.work()
        else:
            assert by.strip(), "an order without a name was carried out"
            assert not by.startswith("rule "), "a person signed as a rule"

    @rule(
        most=st.sampled_from(SEVERITIES[1:]),
        second=st.sampled_from(["", "anna  meier", "Bernd Kurz"]),
        where=st.sampled_from(
            [{"stations": (GAUGES[0],)}, {"stations": GAUGES[1:]}, {"catchments": ("strunde",)}]
        ),
    )
    def somebody_silences(self, most, second, where):
        try:
            self.chain.silence(max_severity=most, second=second, **where)
        except SilenceRefusedError:
            assert most == "Extreme"
            assert second != "Bernd Kurz"
        else:
            assert most != "Extreme" or second == "Bernd Kurz", "one person alone hides Extreme"

    @precondition(lambda self: self.chain.silences_made)
    @rule()
    def a_silence_is_ended(self):
        self.chain.unsilence(-1)

    @precondition(lambda self: self.chain.drill is None and not self.chain.busy)
    @rule(released=st.booleans())
    def a_drill_begins(self, released):
        if not self.chain.board.snapshot().in_force:
            self.chain.drill_begins(released)
            self.chain.drill_says("raise", 3, GAUGES[0])

    @precondition(lambda self: self.chain.drill is not None)
    @rule(level=st.integers(3, 4), gauge=st.sampled_from(GAUGES), over=st.booleans())
    def a_drill_goes_on(self, level, gauge, over):
        if over:
            self.chain.drill_ends("exercise ended: all readings played")
            self.chain.work()
        else:
            self.chain.drill_says("escalate", level, gauge)

    @rule(
        who=st.sampled_from([*STAFF, *PUBLIC, "email"]),
        mode=st.sampled_from(["ok", "fails", "hangs", "later", "dies"]),
    )
    def a_way_changes(self, who, mode):
        if mode == "later":
            mode = "later" if who == "email" else "fails"
        self.chain.modes[who] = mode

    @rule(least=st.sampled_from(["Minor", "Severe"]), at=st.sampled_from(["", GAUGES[2]]))
    def somebody_joins(self, least, at):
        self.joined += 1
        self.residents[self.joined] = self.chain.subscribe(self.joined, least, at)

    @precondition(lambda self: len(self.residents) > 1)
    @rule()
    def somebody_leaves(self):
        number = min(self.residents)
        del self.residents[number]
        self.chain.leave(number)

    @rule(part=st.sampled_from(PARTS))
    def a_part_restarts(self, part):
        self.chain.restart(part)
        self.chain.work()

    @rule()
    def everything_restarts(self):
        self.chain.restart_all()
        self.chain.work()

    @rule(part=st.sampled_from(["outbox", "mass"]))
    def a_part_reads_everything_again(self, part):
        self.chain.rewind(part)
        self.chain.work()

    @rule(part=st.sampled_from(PARTS))
    def a_part_is_busy_or_no_more(self, part):
        self.chain.busy ^= {part}
        self.chain.work()

    @rule(releases=st.sampled_from([SHIPPED, EARLY, FAST]))
    def new_rules(self, releases):
        self.chain.releases = releases
        self.chain.restart("office")

    @rule()
    def everything_settles(self):
        self.chain.settle()
        self.every_step_was_released_or_allowed()
        self.whoever_was_warned_heard_of_the_end()
        self.severe_reached_somebody()
        self.a_replay_is_the_same()

    # what must hold

    @invariant()
    def every_step_was_released_or_allowed(self):
        for number, event in self.chain.events[self.checked :]:
            for _ in fold_incidents(self.incidents, [event]):
                pass
            if event.kind == "decision" and event.measure == "all_clear" and not event.by.startswith("rule "):
                self.cleared.add((event.incident, event.by, event.reason))
            if event.city is not None:
                before = self.warnings.get(event.episode)
                after = fold(before, event)
                assert after is not None, f"{event.id} begins with what begins nothing"
                assert after is not before, f"{event.id} means nothing ({number})"
                assert before is None or before.exercise == event.exercise, "an exercise changes a real one"
                self.allowed(before, event)
                self.warnings[after.id] = after
        self.checked = len(self.chain.events)

    def allowed(self, before, event):
        step = event.city
        if event.id in self.chain.people:
            assert not step.by.startswith("rule ")
            return
        if not step.by.startswith("rule "):
            known = (event.incident, step.by, step.reason) in self.cleared
            assert known, f"{event.id} in the name of {step.by}, who ordered nothing"
            assert step.action in {"all_clear", "decline"}
            return
        assert step.action not in {"cancel", "decline"}, f"a rule decided {event.id}"
        if step.action == "all_clear":
            named = self.chain.releases.of(step.severity)
            assert step.by == f"rule {named.id}"
            assert named.all_clear == "auto"
            assert rank(step.severity) < rank("Severe")
        if step.action in SAYS and step.by == "rule renewal":
            said = [each.step for each in before.steps if each.step.action in SAYS][-1]
            assert before.in_force
            assert (step.severity, step.areas, step.texts) == (said.severity, said.areas, said.texts)
        elif step.action in SAYS:
            self.released_by_rule(before, event)

    def released_by_rule(self, before, event):
        step, of = event.city, self.chain.releases.of
        assert step.by == f"rule {of(step.severity).id}", f"{event.id} by {step.by}"
        assert of(step.severity).auto_us is not None, f"{event.id}: no rule allows {step.severity}"
        waiting = []
        for each in reversed(before.steps):
            if each.step.action != "propose":
                break
            waiting.append(each)
        due = [
            each
            for each in waiting
            if (after_us := of(each.step.severity).auto_us) is not None
            and event.time_us - each.time_us >= after_us
        ]
        assert due, f"{event.id} before its time"
        shown = [(each.step.severity, each.step.areas, each.step.texts) for each in waiting]
        assert (step.severity, step.areas, step.texts) in shown, f"{event.id} says what was never proposed"

    @invariant()
    def what_is_public_is_seen_everywhere_and_nothing_else(self):
        chain, since = self.chain, self.chain.now_us - DAY
        known = {w.id: w for w in self.warnings.values() if w.open or (w.ended_us or 0) > since}
        assert {w.id: w for w in chain.office.warnings()} == known
        public = {id_ for id_, w in known.items() if w.public}
        assert {w.id for w in warnings_heard(chain.office.warnings())} == public
        for each in known.values():
            released = [it for it in each.steps if it.step.action == "release"]
            assert each.public == bool(released and not each.staff_only)
        if "cap" in chain.busy:
            return
        listed = {each.latest.warning: each for each in chain.cap.listed()}
        assert chain.cap.health.ok, chain.cap.health
        assert set(listed) <= public, "a document of what nobody released"
        for id_ in public:
            warning = known[id_]
            if warning.in_force:
                assert id_ in listed, "in force and in no feed"
                self.document_says(listed[id_].latest, warning)
        for each in listed.values():
            assert each.in_force == known[each.latest.warning].in_force
            assert each.latest.ends == (known[each.latest.warning].steps[-1].step.action in ENDS - {"expire"})

    def document_says(self, document, warning):
        assert not document.ends
        assert (document.status == "Exercise") == warning.exercise
        assert document.expires_us // 1_000_000 == warning.valid_until_us // 1_000_000
        if "office" not in self.chain.busy:
            assert warning.valid_until_us > self.chain.now_us, "in force after its time"

    @invariant()
    def nobody_hears_of_an_end_alone_or_of_a_step_twice(self):
        told = self.chain.told
        for i in range(self.spoken, len(told)):
            each = told[i]
            before = [t for t in told[:i] if t.who == each.who]
            sure = [t for t in before if t.event == each.event]
            assert all(t.came != "yes" for t in sure), f"{each.who} is told twice of {each.event}"
            if each.episode in self.warnings:
                self.may_be_told(each, before)
            elif each.who not in STAFF:
                if each.kind == "clear" and each.who not in PUBLIC:
                    # a channel whose notice was refused hears of its end alone: docs/alerts.md, in order
                    former = [t for t in before if t.episode == each.episode and t.came != "no"]
                    assert former, f"{each.who} is told of an end alone: {each.event}"
                assert "exercise" not in each.episode, f"{each.who} hears of an exercise"
        self.spoken = len(told)

    def may_be_told(self, each, before):
        warning = self.warnings[each.episode]
        step = next(it.step for it in warning.steps if it.event == each.event)
        former = [t for t in before if t.episode == each.episode and t.came != "no"]
        if each.who not in STAFF:
            assert step.action in SAYS | ENDS, f"{each.who} hears of {each.event}"
            assert warning.released_us is not None, f"{each.who} hears of what nobody released"
            assert not warning.exercise, f"{each.who} hears of an exercise"
        if warning.exercise:
            assert "ÜBUNG" in each.said or "EXERCISE" in each.said, each.said
            assert each.who != "chat", "takes part in no exercises"
        if step.action in ENDS or (step.action == "decline" and warning.status == "declined"):
            assert former, f"{each.who} is told of an end alone: {each.event}"
        if each.who in STAFF:
            assert each.event in each.said or warning.id in each.said, "a text without its id"

    def whoever_was_warned_heard_of_the_end(self):
        told, now = self.chain.told, self.chain.now_us
        reachable = {*STAFF, *PUBLIC, *self.residents.values()}
        for warning in self.warnings.values():
            last = warning.steps[-1]
            silent = warning.exercise and last.step.reason == PREEMPTED
            if warning.status != "ended" or warning.released_us is None or silent:
                continue
            if last.time_us < now - LATE:
                continue
            said = {it.event for it in warning.steps if it.step.action in SAYS}
            warned = {t.who for t in told if t.event in said and t.came == "yes"} & reachable
            ended = {t.who for t in told if t.event == last.event and t.came == "yes"}
            assert warned <= ended, f"{warned - ended} never hear of {last.event}"
        self.whoever_heard_of_a_notice_heard_of_its_end(reachable - set(STAFF))

    def whoever_heard_of_a_notice_heard_of_its_end(self, reachable):
        told, now = self.chain.told, self.chain.now_us
        for _, event in self.chain.events:
            if event.kind != "clear" or event.exercise or event.time_us < now - LATE:
                continue
            rises = {t.who for t in told if t.episode == event.episode and t.came == "yes"} & reachable
            ended = {t.who for t in told if t.event == event.id and t.came == "yes"}
            assert rises <= ended, f"{rises - ended} never hear of {event.id}"

    def severe_reached_somebody(self):
        """Whoever of the staff: what is Severe and stands has reached one of them, whatever failed."""
        chain = self.chain
        for number, event in chain.events:
            rises = event.kind in {"raise", "escalate"} and event.audience is not None
            if not rises or event.exercise or event.severity not in {"Severe", "Extreme"}:
                continue
            incident = self.incidents[event.incident]
            member = incident.members.get(event.episode)
            if member is None or not member.in_force or member.severity != event.severity:
                continue
            silenced = [
                each
                for each in chain.silences_made
                if each.until_us > event.time_us
                and (event.severity != "Extreme" or each.confirmed)
                and rank(each.max_severity) >= rank(event.severity)
            ]
            if silenced or event.time_us < chain.now_us - LATE:
                continue
            heard = [
                t
                for t in chain.told
                if t.who in STAFF and t.group == event.incident and t.seq >= number and t.came == "yes"
            ]
            assert heard, f"{event.id} ({event.severity}) reached nobody of the staff"

    @invariant()
    def extreme_is_hidden_by_two_people_alone(self):
        severe = {event.id: event.severity for _, event in self.chain.events}
        for receipt in self.chain.outbox.receipts(limit=100_000, status="skipped"):
            if receipt.detail.startswith("silenced by") and severe[receipt.event] == "Extreme":
                confirmed = [each for each in self.chain.silences_made if each.confirmed]
                assert confirmed, f"{receipt.event} is hidden by one person"

    def a_replay_is_the_same(self):
        chain = self.chain
        again = CityOffice(chain.journal, chain.releases, AREAS, chain.clock)
        again._catch_up()
        assert again.warnings() == chain.office.warnings()
        assert again._desk.due(chain.now_us) == [], "a replay would do something"
        board = WarningBoard(chain.clock)
        board.catch_up(chain.journal)
        assert board.snapshot().warnings == chain.board.snapshot().warnings
        ids = Counter(event.id for _, event in chain.events)
        assert max(ids.values(), default=1) == 1


EXAMPLES, STEPS = 100, 50


@pytest.mark.usefixtures("_no_waiting")
class TestEverything(Everything.TestCase):
    settings = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
