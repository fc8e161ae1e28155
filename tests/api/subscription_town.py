"""The small town with two warning areas and subscriptions."""

import re

from alerts_areas import AREAS

from alerts.scale import shipped_scale
from alerts.subscriptions.address_book import Address, AddressBook
from alerts.subscriptions.contact import contact
from alerts.subscriptions.subscriptions import Subscriptions
from alerts.subscriptions.vault import Vault
from alerts.subscriptions.words import Links, Words
from api.limits import CallerLimit
from api.services import SubscriptionDesk

ANNA = contact("email", "anna@example.org")
TOKEN = re.compile(r"[\w-]{43}")
ASKED = {"address": "anna@example.org", "areas": ["gierath"]}
HOUSES = AddressBook(
    (
        *(Address("Hauptstraße", number, 50.98, 7.1) for number in ("12", "120", "1")),
        Address("Am Mühlenbach", "12 a", 50.99, 7.11),
    )
)


def with_subscriptions(town, push=None, callers=None, **options):
    """Adds them to a town; returns the file, for the test to close. `push`: what browsers need."""
    known = {"channels": ("email", "sms", "voice"), "areas": AREAS, "mails_an_hour": 100} | options
    file = Subscriptions(
        town.folder / "subscriptions.db",
        Vault("ab" * 32),
        lambda: town.now_us,
        registry=lambda: town.registry,
        timezone="Europe/Berlin",
        **known,
    )

    def station_name(id_):
        return town.registry.stations[id_].name if id_ in town.registry.stations else ""

    words = Words(town.name, known["areas"], shipped_scale(), station_name, Links("https://warn.example"))
    desk = SubscriptionDesk(
        file, words, HOUSES, "https://stadt.example/datenschutz", push, callers or CallerLimit(1000)
    )
    town.changes |= {"areas": known["areas"], "subscriptions": desk}
    return file


def mails(file):
    """What waits to be sent: [(kind, address, token to confirm)]; takes it off the queue."""
    found = file.mails.due(1000)
    for each in found:
        file.mails.done(each)
    return [(each.mail.kind, each.mail.contact.address, each.mail.token) for each in found]


def subscribed(client, file, **body):
    """Ask and confirm over the API; the token to look after it."""
    assert client.post("/api/v1/subscriptions", json=ASKED | body).status_code == 202
    ((_, _, token),) = mails(file)
    answer = client.post(f"/api/v1/subscriptions/{token}/confirm")
    mails(file)
    return answer.json()["token"]
