"""One frame that comes in halves: recorded with the first, its gateways added when the second tells them."""

import sqlite3
from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uplink_messages import EUI, NOW_US, RAIN, chirpstack, loriot, message

from devices.catalogue import load_catalogue
from devices.registry import RegistryFile
from ingest.dedup import keys, unheard
from ingest.errors import JournalError
from ingest.inbox import Inbox
from ingest.journal import Accepted, Corrected, Heard
from ingest.network_servers import PARSERS
from ingest.pipeline import Intake
from ingest.sqlite_journal import SqliteJournal
from ingest.uplink import Gateway

CATALOGUE = load_catalogue()
STRANGER = "a84041ffff0000ff"
HEARD = (Gateway("b827ebfffe112233", -130.0, 1.2, None, 51.0, 7.0),)
PARSE = {"stadtwerke": PARSERS["loriot"].parse, "chirp": PARSERS["chirpstack-v4"].parse}


class Watched(SqliteJournal):
    """Knows how often somebody looked for the other half; fails as often as it is told to."""

    looks = failures = 0
    fault: Exception = JournalError("no room")

    def hear(self, rows):
        self.looks += 1
        if self.failures:
            self.failures -= 1
            raise self.fault
        return super().hear(rows)


@pytest.fixture
def journal(tmp_path):
    journal = Watched(tmp_path / "journal.db")
    yield journal
    journal.close()


def intake_of(journal, heard=lambda _: None):
    device = {"dev_eui": EUI, "type": "decentlab-dl-tbrg", "station": "rain", "lat": 51.0, "lon": 7.0}
    return Intake(journal, RegistryFile(None, [device]), CATALOGUE, PARSE, lambda: NOW_US, heard=heard)


def half(cmd, f_cnt=1, at=0, **changes):
    return message(loriot(cmd, f_cnt=f_cnt, **changes), arrived_us=NOW_US + at)


def recorded(journal):
    return [(uplink.f_cnt, uplink.gateways) for _, uplink, _ in journal.uplinks()]


def test_the_uplink_is_there_at_once_and_its_signal_follows(journal):
    told = []
    intake = intake_of(journal, told.extend)
    intake.take([half("rx")])
    seq, readings = journal.read(0, 10)
    assert (seq, len(readings) > 0, recorded(journal)) == (1, True, [(1, ())])
    intake.take([half("gw", at=900_000)])
    assert recorded(journal) == [(1, HEARD)]
    assert (journal.last_seq(), len(journal.read(seq, 10)[1])) == (1, 0)
    assert journal.read(0, 10)[1].tobytes() == readings.tobytes()
    assert (intake.stats.duplicates, intake.stats.completed) == (1, 1)
    assert [each.gateways for each in told] == [(), HEARD]
    assert journal.latest_uplinks(1)[0][1].arrived_us == NOW_US


@pytest.mark.parametrize("order", ["rx gw", "gw rx", "rx gw gw", "gw gw rx", "gw rx gw rx"])
def test_both_halves_in_one_batch(journal, order):
    told = []
    intake_of(journal, told.extend).take([half(each) for each in order.split()])
    assert recorded(journal) == [(1, HEARD)]
    assert [each.gateways for each in told] == [HEARD]
    assert journal.looks == 0


def test_after_a_restart_the_other_half_is_still_awaited(journal):
    intake_of(journal).take([half("rx")])
    intake_of(journal).take([half("gw")])
    assert recorded(journal) == [(1, HEARD)]
    again = intake_of(journal)
    again.take([half("gw")])
    again.take([half("gw", at=5)])
    assert recorded(journal) == [(1, HEARD)]
    # once to find that nothing is missing, then never more
    assert (journal.looks, again.stats.completed) == (2, 0)


def test_a_failing_journal_loses_no_signal_and_doubles_no_uplink(journal):
    intake = intake_of(journal)
    intake.take([half("rx")])
    journal.failures = 1
    both = [half("gw"), half("rx", 2)]
    with pytest.raises(JournalError):
        intake.take(both)
    # whoever waits for an alert has it; the broker keeps both
    assert recorded(journal) == [(1, ()), (2, ())]
    intake.take(both)
    assert recorded(journal) == [(1, HEARD), (2, ())]


def test_what_nobody_foresaw_stops_no_uplink(journal):
    intake = intake_of(journal)
    intake.take([half("rx")])
    journal.failures, journal.fault = 1, KeyError("x")
    intake.take([half("gw"), half("rx", 2)])
    assert recorded(journal) == [(1, ()), (2, ())]


def test_a_damaged_row_stops_no_uplink(journal, tmp_path):
    intake = intake_of(journal)
    intake.take([half("rx")])
    with sqlite3.connect(tmp_path / "journal.db") as own:
        own.execute("UPDATE batches SET uplinks = x'c1'")
    own.close()
    intake.take([half("gw"), half("rx", 2)])
    assert journal.last_seq() == 2
    assert journal.looks == 1


