"""Unknown devices in the journal: gathered from an index, also in a journal of before."""

import sqlite3
import threading

import pytest
from level_codecs import IN_METRES, IN_MILLIMETRES, LEVEL_PAYLOAD, level_map, sha256, write_type

from devices.catalogue import load_catalogue
from devices.guess import MOST_FRAMES
from devices.javascript.sandbox import Limits, Sandbox
from devices.javascript.type_files import JavascriptTypes
from devices.measurement import Rejected
from devices.registry import Registry, load_registry
from ingest.inbox import Inbox
from ingest.journal import Accepted, Refused, RefusedDevice
from ingest.sqlite_journal import SqliteJournal
from ingest.uplink import Message, TimeSource, Uplink

A, B = "70b3d57ed00000aa", "70b3d57ed00000bb"
LEVEL = bytes.fromhex("02012f000304d200010bb1")


@pytest.fixture
def journal(tmp_path):
    journal = SqliteJournal(tmp_path / "journal.db")
    yield journal
    journal.close()


def uplink(dev_eui, at, payload=LEVEL, name=""):
    return Uplink("s", dev_eui, 1, at, "00", payload, at, at, at, TimeSource.SERVER, device_name=name)


def refuse(journal, dev_eui, at, *, reason="unknown_device", payload=LEVEL, name=""):  # noqa: PLR0913 - what a refusal has
    own = uplink(dev_eui, at, payload, name) if dev_eui else None
    journal.append([], [Refused(Message("s", "t", b"x", 1, False, at), Rejected(reason, "why"), (at,), own)])


def test_devices_gather_by_reason(journal):
    for dev_eui, at in ((A, 5), (B, 7), (A, 2), (A, 9), ("", 11)):
        refuse(journal, dev_eui, at)
    refuse(journal, B, 99, reason="payload_too_short")
    assert journal.refused_devices("unknown_device") == [RefusedDevice(A, 3, 2, 9), RefusedDevice(B, 1, 7, 7)]
    row = journal.rejected(dev_eui=B, reason="unknown_device")[0]
    journal.accept_refused([row.id], [Accepted(row.uplink, (), (7,))])
    assert [each.dev_eui for each in journal.refused_devices("unknown_device")] == [A]


def test_both_questions_are_answered_from_an_index(journal, tmp_path):
    refuse(journal, A, 1)
    asked = []
    for connection in journal._file._idle:
        connection.set_trace_callback(asked.append)
    with journal._file.read() as connection:
        connection.set_trace_callback(asked.append)
    journal.refused_devices("unknown_device")
    journal.rejected(50, dev_eui=A, reason="unknown_device")
    with sqlite3.connect(tmp_path / "journal.db") as own:
        plans = [
            " ".join(row[3] for row in own.execute(f"EXPLAIN QUERY PLAN {each}"))
            for each in asked
            if each.startswith("SELECT")
        ]
    own.close()
    assert any("COVERING INDEX refused_by_reason_and_device" in plan for plan in plans)
    assert any("INDEX refused_by_device (dev_eui=?" in plan for plan in plans)
    assert not any("SCAN refused" in plan or "TEMP B-TREE" in plan for plan in plans)


