"""What the delivery tests share: events, a journal to put them into, real endpoints on loopback."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from alerts.event import Event, to_row
from alerts.texts import Texts
from ingest.sqlite_journal import SqliteJournal

NOW_US = 1_130_000_000_000_000


def make_event(  # noqa: PLR0913 - an event's fields
    event="e1",
    kind="raise",
    *,
    episode="ep1",
    measure="dwd_starkregen",
    level=3,
    value=27.4,
    time_us=NOW_US,
    window_min=60,
    audience="staff",
):
    if kind in {"step_down", "clear"}:
        audience = None
    return Event(
        id=event,
        episode=episode,
        time_us=time_us,
        station="s1",
        kind=kind,
        measure=measure,
        level=0 if kind == "clear" else level,
        window_min=window_min,
        value=value,
        rule="rain",
        reason="27.4 mm in 60 min",
        audience=audience,
    )


def write_events(journal, *events):
    part = journal.load("engine")
    journal.commit(
        "engine",
        part.fence,
        part.cursor,
        events=[to_row(event) for event in events],
    )


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError("it did not happen")


@pytest.fixture
def journal(tmp_path):
    journal = SqliteJournal(tmp_path / "journal.db")
    yield journal
    journal.close()


@pytest.fixture
def texts():
    return Texts(lambda _: "Pegel Kippemühle", "Europe/Berlin", "Stadt Bergisch Gladbach")


@dataclass
class Endpoint:
    """A real HTTP server. `mode`: ok, fail, hang (until `release` is set)."""

    port: int = 0
    mode: str = "ok"
    delay_s: float = 0.0
    messages: list = field(default_factory=list)
    requests: int = 0
    release: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self):
        return f"json://127.0.0.1:{self.port}/hook/s3cr3tpath"

    def bodies(self):
        return [message["message"] for message in self.messages]


@pytest.fixture
def make_endpoint():
    started = []

    def make():
        endpoint = Endpoint()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.requests += 1
                if endpoint.mode == "hang":
                    endpoint.release.wait(60)
                    self.close_connection = True
                    return
                if endpoint.delay_s:
                    time.sleep(endpoint.delay_s)
                if endpoint.mode == "ok":
                    endpoint.messages.append(message)
                try:
                    self.send_response(200 if endpoint.mode == "ok" else 503)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:  # the sender was killed
                    self.close_connection = True

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_):  # the sender was killed
                pass

        server = Server(("127.0.0.1", 0), Handler)
        endpoint.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        started.append((endpoint, server, thread))
        return endpoint

    yield make
    for endpoint, server, thread in started:
        endpoint.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def endpoint(make_endpoint):
    return make_endpoint()
