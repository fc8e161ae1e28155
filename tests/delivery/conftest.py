"""What the delivery tests share: a journal to put events into, real endpoints on loopback."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from alerts.texts.texts import Texts


@pytest.fixture
def texts():
    return Texts(lambda _: "Pegel Kippemühle", "Europe/Berlin", "Stadt Bergisch Gladbach")


@dataclass
class Endpoint:
    """A real HTTP server. `mode`: ok, fail, half (every second one fails), hang (until `release` is set)."""

    port: int = 0
    mode: str = "ok"
    delay_s: float = 0.0
    messages: list = field(default_factory=list)
    requests: int = 0
    """Whoever sees one counted may change the mode: it is answered by the one that it found."""
    release: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

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
                with endpoint.lock:
                    mode = endpoint.mode
                    endpoint.requests += 1
                    even = endpoint.requests % 2 == 0
                if mode == "hang":
                    endpoint.release.wait(600)
                    self.close_connection = True
                    return
                if endpoint.delay_s:
                    time.sleep(endpoint.delay_s)
                fine = mode == "ok" or (mode == "half" and even)
                if fine:
                    endpoint.messages.append(message)
                try:
                    self.send_response(200 if fine else 503)
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
