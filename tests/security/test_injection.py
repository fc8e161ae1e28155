"""Names and texts are text: no mail header, no template, no markup comes out of them, wherever they go."""

import email
import json
from contextlib import contextmanager
from email.headerregistry import Address
from email.policy import default
from html.parser import HTMLParser

import pytest
from alerts_areas import area as area_of
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from post_office import PostOffice
from small_town import DEVICES
from starlette.testclient import TestClient
from subscription_town import subscribed, with_subscriptions
from test_page import Watched, browser, pytestmark, served
from warned_city import BASIS, documents, notice, warned

from alerts.areas import parse_areas
from alerts.delivery.bulk import Bulletin
from alerts.delivery.mail_form import MailForm
from alerts.delivery.mailing_texts import MailingTexts
from alerts.delivery.smtp import Mailer, SmtpServer
from alerts.errors import AlertsConfigError, ContactError
from alerts.event import CityText
from alerts.one_line import header
from alerts.scale import READ_IN, shipped_scale
from alerts.subscriptions.audiences import Recipient
from alerts.subscriptions.contact import Contact, contact
from alerts.subscriptions.mails import EmailWay, SubscriptionMails, message
from alerts.subscriptions.records import Mail, Secrets, Subscription
from alerts.subscriptions.subscription import Choices, Place
from alerts.subscriptions.words import Links, Words
from alerts.texts.text import Text
from alerts.texts.texts import SHIPPED, Texts
from alerts.web_push.push_message import PushMessage
from devices.registry import load_registry

__all__ = ["browser", "pytestmark"]

SENDER = Address("Stadt", addr_spec="warnungen@stadt.example")
ANNA = contact("email", "anna@example.org")
BREAKS = ["\r\n", "\n", "\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029", "\x00", "\r\n\r\n", "\r\n "]
HOSTILE = [
    *(f"Gierath{each}Bcc: all@evil.example" for each in BREAKS),
    "=?utf-8?q?=0D=0ABcc:_all=40evil.example?=",
    "=?utf-8?b?DQpCY2M6IGFsbEBldmlsLmV4YW1wbGU=?=",
    "Gierath\r\nContent-Type: text/html\r\n\r\n<h1>evil</h1>",
    'Gierath" <all@evil.example>, "x',
    "\u202egnp.exe\u2066",
    ".\r\nQUIT\r\n",
]
TEMPLATES = [
    "{{7*7}}",
    "{%for a in (1,2)%}49{%endfor%}",
    "{#49#}x",
    "{city}{leave}{manage}{link}",
    "{0.__class__}{}",
    "{city.__class__.__mro__}",
    "%(city)s%s$city${city}",
]
ENCODED = "=?utf-8?q?=0D=0ABcc=3A_all=40evil.example?=@example.org"
ALLOWED = {
    *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "List-Unsubscribe"),
    *("List-Unsubscribe-Post", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
}


def read(raw):
    """As a mail program reads it: nothing in the head but what belongs there, each once."""
    mail = email.message_from_bytes(raw, policy=default)
    assert set(mail.keys()) <= ALLOWED
    assert len(mail.keys()) == len(set(mail.keys()))
    assert not mail.defects
    assert mail.get_content_type() == "text/plain"
    assert str(mail["To"]) == "anna@example.org"
    assert mail["From"].addresses[0].addr_spec == "warnungen@stadt.example"
    assert len(mail["From"].addresses) == 1
    return mail


def words(city="Stadt", area="Gierath", station="Pegel"):
    """As a file of areas with this name says it, whatever the file's own checks would say."""
    features = [area_of("gierath", 50.98, 7.1, ["pegel"])]
    areas = parse_areas({"type": "FeatureCollection", "features": features}, "areas.geojson")
    object.__setattr__(areas.areas[0], "name", area)
    return Words(city, areas, shipped_scale(), lambda _: station, Links("https://warn.example"))


@pytest.mark.parametrize("language", READ_IN)
@pytest.mark.parametrize("text", HOSTILE + TEMPLATES)
def test_mails_about_a_subscription(text, language):
    choices = Choices((Place("area", "gierath"), Place("gauge", "pegel"), Place("area", text)))
    known = Subscription(1, Secrets(ANNA, "m" * 43, "l" * 43), choices, 0, 0)
    for kind in ("confirm", "link", "welcome", "changed"):
        said = words(text, text, text).mail(Mail(kind, ANNA, language, "t" * 43, choices), known)
        mail = read(
            message(
                Address(header(text), addr_spec=SENDER.addr_spec),
                ANNA.address,
                said,
                "https://warn.example/x",
            ).as_bytes()
        )
        assert "49" not in (mail["Subject"] + mail.get_content()).replace(text, "")
        if text in TEMPLATES:
            assert text in mail["Subject"]
            assert text in mail.get_content()


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_name_at_all_makes_a_header(city, area):
    choices = Choices((Place("area", "gierath"),))
    said = words(city, area).mail(Mail("confirm", ANNA, "de", "t" * 43, choices), None)
    mail = read(message(SENDER, ANNA.address, said, "").as_bytes())
    assert ("t" * 43) in mail.get_content()


