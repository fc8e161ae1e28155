"""A real HTTP server as the second place of a heartbeat, and an engine whose step can be blocked."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from alerts.engine import Engine
from alerts.rules import load_rules
from devices.registry import Registry


def now_us():
    return time.time_ns() // 1000


class SecondPlace:
    """Remembers (path, body); answers `status`; hangs while `hanging` is set."""

    def __init__(self):
        self.received = []
        self.status = 200
        self.hanging = False
        self._ended = threading.Event()
        place = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                place.received.append((self.path, json.loads(body)))
                if place.hanging:
                    place._ended.wait(60)
                self.send_response(place.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self):
                answer = place.answer()
                self.send_response(place.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                place.received.append((self.path, None))

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/ping/a-secret"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def answer(self):
        return b""

    def close(self):
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def paths(self):
        return [path for path, _ in list(self.received)]


class BlockedEngine:
    """A real engine; its step hangs from block() on. `watches`: who then gives it a second for a step."""

    def __init__(self, journal):
        self.free = threading.Event()
        self.free.set()
        self.watches = []
        self.engine = Engine(journal, load_rules(None), Registry, now_us, hears=self._hears)
        self.engine.start()

    def block(self):
        self.free.clear()
        for watch in self.watches:
            watch._stuck_s = 1.0

    def stop(self):
        self.free.set()
        self.engine.stop()

    def _hears(self):
        assert self.free.wait(60)
        return {}
