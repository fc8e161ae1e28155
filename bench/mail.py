"""An Extreme notice to 50,000 e-mail subscribers, from one process, while staff are told of other things."""

import json
import smtplib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from email.headerregistry import Address
from pathlib import Path

import structlog
from report import Report, run

from alerts.areas import parse_areas
from alerts.delivery.bulk import Bulletin
from alerts.delivery.channels import Channel
from alerts.delivery.mail_form import MailForm
from alerts.delivery.mailing_texts import MailingTexts
from alerts.delivery.mass_mail import MassMail
from alerts.delivery.outbox import Outbox
from alerts.delivery.smtp import SmtpServer
from alerts.delivery.smtp_pool import SmtpPool
from alerts.errors import SubscriptionsError
from alerts.event import Event, to_row
from alerts.scale import ReadIn, shipped_scale
from alerts.subscriptions import records
from alerts.subscriptions.contact import Contact
from alerts.subscriptions.mails import message
from alerts.subscriptions.subscription import Choices, Place
from alerts.subscriptions.subscriptions import Subscriptions
from alerts.subscriptions.vault import Vault
from alerts.subscriptions.words import Links, Words
from alerts.texts.text import Text
from alerts.texts.texts import Texts
from devices.registry import load_registry
from ingest.sqlite_file import SqliteFile
from ingest.sqlite_journal import SqliteJournal

PEOPLE = 50_000
BASELINE = 500
GOAL_S = 300.0
STAFF_GOAL_S = 2.0
STAFF_EVERY_S = 0.1
NAIVE = "smtplib, a connection a mail"
SINK = Path(__file__).with_name("mail_sink.py")
SENDER = Address("Teststadt", addr_spec="warnungen@stadt.example")
LINKS = Links("https://warn.example")
AREA = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"id": "mitte", "name": "Mitte", "stations": ["pegel"]},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[7, 50.9], [7.2, 50.9], [7.2, 51.1], [7, 51.1], [7, 50.9]]],
            },
        }
    ],
}


def clock() -> int:
    return time.time_ns() // 1000


