"""Programs hear of alerts by signed POST; receivers here fail, hang, redirect or say when to come again."""

import base64
import hashlib
import hmac
import json
import threading
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from alert_events import NOW_US, make_event, write_events
from servers import free_port
from servers import wait_for as until
from warned_city import T0, step

from alerts.delivery.channel_worker import Retry
from alerts.delivery.channels import Channel
from alerts.delivery.outbox import Outbox
from alerts.delivery.webhook import Webhook, WebhookSender, read_secret, signature
from alerts.errors import AlertsConfigError
from alerts.texts.text import Text

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
QUICK = Retry(first_s=0.05, most_s=0.2)


@dataclass
class Receiver:
    """`answers`: (status, headers) one after the other, then 204; "hang" holds one until `release`."""

    port: int = 0
    answers: list = field(default_factory=list)
    heard: list = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hook?key=s3cr3t"

    def taken(self):
        return [json.loads(body) for _, body, status in self.heard if status == 204]


@pytest.fixture
def make_receiver():
    started = []

    def make():
        receiver = Receiver()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = receiver.answers.pop(0) if receiver.answers else (204, {})
                receiver.heard.append((dict(self.headers), body, status))
                if status == "hang":
                    receiver.release.wait(60)
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815 - the standard library's name

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_):  # the sender has left
                pass

        server = Server(("127.0.0.1", 0), Handler)
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        started.append((receiver, server, thread))
        return receiver

    yield make
    for receiver, server, thread in started:
        receiver.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def receiver(make_receiver):
    return make_receiver()


@pytest.fixture
def make_outbox(tmp_path, journal, texts):
    made = []

    def make(*channels, clock=lambda: NOW_US, **options):
        outbox = Outbox(journal, tmp_path / "d.db", channels, texts, clock, retry=QUICK, **options)
        made.append(outbox)
        outbox.start()
        return outbox

    yield make
    for outbox in made:
        outbox.stop()


def hook(receiver, **options):
    return Webhook("leitsystem", receiver.url, secret=SECRET, **options)


def statuses(outbox):
    return {receipt.event: receipt.status for receipt in outbox.receipts()}


