import threading

from alert_events import NOW_US, make_event, write_events
from hypothesis import given
from hypothesis import strategies as st

from alerts.board import KEPT_US, WarningBoard
from alerts.scale import shipped_scale
from alerts.warning import STEPS

HOUR_US = 3_600_000_000

events = st.lists(
    st.builds(
        make_event,
        event=st.integers(0, 30).map("e{}".format),
        kind=st.sampled_from([*STEPS, "crossing", "unverified", "sensor_lost", "gateway_lost", "blind"]),
        episode=st.sampled_from(["a", "b", "c"]),
        level=st.integers(1, 4),
        value=st.none() | st.floats(0, 100),
        time_us=st.integers(NOW_US - 30 * HOUR_US, NOW_US),
        audience=st.sampled_from(["public", "staff", None]),
    ),
    max_size=30,
)


def board():
    return WarningBoard(lambda: NOW_US)


@given(events)
def test_ended_is_never_in_force_and_ids_are_unique(events):
    shown = board()
    ended = set()
    for event in events:
        shown.apply([event])
        warnings = shown.snapshot().warnings
        assert len({w.id for w in warnings}) == len(warnings)
        assert all((w.ended_us is None) == w.in_force for w in warnings)
        ended |= {w.id for w in warnings if not w.in_force}
        assert not ended & {w.id for w in warnings if w.in_force}
        assert all(len({u.event for u in w.history}) == len(w.history) for w in warnings)


@given(events, st.lists(st.integers(0, 30), max_size=5))
def test_any_split_gives_the_same_board(events, cuts):
    whole, split = board(), board()
    whole.apply(events)
    start = 0
    for cut in [*sorted(cuts), len(events)]:
        split.apply(events[start:cut])
        start = max(start, cut)
    assert split.snapshot().warnings == whole.snapshot().warnings


@given(events)
def test_a_replay_changes_nothing(events):
    shown = board()
    shown.apply(events)
    before = shown.snapshot()
    heard = []
    shown.listen(heard.append)
    assert shown.apply(events) == ()
    assert shown.snapshot() == before
    assert heard == []


@given(events)
def test_peak_is_the_highest_level_in_force(events):
    shown = board()
    shown.apply(events)
    for warning in shown.snapshot().warnings:
        levels = [u.level for u in warning.history if u.kind != "clear"]
        assert warning.peak_level == max(levels)
        assert warning.peak_severity == shipped_scale().severity(warning.measure, max(levels))


def test_a_whole_episode():
    shown = board()
    shown.apply(
        [
            make_event("e1", "raise", level=2, value=15.2, time_us=NOW_US - 3 * HOUR_US),
            make_event(
                "e2", "escalate", level=4, value=44.0, time_us=NOW_US - 2 * HOUR_US, audience="public"
            ),
        ]
    )
    (warning,) = shown.snapshot().in_force
    assert (warning.severity, warning.audience, warning.value) == ("Extreme", "public", 44.0)
    shown.apply([make_event("e3", "step_down", level=3, value=30.0, time_us=NOW_US - HOUR_US)])
    shown.apply([make_event("e4", "clear", value=1.0, time_us=NOW_US)])
    (warning,) = shown.snapshot().warnings
    assert shown.snapshot().in_force == ()
    assert (warning.status, warning.level, warning.severity) == ("ended", 3, "Severe")
    assert (warning.peak_level, warning.peak_value, warning.peak_severity) == (4, 44.0, "Extreme")
    assert (warning.raised_us, warning.ended_us) == (NOW_US - 3 * HOUR_US, NOW_US)
    assert [update.kind for update in warning.history] == ["raise", "escalate", "step_down", "clear"]
    assert shown.get("ep1") == warning
    assert shown.get("ep2") is None


def test_ended_leaves_after_a_day_and_does_not_come_back():
    now = [NOW_US]
    shown = WarningBoard(lambda: now[0])
    episode = [make_event("e1"), make_event("e2", "clear")]
    shown.apply(episode)
    now[0] += KEPT_US - 1
    assert len(shown.snapshot().warnings) == 1
    now[0] += 1
    assert shown.snapshot().warnings == ()
    shown.apply([make_event("e3", episode="other")])
    shown.apply(episode)
    assert [w.id for w in shown.snapshot().warnings] == ["other"]


def test_a_clear_of_nothing_and_a_sensor_event_make_no_warning():
    shown = board()
    shown.apply([make_event("e1", "clear"), make_event("e2", "unverified"), make_event("e3", "crossing")])
    assert shown.snapshot().warnings == ()


def test_catches_up_with_the_journal_and_survives_an_unreadable_event(journal):
    write_events(journal, make_event("e1"))
    with journal._file.write() as connection:
        connection.execute("INSERT INTO events(id, time_us, body) VALUES('broken', 0, x'7b')")
    write_events(journal, make_event("e2", "escalate", level=4))
    shown = board()
    assert shown.catch_up(journal) == 3
    assert shown.get("ep1").level == 4
    assert shown.catch_up(journal) == 0
    write_events(journal, make_event("e3", "clear"))
    assert shown.catch_up(journal) == 1
    assert not shown.get("ep1").in_force


def test_listeners_hear_changes_once_and_a_broken_one_harms_nobody():
    shown = board()
    heard = []

    def broken(changed):
        raise RuntimeError

    shown.listen(broken)
    leave = shown.listen(heard.append)
    shown.apply([make_event("e1"), make_event("e2", "escalate", level=4)])
    assert [[w.level for w in changed] for changed in heard] == [[4]]
    leave()
    shown.apply([make_event("e3", "clear")])
    assert len(heard) == 1


def test_readers_see_whole_boards_while_it_changes():
    shown = board()
    torn = []

    def read():
        while not done.is_set():
            snapshot = shown.snapshot()
            torn.extend(w for w in snapshot.warnings if w.level != len(w.history))

    done = threading.Event()
    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        episode = f"ep{number}"
        shown.apply([make_event(f"{number}a", episode=episode, level=1)])
        shown.apply([make_event(f"{number}b", "escalate", episode=episode, level=2)])
    done.set()
    reader.join()
    assert torn == []
    assert shown.snapshot().version == 400
