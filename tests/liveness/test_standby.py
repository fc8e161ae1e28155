"""Who speaks: decided by what is heard of the first, whatever restarts."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from second_place import SecondPlace
from servers import free_port, wait_for

from alerts.delivery.gate import Gate
from alerts.event import from_row
from alerts.liveness.first import HttpEar, MqttEar
from alerts.liveness.standby import FLAPS_S, First, StandBy
from ingest.sqlite_journal import SqliteJournal

T0 = 1_784_053_800_000_000


class Told:
    """A stand-by worked by hand: its clock is ours, it has no ears."""

    def __init__(self, journal):
        self.journal = journal
        self.seconds = 0.0
        self.off = 0
        self.woken = 0
        self.restart()

    def restart(self):
        self.gate = Gate()
        self.standby = StandBy(
            First("rathaus", 180.0),
            self.gate,
            self.journal,
            lambda _: (),
            self._tell,
            lambda: T0 + round((self.seconds + self.off) * 1_000_000),
            monotonic=lambda: self.seconds,
        )

    def wait(self, seconds, *, heard=False):
        for _ in range(int(seconds)):
            self.seconds += 1
            if heard:
                self.standby.heard()
            self.standby.look()

    def _tell(self):
        self.woken += 1

    @property
    def events(self):
        return [from_row(row) for _, row in self.journal.events(0, 100)]


@pytest.fixture
def told(journal):
    return Told(journal)


def test_while_the_first_is_heard_nothing_happens(told):
    told.wait(1000, heard=True)
    assert told.events == []
    assert not told.gate.stand.speaks
    assert told.standby.health.ok


def test_silence_is_told_to_staff_once_and_so_is_the_return(told):
    told.wait(10, heard=True)
    told.wait(180)
    assert told.events == []
    told.wait(500)
    (silent,) = told.events
    assert (silent.kind, silent.station, silent.audience) == ("partner_silent", "rathaus", "staff")
    assert silent.value == 3
    assert told.gate.stand.speaks
    assert told.gate.stand.heard_us == T0 + 10_000_000
    assert not told.standby.health.ok
    assert told.woken == 1
    told.wait(1, heard=True)
    assert [each.kind for each in told.events] == ["partner_silent", "partner_back"]
    assert not told.gate.stand.speaks


def test_a_restart_goes_on_speaking_and_says_nothing_twice(told):
    told.wait(200)
    told.restart()
    assert told.gate.stand.speaks
    told.wait(1000)
    assert len(told.events) == 1
    told.wait(1, heard=True)
    told.restart()
    assert not told.gate.stand.speaks
    assert len(told.events) == 2


def test_a_stand_by_that_has_just_started_gives_the_first_its_time(told):
    told.seconds = 1e6
    told.restart()
    told.wait(179)
    assert told.events == []


def test_a_first_that_comes_and_goes_is_told_of_once_in_half_an_hour(told):
    for _ in range(60):  # five minutes silent, a minute heard: six hours
        told.wait(300)
        told.wait(60, heard=True)
    # the second silence lasts: nobody trusts it before it has been heard for long
    assert [each.kind for each in told.events] == ["partner_silent", "partner_back", "partner_silent"]
    assert "comes and goes" in told.standby.health.detail
    told.restart()
    told.wait(FLAPS_S - 1, heard=True)
    assert told.gate.stand.speaks
    told.wait(3, heard=True)
    assert not told.gate.stand.speaks


@given(st.lists(st.tuples(st.integers(1, 900), st.booleans()), max_size=25))
def test_however_it_flaps_returns_are_half_an_hour_apart(tmp_path_factory, does):
    journal = SqliteJournal(tmp_path_factory.mktemp("flaps") / "journal.db")
    try:
        told = Told(journal)
        unheard_s = 0
        for seconds, heard in does:
            told.wait(seconds, heard=heard)
            unheard_s = 0 if heard else unheard_s + seconds
            # whatever is told of it: when nobody else is heard this one speaks
            assert told.gate.stand.speaks or unheard_s <= 181
        backs = [each.time_us for each in told.events if each.kind == "partner_back"]
        assert all(later - sooner >= FLAPS_S * 1e6 for sooner, later in itertools.pairwise(backs))
    finally:
        journal.close()


def test_a_silence_and_its_return_are_one_episode(told):
    told.wait(200)
    told.wait(1, heard=True)
    told.wait(4000, heard=True)
    told.wait(200)
    one, back, other = told.events
    assert one.episode == back.episode != other.episode


@pytest.mark.parametrize("jump_s", [-86_400, 86_400])
def test_a_clock_that_is_put_right_changes_nothing(told, jump_s):
    told.wait(100, heard=True)
    told.off = jump_s
    told.wait(100, heard=True)
    told.wait(179)
    assert told.events == []
    told.wait(5)
    (silent,) = told.events
    # what is told of then is what came after it was heard last, by the clock as it is now
    assert silent.time_us - told.gate.stand.heard_us == pytest.approx(180e6, abs=2e6)
    assert silent.value == 3


@given(st.lists(st.tuples(st.integers(1, 400), st.booleans(), st.booleans()), max_size=8))
def test_silence_and_return_take_turns_whatever_happens(tmp_path_factory, does):
    journal = SqliteJournal(tmp_path_factory.mktemp("standby") / "journal.db")
    try:
        told = Told(journal)
        for seconds, heard, restart in does:
            told.wait(seconds, heard=heard)
            if restart:
                told.restart()
        kinds = [each.kind for each in told.events]
        assert kinds == ["partner_silent", "partner_back"] * (len(kinds) // 2) + kinds[len(kinds) // 2 * 2 :]
        assert kinds[::2] == ["partner_silent"] * len(kinds[::2])
        assert told.gate.stand.speaks == (len(kinds) % 2 == 1)
        assert len({each.id for each in told.events}) == len(kinds)
    finally:
        journal.close()


def test_a_heartbeat_is_a_sign_of_life_but_not_a_kept_one_nor_a_bad_one(mosquitto):
    broker = mosquitto()
    signs = []
    broker.publish("first/beat", json.dumps({"ok": True}), retain=True)
    ear = MqttEar(f"{broker.url}/first/beat", "ear", None, lambda: signs.append(1))
    ear.start()
    try:
        wait_for(lambda: ear.health.ok, what=ear.health)
        broker.publish("first/beat", json.dumps({"ok": False}), b"no json", b"[1]", b'{"ok": 1}')
        assert signs == []
        # whatever time it is there
        broker.publish("first/beat", json.dumps({"ok": True, "time": "1970-01-01T00:00:00Z"}))
        wait_for(lambda: signs == [1], what=signs)
    finally:
        ear.stop()


class Ready(SecondPlace):
    """Answers GET with a status and an object."""

    def __init__(self, body, status=200):
        super().__init__()
        self.body, self.status = body, status

    def answer(self):
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@pytest.mark.parametrize(
    ("body", "status", "alive"),
    [
        ({"parts": {"engine": {"ok": True}}}, 200, True),
        ({"parts": {"engine": {"ok": True}}}, 503, True),
        ({"parts": {"engine": {"ok": False}}}, 200, False),
        ({"parts": {"engine": {"ok": True}, "standby": {"ok": True}}}, 200, False),
        ({"parts": {}}, 200, False),
        ([], 200, False),
        (b"no json", 200, False),
        (b"[" * 100_000, 200, False),
        ({"more": "x" * (1 << 21), "parts": {"engine": {"ok": True}}}, 200, False),
    ],
    ids=["well", "degraded", "stuck", "standby", "nothing", "list", "no json", "too deep", "too long"],
)
def test_readyz_is_a_sign_of_life_when_the_engine_works(body, status, alive):
    ready = Ready(body, status)
    signs = []
    ear = HttpEar(ready.url, 0.1, lambda: signs.append(1))
    ear.start()
    try:
        wait_for(lambda: ear.health.detail != "not asked yet")
        wait_for(lambda: len(ready.received) >= 2)
        assert bool(signs) == alive
        assert ear.health.ok == alive
    finally:
        ear.stop()
        ready.close()


def test_nobody_there_is_no_sign_of_life():
    signs = []
    ear = HttpEar(f"http://127.0.0.1:{free_port()}/readyz", 0.1, lambda: signs.append(1))
    ear.start()
    try:
        wait_for(lambda: ear.health.detail != "not asked yet")
        assert signs == []
        assert not ear.health.ok
    finally:
        ear.stop()
