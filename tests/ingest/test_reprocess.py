"""Decoding history again, on a real journal and a real store."""

import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reprocessed_city import EUIS, PROPERTIES, T0, City, S, ToyCodec, decoding, uplink
from servers import wait_for

from ingest.dedup import keys
from ingest.errors import CannotDeleteError, JournalError
from ingest.journal import Accepted, Corrected
from ingest.latest import LatestValues
from ingest.reprocess import Selection
from ingest.reprocess_report import Report
from ingest.sqlite_store import SqliteStore

LEVEL, RAIN, BATTERY = PROPERTIES
CM = ToyCodec(((LEVEL, "", 1.0), (BATTERY, "", 3.0)))
MM = ToyCodec(((LEVEL, "", 10.0), (BATTERY, "", 3.0)))


@contextmanager
def a_city():
    with tempfile.TemporaryDirectory() as folder:
        city = City(Path(folder))
        try:
            yield city
        finally:
            city.close()


@pytest.fixture
def city(tmp_path):
    city = City(tmp_path)
    yield city
    city.close()


MEANINGS = (
    st.none()
    | st.just("missing")
    | st.tuples(st.sampled_from(PROPERTIES), st.sampled_from(["", "in"]), st.sampled_from([1.0, 10.0, 0.1]))
)
CODECS = st.lists(MEANINGS, min_size=3, max_size=3).map(tuple).map(ToyCodec)
CODECS_THAT_REJECT = st.lists(MEANINGS | st.just("reject"), min_size=3, max_size=3).map(tuple).map(ToyCodec)
# few ages: readings of several uplinks fall on one time, as a logger's do that repeats itself
PAYLOADS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=3).map(
    lambda pairs: bytes(byte for pair in pairs for byte in pair)
)
HISTORIES = st.lists(st.tuples(PAYLOADS, st.sampled_from(EUIS)), min_size=1, max_size=14).map(
    lambda rows: [uplink(n, payload, eui) for n, (payload, eui) in enumerate(rows, 1)]
)


@settings(max_examples=20)
@given(HISTORIES, CODECS, CODECS_THAT_REJECT)
def test_the_store_is_as_if_the_new_codec_had_been_there_from_the_beginning(history, old, new):
    with a_city() as city, a_city() as other:
        city.live(old, history)
        city.reprocess(new)
        other.live(new, history)
        assert city.stored() == other.stored()


@settings(max_examples=8)
@given(HISTORIES, CODECS)
def test_an_unchanged_codec_changes_nothing(history, codec):
    with a_city() as city:
        city.live(codec, history)
        before, read = city.stored(), city.read_again()
        outcome = city.reprocess(codec, store=Untouched(city.folder / "readings.db"))
        assert (city.stored(), city.read_again()) == (before, read)
        assert (outcome.report, outcome.unread) == (Report(uplinks=len(history)), 0)


@settings(max_examples=15)
@given(HISTORIES, CODECS, CODECS_THAT_REJECT, st.lists(st.integers(0, 12), max_size=5), st.integers(1, 6))
def test_interrupted_anywhere_and_gone_on_it_is_as_in_one_go(history, old, new, deaths, page):
    with a_city() as city, a_city() as other:
        city.live(old, history)
        other.live(old, history)
        at_once = other.reprocess(new)
        for death in deaths:
            dying = Dying(city, death)
            with pytest.MonkeyPatch.context() as patch:
                dying.lie_in_wait(patch)
                try:
                    city.reprocess(new, stopping=dying.asked_to_stop, page=page)
                except JournalError:
                    continue
                if not dying.dead:
                    break
        else:
            last = city.reprocess(new, page=page)
            assert last.report == at_once.report
        assert city.stored() == other.stored()
        assert city.read_again() == other.read_again()


class Untouched(SqliteStore):
    def write(self, *_):
        raise AssertionError("nothing has changed")

    delete = write


