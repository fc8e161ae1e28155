"""What arrives at a real mail server, and what no name can do to it."""

import datetime as dt
import re
from email.headerregistry import Address

import pytest
from post_office import PostOffice, certificate
from servers import free_port, wait_for
from subscribers import ANNA, area, words

from alerts.areas import parse_areas
from alerts.delivery.smtp import Mailer, SmtpServer, read_smtp_url
from alerts.errors import MailError
from alerts.scale import READ_IN
from alerts.subscriptions.contact import contact
from alerts.subscriptions.mails import EmailWay, SubscriptionMails, message, sms_url
from alerts.subscriptions.records import Mail
from alerts.subscriptions.subscription import Choices, Place

LINK = re.compile(r"https://warn\.example/subscriptions/([\w-]+)")
GIERATH = Place("area", "gierath")
SENDER = Address("S", addr_spec="w@example.org")


def links(mail):
    return LINK.findall(mail.get_content())


def test_from_the_question_to_the_end_by_mail(desk, post, mails):
    desk.file.ask(ANNA, Choices((GIERATH, Place("gauge", "pegel"), Place.at(50.98, 7.1, 3))), "de-1")
    confirm = post.mail(1)
    assert confirm["To"] == "anna@example.org"
    assert confirm["From"] == "Stadt Teststadt <warnungen@example.org>"
    assert "Bitte bestätigen" in confirm["Subject"]
    assert confirm["Auto-Submitted"] == "auto-generated"
    assert "List-Unsubscribe" not in confirm, "there is nothing to leave yet"
    said = confirm.get_content().replace("\r\n", "\n")
    for line in (
        "- Warngebiet Gierath\n",
        "- Pegel Kippemühle\n",
        "- Ort 50,980, 7,100, Regen im Umkreis von 3 km\n",
    ):
        assert line in said
    (token,) = links(confirm)
    manage = desk.file.confirm(token)
    welcome = post.mail(2)
    assert links(welcome)[0] == manage
    leave = welcome["List-Unsubscribe"].removeprefix("<https://warn.example/subscriptions/").removesuffix(">")
    assert welcome["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert desk.file.find(leave).kind == "leave"
    wait_for(lambda: not desk.file.mails.due())
    assert mails.health.ok
    assert mails.stats.sent == 2


def test_a_mail_in_both_cases_and_only_the_mail_differs(desk, post, mails):
    desk.file.enter(ANNA, Choices((GIERATH,)), "de-1", "Amt", dt.date(2026, 1, 1))
    assert "Sie bekommen jetzt" in post.mail(1)["Subject"]
    before = 1
    for who in (ANNA, contact("email", "otto@example.org")):
        desk.file.ask_link(who, "de")
    wait_for(lambda: len(post.mails) == before + 2)
    known, unknown = post.mail(before + 1), post.mail(before + 2)
    assert known["Subject"] == unknown["Subject"]
    assert desk.file.find(links(known)[0]).kind == "manage"
    assert links(unknown) == []
    assert "keine Warnungen bestellt" in unknown.get_content()
    desk.file.ask(ANNA, Choices((Place("area", "oben"),)), "de-1")
    again = post.mail(before + 3)
    assert "kommen diese Orte zu Ihren bisherigen hinzu" in again.get_content()
    assert [desk.file.find(each).kind for each in links(again)] == ["confirm", "manage"]


def test_a_server_that_refuses_for_now_is_asked_again(desk, post, mails):
    post.answer = "451 later"
    desk.file.ask(ANNA, Choices((GIERATH,)), "de-1")
    wait_for(lambda: not mails.health.ok)
    assert "451" in mails.health.detail
    assert "anna" not in mails.health.detail
    post.answer = ""
    desk.now_us += 3_600_000_000
    mails._woken.set()
    assert post.mail(1)["To"] == "anna@example.org"
    wait_for(lambda: mails.health.ok)


def test_an_address_that_does_not_exist_holds_nobody_up(desk, post, mails):
    post.refuse = "550 no such user"
    desk.file.ask(ANNA, Choices((GIERATH,)), "de-1")
    wait_for(lambda: mails.stats.given_up == 1)
    wait_for(lambda: desk.file.counts()["waiting"] == 0)
    assert mails.health.ok


def test_a_dead_server_loses_nothing(desk):
    way = EmailWay(Mailer(SmtpServer(False, "127.0.0.1", free_port())), "w@example.org", "Stadt")
    mails = SubscriptionMails(desk.file, words(), lambda _: {"email": way})
    mails.start()
    desk.file.ask(ANNA, Choices((GIERATH,)), "de-1")
    wait_for(lambda: not mails.health.ok)
    mails.stop()
    assert desk.file.counts()["waiting"] == 1


EVIL = "{{7*7}}{city}{0.__class__}\r\nBcc: all@example.org\r\n\r\n<script>alert(1)</script>%s${HOME}"


def test_names_are_text_and_nothing_else(desk, post):
    file = parse_areas(
        {"type": "FeatureCollection", "features": [area("gierath", 50.98, 7.1, ["pegel"], EVIL[:79])]}, "x"
    )
    way = EmailWay(
        Mailer(SmtpServer(False, "127.0.0.1", post.port)), "w@example.org", f"Stadt\r\nBcc: {EVIL}"
    )
    mails = SubscriptionMails(desk.file, words(file, f"Stadt\r\nBcc: {EVIL}"), lambda _: {"email": way})
    desk.file.ask(ANNA, Choices((GIERATH, Place("gauge", "weg"))), "de-1")
    mails._send(desk.file.mails.due()[0])
    mail = post.mail(1)
    assert post.mails[0][0] == ["anna@example.org"]
    assert mail["Bcc"] is None
    assert set(mail.keys()) == {
        *("From", "To", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"),
        *("Content-Transfer-Encoding", "X-Peer", "X-MailFrom", "X-RcptTo"),
    } - {"X-Peer", "X-MailFrom", "X-RcptTo"}
    assert "- Warngebiet {{7*7}}{city}{0.__class__} Bcc: all@example.org" in mail.get_content()
    assert mail.get_content_type() == "text/plain"


@pytest.mark.parametrize("language", READ_IN)
@pytest.mark.parametrize("kind", ["confirm", "link", "welcome", "changed"])
@pytest.mark.parametrize("channel", ["email", "sms"])
def test_every_text_is_filled_in(desk, language, kind, channel):
    who = ANNA if channel == "email" else contact("sms", "0171 1234567")
    desk.file.enter(who, Choices((GIERATH,), language=language), "de-1", "Amt", dt.date(2026, 1, 1))
    choices = Choices((GIERATH,)) if kind == "confirm" else None
    mail = Mail(kind, who, language, "t" * 43, choices)
    for known in (desk.file.known(who), *([None] if kind in {"confirm", "link"} else [])):
        text = words().mail(mail, known)
        assert "{" not in text.title + text.body
        assert len(text.title) <= 80
        assert "https://warn.example/" in text.body
        if channel == "sms":
            assert len(text.body) <= 160 + 60, "at most two SMS"


def test_a_long_link_stays_one_word_in_the_header():
    leave = f"https://{'a' * 60}.example.org/subscriptions/{'x' * 43}"
    raw = bytes(message(SENDER, "a@example.org", words_text(), leave))
    assert f"List-Unsubscribe: <{leave}>".encode() in raw


def words_text():
    return words().mail(Mail("link", ANNA, "de"), None)


def test_over_tls_only_to_a_server_that_is_who_it_says(tmp_path):
    server, client = certificate(tmp_path)
    office = PostOffice(server)
    mail = message(
        SENDER,
        "a@example.org",
        words_text(),
        "",
    )
    try:
        Mailer(SmtpServer(True, "127.0.0.1", office.port), client).send(mail)
        assert office.mail(1)["To"] == "a@example.org"
        with pytest.raises(MailError, match="certificate is not valid: self-signed certificate"):
            Mailer(SmtpServer(True, "127.0.0.1", office.port)).send(mail)
    finally:
        office.stop()


def test_addresses_of_mail_servers():
    assert read_smtp_url("smtps://u%40x:p%2Fw@mail.example.org") == SmtpServer(
        True, "mail.example.org", 465, "u@x", "p/w"
    )
    assert read_smtp_url("smtp://127.0.0.1:2525").here
    assert not read_smtp_url("smtp://10.0.0.1").here
    assert "p/w" not in repr(read_smtp_url("smtps://u:p%2Fw@h"))
    for wrong in (
        "mailto://x",
        "smtps://",
        "smtps://u@h",
        "smtps://h:99999",
        "smtps://h/path",
        "smtps://h?x=1",
        "smtps://u:geheim%C3%BC@h",
    ):
        with pytest.raises(ValueError, match=r"expected|password") as refused:
            read_smtp_url(wrong)
        assert "geheim" not in str(refused.value)


def test_in_the_clear_only_to_this_machine(post, monkeypatch):
    monkeypatch.setattr(SmtpServer, "here", False)
    mailer = Mailer(SmtpServer(False, "127.0.0.1", post.port, "user", "secret"))
    with pytest.raises(MailError, match="SMTPNotSupportedError"):
        mailer.send(message(SENDER, "a@example.org", words_text(), ""))
    assert post.mails == []


def test_a_number_cannot_change_the_address_of_the_sms_service():
    assert sms_url("clickatell://key/{to}/?x=1", "+491711234567") == "clickatell://key/491711234567/?x=1"
    assert sms_url("service://{to}", "1@10.0.0.1/?a=b#c") == "service://110001"