def test_the_published_example_of_a_signature():
    """From the test vectors of Standard Webhooks."""
    key = read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_receiver_can_verify_it_and_a_repetition_has_the_same_id(make_outbox, receiver, journal):
    receiver.answers = [(500, {}), (500, {})]
    outbox = make_outbox(hook(receiver))
    write_events(journal, make_event("e1", level=3))
    outbox.wake()
    until(lambda: statuses(outbox) == {"e1": "sent"})
    assert len(receiver.heard) == 3
    assert len({headers["webhook-id"] for headers, *_ in receiver.heard}) == 1
    headers, body, _ = receiver.heard[-1]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(b"0123456789abcdef0123456789abcdef", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert headers["content-type"] == "application/json"
    told = json.loads(body)
    assert (told["type"], told["timestamp"]) == ("notice.raise", "2005-10-22T16:53:20Z")
    assert (
        told["data"] | {"id": "ep1", "event": "e1", "station": "s1", "level": 3, "value": 27.4}
        == told["data"]
    )


def test_a_programme_hears_of_each_event_by_itself(make_outbox, receiver, journal):
    outbox = make_outbox(hook(receiver))
    events = [make_event("e1"), make_event("e2", episode="ep2"), make_event("e3", "escalate", level=4)]
    write_events(journal, *(replace(each, incident="strunde.20051022T165320Z") for each in events))
    outbox.wake()
    until(lambda: list(statuses(outbox).values()) == ["sent"] * 3)
    assert [each["data"]["event"] for each in receiver.taken()] == ["e1", "e2", "e3"]


def test_steps_of_a_warning_of_the_city_for_staff_and_for_the_public(make_outbox, make_receiver, journal):
    staff, public = make_receiver(), make_receiver()
    outbox = make_outbox(
        hook(staff),
        Webhook("portal", public.url, secret=SECRET, audience=("public",)),
        clock=lambda: T0,
    )
    write_events(journal, step(1, "propose"))
    outbox.wake()
    until(lambda: len(staff.taken()) == 1)
    write_events(journal, step(2, "release"))
    outbox.wake()
    until(lambda: len(staff.taken()) == 2 and public.taken())
    (released,) = public.taken()
    assert released["type"] == "city_warning.release"
    assert released["data"]["texts"]["en"]["headline"] == "Flood of the Strunde in Gierath"
    assert released["data"]["valid_until"] == "2026-07-14T21:32:00Z"
    assert not {"by", "reason", "incident"} & set(released["data"])
    assert staff.taken()[1]["data"]["by"] == "A. Beispiel"
    write_events(journal, step(3, "all_clear"))
    outbox.wake()
    until(lambda: len(public.taken()) == 2)
    assert public.taken()[1]["data"]["status"] == "ended"


def test_gone_is_given_up_and_asked_again_at_the_next_event(make_outbox, receiver, journal):
    receiver.answers = [(410, {})]
    outbox = make_outbox(hook(receiver))
    write_events(journal, make_event("e1"))
    outbox.wake()
    until(lambda: statuses(outbox) == {"e1": "failed"})
    until(lambda: "410" in outbox.channel_health["leitsystem"].detail)
    write_events(journal, make_event("e2", episode="ep2"))
    outbox.wake()
    until(lambda: statuses(outbox) == {"e1": "failed", "e2": "sent"})
    assert len(receiver.heard) == 2


@pytest.mark.parametrize("status", [429, 503])
def test_it_comes_back_when_the_receiver_says_and_nobody_else_waits(
    make_outbox, make_receiver, journal, status
):
    busy, other = make_receiver(), make_receiver()
    busy.answers = [(status, {"Retry-After": "3600"})]
    outbox = make_outbox(hook(busy), Webhook("portal", other.url, secret=SECRET))
    write_events(journal, make_event("e1"))
    outbox.wake()
    until(lambda: busy.heard)
    for number in range(2, 6):
        write_events(journal, make_event(f"e{number}", episode=f"ep{number}"))
        outbox.wake()
    until(lambda: len(other.taken()) == 5)
    worker = next(each for each in outbox._workers if each.channel.name == "leitsystem")
    until(lambda: worker._held_until)
    assert len(busy.heard) == 1
    assert worker._next()[0] is None
    # an hour later
    worker._held_until = 0.0
    until(lambda: len(busy.taken()) == 5)


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [("7", 7.0), ("999999999", 3600.0), ("soon", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
def test_how_long_it_waits(receiver, text, wait_s):
    receiver.answers = [(429, {"Retry-After": text})]
    outcome = WebhookSender(hook(receiver)).send(Text("", "{}"), warns=True, stopping=threading.Event())
    assert (outcome.status, outcome.wait_s) == ("refused", wait_s)


def test_no_redirect_is_followed(make_outbox, make_receiver, journal):
    receiver, elsewhere = make_receiver(), make_receiver()
    receiver.answers = [(code, {"Location": elsewhere.url}) for code in (301, 302, 303, 307, 308)]
    outbox = make_outbox(hook(receiver))
    write_events(journal, make_event("e1"))
    outbox.wake()
    until(lambda: statuses(outbox) == {"e1": "sent"})
    assert len(receiver.heard) == 6
    assert elsewhere.heard == []


def test_a_hanging_receiver_is_left_behind_and_delays_nobody(make_outbox, make_receiver, journal, endpoint):
    hanging, alive = make_receiver(), make_receiver()
    hanging.answers = [("hang", {})]
    outbox = make_outbox(
        hook(hanging),
        Webhook("portal", alive.url, secret=SECRET),
        Channel("wache", endpoint.url),
        open_sender=None,
    )
    worker = next(each for each in outbox._workers if each.channel.name == "leitsystem")
    for number in range(5):
        write_events(journal, make_event(f"e{number}", episode=f"ep{number}"))
        outbox.wake()
    until(lambda: len(alive.taken()) == len(endpoint.messages) == 5)
    assert hanging.taken() == []
    outbox.stop()
    until(lambda: not worker._thread.is_alive(), 5, "an end before the call's")


def test_no_answer_in_time_may_have_arrived(receiver):
    receiver.answers = [("hang", {})]
    sender = WebhookSender(hook(receiver), timeout_s=0.2)
    assert sender.send(Text("", "{}"), warns=True, stopping=threading.Event()).status == "unknown"


def test_nobody_there_is_a_refusal_without_the_address():
    url = f"http://127.0.0.1:{free_port()}/s3cr3t"
    sender = WebhookSender(Webhook("x", url, secret=SECRET))
    outcome = sender.send(Text("", "{}"), warns=True, stopping=threading.Event())
    assert outcome.status == "refused"
    assert "s3cr3t" not in outcome.detail


@pytest.mark.parametrize(
    ("url", "secret", "key"),
    [
        ("ftp://host/", SECRET, "x.url"),
        ("https://user:pass@host/", SECRET, "x.url"),
        ("https://host/ /", SECRET, "x.url"),
        ("https://host:99999/", SECRET, "x.url"),
        ("https://host/", "geheim", "x.secret"),
        ("https://host/", "whsec_c2hvcnQ=", "x.secret"),
        ("https://host/", "whsec_!!!!" + SECRET[6:], "x.secret"),
    ],
)
def test_what_cannot_work_is_found_at_the_start_and_shows_no_secret(url, secret, key):
    with pytest.raises(AlertsConfigError) as caught:
        Webhook("x", url, secret=secret)
    (fault,) = caught.value.faults
    assert (fault.file, fault.key) == ("[[alerts.webhook]]", key)
    assert secret not in str(fault)
    assert "pass" not in str(fault)


def test_neither_secret_nor_address_is_shown(receiver):
    assert "s3cr3t" not in repr(hook(receiver))
    assert SECRET not in repr(hook(receiver))