class Dying:
    """Ends a run at its n-th write: by half of them as a kill does, before or after it, else when asked."""

    def __init__(self, city, number):
        self._city, self._left, self._polite = city, number, number % 3 == 2
        self.dead = False

    def lie_in_wait(self, patch):
        for owner, name in (
            (self._city.journal, "correct"),
            (self._city.book, "begin_page"),
            (self._city.book, "end_page"),
            (self._city.book, "delete"),
            (self._city.book, "add"),
            (self._city.book, "clear_moved"),
            (self._city.store, "delete"),
            (self._city.store, "write"),
        ):
            patch.setattr(owner, name, self._mortal(getattr(owner, name)))

    def _mortal(self, call):
        def do(*args):
            self._left -= 1
            if self._left == 0:
                self.dead = True
                if not self._polite:
                    raise JournalError("killed before it")
            result = call(*args)
            if self._left == 1 and not self._polite:
                self.dead = True
                raise JournalError("killed after it")
            return result

        return do

    def asked_to_stop(self):
        return self.dead


def test_a_changed_value_a_lost_one_and_a_new_one(city):
    new = ToyCodec(((LEVEL, "", 10.0), (RAIN, "", 1.0)))
    city.live(CM, [uplink(1, b"\0\1\1\1"), uplink(2, b"\0\2\1\2")])
    outcome = city.reprocess(new)
    found = outcome.report
    assert (found.uplinks, found.changed, found.removed, found.added) == (2, 2, 2, 2)
    assert [(row[1], row[5]) for row in city.stored()] == [(RAIN, 4.0)] * 2 + [(LEVEL, 40.0)] * 2
    assert city.reprocess(new).report == Report(uplinks=2)


def test_dry_run_shows_it_and_changes_nothing(city):
    city.live(CM, [uplink(1, b"\0\1\1\1"), uplink(2, b"\0\2\1\2")])
    before, read, series = city.stored(), city.read_again(), city.journal.series()
    new = ToyCodec(((LEVEL, "", 10.0), (RAIN, "in", 1.0)))
    report = city.preview(new).report
    lines = {what: (each.changed, each.removed, each.added) for _, what, each in report.lines()}
    assert lines == {LEVEL: (2, 0, 0), BATTERY: (0, 2, 0), f"{RAIN}/in": (0, 0, 2)}
    example = report.devices[EUIS[0]][LEVEL].examples[0]
    assert (example.time_us, example.before, example.after) == (T0 - 10 * S, 4.0, 40.0)
    assert (city.stored(), city.read_again(), city.journal.series()) == (before, read, series)
    assert city.reprocess(new).report == report


def test_uplinks_that_decode_no_longer_lose_their_readings_and_are_reported(city):
    city.live(CM, [uplink(1, b"\0\1"), uplink(2, b"\1\1")])
    report = city.reprocess(ToyCodec(("reject", (BATTERY, "", 3.0)))).report
    assert (report.rejected, report.removed) == (1, 1)
    assert report.reasons == {EUIS[0]: {"unknown_frame": 1}}
    assert [row[1] for row in city.stored()] == [BATTERY]
    assert city.journal.counts().readings == 1
    # and once the codec reads them, they are back
    assert city.reprocess(CM).report.added == 1
    assert [row[1] for row in city.stored()] == [BATTERY, LEVEL]


def test_what_is_not_the_payloads_fault_costs_nothing(city):
    city.live(CM, [uplink(1, b"\0\1"), uplink(2, b"\0\1", EUIS[1])])
    before = city.stored()
    assert city.reprocess(MM, devices=EUIS[1:2], selection=Selection(to_us=T0 + 2 * S)).report.kept == 1
    assert city.stored() == before


def test_refused_uplinks_that_decode_now_are_taken_except_the_youngest(city):
    city.live(ToyCodec(("reject",)), [uplink(n, b"\0\1") for n in range(1, 6)])
    assert city.journal.counts().rejected == 5
    report = city.reprocess(CM, young_us=T0 + 4 * S).report
    assert (report.accepted, report.waiting) == (3, 2)
    assert (city.journal.counts().rejected, city.journal.counts().stored) == (2, 3)
    city.drain()
    assert [row[5] for row in city.stored()] == [2.0]


