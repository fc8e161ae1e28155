import threading
from dataclasses import replace

import pytest
import structlog
from alert_events import NOW_US, make_event, write_events
from servers import wait_for as until

from alerts.delivery.channel_worker import Retry
from alerts.delivery.channels import AppriseSender, Channel, Outcome
from alerts.delivery.deliveries import Deliveries
from alerts.delivery.outbox import Outbox
from alerts.errors import AlertsConfigError, DeliveriesError, TextError
from ingest.sqlite_journal import SqliteJournal

DAY_US = 86_400_000_000
QUICK = Retry(first_s=0.05, most_s=0.2)


@pytest.fixture
def make_outbox(tmp_path, journal, texts):
    made = []

    def make(*channels, clock=lambda: NOW_US, retry=QUICK, **options):
        outbox = Outbox(
            options.pop("journal", journal),
            tmp_path / "deliveries.db",
            channels,
            options.pop("texts", texts),
            clock,
            retry=retry,
            **options,
        )
        made.append(outbox)
        return outbox

    yield make
    for outbox in made:
        if not outbox._stopping.is_set():
            outbox.stop()


def statuses(outbox, **chosen):
    return {(r.event, r.channel): r.status for r in outbox.receipts(**chosen)}


class Recorder:
    """A sender that keeps what it gets and answers as told."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.texts = []

    def send(self, text, **_):
        self.texts.append(text)
        return Outcome(self.answers.pop(0) if self.answers else "sent")


def test_an_episode_reaches_two_channels_in_order_and_in_their_languages(make_outbox, make_endpoint, journal):
    german, english = make_endpoint(), make_endpoint()
    outbox = make_outbox(
        Channel("wache", german.url), Channel("office", english.url, language="en", audience=("public",))
    )
    outbox.start()
    write_events(journal, make_event("e1", level=2))
    outbox.wake()
    until(lambda: german.messages)
    write_events(
        journal,
        make_event("e2", "crossing"),
        make_event("e3", "escalate", level=4, audience="public"),
        make_event("e4", "clear"),
    )
    outbox.wake()
    until(lambda: len(german.messages) == 3 and len(english.messages) == 2)
    assert [m["title"] for m in german.messages] == [
        "Starkregen, Stufe 2: Pegel Kippemühle",
        "Starkregen steigt, Stufe 4: Pegel Kippemühle",
        "Starkregen, Meldung beendet: Pegel Kippemühle",
    ]
    assert [m["type"] for m in german.messages] == ["warning", "warning", "info"]
    assert english.messages[0]["title"].startswith("Heavy rain rising")
    until(lambda: "sending" not in statuses(outbox).values())
    assert statuses(outbox) == {
        ("e1", "wache"): "sent",
        ("e1", "office"): "skipped",
        ("e3", "wache"): "sent",
        ("e3", "office"): "sent",
        ("e4", "wache"): "sent",
        ("e4", "office"): "sent",
    }
    assert [r.detail for r in outbox.receipts(channel="office", status="skipped")] == ["for staff only"]
    paged, after = [], None
    while page := outbox.receipts(1, after):
        paged += page
        after = (page[0].seq, page[0].channel)
    assert paged == outbox.receipts()
    assert outbox.stats.deliveries["wache", "sent"] == 3
    assert outbox.stats.attempts["office"].sent == 2
    assert outbox.health.ok


def test_sent_without_being_woken(make_outbox, endpoint, journal):
    outbox = make_outbox(Channel("wache", endpoint.url))
    outbox.start()
    write_events(journal, make_event())
    until(lambda: endpoint.messages)


def test_a_restart_sends_nothing_twice(make_outbox, endpoint, journal):
    channel = Channel("wache", endpoint.url)
    write_events(journal, make_event())
    for _ in range(2):
        outbox = make_outbox(channel)
        outbox.start()
        until(lambda outbox=outbox: statuses(outbox) == {("e1", "wache"): "sent"})
        outbox.stop()
    assert len(endpoint.messages) == 1


def test_what_was_pending_at_the_end_is_sent_after_a_restart(make_outbox, endpoint, journal):
    endpoint.mode = "fail"
    channel = Channel("wache", endpoint.url)
    write_events(journal, make_event())
    outbox = make_outbox(channel, retry=Retry(first_s=60))
    outbox.start()
    until(lambda: not outbox.health.ok)
    assert "503" in outbox.health.detail
    outbox.stop()
    endpoint.mode = "ok"
    again = make_outbox(channel)
    again.start()
    until(lambda: endpoint.messages)
    assert "Möglicherweise eine Wiederholung" in endpoint.bodies()[0]
    (receipt,) = until(lambda: again.receipts(status="sent"))
    assert (receipt.attempts, receipt.interrupted) == (2, 0)
    assert receipt.started_us == receipt.ended_us == NOW_US


def test_a_failing_channel_is_tried_until_it_recovers(make_outbox, endpoint, journal):
    endpoint.mode = "fail"
    outbox = make_outbox(Channel("wache", endpoint.url))
    outbox.start()
    write_events(journal, make_event())
    until(lambda: endpoint.requests >= 3)
    assert not outbox.channel_health["wache"].ok
    endpoint.mode = "ok"
    until(lambda: statuses(outbox) == {("e1", "wache"): "sent"})
    until(lambda: outbox.health.ok)
    assert len(endpoint.messages) == 1


def test_a_dead_and_a_hanging_channel_delay_nobody(make_outbox, make_endpoint, journal):
    dead, hanging, alive = make_endpoint(), make_endpoint(), make_endpoint()
    dead.mode, hanging.mode = "fail", "hang"
    outbox = make_outbox(
        Channel("dead", dead.url), Channel("hanging", hanging.url + "?rto=60"), Channel("alive", alive.url)
    )
    outbox.start()
    for number in range(20):
        write_events(journal, make_event(f"e{number}", episode=f"ep{number}"))
        outbox.wake()
    until(lambda: len(alive.messages) == 20 and hanging.requests)
    assert hanging.requests == 1
    assert hanging.messages == dead.messages == []


def test_a_fresh_alert_does_not_wait_behind_refused_ones(make_outbox, endpoint, journal):
    endpoint.mode = "fail"
    outbox = make_outbox(Channel("wache", endpoint.url), retry=Retry(first_s=600))
    outbox.start()
    write_events(journal, *(make_event(f"old{n}", episode=f"old{n}") for n in range(5)))
    until(lambda: endpoint.requests == 5)
    endpoint.mode = "ok"
    write_events(journal, make_event("new", episode="new"))
    outbox.wake()
    until(lambda: endpoint.messages)
    assert "Meldung new" in endpoint.bodies()[0]


def test_stops_soon_while_a_call_hangs_and_says_so_afterwards(make_outbox, endpoint, journal):
    endpoint.mode = "hang"
    channel, others = Channel("wache", endpoint.url + "?rto=60"), set(threading.enumerate())
    outbox = make_outbox(channel)
    outbox.start()
    write_events(journal, make_event())
    until(lambda: endpoint.requests == 1)
    outbox.stop()
    ours = [t for t in set(threading.enumerate()) - others if t.name.startswith("outbox")]
    until(lambda: not any(t.is_alive() for t in ours), 30, "an end before the call's, which takes a minute")
    endpoint.mode = "ok"
    again = make_outbox(channel)
    again.start()
    until(lambda: endpoint.messages)
    assert "Möglicherweise eine Wiederholung" in endpoint.bodies()[0]
    (receipt,) = until(lambda: again.receipts(status="sent"))
    assert receipt.interrupted == 1


def test_no_answer_in_time_is_repeated_and_marked(make_outbox, endpoint, journal):
    endpoint.mode = "hang"
    sender = AppriseSender(channel := Channel("wache", endpoint.url + "?rto=60"), timeout_s=0.2)
    outbox = make_outbox(channel, open_sender=lambda _: sender)
    outbox.start()
    write_events(journal, make_event())
    until(lambda: endpoint.requests)
    endpoint.mode, sender._calls._timeout_s = "ok", 60.0
    (receipt,) = until(lambda: outbox.receipts(status="sent"))
    assert receipt.interrupted == receipt.attempts - 1 >= 1
    assert "Möglicherweise eine Wiederholung" in endpoint.bodies()[0]


def test_history_without_an_audience_is_not_sent(make_outbox, endpoint, journal):
    write_events(journal, make_event("old", episode="old", audience=None), make_event("new", episode="new"))
    outbox = make_outbox(Channel("wache", endpoint.url))
    outbox.start()
    until(lambda: endpoint.messages)
    assert set(statuses(outbox)) == {("new", "wache")}


def test_too_old_is_not_sent_and_visible(make_outbox, endpoint, journal):
    write_events(
        journal,
        make_event("old", episode="old", time_us=NOW_US - DAY_US - 1),
        make_event("new", episode="new", time_us=NOW_US - DAY_US + 60_000_000),
    )
    outbox = make_outbox(Channel("wache", endpoint.url))
    # otherwise the channel's thread may be quicker than the age check
    outbox._expand()
    outbox._deliveries.expire(outbox._oldest_us(), NOW_US)
    outbox.start()
    until(lambda: statuses(outbox) == {("old", "wache"): "expired", ("new", "wache"): "sent"})
    assert len(endpoint.messages) == 1


def test_given_up_after_a_day_of_failures(make_outbox, endpoint, journal):
    endpoint.mode = "fail"
    now = [NOW_US]
    outbox = make_outbox(Channel("wache", endpoint.url), clock=lambda: now[0])
    outbox.start()
    write_events(journal, make_event())
    until(lambda: endpoint.requests >= 2)
    now[0] += DAY_US + 1
    (receipt,) = until(lambda: outbox.receipts(status="failed"))
    assert receipt.attempts >= 2
    assert "503" in receipt.detail


def test_a_misconfigured_channel_fails_at_once_and_visibly(make_outbox, journal):
    sender = Recorder("misconfigured")
    outbox = make_outbox(Channel("wache", "json://x/"), open_sender=lambda _: sender)
    outbox.start()
    write_events(journal, make_event())
    until(lambda: statuses(outbox) == {("e1", "wache"): "failed"})
    until(lambda: "misconfigured" in outbox.health.detail)


def test_when_templates_fail_a_plain_text_goes_out(make_outbox, endpoint, journal):
    class Broken:
        def render(self, *_, **__):
            raise TextError("no")

    outbox = make_outbox(Channel("wache", endpoint.url), texts=Broken())
    outbox.start()
    write_events(journal, make_event())
    until(lambda: endpoint.messages)
    assert "keine amtliche Warnung" in endpoint.bodies()[0]
    assert "ep1 e1" in endpoint.bodies()[0]


def test_when_the_disk_is_full_the_alert_goes_out_once_all_the_same(make_outbox, journal, monkeypatch):
    sender = Recorder()
    outbox = make_outbox(Channel("wache", "json://x/"), open_sender=lambda _: sender)
    full = threading.Event()
    full.set()

    def guarded(method):
        def call(*args, **kwargs):
            if full.is_set():
                raise DeliveriesError("disk full")
            return method(*args, **kwargs)

        return call

    for name in ("begin", "end"):
        monkeypatch.setattr(outbox._deliveries, name, guarded(getattr(outbox._deliveries, name)))
    outbox.start()
    write_events(journal, make_event())
    until(lambda: sender.texts)
    full.clear()
    until(lambda: statuses(outbox) == {("e1", "wache"): "sent"})
    assert len(sender.texts) == 1


def test_a_log_that_cannot_be_written_stops_no_alert(make_outbox, endpoint, journal):
    class Full:
        def write(self, _):
            raise OSError(28, "No space left on device")

        flush = write

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(Full()))
    try:
        endpoint.mode = "fail"
        outbox = make_outbox(Channel("wache", endpoint.url))
        outbox.start()
        write_events(journal, make_event())
        until(lambda: endpoint.requests >= 2)
        endpoint.mode = "ok"
        until(lambda: endpoint.messages)
        outbox.stop()
    finally:
        structlog.reset_defaults()


def test_a_thread_survives_whatever_a_sender_does(make_outbox, journal):
    class Wild(Recorder):
        def send(self, text, **_):
            super().send(text)
            if len(self.texts) == 1:
                raise RuntimeError("boom")
            return Outcome("sent")

    sender = Wild()
    outbox = make_outbox(Channel("wache", "json://x/"), open_sender=lambda _: sender)
    outbox.start()
    write_events(journal, make_event("e1"))
    (receipt,) = until(lambda: outbox.receipts(status="sent"))
    assert (receipt.attempts, receipt.interrupted) == (2, 1)


def test_a_broken_journal_is_visible_and_passes(make_outbox, endpoint, journal, monkeypatch):
    outbox = make_outbox(Channel("wache", endpoint.url))
    broken = threading.Event()
    events = journal.events

    def sometimes(after, limit):
        if broken.is_set():
            raise OSError("gone")
        return events(after, limit)

    broken.set()
    monkeypatch.setattr(journal, "events", sometimes)
    outbox.start()
    until(lambda: not outbox.health.ok)
    broken.clear()
    write_events(journal, make_event())
    until(lambda: endpoint.messages)
    until(lambda: outbox.health.ok)


def test_a_replaced_journal_is_noticed(make_outbox, endpoint, journal, tmp_path):
    channel = Channel("wache", endpoint.url)
    write_events(journal, *(make_event(f"e{n}", episode=f"ep{n}") for n in range(3)))
    outbox = make_outbox(channel)
    outbox.start()
    until(lambda: len(endpoint.messages) == 3)
    outbox.stop()
    new = SqliteJournal(tmp_path / "new.db")
    # numbered 1, where the file of deliveries has seen 3
    write_events(new, make_event("other", episode="other"))
    again = make_outbox(channel, journal=new)
    again.start()
    until(lambda: len(endpoint.messages) == 4)
    assert "Meldung other" in endpoint.bodies()[3]
    again.stop()
    new.close()


def test_a_raise_after_the_end_of_its_episode_is_not_swallowed(make_outbox, endpoint, journal):
    write_events(journal, make_event("e1"), make_event("e2", "clear"), make_event("e3", "raise", level=4))
    outbox = make_outbox(Channel("wache", endpoint.url))
    outbox.start()
    until(lambda: len(endpoint.messages) == 3)
    assert "Stufe 4" in endpoint.messages[2]["title"]


def test_all_faulty_channels_are_named_at_once(make_outbox):
    with pytest.raises(AlertsConfigError) as caught:
        make_outbox(Channel("a", "nonsense"), Channel("b", "json://"), Channel("b", "json://localhost/"))
    assert {(fault.key, fault.problem.split()[0]) for fault in caught.value.faults} == {
        ("a", "apprise"),
        ("b", "apprise"),
        ("b", "2"),
    }


def test_without_channels_it_runs_and_says_so(make_outbox, journal):
    outbox = make_outbox()
    outbox.start()
    write_events(journal, make_event())
    until(lambda: outbox._deliveries.position()[0] == 1)
    assert outbox.health.ok
    assert "nobody hears" in outbox.health.detail


def test_two_outboxes_cannot_send_from_one_file(make_outbox):
    outbox = make_outbox()
    with pytest.raises(DeliveriesError, match="another process"):
        make_outbox()
    outbox.stop()
    make_outbox()


def test_a_damaged_file_names_itself(tmp_path):
    path = tmp_path / "deliveries.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(DeliveriesError, match=r"deliveries\.db"):
        Deliveries(path)
    # and lets go of it
    path.unlink()
    Deliveries(path).close()


def test_pauses_double_up_to_a_limit_and_are_spread():
    retry = Retry(first_s=2, most_s=300)
    for attempts, whole in [(1, 2), (2, 4), (5, 32), (20, 300), (5000, 300)]:
        pauses = {retry.pause_s(attempts) for _ in range(50)}
        assert len(pauses) > 1
        assert all(whole / 2 <= pause <= whole for pause in pauses)


def test_staff_hear_of_what_is_unverified_and_of_a_sensor_lost_and_nobody_else_does(
    make_outbox, make_endpoint, journal
):
    staff, public = make_endpoint(), make_endpoint()
    outbox = make_outbox(Channel("wache", staff.url), Channel("site", public.url, audience=("public",)))
    outbox.start()
    write_events(
        journal,
        make_event("e1", "unverified", episode="u1", measure="water_level", value=402.88, window_min=None),
        make_event("e2", "sensor_lost", episode="u2", measure="sensor", value=None, window_min=None),
        make_event("e3", "sensor_back", episode="u2", measure="sensor", value=None, audience=None),
    )
    outbox.wake()
    until(lambda: len(staff.messages) == 2 and len(statuses(outbox)) == 4)
    assert {m["title"] for m in staff.messages} == {
        "Unbestätigt, Wasserstand 403 cm: Pegel Kippemühle",
        "Sensor ausgefallen während einer Warnung: Pegel Kippemühle",
    }
    assert public.messages == []
    assert statuses(outbox)["e1", "site"] == "skipped"


def test_residents_are_told_what_is_for_them_and_staff_everything(make_outbox, make_endpoint, journal):
    """Level 4 without a witness is for staff; level 3 of the same rain was confirmed and is for everyone."""
    staff, public = make_endpoint(), make_endpoint()
    outbox = make_outbox(Channel("wache", staff.url), Channel("site", public.url, audience=("public",)))
    outbox.start()
    how = {"episode": "ep9", "value": 41.0}
    told = make_event("ep9.1.escalate.3.public", "escalate", audience="public", **how)
    fallen = make_event("ep9.2.step_down.3", "step_down", **how)
    write_events(
        journal,
        replace(make_event("ep9.1.raise.4", level=4, **how), confirmation="unconfirmed", witness="0 of 5"),
        replace(told, confirmation="confirmed", witness="gauge geheim-1, gauge geheim-2"),
        replace(fallen, audience="staff"),
        make_event("ep9.3.clear.0", "clear", **how),
    )
    outbox.wake()
    until(lambda: len(staff.messages) == 4 and statuses(outbox).get(("ep9.3.clear.0", "site")) == "sent")
    assert statuses(outbox, channel="site") == {
        ("ep9.1.raise.4", "site"): "skipped",
        ("ep9.1.escalate.3.public", "site"): "sent",
        ("ep9.2.step_down.3", "site"): "skipped",
        ("ep9.3.clear.0", "site"): "sent",
    }
    assert "Unbestätigt: einzelne Messstelle." in staff.messages[0]["message"]
    assert public.messages[0]["title"] == "Starkregen, Stufe 3: Pegel Kippemühle"
    assert "Bestätigt durch 2 weitere Messstellen." in public.messages[0]["message"]
    assert "geheim" not in public.messages[0]["message"]
