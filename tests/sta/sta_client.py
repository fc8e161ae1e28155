"""A service on a free port, and who asks it."""

import contextlib
import threading

import requests
import uvicorn
from servers import wait_for

from api.app import close_streams


@contextlib.contextmanager
def served(app):
    """The application on a free port of this machine; yields its address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        close_streams(app)
        server.should_exit = True
        thread.join(10)


class Client:
    """Asks one service; addresses are below its root, or absolute."""

    def __init__(self, address):
        self.base = f"{address}/sta/v1.1"
        self.session = requests.Session()

    def get(self, path="", **options):
        address = path if path.startswith("http") else f"{self.base}{path and '/'}{path}"
        return self.session.get(address, timeout=30, **options)

    def json(self, path=""):
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        return answer.json()

    def send(self, method, path, body=None, **options):
        """What comes of a request; `body`: a value that is sent as JSON, or bytes."""
        address = path if path.startswith("http") else f"{self.base}/{path}"
        kind = "data" if isinstance(body, bytes) else "json"
        return self.session.request(
            method, address, timeout=30, **({} if body is None else {kind: body}), **options
        )

    def create(self, path, body):
        """The new entity."""
        answer = self.send("POST", path, body)
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == answer.json()["@iot.selfLink"]
        return answer.json()

    def change(self, method, path, body, **options):
        """The entity as it is then."""
        answer = self.send(method, path, body, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ids(self, path):
        return [each["@iot.id"] for each in self.walk(path)]

    def walk(self, path):
        """All entities of a collection, page by page."""
        found = []
        while path:
            page = self.json(path)
            found += page["value"]
            path = page.get("@iot.nextLink")
        return found
