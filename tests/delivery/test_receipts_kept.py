"""How long receipts stay, and what they hold."""

from dataclasses import replace

import pytest
from alert_events import NOW_US, make_event, write_events
from outbox_desk import MIN, Desk
from post_office import PostOffice
from servers import wait_for as until
from warned_city import T0, step

from alerts.delivery.channel_worker import Retry
from alerts.delivery.channels import Channel
from alerts.delivery.outbox import Outbox
from alerts.delivery.pruning import BATCH

DAY = 24 * 60
INCIDENT = "strunde.20051022T165320Z"
PUBLIC = Channel("site", "json://public/", audience=("public",))


@pytest.fixture
def desk(tmp_path, journal, texts):
    desk = Desk(tmp_path / "deliveries.db", journal, texts, Channel("wache", "json://staff/"), PUBLIC)
    yield desk
    desk.close()


def kept(desk, days):
    """What the file holds after so many days."""
    while desk.outbox._deliveries.prune(desk.now - days * DAY * MIN):
        pass
    return sorted({receipt.event for receipt in desk.outbox.receipts(limit=10_000)})


def rows(desk, table):
    with desk.outbox._deliveries._file.read() as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_what_is_over_and_old_is_forgotten_and_nothing_else(desk):
    desk.tell(replace(make_event("e1", audience="public", level=2), incident=INCIDENT))
    desk.tell(replace(make_event("e2", "clear"), incident=INCIDENT), after_min=60)
    desk.wait(50 * DAY)
    desk.tell(make_event("e3", episode="ep3", time_us=desk.now))
    desk.wait(39 * DAY)
    assert kept(desk, 90) == ["e1", "e2", "e3"]
    desk.wait(2 * DAY)
    assert kept(desk, 90) == ["e3"]
    # the episode of e3 is still in force
    assert (rows(desk, "episodes"), rows(desk, "incidents"), rows(desk, "heard")) == (1, 0, 0)


def test_who_was_warned_hears_the_end_however_late(desk):
    desk.now = T0
    desk.tell(step(1, "release"))
    desk.wait(400 * DAY)
    assert kept(desk, 90) == ["w1.1.release"]
    desk.tell(step(2, "all_clear", minute=400 * DAY))
    assert desk.titles("site")[-1].startswith("Entwarnung")
    desk.wait(89 * DAY)
    assert len(kept(desk, 90)) == 2
    desk.wait(2 * DAY)
    assert kept(desk, 90) == []
    assert rows(desk, "city_warnings") == 0


def test_an_incident_that_waits_for_its_all_clear_is_not_forgotten(desk):
    desk.tell(replace(make_event("e1", level=4), incident=INCIDENT))
    desk.tell(replace(make_event("e2", "clear"), incident=INCIDENT), after_min=60)
    desk.wait(200 * DAY)
    kept(desk, 90)
    assert rows(desk, "incidents") == 1


def test_what_is_not_told_yet_is_not_forgotten(desk):
    desk.senders["wache"].answers = ["refused"]
    desk.tell(make_event("e1"))
    desk.wait(200 * DAY)
    assert [r.status for r in desk.outbox.receipts(channel="wache")] == ["pending"]
    assert kept(desk, 90) == ["e1"]


def test_a_little_at_a_time(desk):
    write_events(desk.journal, *(make_event(f"e{n}", episode=f"ep{n}") for n in range(BATCH // 2 + 1)))
    while desk.outbox._expand():
        pass
    desk.outbox._deliveries.expire(NOW_US + 1, NOW_US)
    assert desk.outbox._deliveries.prune(NOW_US + 1)
    assert not desk.outbox._deliveries.prune(NOW_US + 1)
    assert rows(desk, "deliveries") == 0


def test_the_outbox_forgets_by_itself(tmp_path, journal, texts, endpoint):
    write_events(journal, make_event("e1"))
    now = [NOW_US]

    def started():
        outbox = Outbox(
            journal,
            tmp_path / "d.db",
            [Channel("wache", endpoint.url)],
            texts,
            lambda: now[0],
            receipts_days=5,
        )
        outbox.start()
        return outbox

    outbox = started()
    try:
        until(lambda: outbox.receipts(status="sent"))
    finally:
        outbox.stop()
    now[0] += 6 * DAY * MIN
    outbox = started()
    try:
        until(lambda: not outbox.receipts())
    finally:
        outbox.stop()
    assert len(endpoint.messages) == 1


def test_receipts_hold_no_address(tmp_path, journal, texts):
    """Not even when the mail server repeats it in its refusal."""
    office = PostOffice()
    office.refuse = "550 5.1.1 <vera.zeller@stadt.example> unknown, tel. +4917012345678"
    url = (
        f"mailto://127.0.0.1:{office.port}?from=warnung@stadt.example&to=vera.zeller@stadt.example"
        "&name=%2B4917012345678"
    )
    outbox = Outbox(
        journal, tmp_path / "d.db", [Channel("wache", url)], texts, lambda: NOW_US, retry=Retry(first_s=60)
    )
    outbox.start()
    try:
        write_events(journal, make_event("e1"))
        outbox.wake()
        (receipt,) = until(lambda: [each for each in outbox.receipts() if each.attempts and each.detail])
    finally:
        outbox.stop()
        office.stop()
    assert (receipt.channel, receipt.status) == ("wache", "pending")
    written = b"".join(file.read_bytes() for file in tmp_path.glob("d.db*"))
    for private in (b"vera", b"zeller", b"4917012345678", b"stadt.example"):
        assert private not in written