def measure(scale: float) -> Report:
    """50,000 mails over loopback: addresses decrypted, receipts on disk; staff by a webhook meanwhile."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    people = max(500, round(PEOPLE * scale))
    report = Report("mail", f"an Extreme notice to {people:,} subscribers by e-mail, one process, loopback")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begin = time.process_time()
        delays, staff, cpu_us = mailing(folder, people)
        naive = one_by_one(folder / "naive.json", max(100, round(BASELINE * min(scale, 1))))
    took = max(delays)
    whole = ("as above", PEOPLE / naive)
    report.add("hand-over rate", people / took, "mails/s", "more", baseline=(NAIVE, naive))
    report.add("until the last is taken", took, "s", goal=GOAL_S * people / PEOPLE)
    report.add("  with the baseline's rate", whole[1] * people / PEOPLE, "s")
    report.add("event to acceptance, p50", statistics.median(delays), "s")
    report.add("event to acceptance, p99", statistics.quantiles(delays, n=100)[98], "s")
    report.add("first mail", min(delays), "s")
    report.add("our CPU", cpu_us, "µs/mail")
    report.add("staff meanwhile, p50", statistics.median(staff), "s")
    report.add("staff meanwhile, p99", statistics.quantiles(staff, n=100)[98], "s", goal=STAFF_GOAL_S)
    report.notes += [
        "time: from the event's commit in the journal to the server's noting of the mail",
        f"{len(staff)} staff events meanwhile, one every {STAFF_EVERY_S:g} s, by a webhook",
        "of three staff channels one hangs and one refuses every second message; figures of the third",
        f"{NAIVE}: mails built by EmailMessage, no receipts, no decryption",
        f"{time.process_time() - begin:.0f} s of CPU with making the subscriptions",
    ]
    return report


def mailing(folder: Path, people: int) -> tuple[list[float], list[float], float]:
    """Seconds until each mail was taken, the same for staff's messages, CPU µs a mail."""
    areas = parse_areas(AREA, "areas.geojson")
    device = {"dev_eui": "70b3d57ed0000001", "type": "x", "station": "pegel", "lat": 51.0, "lon": 7.1}
    registry = load_registry(None, [device])
    vault = Vault("ab" * 32)
    subscribe(folder / "subscriptions.db", vault, people)
    subscriptions = Subscriptions(
        folder / "subscriptions.db",
        vault,
        clock,
        areas=areas,
        registry=lambda: registry,
        timezone="Europe/Berlin",
    )
    journal = SqliteJournal(folder / "journal.db")
    texts = Texts(str, "Europe/Berlin", "Teststadt", scale=shipped_scale())
    words = Words("Teststadt", areas, shipped_scale(), str, LINKS)
    out = folder / "sink.json"
    with sink(out) as (smtp_port, http_port):

        def form(bulletin: Bulletin) -> MailForm:
            return MailForm(bulletin, SENDER, LINKS, words.foot(bulletin.language), clock())

        def ways(stopping: threading.Event) -> dict[str, SmtpPool]:
            server = SmtpServer(False, "127.0.0.1", smtp_port)
            return {"email": SmtpPool(server, SENDER.addr_spec, form, stopping)}

        said = MailingTexts(
            lambda warning, language: texts.render(warning, "en" if language == "en" else "de"),
            "Teststadt",
            "Europe/Berlin",
            areas,
        )
        mass = MassMail(journal, folder / "mailings.db", subscriptions, said, ways, clock)
        channels = [
            Channel(each, f"json://127.0.0.1:{http_port}/{each}") for each in ("well", "half", "hangs")
        ]
        outbox = Outbox(journal, folder / "deliveries.db", channels, texts, clock)
        part = journal.load("engine")
        mass.start()
        outbox.start()
        cpu = time.process_time()
        committed = {}

        def happens(event: Event) -> None:
            committed[event.id] = clock()
            journal.commit("engine", part.fence, part.cursor, events=[to_row(event)])
            outbox.wake()
            mass.wake()

        happens(notice("mass"))
        while mass.stats["email"].sent < people:
            happens(replace(notice(f"staff{len(committed)}"), audience="staff"))
            time.sleep(STAFF_EVERY_S)
        cpu_us = (time.process_time() - cpu) * 1e6 / people
        time.sleep(1)
        outbox.stop()
        mass.stop()
    journal.close()
    subscriptions.close()
    noted = json.loads(out.read_text())
    assert len({address for _, address in noted["taken"]}) == people
    assert Counter(address for _, address in noted["taken"]).most_common(1)[0][1] == 1
    delays = [(at - committed["mass"]) / 1e6 for at, _ in noted["taken"]]
    heard = {text.split("Meldung ")[-1].split()[0]: at for at, text in noted["called"]}
    assert committed.keys() <= heard.keys(), "staff were not told of everything"
    staff = [(heard[event] - at) / 1e6 for event, at in committed.items()]
    return delays, staff, cpu_us


def subscribe(path: Path, vault: Vault, people: int, numbers: Sequence[str] = ()) -> None:
    """As if everybody had confirmed; two in five read English or plain German. `numbers`: for SMS."""
    file = SqliteFile(
        path,
        application_id=records.APPLICATION_ID,
        version=records.VERSION,
        schema=records.SCHEMA,
        error=SubscriptionsError,
    )
    languages: tuple[ReadIn, ...] = ("de", "de", "de", "en", "einfach")
    with file.write() as connection:
        for i in range(people):
            places = (Place("area", "mitte"), Place.at(51.0, 7.1, 5))
            choices = Choices(places, language=languages[i % len(languages)])
            contact = Contact("email", f"resident{i}@example.org")
            records.insert(connection, vault, records.Request(contact, choices), clock())
        for number in numbers:
            choices = Choices((Place("area", "mitte"),))
            records.insert(connection, vault, records.Request(Contact("sms", number), choices), clock())
    file.close()


def notice(event: str) -> Event:
    return Event(
        id=event,
        episode=f"episode-{event}",
        time_us=clock(),
        station="pegel",
        kind="raise",
        measure="water_level",
        level=4,
        window_min=None,
        value=181.0,
        rule="pegel",
        reason="181 cm",
        audience="public",
        severity="Extreme",
    )


def one_by_one(out: Path, count: int) -> float:
    """Mails a second of what one writes first."""
    text = Text("Wasserstand, Marke 4: Pegel", "Ein Text von der Länge einer Meldung. " * 15)
    with sink(out) as (port, _):
        begin = time.perf_counter()
        for i in range(count):
            with smtplib.SMTP("127.0.0.1", port) as smtp:
                smtp.send_message(message(SENDER, f"resident{i}@example.org", text, f"{LINKS.base}/{i}"))
        return count / (time.perf_counter() - begin)


@contextmanager
def sink(out: Path) -> Iterator[list[int]]:
    process = subprocess.Popen([sys.executable, SINK, out], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    run(measure)
