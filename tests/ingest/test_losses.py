"""Uplinks lost on the air: gaps in what a device counts, whatever the order in which the rest arrives."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uplink_messages import EUI, NOW_US, chirpstack, loriot, message

from devices.catalogue import load_catalogue
from devices.registry import RegistryFile
from ingest.errors import JournalError
from ingest.journal import newest_uplinks
from ingest.loss_book import KEPT_DAYS, MOST_PENDING, LossBook, Losses
from ingest.losses import FRAME, MOST_GAP, MOST_LATE, Tally, _one_by_one, tally
from ingest.network_servers import PARSERS
from ingest.pipeline import Intake
from ingest.sqlite_journal import SqliteJournal
from ingest.uplink import TimeSource, Uplink

S = 1_000_000
DAY = 86_400
STRANGER = "a84041ffff0000ff"
DEVICE = {"dev_eui": EUI, "type": "decentlab-dl-tbrg", "station": "rain", "lat": 51.0, "lon": 7.0}


def frames(*rows):
    return np.array([(time, counter, rest[0] if rest else 0) for time, counter, *rest in rows], FRAME)


def in_time(*counters):
    return frames(*enumerate(counters))


@pytest.mark.parametrize(
    ("counters", "lost"),
    [
        ((), 0),
        ((7,), 0),
        ((7, 8, 9), 0),
        ((7, 10), 2),
        ((7, 10, 8), 1),  # a straggler fills its gap
        ((7, 8, 5), 1),  # also before the first that we saw
        ((0, 1, 3, 0, 1, 2), 1),  # the device begins anew
        ((500, 502, 0, 3), 1 + 2),
        ((MOST_LATE + 9, 8), 0),
        ((65_534, 65_535, 0, 1), 0),  # 16 bits
        ((65_534, 1, 65_535, 3), 2),
        ((65_534, 65_535, 65_536, 65_538), 1),  # 32 bits
        ((70_000, 70_002, 3), 1),
        ((1, 2 + MOST_GAP, 3 + MOST_GAP), 0),
        ((1, 1 + MOST_GAP), MOST_GAP - 1),
        ((0, 0, 0), 0),
    ],
)
def test_gaps(counters, lost):
    assert tally(in_time(*counters)) == Tally(len(counters), lost)


def test_each_session_counts_for_itself():
    assert tally(frames((1, 900, 1), (2, 902, 1), (3, 0, 2), (4, 2, 2), (5, 901, 1))) == Tally(5, 1)


FRAMES = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.one_of(
            st.integers(0, 8), st.integers(60, 75), st.integers(65_500, 65_540), st.integers(0, 2**32 - 1)
        ),
        st.integers(0, 1),
    ),
    max_size=12,
)


@given(FRAMES, st.data())
def test_neither_order_nor_repetition_changes_anything(rows, data):
    more = rows + [row for row in rows if data.draw(st.booleans())]
    assert tally(frames(*data.draw(st.permutations(more)))) == tally(frames(*rows))


@given(FRAMES)
def test_what_is_counted_at_once_is_what_is_counted_one_by_one(rows):
    one = _one_by_one(sorted(set(rows), key=lambda row: (row[2], row[0], row[1])))
    assert tally(frames(*rows)) == one
    assert one.arrived == len(set(rows))
    assert 0 <= one.lost <= MOST_GAP * len(rows)


@st.composite
def devices(draw):
    """What a device sends, of that what arrives and when, and what is then missing."""
    sent, lost, time = [], 0, 0
    session, begin, turn = 0, draw(st.sampled_from([0, 3, 65_400])), draw(st.sampled_from([2**16, 2**32]))
    # each goes far, also beyond the wrap: one that begins anew sooner cannot be told from one that goes on
    for length in draw(st.lists(st.integers(136 + MOST_LATE + 2, 300), min_size=1, max_size=3)):
        away = draw(st.sets(st.integers(1, length - 2), max_size=40))
        late = draw(st.lists(st.integers(2, length - 10), max_size=5))
        for i in range(length):
            if i not in away:
                sent.append((time + (8 if i in late else 0), (begin + i) % turn, session))
            time += 1
        lost += len(away)
        time += 10
        begin = 0
        if draw(st.booleans()):
            session += 1
    return sent, lost


@given(devices())
def test_a_device_that_loses_is_late_wraps_rejoins_and_begins_anew(device):
    sent, lost = device
    assert tally(frames(*sent)) == Tally(len(sent), lost)


def uplink(time_s, f_cnt, dev_eui=EUI, session="a", arrived_s=None):
    received = NOW_US + time_s * S
    arrived = NOW_US + (time_s if arrived_s is None else arrived_s) * S
    return Uplink("s", dev_eui, 1, f_cnt, session, b"", received, arrived, received, TimeSource.SERVER)


class Books:
    """A book that is closed and opened again."""

    def __init__(self, path):
        self.path, self.now_s = path, 0
        self.book = self._open()

    def _open(self):
        registry = RegistryFile(None, [DEVICE]).current
        return LossBook(self.path, lambda: registry, lambda: NOW_US + self.now_s * S)

    def again(self):
        self.book.close()
        self.book = self._open()

    def of(self, dev_eui=EUI):
        return self.book.losses([dev_eui]).get(dev_eui)


@pytest.fixture
def books(tmp_path):
    books = Books(tmp_path / "reception.db")
    yield books
    books.book.close()


def test_a_day_and_a_week(books):
    hour = 3600
    books.book.hear([uplink(-d * 24 * hour - hour, 100 - 3 * d) for d in range(9)])
    assert books.of() == Losses(Tally(1, 0), Tally(7, 12))
    books.book.hear([uplink(-hour + 5, 102)])
    assert books.of() == Losses(Tally(2, 1), Tally(8, 13))
    books.now_s = 30 * hour
    assert books.of() == Losses(Tally(0, 0), Tally(7, 11))
    books.now_s = 20 * 24 * hour
    assert books.of() is None


def test_who_stands_in_no_list_is_not_counted(books):
    books.book.hear([uplink(-5, 1, STRANGER), uplink(-4, 3, STRANGER)])
    assert books.of(STRANGER) is None


def test_without_a_counter_nothing_is_known(books):
    parse = PARSERS["loriot"].parse
    counted = [parse(message(loriot(f_cnt=f_cnt, time_us=NOW_US - S + 1000 * f_cnt))) for f_cnt in (7, 9)]
    assert counted[0].session != counted[1].session
    books.book.hear(counted)
    assert books.of().day == Tally(2, 1)
    books.again()
    books.book.hear([uplink(-9 + i, 0, session=f"@{i}") for i in range(5)])
    assert books.of().day == Tally(2, 1)


def test_a_clock_that_is_wrong_changes_no_time(books):
    books.book.hear([uplink(-50, 1), uplink(5 * DAY, 2, arrived_s=-40), uplink(-400 * DAY, 3)])
    assert books.of().day == Tally(2, 0)


def test_what_was_lost_since_the_start(books):
    until_midnight = DAY - NOW_US // S % DAY
    books.now_s = DAY
    assert (NOW_US // S + until_midnight) % DAY == 0
    for time, counter in ((-5, 1), (-4, 4), (5, 7), (4, 6), (6, 8)):
        books.book.hear([uplink(until_midnight + time, counter)])
        books.book.write()
    # 2 and 3, 5 and 6 over midnight; that 6 came late is not taken off
    assert books.book.lost == 4
    assert books.of().week == Tally(5, 3)


def test_old_days_leave_the_file(books):
    books.book.hear([uplink(0, 1)])
    books.book.write()
    books.now_s = (KEPT_DAYS + 2) * DAY
    books.book.hear([uplink(books.now_s, 2)])
    books.book.write()
    with books.book._file.read() as connection:
        assert connection.execute("SELECT count(*) FROM frames").fetchone() == (1,)


def test_what_cannot_be_written_is_tried_again_and_bounded(books):
    books.book.hear([uplink(-5, 1)])
    books.book.close()
    with pytest.raises(JournalError):
        books.book.write()
    some = [uplink(-4, 2)] * 10_000
    for _ in range(30):
        books.book.hear(some)
    assert books.book._count == MOST_PENDING
    books.book.stop()


@given(
    st.lists(st.tuples(st.integers(-9 * DAY, 0), st.integers(0, 30), st.sampled_from("ab")), max_size=25),
    st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=10),
    st.data(),
)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_any_order_any_portions_and_any_restart_give_the_same(tmp_path_factory, rows, portions, data):
    books = Books(tmp_path_factory.mktemp("book") / "reception.db")
    rest = [uplink(*row[:2], session=row[2]) for row in data.draw(st.permutations(rows))]
    for size, restart in [*portions, (len(rest) + 1, False)]:
        books.book.hear(rest[:size])
        rest = rest[size:]
        if restart:
            books.book.write()
            books.again()
    week = [(time + 9 * DAY, counter, ord(session)) for time, counter, session in rows if time > -7 * DAY]
    day = [row for row in week if row[0] > 8 * DAY]
    expected = Losses(tally(frames(*day)), tally(frames(*week))) if week else None
    assert books.of() == expected
    books.book.close()


def test_what_was_under_way_at_a_crash_is_taken_from_the_journal(tmp_path, books):
    journal = SqliteJournal(tmp_path / "journal.db")
    intake = Intake(
        journal,
        RegistryFile(None, [DEVICE]),
        load_catalogue(),
        {"stadtwerke": PARSERS["chirpstack-v4"].parse},
        lambda: NOW_US,
        heard=books.book.hear,
    )
    # a message on another port is refused, and was heard all the same
    intake.take([message(chirpstack(f_cnt=n, f_port=n, time_us=NOW_US - S)) for n in (1, 2, 4)])
    assert journal.counts().rejected == 2
    assert books.of().day == Tally(3, 1)
    intake.take([message(chirpstack(f_cnt=n, time_us=NOW_US - S)) for n in (5, 6)])
    books.again()
    assert books.of().day == Tally(3, 1)
    for _ in range(2):
        books.book.hear(newest_uplinks(journal))
        assert books.of().day == Tally(5, 1)
    journal.close()


def test_it_writes_by_itself_and_once_more_at_the_end(tmp_path):
    registry = RegistryFile(None, [DEVICE]).current
    book = LossBook(tmp_path / "reception.db", lambda: registry, lambda: NOW_US, every_s=60.0)
    book.start()
    book.hear([uplink(-5, 1), uplink(-4, 3)])
    book.stop()
    assert (book.lost, book._count) == (1, 0)
    book.close()
