"""The gap after a reconnect, fetched from a server of our own that answers as the real storage does."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from servers import wait_for
from uplink_messages import EUI, NOW_US, rfc3339, tts

from devices.catalogue import load_catalogue
from devices.instant import rfc3339_us
from devices.registry import RegistryFile
from ingest.broker import read_broker_url
from ingest.hand_over import HandOver
from ingest.network_servers import PARSERS
from ingest.pipeline import Intake
from ingest.tts_storage import OVERLAP_US, TtsStorage, newest_received_us, storage_config

DEVICE = {"dev_eui": EUI, "type": "decentlab-dl-tbrg", "station": "rain", "lat": 51.0, "lon": 7.0}
SECOND = 1_000_000
TOPIC = "v3/city@ttn/devices/rain/up"


class Storage:
    """`uplinks` in any order; `answers` says what comes before the right answer: a status or bytes."""

    def __init__(self):
        self.uplinks = []
        self.answers = []
        self.asked = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, request):
        parts = urlsplit(request.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.asked.append((parts.path, query, dict(request.headers)))
        status, body = 200, None
        if self.answers:
            given = self.answers.pop(0)
            status, body = (given, b'{"code": 7}') if isinstance(given, int) else (200, given)
        if body is None:
            after = rfc3339_us(query["after"])
            rows = sorted(self.uplinks, key=lambda row: rfc3339_us(row["received_at"]))
            rows = [row for row in rows if rfc3339_us(row["received_at"]) > after][: int(query["limit"])]
            body = b"".join(json.dumps({"result": row}).encode() + b"\n\n" for row in rows)
        request.send_response(status)
        request.send_header("Content-Type", "text/event-stream")
        request.end_headers()
        request.wfile.write(body)

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server():
    server = Storage()
    yield server
    server.close()


@pytest.fixture
def intake(journal):
    intake = Intake(
        journal,
        RegistryFile(None, [DEVICE]),
        load_catalogue(),
        {"ttn": PARSERS["tts-v3"].parse},
        lambda: NOW_US,
    )
    intake.start()
    yield intake
    intake.stop()


@pytest.fixture
def storage(server, intake, journal, tmp_path, monkeypatch):
    """Starts what fetches; it ends with the test."""
    monkeypatch.setattr("ingest.tts_storage.PAUSE_S", (0.02, 0.1))
    started = []

    def start(sink=None):
        broker = read_broker_url("mqtts://city%40ttn:NNSXS.KEY@eu1.cloud.example:8883")
        each = TtsStorage(
            storage_config("ttn", broker, server.url),
            intake.hand_over if sink is None else sink,
            lambda: NOW_US,
            lambda: newest_received_us(journal, "ttn"),
            tmp_path / "storage-ttn.gap",
        )
        started.append(each)
        each.start()
        return each

    yield start
    for each in started:
        each.stop()
        wait_for(lambda each=each: not each._thread.is_alive())


def stored(server, count, seconds_ago=0):
    server.uplinks += [
        tts(time_us=NOW_US - (seconds_ago + count - n) * SECOND, f_cnt=1000 + n) for n in range(count)
    ]


def test_where_the_storage_is():
    broker = read_broker_url("mqtts://city%40ttn:KEY@eu1.cloud.example:8883")
    config = storage_config("ttn", broker)
    assert (config.url, config.application, config.key) == ("https://eu1.cloud.example", "city", "KEY")
    assert "KEY" not in repr(config)


def test_what_was_missed_is_fetched_once(server, storage, intake, journal):
    stored(server, 5)
    one = storage()
    one.connected(NOW_US - 3600 * SECOND)
    wait_for(lambda: one.stats.gaps == 1)
    assert journal.counts().stored == 5
    [(path, query, headers)] = server.asked
    assert path == "/api/v3/as/applications/city/packages/storage/uplink_message"
    assert query["after"] == rfc3339(NOW_US - 3600 * SECOND - OVERLAP_US).replace("Z", ".000000Z")
    assert headers["Authorization"] == "Bearer NNSXS.KEY"
    assert headers["Accept"] == "text/event-stream"
    assert one.health.ok

    one.connected(NOW_US - 3600 * SECOND)
    wait_for(lambda: one.stats.gaps == 2)
    assert journal.counts().stored == 5
    assert intake.stats.duplicates == 5


def test_uplinks_keep_the_time_at_which_they_were_received(server, storage, journal):
    server.uplinks.append(tts(time_us=NOW_US - 7200 * SECOND))
    one = storage()
    one.connected(NOW_US - 8000 * SECOND)
    wait_for(lambda: one.stats.gaps == 1)
    [(_, uplink, _)] = journal.uplinks()
    assert (uplink.time_us, uplink.arrived_us) == (NOW_US - 7200 * SECOND, NOW_US)


def test_page_by_page(server, storage, journal, monkeypatch):
    monkeypatch.setattr("ingest.tts_storage.PAGE", 10)
    stored(server, 35)
    one = storage()
    one.connected(NOW_US - 3600 * SECOND)
    wait_for(lambda: one.stats.gaps == 1)
    assert journal.counts().stored == 35
    assert len(server.asked) == 4


def test_the_first_gap_begins_with_the_newest_in_the_journal(server, storage, intake, journal):
    known = tts(time_us=NOW_US - 1000 * SECOND)
    server.uplinks = [known]
    stored(server, 3)
    first = storage()
    first.connected(0)  # nothing known: a day
    wait_for(lambda: first.stats.gaps == 1)
    assert journal.counts().stored == 4
    second = storage()
    second.connected(0)
    wait_for(lambda: second.stats.gaps == 1)
    day, since = (rfc3339_us(query["after"]) for _, query, _ in server.asked)
    assert day == NOW_US - 24 * 3600 * SECOND - OVERLAP_US
    assert since == NOW_US - 1 * SECOND - OVERLAP_US
    assert journal.counts().stored == 4


@pytest.mark.parametrize(
    "answer",
    [500, 429, 403, b"not JSON\n", b'{"error": {"code": 5, "message": "no storage"}}\n', b'{"result"'],
)
def test_it_tries_until_it_has_the_gap(server, storage, journal, answer):
    stored(server, 3)
    server.answers = [answer, answer]
    one = storage()
    one.connected(NOW_US - 3600 * SECOND)
    wait_for(lambda: one.stats.gaps == 1)
    assert one.stats.failures == 2
    assert journal.counts().stored == 3
    assert one.health.ok


def test_what_is_wrong_shows_with_a_remedy_and_without_the_key(server, storage):
    server.answers = [403] * 1000
    one = storage()
    one.connected(NOW_US - SECOND)
    wait_for(lambda: not one.health.ok)
    assert "RIGHT_APPLICATION_TRAFFIC_READ" in one.health.detail
    assert "NNSXS" not in one.health.detail
    server.answers = []
    wait_for(lambda: one.health.ok)


def test_an_open_gap_outlives_a_restart(server, storage, journal):
    stored(server, 3, seconds_ago=5000)
    server.answers = [500] * 1000
    one = storage()
    one.connected(NOW_US - 6000 * SECOND)
    wait_for(lambda: one.stats.failures)
    one.stop()
    server.answers = []
    asked = len(server.asked)
    again = storage()
    again.connected(NOW_US - SECOND)  # newer than the gap
    wait_for(lambda: again.stats.gaps == 1)
    assert rfc3339_us(server.asked[asked][1]["after"]) == NOW_US - 6000 * SECOND - OVERLAP_US
    assert journal.counts().stored == 3
    closed = storage()
    closed.connected(NOW_US - SECOND)
    wait_for(lambda: closed.stats.gaps == 1)
    assert rfc3339_us(server.asked[-1][1]["after"]) == NOW_US - SECOND - OVERLAP_US


def test_a_gap_is_closed_only_when_everything_is_durable(server, storage, tmp_path):
    stored(server, 3)
    sink = HandOver()
    one = storage(sink)
    one.connected(NOW_US - 3600 * SECOND)
    wait_for(lambda: len(sink) == 3)
    assert one.stats.gaps == 0
    assert (tmp_path / "storage-ttn.gap").exists()
    for delivery in sink.take(10, 1.0):
        delivery.acknowledge()
    wait_for(lambda: one.stats.gaps == 1)
    assert not (tmp_path / "storage-ttn.gap").exists()


@pytest.fixture
def broker_and_line(mosquitto, wire):
    broker = mosquitto()
    return broker, wire(broker)


def test_after_a_broken_connection_nothing_is_missing(server, storage, intake, broker_and_line, consume):
    broker, line = broker_and_line
    journal = intake._journal
    one = storage()
    consumer = consume(
        f"mqtt://127.0.0.1:{line.port}", intake.hand_over, kind="tts-v3", name="ttn", connected=one.connected
    )
    wait_for(lambda: one.stats.gaps == 1)
    heard = tts(time_us=NOW_US)
    server.uplinks.append(heard)
    broker.publish(TOPIC, json.dumps(heard), qos=0)
    wait_for(lambda: journal.counts().stored == 1)
    server.uplinks += [tts(time_us=NOW_US + n) for n in range(1, 4)]  # published while we are away
    line.cut()
    wait_for(lambda: consumer.stats.connections == 2)
    wait_for(lambda: journal.counts().stored == 4)
    wait_for(lambda: intake.stats.duplicates)