@pytest.mark.parametrize("text", HOSTILE + TEMPLATES)
def test_mailings_with_texts_that_staff_wrote(text):
    city_texts = {"de": CityText(text, text, text)}
    warning = warned("release", texts=city_texts)
    texts = MailingTexts(lambda *_: Text("", ""), text, "Europe/Berlin", BASIS.areas)
    said = texts.bulletin(_Mailing(warning), "de")
    mail = read(_filled(said, words(city=text)))
    assert "49" not in mail["Subject"].replace(text, "")
    if text in TEMPLATES:
        assert text in mail.get_content()
    assert "\n" not in said.sms.headline
    assert said.text.title.isprintable()


class _Mailing:
    """What the words of a mailing are made from."""

    def __init__(self, what):
        self.what, self.event, self.told, self.severity = what, "w1.1", "warning", "Severe"
        self.ends, self.event_us = False, 0


def _filled(bulletin, said):
    form = MailForm(bulletin, SENDER, said.links, said.foot(bulletin.language), 0)
    raw = form.fill(Recipient(1, ANNA, bulletin.language, "m" * 43, "l" * 43))
    assert raw.endswith(b"\r\n.\r\n")
    assert b"\r\n.\r\n" not in raw[:-5]
    assert b"\n" not in raw.replace(b"\r\n", b"")
    return raw.removesuffix(b".\r\n")


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_at_all_ends_a_mail_early_or_makes_a_header(title, body):
    texts = {"de": CityText(title, body, body)}
    made = MailingTexts(lambda *_: Text("", ""), "Stadt", "Europe/Berlin", BASIS.areas)
    bulletin = made.bulletin(_Mailing(warned("release", texts=texts)), "de")
    assert isinstance(bulletin, Bulletin)
    read(_filled(bulletin, words()))