def test_what_the_running_service_takes_at_the_same_moment_is_no_fault(city, monkeypatch):
    city.live(ToyCodec(("reject",)), [uplink(n, b"\0\1") for n in range(1, 6)])
    read, decode = city.journal.rejected, decoding(CM)

    def rejected(**what):
        rows = read(**what)
        if len(rows) == 5:  # between our reading the list and our writing
            row = rows[2]
            city.journal.accept_refused(
                [row.id], [Accepted(row.uplink, decode.readings(row.uplink), keys(row.uplink))]
            )
        return rows

    monkeypatch.setattr(city.journal, "rejected", rejected)
    assert city.reprocess(CM).report.accepted == 4
    assert (city.journal.counts().rejected, city.journal.counts().stored) == (0, 5)


def test_only_the_chosen_devices_and_times(city):
    city.live(CM, [uplink(n, bytes([0, n]), EUIS[n % 2]) for n in range(1, 9)])
    selection = Selection(frozenset({EUIS[1]}), T0 + 3 * S, T0 + 7 * S)
    report = city.reprocess(MM, selection).report
    assert (report.uplinks, report.changed) == (2, 2)
    assert sorted((row[3], (T0 - row[4]) // (10 * S)) for row in city.stored() if row[5] == 20.0) == [
        (EUIS[1], 3),
        (EUIS[1], 5),
    ]


def test_a_reading_of_two_uplinks_stays_while_one_of_them_has_it(city):
    # the second repeats what the first said; the new codec finds nothing in the longer payload's battery
    first, second = uplink(1, b"\0\1"), uplink(2, b"\0\1\1\2")
    city.live(CM, [first, second])
    selection = Selection(to_us=T0 + 2 * S)
    city.reprocess(ToyCodec((None, (BATTERY, "", 3.0))), selection)
    assert [(row[1], row[5]) for row in city.stored()] == [(BATTERY, 12.0), (LEVEL, 4.0)]


def test_the_store_writer_goes_first(city):
    city.live(CM, [uplink(n, bytes([0, n])) for n in range(1, 4)])
    city.live(CM, [uplink(n, bytes([0, n])) for n in range(4, 8)], drain=False)
    outcome = city.reprocess(MM)
    assert (outcome.unread, outcome.report.changed) == (4, 3)
    city.drain()
    assert [row[5] for row in city.stored()] == [2.0] * 4 + [20.0] * 3
    outcome = city.reprocess(MM)  # the same arguments: it goes on
    assert (outcome.unread, outcome.report.changed, outcome.report.uplinks) == (0, 7, 7)
    assert {row[5] for row in city.stored()} == {20.0}


def test_an_uplink_that_somebody_has_still_to_read_is_not_corrected(city):
    city.live(CM, [uplink(1), uplink(2)], drain=False)
    ((seq, one, readings), _) = city.journal.uplinks()
    with pytest.raises(JournalError, match="still to be read"):
        city.journal.correct([Corrected(seq, one, readings)])


def test_another_codec_meanwhile_means_from_the_beginning(city):
    city.live(CM, [uplink(n, bytes([0, n])) for n in range(1, 9)])
    asked = iter([False, False, True] + 20 * [True])
    assert city.reprocess(MM, basis="a", stopping=lambda: next(asked), page=2).interrupted
    tenfold = ToyCodec(((LEVEL, "", 100.0),))
    outcome = city.reprocess(tenfold, basis="b")
    assert outcome.report.uplinks == 8
    assert {row[5] for row in city.stored()} == {200.0}


def test_restart_begins_anew(city):
    city.live(CM, [uplink(n, bytes([0, n])) for n in range(1, 9)])
    asked = iter([False, False, True] + 20 * [True])
    first = city.reprocess(MM, stopping=lambda: next(asked), page=2)
    assert first.interrupted
    outcome = city.reprocess(MM, anew=True)
    assert (outcome.report.uplinks, outcome.report.changed) == (8, 8 - first.report.changed)
    assert {row[5] for row in city.stored()} == {20.0}


def test_corrected_readings_get_the_judges_flags(city):
    class Doubting:
        """SUSPECT above 15, whatever the codec says."""

        def begin(self, state):
            assert state == {}

        def flags(self, _, readings):
            flags = readings["quality"].copy()
            flags[readings["value"] > 15] = 3
            return flags

    city.live(CM, [uplink(1, b"\0\1\1\2")])
    city.reprocess(MM, judge=Doubting())
    assert [(row[1], row[5], row[6]) for row in city.stored()] == [(BATTERY, 12.0, 1), (LEVEL, 40.0, 3)]


def test_a_store_that_cannot_delete_keeps_it_as_missing(city):
    class Keeps(SqliteStore):
        def delete(self, *_):
            raise CannotDeleteError("no")

    store = Keeps(city.folder / "readings.db")
    city.live(CM, [uplink(n, bytes([0, n, 1, n])) for n in range(1, 4)])
    outcome = city.reprocess(ToyCodec(((LEVEL, "", 10.0), None)), store=store)
    assert outcome.marked == 3
    assert [(row[1], row[5], row[6]) for row in city.stored()] == [(BATTERY, None, 9)] * 3 + [
        (LEVEL, 40.0, 1)
    ] * 3


def test_latest_values_follow_the_corrected_store(city):
    city.live(CM, [uplink(1, b"\0\1\1\1")])
    latest = LatestValues(city.journal, city.store, pause_s=0.01)
    latest.start()
    try:
        wait_for(lambda: len(latest.latest()) == 2)
        city.reprocess(ToyCodec(((LEVEL, "", 10.0), None)))
        wait_for(lambda: [(each.series.property, each.value) for each in latest.latest()] == [(LEVEL, 40.0)])
        city.live(CM, [uplink(2, b"\0\0")])
        wait_for(lambda: [each.value for each in latest.latest()] == [2.0])
    finally:
        latest.stop()


def test_pruned_uplinks_are_passed_over(city):
    city.live(CM, [uplink(n, bytes([0, n])) for n in range(1, 9)])
    city.journal.prune(T0 + 4 * S)
    before = city.stored()
    report = city.reprocess(MM).report
    assert 0 < report.uplinks < 8
    assert [row[5] for row in city.stored()].count(20.0) == report.changed == report.uplinks
    assert len(city.stored()) == len(before)


LOST_AND_NEW = ToyCodec((None, (BATTERY, "", 3.0), (LEVEL, "", 1.0)))
THREE = ToyCodec(((LEVEL, "", 1.0), (BATTERY, "", 3.0), (LEVEL, "", 1.0)))


@pytest.mark.parametrize("when", ["known", "new", "killed"])
def test_what_comes_between_two_readings_that_vanish_stays(city, monkeypatch, when):
    """A store deletes runs of points; meanwhile the store writer writes what a logger sends late."""
    city.live(THREE, [uplink(1, b"\0\1"), uplink(2, b"\0\3")])
    late = uplink(3, b"\2\2")
    delete = city.store.delete
    if when == "known":  # the journal has it, the store not yet
        city.live(LOST_AND_NEW, [late], drain=False)

    def delete_late(series, spans):
        monkeypatch.undo()
        if when == "known":
            city.drain()
        else:
            city.live(LOST_AND_NEW, [late])
        assert [row[5] for row in city.stored()] == [2.0, 2.0, 2.0]
        delete(series, spans)
        if when == "killed":
            raise JournalError("killed after it")

    monkeypatch.setattr(city.store, "delete", delete_late)
    if when == "killed":
        with pytest.raises(JournalError):
            city.reprocess(LOST_AND_NEW)
    city.reprocess(LOST_AND_NEW)
    assert [((T0 - row[4]) // (10 * S), row[5]) for row in city.stored()] == [(2, 2.0)]
    assert city.book.count_moved() == 0
    assert not city.book.spans()
