"""Residents of a small city who subscribed, its journal, and what tells them."""

import random
from contextlib import closing
from email.headerregistry import Address

from alert_events import write_events
from warned_city import step

from alerts.areas import parse_areas
from alerts.delivery.channel_worker import Retry
from alerts.delivery.mail_form import MailForm
from alerts.delivery.mailing_texts import MailingTexts
from alerts.delivery.mass_mail import MassMail
from alerts.delivery.smtp import SmtpServer
from alerts.delivery.smtp_pool import SmtpPool
from alerts.event import Event
from alerts.scale import shipped_scale
from alerts.subscriptions import records
from alerts.subscriptions.contact import Contact
from alerts.subscriptions.subscription import Choices, Place
from alerts.subscriptions.subscriptions import Subscriptions
from alerts.subscriptions.vault import Vault
from alerts.subscriptions.words import Links, Words
from alerts.texts.texts import Texts
from devices.registry import load_registry
from ingest.sqlite_journal import SqliteJournal

NOW_US = 1_784_053_800_000_000  # 2026-07-14T18:30:00Z
MINUTE_US = 60_000_000
QUICK = Retry(first_s=0.02, most_s=0.1)
AREAS = parse_areas(
    {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"id": "gierath", "name": "Gierath", "stations": ["pegel"]},
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[7, 50.9], [7.2, 50.9], [7.2, 51.1], [7, 51.1], [7, 50.9]]],
                },
            }
        ],
    },
    "areas.geojson",
)
REGISTRY = load_registry(
    None,
    [
        {
            "dev_eui": "70b3d57ed0000001",
            "type": "decentlab-dl-mbx",
            "station": "pegel",
            "name": "Pegel Gierath",
            "public": True,
            "lat": 51.0,
            "lon": 7.1,
            "stages_cm": [40, 60],
        }
    ],
)
LINKS = Links("https://warn.example")
WORDS = Words("Teststadt", AREAS, shipped_scale(), lambda _: "Pegel Gierath", LINKS)
SENDER = Address("Teststadt", addr_spec="warnungen@stadt.example")


def open_subscriptions(folder, clock=lambda: NOW_US):
    return Subscriptions(
        folder / "subscriptions.db",
        Vault("ab" * 32),
        clock,
        areas=AREAS,
        registry=lambda: REGISTRY,
        timezone="Europe/Berlin",
        channels=("email", "sms", "voice"),
    )


def subscribe(subscriptions, addresses, channel="email", **choices):
    """Many at once, as if each had confirmed; their ids."""
    wanted = Choices((Place("area", "gierath"),), **choices)
    with subscriptions._file.write() as connection:
        return [
            records.insert(
                connection, subscriptions._vault, records.Request(Contact(channel, each), wanted), NOW_US
            ).id
            for each in addresses
        ]


def addresses(count):
    return [f"resident{i:05}@example.org" for i in range(count)]


def pool(port, stopping, **options):
    def form(bulletin):
        return MailForm(bulletin, SENDER, LINKS, WORDS.foot(bulletin.language), NOW_US)

    return SmtpPool(SmtpServer(False, "127.0.0.1", port), SENDER.addr_spec, form, stopping, **options)


def texts():
    render = Texts(str, "Europe/Berlin", "Teststadt", scale=shipped_scale())
    return MailingTexts(
        lambda warning, language: render.render(warning, "en" if language == "en" else "de"),
        "Teststadt",
        "Europe/Berlin",
        AREAS,
    )


def mass_mail(journal, folder, subscriptions, ways, clock=lambda: NOW_US, **options):
    options = {"pause": QUICK, "retry": QUICK, "quiet_s": 0.05} | options
    return MassMail(journal, folder / "mailings.db", subscriptions, texts(), ways, clock, **options)


def notice(  # noqa: PLR0913 - an event's fields
    event, kind, *, episode="ep1", severity="Severe", at_us=NOW_US, audience="public", level=2
):
    return Event(
        id=event,
        episode=episode,
        time_us=at_us,
        station="pegel",
        kind=kind,
        measure="water_level",
        level=0 if kind == "clear" else level,
        window_min=None,
        value=61.0,
        rule="pegel",
        reason="61 cm",
        audience=None if kind in {"clear", "step_down"} else audience,
        severity=severity,
    )


def city(number, action, **changes):
    """A step of the city's warning w1 at NOW_US plus so many minutes."""
    return step(number, action, minute=0, **changes)


class Town:
    """A journal, subscriptions and what tells people, over real servers; `now_us` is its clock."""

    def __init__(self, folder):
        self.folder = folder
        self.now_us = NOW_US
        self.journal = SqliteJournal(folder / "journal.db")
        self.subscriptions = open_subscriptions(folder, lambda: self.now_us)
        self.mass = None

    def start(self, ways, **options):
        self.mass = mass_mail(
            self.journal, self.folder, self.subscriptions, ways, lambda: self.now_us, **options
        )
        self.mass.start()
        return self.mass

    def restart(self, ways, **options):
        self.mass.stop()
        return self.start(ways, **options)

    def happens(self, *events):
        write_events(self.journal, *events)
        if self.mass:
            self.mass.wake()

    def close(self):
        if self.mass:
            self.mass.stop()
        with closing(self.journal), closing(self.subscriptions):
            pass

    def runs(self):
        return {(summary.event, run.way): run for summary in self.mass.summaries() for run in summary.runs}


def chance():
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - to run a failure again
    return seed
