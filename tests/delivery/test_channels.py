import email
import email.policy
import io
import logging
import socket
import threading
from dataclasses import replace
from email.header import decode_header, make_header

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from alert_events import make_event
from servers import free_port
from servers import wait_for as until

from alerts.delivery.channels import AppriseSender, Channel, Outcome
from alerts.errors import AlertsConfigError
from alerts.texts.text import Text
from alerts.warning import fold, opened

TEXT = Text("Starkregen, Stufe 3: Kippemühle", "27,4 l/m² <b>in</b> einer Stunde\nEreignis ep1, Meldung e1")


def send(sender, text=TEXT):
    return sender.send(text, warns=True, stopping=threading.Event())


@pytest.fixture
def log():
    """What a service that logs everything would have written."""
    root = logging.getLogger()
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written.getvalue
    root.removeHandler(handler)
    root.setLevel(level)


class Mailbox(Message):
    def __init__(self):
        super().__init__()
        self.messages = []

    def handle_message(self, message):
        self.messages.append(email.message_from_bytes(message.as_bytes(), policy=email.policy.default))


@pytest.fixture
def mail_server():
    mailbox = Mailbox()
    port = free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield mailbox, port
    controller.stop()


def mail_url(port):
    return (
        f"mailto://127.0.0.1:{port}?from=stadtfunk@stadt.example&to=wache@stadt.example"
        "&smtp=127.0.0.1&mode=insecure"
    )


def test_mail_arrives_over_a_real_smtp_server(mail_server):
    mailbox, port = mail_server
    sender = AppriseSender(Channel("mail", mail_url(port)))
    assert send(sender) == Outcome("sent")
    (message,) = mailbox.messages
    assert str(make_header(decode_header(message["Subject"]))) == TEXT.title
    assert message["X-RcptTo"] == "wache@stadt.example"
    body = message.get_body(("plain", "html")).get_content()
    assert "27,4 l/m²" in body
    assert "Ereignis ep1, Meldung e1" in body


def test_two_mails_in_a_row_are_not_throttled(mail_server):
    mailbox, port = mail_server
    sender = AppriseSender(Channel("mail", mail_url(port)))
    # apprise's general 5.5 s between two messages would make the second one miss its 2 s
    assert sender._apprise[0].request_rate_per_sec == 0
    assert [send(sender).status, send(sender).status] == ["sent", "sent"]
    assert len(mailbox.messages) == 2


def test_a_limit_that_a_service_sets_itself_is_kept():
    sender = AppriseSender(Channel("chat", "tgram://123456789:abcdefghijklmnopqrstuvwxyzabcdefghi/12345"))
    assert sender._apprise[0].request_rate_per_sec > 0


def test_posts_json_as_it_is(endpoint):
    sender = AppriseSender(Channel("hook", endpoint.url))
    assert send(sender) == Outcome("sent")
    (message,) = endpoint.messages
    assert message["title"] == TEXT.title
    assert message["message"] == TEXT.body
    assert message["type"] == "warning"


def test_a_refusal_is_no_success(endpoint):
    endpoint.mode = "fail"
    outcome = send(AppriseSender(Channel("hook", endpoint.url)))
    assert outcome.status == "refused"
    assert "503" in outcome.detail


def test_a_hanging_call_is_left_behind_and_its_outcome_unknown(endpoint):
    endpoint.mode = "hang"
    sender = AppriseSender(Channel("hook", endpoint.url + "?rto=60"), timeout_s=0.3)
    assert send(sender).status == "unknown"
    assert sender.hanging == 1
    endpoint.mode, sender._calls._timeout_s = "ok", 60.0
    assert send(sender).status == "sent"
    endpoint.release.set()
    until(lambda: sender.hanging == 0)


def test_hanging_calls_do_not_pile_up(endpoint):
    endpoint.mode = "hang"
    sender = AppriseSender(Channel("hook", endpoint.url + "?rto=60"), timeout_s=0.05)
    outcomes = [send(sender) for _ in range(10)]
    assert [outcome.status for outcome in outcomes] == ["unknown"] * 8 + ["refused"] * 2
    assert endpoint.requests <= 8


def test_a_plugin_that_raises_is_an_outcome(endpoint, monkeypatch):
    sender = AppriseSender(Channel("hook", endpoint.url))

    def broken(**_):
        raise RuntimeError(f"cannot reach {endpoint.url}")

    monkeypatch.setattr(sender._apprise, "notify", broken)
    outcome = send(sender)
    assert outcome.status == "unknown"
    assert "s3cr3tpath" not in outcome.detail


