"""The small town of the API's tests, with subscriptions, for strangers to try things on."""

import sys
from pathlib import Path

import pytest
from starlette.testclient import TestClient

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("api", "subscriptions")]

from small_town import Town, fill  # noqa: E402 - the line above finds it
from subscription_town import with_subscriptions  # noqa: E402 - the same


@pytest.fixture
def city(tmp_path):
    town = Town(tmp_path)
    fill(town)
    yield town
    town.latest.stop()
    town.store.close()
    town.journal.close()
    town.audit.close()


@pytest.fixture
def file(city):
    file = with_subscriptions(city)
    yield file
    file.close()


@pytest.fixture
def client(city, file):
    with TestClient(city.app()) as client:
        yield client