def test_a_journal_of_before_gets_the_index(journal, tmp_path):
    refuse(journal, A, 1)
    journal.close()
    with sqlite3.connect(tmp_path / "journal.db") as own:
        own.execute("DROP INDEX refused_by_reason_and_device")
    own.close()
    again = SqliteJournal(tmp_path / "journal.db")
    assert [each.dev_eui for each in again.refused_devices("unknown_device")] == [A]
    with sqlite3.connect(tmp_path / "journal.db") as own:
        names = [row[0] for row in own.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")]
    own.close()
    again.close()
    assert "refused_by_reason_and_device" in names


def test_the_inbox_leaves_out_who_is_registered_and_looks_again_when_heard_again(journal):
    registry = Registry()
    inbox = Inbox(journal, lambda: registry, load_catalogue(), budget_s=60.0)
    for at in range(60):
        refuse(journal, A, at)
    refuse(journal, B, 100)
    assert [each.dev_eui for each in inbox.devices()] == [B, A]
    [seen] = [each for each in inbox.devices() if each.dev_eui == A]
    [first] = inbox.look([seen])
    assert len(first.recent) == MOST_FRAMES
    assert first.recent[0].f_cnt == 59
    assert first.guesses[0].type.id == "decentlab-dl-mbx"
    [again] = inbox.look([seen])
    assert again.guesses[0] is first.guesses[0], "kept until it is heard again"
    refuse(journal, A, 200, payload=b"\xff")
    [seen] = [each for each in inbox.devices() if each.dev_eui == A]
    assert "decentlab-dl-mbx" not in [each.type.id for each in inbox.look([seen])[0].guesses]
    registry = load_registry(
        None, [{"dev_eui": A, "type": "decentlab-dl-mbx", "station": "a", "lat": 1, "lon": 1}]
    )
    assert [each.dev_eui for each in inbox.devices()] == [B]


class _Spent:
    """A clock that a script's calls turn on, `each_s` a frame."""

    def __init__(self, sandbox, each_s):
        self.now, self.frames = 0.0, 0
        self._sandbox, self._each_s = sandbox, each_s

    def __call__(self):
        return self.now

    def run(self, source, frames, **options):
        self.frames += len(frames)
        self.now += self._each_s * len(frames)
        return self._sandbox.run(source, frames, **options)


FOUR = """function decodeUplink(input) {
  var b = input.bytes;
  if (b[0] === 0xee) { while (true) {} }
  if (b[0] === 0xdd) { return {errors: ['another frame']}; }
  return {data: {distance: b[0] / 100 + b[1], battery: b[2] %% 100 + %d}};
}"""


@pytest.fixture
def slow(journal, tmp_path):
    """An inbox whose two scripts of one maker take 0.5 s for a payload, by its clock."""
    folder = tmp_path / "types"
    folder.mkdir()
    for n, name in enumerate(("acme-l1", "acme-l2")):
        text = FOUR % n
        write_type(folder, name, text, level_map(text).replace('"L1"', f'"L{n + 1}"'))
    with Sandbox(Limits(call_s=0.2)) as sandbox:
        clock = _Spent(sandbox, 0.5)
        types = load_catalogue(folder, scripts=JavascriptTypes(clock))
        types = {name: each for name, each in types.items() if each.maker == "Acme"}
        clock.frames, clock.now = 0, 0.0
        inbox = Inbox(journal, Registry, types, budget_s=2.0, clock=clock)
        inbox.own_clock = clock
        yield inbox


def test_a_look_ends_in_time_says_what_is_left_and_the_next_goes_on(journal, slow):
    for n in range(20):
        refuse(journal, A, n, payload=bytes([1, 2, n, 0]), name="Acme L1")
        refuse(journal, B, n, payload=bytes([1, 2, n, 0]), name="Acme L1")
    looks, before = [], 0.0
    while not looks or any(each.untried for each in looks[-1]):
        looks.append(slow.look(slow.devices()))
        assert slow.own_clock.now - before <= 2.0 + 0.5, "the budget and one step"
        before = slow.own_clock.now
    assert {each.seen.dev_eui: each.untried for each in looks[0]}.keys() == {A, B}
    assert all(each.untried for each in looks[0])
    for each in looks[-1]:
        assert [found.type.id for found in each.guesses] == ["acme-l1", "acme-l2"]
    run = slow.own_clock.frames
    assert slow.look(slow.devices()) == looks[-1]
    assert slow.own_clock.frames == run, "all is known"


def test_a_slow_script_leaves_no_other_device_without_a_guess(journal, slow):
    slow._types |= load_catalogue()
    for n in range(20):
        refuse(journal, A, 100 + n, payload=bytes([1, 2, n, 0]), name="Acme L1")
    refuse(journal, B, 1)
    first, other = slow.look(slow.devices())
    assert (first.seen.dev_eui, other.seen.dev_eui) == (A, B)
    assert first.untried > 0
    assert (other.untried, other.guesses[0].type.id) == (0, "decentlab-dl-mbx")


def test_a_script_that_loops_costs_one_payload(journal, slow):
    for n in range(MOST_FRAMES):
        refuse(journal, A, n, payload=bytes([0xEE, n, 0, 0]), name="Acme")
    [found] = slow.look(slow.devices())
    assert (found.guesses, found.untried) == ((), 0)
    assert slow.own_clock.frames == 2, "the newest payload, by either script"


def test_what_a_script_does_not_read_is_not_run_when_the_device_is_heard_again(journal, slow):
    refuse(journal, A, 1, payload=b"\xdd\x00\x00\x00", name="Acme L1")
    slow.look(slow.devices())
    assert slow.own_clock.frames == 2
    refuse(journal, A, 2, payload=b"\x01\x00\x00\x00", name="Acme L1")
    [found] = slow.look(slow.devices())
    assert (found.guesses, found.untried) == ((), 0)
    assert slow.own_clock.frames == 2


def test_a_look_does_not_wait_for_another_longer_than_its_time(journal):
    """The other holds the lock until both are done: a look that waits for it would never end."""
    held, go_on = threading.Event(), threading.Event()

    class Waiting(dict):
        def values(self):
            held.set()
            assert go_on.wait(30)
            return super().values()

    refuse(journal, A, 1)
    types = load_catalogue()
    inbox = Inbox(journal, Registry, Waiting(types), budget_s=0.05)
    seen = inbox.devices()
    first = threading.Thread(target=inbox.look, args=(seen,))
    first.start()
    assert held.wait(30)
    [found] = inbox.look(seen)
    assert (found.guesses, found.untried, len(found.recent)) == ((), len(types), 1)
    go_on.set()
    first.join()
    while (found := inbox.look(seen)[0]).untried:
        pass
    assert found.guesses[0].type.id == "decentlab-dl-mbx"


def test_a_type_in_another_version_is_tried_anew(journal, tmp_path):
    with Sandbox() as sandbox:
        scripts = JavascriptTypes(sandbox)
        for codec in (IN_METRES, IN_MILLIMETRES):
            write_type(tmp_path / sha256(codec), "acme-l1", codec, level_map(codec))
        first, second = (
            load_catalogue(tmp_path / sha256(codec), scripts=scripts) for codec in (IN_METRES, IN_MILLIMETRES)
        )
        inbox = Inbox(journal, Registry, first, budget_s=60)
        refuse(journal, A, 1, payload=LEVEL_PAYLOAD, name="Acme L1")

        def distance():
            [device] = inbox.look(inbox.devices())
            [found] = [each for each in device.guesses if each.type.id == "acme-l1"]
            return next(each.value for each in found.newest if each.property == "water_distance")

        assert distance() == 30
        first.renew(second)
        assert distance() == 30_000
