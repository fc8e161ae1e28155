"""Nothing that a resident enters makes the service connect into the city's network."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import wait_for
from small_town import TOKEN
from subscribers import words
from subscription_town import ASKED, mails

from alerts.errors import ContactError
from alerts.subscriptions.contact import contact
from alerts.subscriptions.mails import SmsWay, SubscriptionMails, sms_url

INSIDE = [
    "json://127.0.0.1/hook",
    "jsons://intranet.stadt.example/hook",
    "xml://169.254.169.254/latest/meta-data",
    "form://10.0.0.1",
    "http://127.0.0.1:8080/api/v1/admin",
    "file:///etc/passwd",
    "syslog://localhost",
    "mqtt://127.0.0.1/stadtfunk/warnings",
    "mailto://user:pass@intranet",
    "mailto:anna@example.org",
    "bulksms://user:pass@015112345678",
    "anna@[127.0.0.1]",
    "anna@[IPv6:::1]",
    "anna@localhost",
    "anna@intranet",
    "anna@127.0.0.1",
    "anna@example.org,json://127.0.0.1",
    "anna@example.org json://127.0.0.1",
    "anna@example.org?cc=x@intranet",
    "<anna@example.org>",
    '"json://127.0.0.1/"@example.org\r\n',
    "+491711234567@127.0.0.1",
    "+491711234567/../../x",
    "+491711234567?to=+491711111111",
    "+491711234567;ext=1",
    "0171 1234567 json://127.0.0.1",
    "tel:+491711234567;phone-context=127.0.0.1",
    "sms://0171123456",
]


@pytest.mark.parametrize("channel", ["email", "sms", "voice"])
@pytest.mark.parametrize("text", INSIDE)
def test_an_address_is_an_address_and_no_url(channel, text):
    try:
        found = contact(channel, text, anywhere=True)
    except ContactError:
        return
    # a number is what is left of it: its digits
    assert channel != "email"
    assert found.address.removeprefix("+").isdigit()


@pytest.mark.parametrize("text", INSIDE)
def test_the_form_and_the_api_refuse_it_and_send_nothing(client, file, text):
    operator = {"authorization": f"Bearer {TOKEN}"}
    paper = {"staff": "A. Beispiel", "form_date": "2026-01-01"}
    for path, more in (
        ("/api/v1/subscriptions", {"json": ASKED | {"address": text}}),
        ("/api/v1/subscriptions/link", {"json": {"address": text}}),
        ("/subscribe", {"data": {"address": text, "area": "gierath", "told": "notice"}}),
        (
            "/api/v1/admin/subscriptions",
            {"json": ASKED | paper | {"address": text}, "headers": operator},
        ),
    ):
        assert client.post(path, **more).status_code == 422, path
    assert mails(file) == []


@pytest.mark.parametrize("more", [{"url": "json://127.0.0.1"}, {"channel": "json"}, {"channel": "apprise"}])
def test_nobody_names_a_service(client, file, more):
    assert client.post("/api/v1/subscriptions", json=ASKED | more).status_code == 422
    assert mails(file) == []


@given(st.text(max_size=60))
def test_nothing_but_digits_reaches_the_address_of_the_sms_service(text):
    filled = sms_url("json://gateway.example/send/{to}?key=geheim", text)
    parts = urlsplit(filled)
    assert (parts.scheme, parts.netloc, parts.query) == ("json", "gateway.example", "key=geheim")
    rest = parts.path.removeprefix("/send/")
    assert rest == "" or (rest.isascii() and rest.isdigit())


class SmsService(ThreadingHTTPServer):
    """An HTTP service for SMS that notes what it is asked."""

    def __init__(self):
        paths = self.paths = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                paths.append(self.path)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Quiet."""

        super().__init__(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self):
        self.shutdown()
        self._thread.join(60)
        self.server_close()


def test_however_a_number_is_written_the_service_gets_its_digits(client, file):
    service = SmsService()
    url = f"json://127.0.0.1:{service.server_port}/send/{{to}}"
    sender = SubscriptionMails(file, words(), lambda stopping: {"sms": SmsWay(url, stopping)})
    sender.start()
    try:
        for number in ("0171 / 123-4567", "+49 (171) 1234567", "0049171.1234567"):
            body = ASKED | {"channel": "sms", "address": number}
            assert client.post("/api/v1/subscriptions", json=body).status_code == 202
        wait_for(lambda: len(service.paths) == 3)
        assert set(service.paths) == {"/send/491711234567"}
    finally:
        sender.stop()
        service.stop()
