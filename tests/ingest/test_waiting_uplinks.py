"""Uplinks whose codec could not be asked: durable, taken after all, and no reason to spin or to stay."""

import threading
import time

import pytest
from servers import wait_for
from structlog.testing import capture_logs
from uplink_messages import EUI, NOW_US, chirpstack, message

from devices.catalogue import load_catalogue
from devices.javascript import process
from devices.javascript.sandbox import Limits, Sandbox
from devices.javascript.type_files import JavascriptTypes
from devices.measurement import Rejected
from devices.registry import RegistryFile
from ingest.dedup import keys
from ingest.hand_over import Delivery
from ingest.journal import Accepted
from ingest.network_servers import PARSERS
from ingest.pipeline import Intake, Taken
from ingest.sqlite_journal import SqliteJournal

PARSE = {"stadtwerke": PARSERS["chirpstack-v4"].parse}
GOOD, EVIL, SLOW = "a84041ffff000010", "a84041ffff000666", "a84041ffff000051"
CODECS = {
    "acme-good": "function decodeUplink(i) { return {data: {x: i.bytes[0]}}; }",
    # the same payload can be an endless loop or none: what an operator's machine does to an innocent
    "acme-evil": "function decodeUplink(i) { if (+i.recvTime % 2) for (;;); return {data: {}}; }",
    "acme-slow": "function decodeUplink(i) { for (var n = 0; n < 1e6; n++); return {data: {}}; }",
}


def device(dev_eui, type_):
    return {"dev_eui": dev_eui, "type": type_, "station": f"s-{dev_eui}", "lat": 51.0, "lon": 7.0}


DEVICES = [
    device(EUI, "decentlab-dl-tbrg"),
    device(GOOD, "acme-good"),
    device(EVIL, "acme-evil"),
    device(SLOW, "acme-slow"),
]


@pytest.fixture
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def intake(journal, sandbox, tmp_path):
    for name, text in CODECS.items():
        (tmp_path / f"{name}.js").write_text(text)
    types = load_catalogue(tmp_path, scripts=JavascriptTypes(sandbox))
    intake = Intake(journal, RegistryFile(None, DEVICES), types, PARSE, lambda: NOW_US)
    yield intake
    intake.stop()
    wait_for(lambda: not intake._thread.is_alive())


