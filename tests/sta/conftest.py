import contextlib

import pytest
from sta_client import Client, served
from sta_scratch import Scratch, fill
from sta_town import TOKEN, town_of


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
