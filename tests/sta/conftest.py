import contextlib
import threading

import pytest
import requests
import uvicorn
from servers import wait_for
from sta_scratch import Scratch, fill
from sta_town import TOKEN, town_of

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

    def walk(self, path):
        """All entities of a collection, page by page."""
        found = []
        while path:
            page = self.json(path)
            found += page["value"]
            path = page.get("@iot.nextLink")
        return found


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    return fill(Scratch(tmp_path_factory.mktemp("sta") / "sta.db"))


@pytest.fixture(scope="session")
def sta(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("town")
    with town_of(folder, sta=lambda _: source) as town, served(town.app()) as address:
        client = Client(address)
        yield client
        client.session.close()


@pytest.fixture
def token():
    return TOKEN


@pytest.fixture
def other_source(tmp_path):
    """A source without anything in it."""
    return Scratch(tmp_path / "other.db")


@pytest.fixture
def other_town(source, tmp_path):
    """Starts towns with other services; they end with the test."""
    with contextlib.ExitStack() as stack:

        def start(**changes):
            town = stack.enter_context(town_of(tmp_path, sta=lambda _: source))
            town.changes |= changes
            client = Client(stack.enter_context(served(town.app())))
            stack.callback(client.session.close)
            return client

        yield start