def up(dev_eui, payload, number, *, odd=False):
    time_us = (NOW_US // 1_000_000 - number) * 1_000_000 + 1000 * odd
    return message(chirpstack(dev_eui=dev_eui, payload=payload, fCnt=number, fPort=85, time_us=time_us))


class Nobody:
    """Nobody waits for the acknowledgement."""

    def ack(self, _):
        pass


def hand_over(intake, messages):
    intake.hand_over.put(Delivery(messages, Nobody(), 1, ()), threading.Event())


def broken_worker(folder, monkeypatch):
    """A worker that notes each start in a file and ends."""
    starts = folder / "starts"
    script = folder / "broken.py"
    script.write_text(f"open({str(starts)!r}, 'a').write('x')\nraise SystemExit(3)")
    monkeypatch.setattr(process, "_WORKER", script)
    return starts


def test_uplinks_of_a_worker_that_does_not_start_are_taken_once_it_does(
    intake, journal, tmp_path, monkeypatch
):
    program, starts = process._WORKER, broken_worker(tmp_path, monkeypatch)
    mixed = [up(GOOD, b"\x01", 1), message(chirpstack()), up(GOOD, b"\x02", 2), up(SLOW, b"\x01", 1)]
    assert intake.take(mixed) == Taken(accepted=1, refused=3)
    assert journal.counts().by_reason == {"codec_waiting": 3}
    [why] = {row.rejected.detail for row in journal.rejected()}
    assert "crash: the worker does not start" in why
    assert intake.take(mixed) == Taken(duplicates=4)
    intake.start()
    time.sleep(2.0)
    assert len(starts.read_text()) <= 8, "0.1 s, 0.2 s, 0.4 s ...: no spinning"
    assert journal.counts().by_reason == {"codec_waiting": 3}
    monkeypatch.setattr(process, "_WORKER", program)
    wait_for(lambda: journal.counts().rejected == 0)
    assert intake.late.accepted == 3
    assert journal.counts().stored == 4


def test_they_are_taken_after_a_restart(intake, journal, sandbox, tmp_path, monkeypatch):
    with monkeypatch.context() as broken:
        broken_worker(tmp_path, broken)
        intake.take([up(GOOD, b"\x01", 1)])
    with Sandbox() as another:
        types = load_catalogue(tmp_path, scripts=JavascriptTypes(another))
        again = Intake(journal, RegistryFile(None, DEVICES), types, PARSE, lambda: NOW_US)
        again.start()
        wait_for(lambda: journal.counts().rejected == 0)
        again.stop()


def test_equal_payloads_wait_for_the_end_of_the_quarantine_and_the_one_that_killed_stays_refused(
    intake, journal, sandbox, monkeypatch
):
    # longer than a busy machine may take from the first to the others
    monkeypatch.setattr("devices.javascript.quarantine._FIRST_S", 10.0)
    taken = [up(EVIL, b"\x07", 1, odd=True), up(EVIL, b"\x07", 2), up(EVIL, b"\x07", 3), up(EVIL, b"\x08", 4)]
    intake.take(taken[:1])
    assert journal.counts().by_reason == {"codec_timeout": 1}
    intake.start()
    hand_over(intake, taken[1:])
    wait_for(lambda: journal.counts().by_reason == {"codec_timeout": 1, "codec_waiting": 2})
    assert {uplink.f_cnt for _, uplink, _ in journal.uplinks()} == {4}
    wait_for(lambda: journal.counts().stored == 3)
    assert journal.counts().by_reason == {"codec_timeout": 1}
    [row] = journal.rejected()
    assert row.uplink.f_cnt == 1
    # it was not tried a second time: the next quarantine would be the second
    assert [each.next_s for each in sandbox._quarantine._entries.values()] == [40.0]


def test_an_equal_payload_that_kills_as_well_is_refused_for_it(intake, journal, monkeypatch):
    monkeypatch.setattr("devices.javascript.quarantine._FIRST_S", 5.0)
    intake.take([up(EVIL, b"\x07", number, odd=True) for number in (1, 2)])
    assert journal.counts().by_reason == {"codec_timeout": 1, "codec_waiting": 1}
    intake.start()
    wait_for(lambda: journal.counts().by_reason == {"codec_timeout": 2})
    wait_for(lambda: not intake.late.busy)
    assert journal.counts().rejected == 2


def test_a_slow_codec_gets_on_beside_an_endless_one(intake, journal):
    """Each turn has at least one uplink, and the quick ones wait for neither."""
    slow = [up(SLOW, bytes([n]), n) for n in range(12)]
    loops = [up(EVIL, bytes([1 + n]), n, odd=True) for n in range(6)]
    intake.start()
    hand_over(intake, [*loops, *slow, up(GOOD, b"\x01", 1), message(chirpstack())])
    wait_for(lambda: journal.counts().by_reason == {"codec_timeout": 6})
    wait_for(lambda: journal.counts().stored == 14)


def test_stop_does_not_wait_for_endless_loops(intake, journal):
    """Whatever is left is durable, and waits for the next start."""
    loops = [up(EVIL, n.to_bytes(2, "big"), n, odd=True) for n in range(300, 340)]
    intake.start()
    for first in range(0, 40, 8):
        hand_over(intake, loops[first : first + 8])
    wait_for(lambda: journal.counts().rejected == 40)
    intake.stop()
    wait_for(lambda: not intake._thread.is_alive(), 10, "an end before that of forty limits")
    assert set(journal.counts().by_reason) == {"codec_timeout", "codec_waiting"}


def test_a_row_that_somebody_else_took_first_stops_nobody(intake, journal, tmp_path, monkeypatch):
    """As `stadtfunk reprocess` does in another process, between our reading the list and our writing."""
    with monkeypatch.context() as broken:
        broken_worker(tmp_path, broken)
        intake.take([up(GOOD, bytes([number]), number) for number in range(5)])
    other = SqliteJournal(tmp_path / "journal.db")
    read = journal.rejected

    def rejected(**what):
        rows = read(**what)
        if len(rows) == 5:
            row = rows[2]
            other.accept_refused([row.id], [Accepted(row.uplink, (), keys(row.uplink))])
        return rows

    monkeypatch.setattr(journal, "rejected", rejected)
    with capture_logs() as logs:
        intake.start()
        wait_for(lambda: journal.counts().rejected == 0)
        wait_for(lambda: not intake.late.busy)
        intake.stop()
    other.close()
    assert journal.counts().stored == 5
    assert intake.late.accepted == 4
    assert "late_registration_failed" not in {each["event"] for each in logs}


def test_another_reason_for_a_refused_message(intake, journal):
    intake.take([up("a84041ffff0000aa", b"\x01", number) for number in range(3)])
    ids = [row.id for row in journal.rejected()]
    journal.refuse_anew([(ids[0], Rejected("codec_waiting", "no time")), (10**6, Rejected("x"))])
    journal.refuse_anew([])
    assert journal.counts().by_reason == {"unknown_device": 2, "codec_waiting": 1}
    assert journal.counts().rejected == 3
    [row] = journal.rejected(reason="codec_waiting")
    assert (row.id, row.rejected) == (ids[0], Rejected("codec_waiting", "no time"))


def test_what_a_limit_says_reaches_the_operator(journal, tmp_path):
    """A script that hangs when it is loaded: its uplinks wait, and the list of refused ones says why."""
    (tmp_path / "acme-hang.js").write_text("function decodeUplink() { return {data: {}}; } for (;;);")
    with Sandbox(Limits(call_s=0.3)) as sandbox:
        types = load_catalogue(tmp_path, scripts=JavascriptTypes(sandbox))
        intake = Intake(
            journal, RegistryFile(None, [device(EVIL, "acme-hang")]), types, PARSE, lambda: NOW_US
        )
        intake.take([up(EVIL, bytes([number]), number) for number in range(3)])
    assert journal.counts().by_reason == {"codec_waiting": 3}
    assert {row.rejected.detail for row in journal.rejected()} == {"timeout: no answer within 0.3 s"}


def test_another_version_of_a_type_takes_what_was_refused_of_its_devices_and_of_no_others(journal, tmp_path):
    """Also what had its call, and from the newest on where a walk was under way."""
    (tmp_path / "acme-evil.js").write_text("function decodeUplink() { throw 'unknown payload'; }")
    (tmp_path / "acme-slow.js").write_text("function decodeUplink() { throw 'still unknown'; }")
    with Sandbox() as sandbox:
        types = load_catalogue(tmp_path, scripts=JavascriptTypes(sandbox))
        registry = RegistryFile(None, [device(EVIL, "acme-evil"), device(SLOW, "acme-slow")])
        intake = Intake(journal, registry, types, PARSE, lambda: NOW_US, registry_poll_s=0.0)
        intake.take([up(eui, bytes([number % 256]), number) for number in range(450) for eui in (EVIL, SLOW)])
        for _ in range(3):
            intake.late.tick()
        assert journal.counts().by_reason == {"codec_error": 900}
        (tmp_path / "acme-evil.js").write_text("function decodeUplink() { return {data: {}}; }")
        types.renew(load_catalogue(tmp_path, scripts=JavascriptTypes(sandbox)))
        registry.renew()
        intake.start()
        wait_for(lambda: not intake.late.busy and journal.counts().stored == 450)
        intake.stop()
    assert {row.uplink.dev_eui for row in journal.rejected(limit=1000)} == {SLOW}
    assert journal.counts().by_reason == {"codec_error": 450}
