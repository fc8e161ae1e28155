"""People without a smartphone are called: what a telephone service is asked, over real HTTP."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st
from residents import Town, city, notice, subscribe
from servers import wait_for

from alerts.delivery.spoken import SPOKEN_LIMIT, spoken
from alerts.delivery.voice_way import VoiceWay
from alerts.delivery.webhook import Webhook, read_secret, signature

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
BERTA, KARL = "+492202123456", "+4915112345678"


class TelephoneService:
    """`answers`: statuses one after the other, then 202; "hang" holds a request until the end."""

    def __init__(self):
        self.answers = []
        self.asked = []
        self.headers = []
        self.release = threading.Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.headers.append((dict(self.headers), body))
                service.asked.append(json.loads(body))
                status = service.answers.pop(0) if service.answers else 202
                if status == "hang":
                    service.release.wait(600)
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/calls"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self):
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def to(self, number):
        return [each for each in list(self.asked) if each["to"] == number]


@pytest.fixture
def service():
    service = TelephoneService()
    yield service
    service.close()


@pytest.fixture
def town(tmp_path, service):
    town = Town(tmp_path)
    town.timeout_s = 60.0
    town.ways = lambda stopping: {
        "voice": VoiceWay(Webhook("voice", service.url, secret=SECRET), stopping, timeout_s=town.timeout_s)
    }
    yield town
    town.close()


def done(town, event):
    wait_for(lambda: (event, "voice") in town.runs() and town.runs()[event, "voice"].state == "done")
    return town.runs()[event, "voice"]


def test_each_is_called_once_in_the_own_language_and_only_by_voice(town, service):
    subscribe(town.subscriptions, [BERTA], "voice")
    subscribe(town.subscriptions, [KARL], "voice", language="en")
    subscribe(town.subscriptions, ["+4915112345679"], "sms")
    town.start(town.ways)
    town.happens(notice("e1", "raise", severity="Extreme"))
    assert done(town, "e1").sent == 2
    (berta,), (karl,) = service.to(BERTA), service.to(KARL)
    assert len(service.asked) == 2
    assert (berta["type"], berta["language"], berta["severity"]) == ("call", "de", "Extreme")
    assert berta["text"].startswith("Guten Tag. Hier ist eine automatische Ansage der Stadt Teststadt.")
    assert berta["text"].count("Automatische Messwertmeldung, keine amtliche Warnung.") == 2
    assert berta["valid_until"] is None
    assert karl["language"] == "en"
    assert "not an official warning" in karl["text"]
    assert berta["id"] != karl["id"]


def test_a_request_is_signed_by_the_citys_secret(town, service):
    subscribe(town.subscriptions, [BERTA], "voice")
    town.start(town.ways)
    town.happens(notice("e1", "raise"))
    done(town, "e1")
    ((headers, body),) = service.headers
    said = {key.lower(): value for key, value in headers.items()}
    expected = signature(read_secret(SECRET), said["webhook-id"], int(said["webhook-timestamp"]), body)
    assert said["webhook-signature"] == expected
    assert abs(int(said["webhook-timestamp"]) - time.time()) < 60


def test_a_warning_of_the_city_is_read_with_what_to_do_and_its_end_without(town, service):
    subscribe(town.subscriptions, [BERTA], "voice")
    town.start(town.ways)
    town.happens(city(1, "propose"), city(2, "release"))
    wait_for(lambda: len(service.asked) == 1)
    town.happens(city(3, "all_clear"))
    wait_for(lambda: len(service.asked) == 2)
    release, end = service.asked
    assert "Warnung der Stadt Teststadt." in release["text"]
    assert release["text"].count("Tiefgaragen sofort verlassen.") == 2
    assert release["valid_until"].endswith("Z")
    assert "Die Stadt gibt Entwarnung." in end["text"]
    assert "verlassen" not in end["text"]


def test_a_busy_service_is_asked_again_with_the_same_id(town, service):
    service.answers = [503, 429, 500, 302]
    subscribe(town.subscriptions, [BERTA], "voice")
    town.start(town.ways)
    town.happens(notice("e1", "raise"))
    assert done(town, "e1").sent == 1
    assert len(service.asked) == 5
    assert len({json.dumps(each) for each in service.asked}) == 1


def test_a_number_that_is_not_to_be_called_is_asked_for_once(town, service):
    service.answers = [410]
    subscribe(town.subscriptions, [BERTA], "voice")
    town.start(town.ways)
    town.happens(notice("e1", "raise"))
    assert done(town, "e1").refused == 1
    assert len(service.asked) == 1


def test_a_service_that_hangs_is_said_and_tried_three_times(town, service):
    service.answers = ["hang"] * 3
    town.timeout_s = 0.3
    subscribe(town.subscriptions, [BERTA], "voice")
    town.start(town.ways)
    town.happens(notice("e1", "raise"))
    wait_for(lambda: not town.mass.health["mass_mail voice"].ok)
    assert town.mass.health["mass_mail voice"].detail == "the telephone service gave no answer in time"
    assert done(town, "e1").sent == 0
    wait_for(lambda: len(service.asked) == 3)  # a request that was given up may be on its way


def test_spoken_text_is_short_sentences_without_anything_to_read():
    todo = "Keller verlassen - sofort; Kinder zuerst (auch Tiere). Mehr: HTTPS://x.de/a www.x.de"
    said = spoken("Hallo", ["Warnung der Stadt X: Hochwasser", todo], "Ich wiederhole.")
    once = "Warnung der Stadt X. Hochwasser. Keller verlassen. sofort. Kinder zuerst auch Tiere. Mehr."
    assert said == f"Hallo. {once} Ich wiederhole. {once}"


@given(st.lists(st.text(max_size=400), max_size=5))
def test_whatever_is_written_is_said_within_the_limit(parts):
    said = spoken("Hallo.", parts, "Ich wiederhole.")
    assert len(said) <= 2 * SPOKEN_LIMIT + 30
    assert said.isprintable()
