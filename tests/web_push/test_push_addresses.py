"""The address of a browser comes from a stranger: it must not lead anywhere but to a push service."""

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from push_service import HOST, FakeBrowser, b64

from alerts.errors import ContactError, MailError
from alerts.web_push.browser import PushServices, read_browser, read_host
from alerts.web_push.public_https import PublicHttps, public, public_addresses
from alerts.web_push.push_message import PushMessage
from alerts.web_push.push_sender import PushSender

SERVICES = PushServices()
GOOD = FakeBrowser("fcm.googleapis.com")
HELLO = PushMessage("Stadt", "Hallo", "t", "/", 0, 60)


def browser(endpoint):
    return SERVICES.browser(endpoint, b64(GOOD.p256dh), b64(GOOD.auth))


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/dGVzdA:APA91b-x_y",
        "https://fcm.googleapis.com/wp/abc",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAAA",
        "https://web.push.apple.com/QGuQyavXutnMH",
        "https://wns2-par02p.notify.windows.com/w/?token=BQYAAAC%2bx%3d",
    ],
)
def test_push_services_of_browsers_are_taken(endpoint):
    found = browser(endpoint)
    assert found.host == endpoint.split("/")[2]
    assert read_browser(found.text) == found


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/x",
        "HTTPS://fcm.googleapis.com/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://localhost/x",
        "https://intranet/x",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com:443/x",
        "https://user:pass@fcm.googleapis.com/x",
        "https://fcm.googleapis.com@127.0.0.1/x",
        "https://fcm.googleapis.com\\@127.0.0.1/x",
        "https://127.0.0.1\\.fcm.googleapis.com/x",
        "https://fcm.googleapis.com.evil.example/x",
        "https://evil.example/fcm.googleapis.com",
        "https://evilfcm.googleapis.com/x",
        "https://push.apple.com.evil.example/x",
        "https://evilpush.apple.com/x",
        "https://.push.apple.com/x",
        "https://push.apple.com/x",
        "https://FCM.googleapis.com/x",
        "https://fcm.googleapis.com./x",
        "https://fcm.googleapis.com",
        "https://fcm.googleapis.com?x",
        "https://fcm.googleapis.com/x#y",
        "https://fcm.googleapis.com/x y",
        "https://fcm.googleapis.com/x\r\nHost: intranet",
        "https://fcm.googleapis.com/x\n",
        "https://fcm.googleapis.com/\u2028",
        "https://fcm\u3002googleapis\u3002com/x",
        "https://\uff46cm.googleapis.com/x",
        "//fcm.googleapis.com/x",
        "file:///etc/passwd",
        "gopher://fcm.googleapis.com/x",
        "jsons://fcm.googleapis.com/x",
        "https://fcm.googleapis.com/" + "a" * 3000,
        "",
    ],
)
def test_everything_else_is_refused_and_not_repeated(endpoint):
    with pytest.raises(ContactError) as refused:
        browser(endpoint)
    assert "fcm" not in str(refused.value)
    assert "127" not in str(refused.value)


@given(st.text(max_size=60))
def test_nobody_finds_a_way_around_the_list(text):
    for endpoint in (
        f"https://{text}",
        f"https://fcm.googleapis.com{text}",
        f"https://{text}.push.apple.com/x",
    ):
        try:
            found = browser(endpoint)
        except ContactError:
            continue
        assert found.host == "fcm.googleapis.com" or found.host.endswith(".push.apple.com")
        assert endpoint.startswith(f"https://{found.host}/")


@pytest.mark.parametrize(
    ("p256dh", "auth"),
    [
        ("", ""),
        (b64(GOOD.p256dh), b64(bytes(15))),
        (b64(GOOD.p256dh[:-1]), b64(GOOD.auth)),
        (b64(b"\x04" + bytes(64)), b64(GOOD.auth)),  # no point of the curve
        (b64(b"\x02" + GOOD.p256dh[1:33]), b64(GOOD.auth)),  # compressed
        ("!" * 87, b64(GOOD.auth)),
        (b64(GOOD.p256dh) + " " + b64(GOOD.auth), b64(GOOD.auth)),
    ],
    # the keys are made anew in every process, and the processes of a run must agree on the names
    ids=["empty", "short secret", "short key", "no point", "compressed", "no base64", "a space after"],
)
def test_keys_that_are_none_are_refused(p256dh, auth):
    with pytest.raises(ContactError):
        SERVICES.browser(GOOD.endpoint, p256dh, auth)


def test_a_city_adds_hosts_and_only_hosts():
    assert "push.example.org" in PushServices(["push.example.org"])
    assert "a.b.example.org" in PushServices(["*.example.org"])
    assert "example.org" not in PushServices(["*.example.org"])
    for bad in ("*", "*.de.", "127.0.0.1", "https://x.org", "x.org:8443", "x.*.org", "localhost", "*.*.org"):
        with pytest.raises(ValueError, match="host"):
            read_host(bad)


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("142.250.185.74", True),
        ("2a00:1450:4001:80b::200a", True),
        ("64:ff9b::8efa:b94a", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("ff0e::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),  # 6to4 of 127.0.0.1
        ("64:ff9b::a00:1", False),  # NAT64 of 10.0.0.1
        ("2001:0:a00:1::1", False),  # Teredo
    ],
)
def test_which_addresses_are_public(address, is_public):
    assert public(address) is is_public


class Listener:
    """Notes whether anybody connects."""

    def __init__(self):
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while True:
            try:
                made, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            made.close()

    def stop(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(60)


def test_a_name_that_leads_into_the_citys_network_is_never_connected_to(monkeypatch, push):
    listener = Listener()
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", listener.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: answers)
    sender = PushSender(push.vapid, push.services, PublicHttps())
    try:
        with pytest.raises(MailError, match="cannot be reached") as refused:
            sender.send(FakeBrowser(HOST).contact(push.services).text, HELLO)
        assert listener.connections == 0
        assert not refused.value.gone
        with pytest.raises(OSError, match="no public address"):
            public_addresses(HOST)
        both = [*answers, (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("142.250.185.74", 443))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: both)
        assert public_addresses(HOST) == [("142.250.185.74", 443)]
    finally:
        sender.close()
        listener.stop()


def test_the_listener_does_notice(push):
    """So that the test above can fail."""
    listener = Listener()
    https = PublicHttps(lambda _: [("127.0.0.1", listener.port)], push.context)
    sender = PushSender(push.vapid, push.services, https)
    try:
        with pytest.raises(MailError):
            sender.send(FakeBrowser(HOST).contact(push.services).text, HELLO)
        assert listener.connections == 1
    finally:
        sender.close()
        listener.stop()


def test_no_redirect_is_followed(push):
    hidden = FakeBrowser()
    target = FakeBrowser()
    push.answers[target.path] = (307, {"Location": hidden.endpoint})
    with pytest.raises(MailError) as refused:
        push.sender.send(target.contact(push.services).text, HELLO)
    assert refused.value.for_good
    assert [each.path for each in push.posted] == [target.path]


def test_a_certificate_of_somebody_else_is_refused(push):
    sender = PushSender(push.vapid, PushServices(["other.example"]), push.https)
    with pytest.raises(MailError, match="SSLError"):
        sender.send(FakeBrowser("other.example").contact(PushServices(["other.example"])).text, HELLO)
    assert push.posted == []


def test_a_host_that_a_city_took_off_its_list_is_not_sent_to(push):
    with pytest.raises(MailError, match="not allowed any more"):
        PushSender(push.vapid, PushServices(), push.https).send(
            FakeBrowser().contact(push.services).text, HELLO
        )
    assert push.posted == []