def test_an_ordinary_duplicate_is_not_looked_for(journal):
    intake = intake_of(journal)
    one = message(chirpstack(f_cnt=1), server="chirp")
    intake.take([one, half("rx"), half("gw", 2)])
    intake.take([one, half("rx"), half("rx", 2), half("gw", 2)])
    again = message(chirpstack(f_cnt=1, deduplicationId="another"), server="chirp")
    intake.take([again])
    assert (journal.last_seq(), journal.looks, intake.stats.duplicates) == (3, 0, 5)


def test_gateways_of_another_network_server_are_not_its_own(journal):
    intake = intake_of(journal)
    intake.take([half("rx")])
    own = PARSE["stadtwerke"](half("rx"))
    other = replace(PARSE["chirp"](message(chirpstack(f_cnt=1), server="chirp")), session=own.session)
    assert other.gateways
    assert not set(keys(own)).isdisjoint(keys(other))
    assert unheard(keys(other)) not in intake.recent
    assert journal.hear([Heard(other, unheard(keys(other)))]) == []


def test_of_an_unknown_device_too(journal):
    intake = intake_of(journal)
    inbox = Inbox(journal, lambda: RegistryFile(None, []).current, CATALOGUE)
    intake.take([half("rx", dev_eui=STRANGER)])
    [seen] = journal.refused_devices("unknown_device")
    assert inbox.look([seen])[0].recent[0].gateways == ()
    intake_of(journal).take([half("gw", dev_eui=STRANGER)])
    [row] = journal.rejected()
    assert row.uplink.gateways == HEARD
    assert journal.refused_devices("unknown_device") == [seen]
    assert inbox.look([seen])[0].recent[0].gateways == HEARD


def test_who_decodes_anew_meanwhile_takes_no_signal_away(journal):
    intake = intake_of(journal)
    intake.take([half("rx")])
    [(seq, uplink, readings)] = journal.uplinks()
    intake.take([half("gw")])
    part = journal.load("engine")
    journal.commit("engine", part.fence, 1)
    journal.correct([Corrected(seq, replace(uplink, codec_notes=b"{}"), readings)])
    [(_, now, _)] = journal.uplinks()
    assert (now.codec_notes, now.gateways) == (b"{}", HEARD)


def test_who_registers_a_device_meanwhile_takes_no_signal_away(journal):
    intake = intake_of(journal)
    intake.take([half("rx", dev_eui=STRANGER)])
    [row] = journal.rejected()
    intake.take([half("gw", dev_eui=STRANGER)])
    journal.accept_refused([row.id], [Accepted(row.uplink, (), keys(row.uplink))])
    assert recorded(journal) == [(1, HEARD)]
    again = intake_of(journal)
    again.take([half("gw", dev_eui=STRANGER)])
    assert (again.stats.duplicates, recorded(journal)) == (1, [(1, HEARD)])


def test_the_other_half_of_what_has_left_the_journal(journal):
    intake = intake_of(journal)
    intake.take([half("rx")])
    part = journal.load("engine")
    journal.commit("engine", part.fence, 1)
    assert journal.prune(NOW_US + 1) == 1
    intake.take([half("gw")])
    intake.take([half("gw")])
    assert (recorded(journal), journal.looks) == ([], 1)


HALVES = st.tuples(st.sampled_from(["rx", "gw"]), st.integers(0, 5), st.sampled_from([EUI, STRANGER]))


@given(st.lists(HALVES, max_size=30), st.lists(st.tuples(st.integers(1, 8), st.booleans()), max_size=30))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_in_any_order_and_any_batches_each_frame_is_there_once_with_its_gateways(
    tmp_path_factory, halves, splits
):
    journal = SqliteJournal(tmp_path_factory.mktemp("halves") / "journal.db")
    intake = intake_of(journal)
    # as one who sends each half when it is there: their times rise
    rest = iter([half(cmd, f_cnt, at, dev_eui=eui) for at, (cmd, f_cnt, eui) in enumerate(halves)])
    for size, restart in [*splits, (len(halves) + 1, False)]:
        if restart:
            intake = intake_of(journal)
        intake.take(list(islice(rest, size)))
    found = [uplink for _, uplink, _ in journal.uplinks()]
    found += [row.uplink for row in journal.rejected()]
    told = {(f_cnt, eui) for cmd, f_cnt, eui in halves if cmd == "gw"}
    assert sorted((each.f_cnt, each.dev_eui) for each in found) == sorted(
        {(f_cnt, eui) for _, f_cnt, eui in halves}
    )
    for each in found:
        assert each.gateways == (HEARD if (each.f_cnt, each.dev_eui) in told else ())
        assert each.payload == RAIN
    journal.close()