def test_nobody_to_send_to_is_never_a_success(endpoint):
    sender = AppriseSender(Channel("hook", endpoint.url))
    sender._apprise.clear()
    assert send(sender).status == "misconfigured"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("nonsense", "cannot use"),
        ("nosuchservice://token12345/", "cannot use"),
        ("slack://onlyonetoken12345", "cannot use"),
        ("json://", "cannot use"),
        ("", "cannot use"),
        ("json://token12345.example/?optional=yes", "optional"),
        ("json://a.example/token12345, json://b.example/", "several"),
    ],
)
def test_an_address_that_cannot_work_is_found_at_the_start(url, problem, capfd, log):
    with pytest.raises(AlertsConfigError) as caught:
        AppriseSender(Channel("Leitstelle", url))
    (fault,) = caught.value.faults
    assert fault.key == "Leitstelle"
    assert problem in fault.problem
    assert fault.remedy
    everything = str(caught.value) + log() + "".join(capfd.readouterr())
    assert "token12345" not in everything


def test_a_good_address_is_accepted_without_sending(endpoint):
    AppriseSender(Channel("hook", endpoint.url))
    assert endpoint.requests == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"name": " "},
        {"language": "fr"},
        {"audience": ()},
        {"audience": ("everybody",)},
        {"min_level": 0},
        {"min_level": 5},
        {"kinds": ("crossing",)},
    ],
)
def test_a_channel_checks_its_values(changes):
    with pytest.raises(AlertsConfigError) as caught:
        Channel(**{"name": "a", "url": "json://localhost/", **changes})
    assert next(iter(changes)) in str(caught.value)


def test_secrets_stay_out_of_logs_errors_and_results(log, capfd, endpoint):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        url = f"json://us3rname:p%40ss%3Aw0rd@127.0.0.1:{port}/t0ken/path?+X-Key=h3ader"
        channel = Channel("hook", url)
        outcome = send(AppriseSender(channel))
    assert outcome.status == "refused"
    assert send(AppriseSender(Channel("hook", endpoint.url))).status == "sent"
    everything = repr(channel) + str(outcome) + log() + "".join(capfd.readouterr())
    for secret in ("us3rname", "p@ss:w0rd", "p%40ss", "t0ken", "h3ader", "s3cr3tpath"):
        assert secret not in everything


@pytest.mark.parametrize(
    ("audience", "hears", "told"),
    [
        ("staff", ("staff",), True),
        ("public", ("staff",), True),
        ("public", ("public",), True),
        ("staff", ("public",), False),
        ("staff", ("public", "staff"), True),
        (None, ("public", "staff"), False),
    ],
)
def test_who_hears_of_what(audience, hears, told):
    warning = fold(None, make_event(audience=audience))
    assert (Channel("a", "json://x/", audience=hears).deaf_to(warning) == "") == told


def test_the_least_level_counts_for_the_episode_so_that_its_end_is_told_too():
    channel = Channel("a", "json://x/", min_level=3)
    warning = fold(None, make_event("a", level=2))
    assert channel.deaf_to(warning) == "below Severe"
    assert channel.deaf_to(fold(warning, make_event("b", "clear")))
    warning = fold(warning, make_event("c", "escalate", level=3))
    assert channel.deaf_to(warning) == ""
    warning = fold(warning, make_event("d", "step_down", level=2))
    assert channel.deaf_to(warning) == ""
    assert channel.deaf_to(fold(warning, make_event("e", "clear"))) == ""


@pytest.mark.parametrize("kind", ["partner_silent", "partner_back"])
def test_that_the_first_instance_is_silent_every_staff_channel_hears(kind):
    warning = opened(replace(make_event(kind, kind, level=1, audience="staff"), severity="Severe"))
    assert Channel("a", "json://x/", min_level=4).deaf_to(warning) == ""
    assert Channel("a", "json://x/", audience=("public",)).deaf_to(warning) == "for staff only"


def test_a_lost_gateway_is_for_the_channels_that_hear_of_moderate():
    gone = opened(replace(make_event("a", "gateway_lost", level=0, audience="staff"), severity="Moderate"))
    assert Channel("a", "json://x/", min_level=2).deaf_to(gone) == ""
    assert Channel("a", "json://x/", min_level=3).deaf_to(gone) == "below Severe"


def test_kinds_can_be_chosen():
    channel = Channel("a", "json://x/", kinds=("raise", "clear"))
    warning = fold(None, make_event("a", level=2))
    assert channel.deaf_to(fold(warning, make_event("b", "escalate", level=4))) == "no escalate here"