@pytest.mark.parametrize("text", HOSTILE + TEMPLATES)
def test_notices_say_a_stations_name_as_it_is(text):
    texts = Texts(lambda _: text, "Europe/Berlin", text, lambda *_: [text])
    for language in ("de", "en"):
        said = texts.render(notice(), language)
        assert said.title.isprintable()
        assert "49" not in said.title.replace(text, "")
        if text in TEMPLATES:
            assert text[:30] in said.title + said.body


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ self._TemplateReference__context }}",
        "{% include '/etc/passwd' %}",
        "{{ name.__class__ }}",
        "{{ nonsense }}",
        "{% for x in range(10**9) %}{% endfor %}",
    ],
)
def test_a_template_of_the_city_reaches_nothing_of_the_program(tmp_path, template):
    for file in SHIPPED.glob("*.toml"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    shipped = (SHIPPED / "de.toml").read_text(encoding="utf-8")
    before, raised, after = shipped.partition("[raise]\n")
    (title, _, rest) = after.partition("\n")
    assert title.startswith("title")
    text = f"{before}{raised}title = {json.dumps(template)}\n{rest}"
    (tmp_path / "de.toml").write_text(text, encoding="utf-8")
    with pytest.raises(AlertsConfigError) as refused:
        Texts(str, "Europe/Berlin", folder=tmp_path)
    assert "root:" not in str(refused.value)
    assert "uid=" not in str(refused.value)


@pytest.mark.parametrize(
    "text", [*HOSTILE, "anna@example.org\r\nBcc: x@evil.example", "a\u2028@example.org", ENCODED]
)
def test_no_address_makes_a_header(text):
    for channel in ("email", "sms"):
        with pytest.raises(ContactError):
            contact(channel, text)


def test_a_message_that_cannot_be_sent_holds_up_nobody(file):
    """The first of two is one that the standard library refuses to write."""
    bad = Contact("email", ENCODED)  # nobody can enter it any more
    office = PostOffice()
    way = EmailWay(Mailer(SmtpServer(False, "127.0.0.1", office.port)), "w@example.org", "Stadt")
    sender = SubscriptionMails(file, words(), lambda _: {"email": way})
    try:
        for who in (bad, ANNA):
            file.ask(who, Choices((Place("area", "gierath"),)), "de-1")
        sender.start()
        assert office.mail(1)["To"] == "anna@example.org"
        assert "evil" not in str(sender.health)
    finally:
        sender.stop()
        office.stop()


MARKUP = [
    "<script>window.pwned=1</script>",
    '"><img src=x onerror=window.pwned=1>',
    "'><svg/onload=window.pwned=1>",
    "</title><script>window.pwned=1</script>",
    "</noscript><script>window.pwned=1</script>",
    "javascript:window.pwned=1",
    "]]><x>&amp;&#x3c;",
    "{{7*7}}{%if 1%}49{%endif%}",
]


@contextmanager
def hostile_town(city, text):
    """The city, its stations and its areas have this for a name."""
    rows = [
        {"lat": 50.98 + i / 100, "lon": 7.1 + i / 50, **row, "name": f"{text} {i}"}
        for i, row in enumerate(DEVICES)
    ]
    city.registry = load_registry(None, rows)
    city.name = text
    city.texts = Texts(lambda id_: city.registry.stations[id_].name, "Europe/Berlin", text)
    areas = parse_areas(
        {
            "type": "FeatureCollection",
            "features": [area_of("gierath", 50.98, 7.1, ["regen-gierath"], name=text, name_en=text)],
        },
        "areas.geojson",
    )
    file = with_subscriptions(city, areas=areas)
    try:
        yield file
    finally:
        file.close()


class Elements(HTMLParser):
    """Every element of a page with its attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.said = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.said += data


@pytest.mark.parametrize("text", MARKUP)
def test_pages_show_it_as_text(city, text):
    with hostile_town(city, text) as file, TestClient(city.app()) as client:
        token = subscribed(client, file)
        for path in ("/", "/subscribe", f"/subscriptions/{token}", "/docs", "/subscribe?lang=en"):
            page = Elements(client.get(path).text)
            for tag, attributes in page.elements:
                assert not any(name.startswith("on") for name in attributes), (path, tag)
                assert tag not in {"iframe", "object", "embed", "base", "x"}
                assert tag != "script" or attributes.get("src", "").startswith("/assets/")
                assert not attributes.get("href", "").startswith("javascript:")
                assert attributes.get("src", "/").startswith("/")
            if path != "/docs":
                assert text in page.said
            assert "49" not in page.said.replace(text, "") or "{{" not in text
        sent = {"area": text, "gauge": text, "told": text, "address": text, "least": text, "point": text}
        for path in ("/subscribe", "/subscribe/link"):
            again = client.post(path, data=sent)
            assert again.status_code == 422
            images = [attributes["src"] for tag, attributes in Elements(again.text).elements if tag == "img"]
            assert images == ["/assets/icon.svg"]
            assert "window.pwned=1</script>" not in again.text


@pytest.mark.parametrize("text", MARKUP[:4])
def test_a_browser_runs_none_of_it(city, browser, text):
    with hostile_town(city, text) as file, served(city.app()) as (address, _):
        with TestClient(city.app()) as client:
            token = subscribed(client, file)
        for path in ("/", "/subscribe", f"/subscriptions/{token}"):
            watched = Watched(browser, address)
            watched.page.goto(f"{address}{path}")
            watched.page.wait_for_load_state("load")
            if path == "/":
                watched.page.wait_for_selector(".station")
                watched.page.locator(".station").first.click()
            else:
                watched.page.wait_for_selector("path.area")
            assert text in watched.page.inner_text("body")
            assert watched.page.evaluate("typeof window.pwned") == "undefined"
            watched.close()


@pytest.mark.parametrize("text", MARKUP)
def test_data_says_it_as_it_is_and_is_never_taken_for_a_page(city, text):
    with hostile_town(city, text), TestClient(city.app()) as client:
        for path in ("stations", "warnings", "areas?limit=100", "readings/latest"):
            answer = client.get(f"/api/v1/{path}")
            assert answer.status_code == 200
            assert "json" in answer.headers["content-type"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            answer.json()
        assert f"{text} 0" in [each["name"] for each in client.get("/api/v1/stations").json()["items"]]
        wrong = client.get(f"/api/v1/stations/{text}".replace("#", "%23"))
        assert wrong.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("text", MARKUP + HOSTILE)
def test_a_cap_document_holds_it_as_text(text):
    def shape(said):
        (document,) = documents(warned("release", texts={"de": CityText(said, said, said)}))
        return etree.fromstring(document.xml)

    made, plain = shape(text), shape("Hochwasser")
    assert [each.tag for each in made.iter()] == [each.tag for each in plain.iter()]
    if text.isprintable():
        assert text.strip() in "".join(made.itertext())
    assert made.getroottree().docinfo.doctype == ""


@pytest.mark.parametrize("text", MARKUP + HOSTILE + TEMPLATES)
def test_a_notification_holds_it_as_text(text):
    said = json.loads(PushMessage(text, text, text, "/", 0, 1).payload)
    assert (said["title"], said["body"]) == (text, text)
    headers = PushMessage(text, text, text, "/", 0, 1).headers
    assert all(each.isascii() and each.isprintable() for each in headers.values())
