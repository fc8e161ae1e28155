from contextlib import contextmanager

import pytest
from small_town import TOKEN, Town, fill, follow
from starlette.testclient import TestClient
from warned_city import AREAS, BASIS, warned

from alerts.cap.archive import CapArchive
from alerts.cap.publisher import CapPublisher
from alerts.city.office import CityOffice
from alerts.city.release import Releases


@contextmanager
def founded(folder):
    town = Town(folder)
    archive = CapArchive(folder / "cap.db")
    # the second one is for operators only
    town.changes["city_warnings"] = lambda: [
        warned("release", "update", areas=()),
        warned("propose", id_="warning.geheim", reason="geheim-entwurf"),
    ]
    town.changes["cap"] = CapPublisher(
        archive,
        lambda: BASIS,
        lambda: [warned("release", "update", areas=())],
        town.board,
        town.texts,
        clock=lambda: town.now_us,
        public_stations=lambda: frozenset({"regen-gierath"}),
    )
    yield town
    archive.close()
    town.latest.stop()
    town.store.close()
    town.journal.close()
    town.audit.close()


def settled(town):
    fill(town)
    follow(town.latest)
    return town


@pytest.fixture
def town(tmp_path):
    with founded(tmp_path) as town:
        yield town


@pytest.fixture
def city(town):
    """A city for one test, to change things in."""
    return settled(town)


@pytest.fixture(scope="session")
def quiet_city(tmp_path_factory):
    """A city that nobody changes."""
    with founded(tmp_path_factory.mktemp("city")) as town:
        yield settled(town)


@pytest.fixture(scope="session")
def client(quiet_city):
    with TestClient(quiet_city.app()) as client:
        yield client


@pytest.fixture(scope="session")
def operator(quiet_city):
    with TestClient(quiet_city.app(), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


@pytest.fixture
def hall(city):
    """A city whose office takes orders; one for one test."""
    office = CityOffice(city.journal, Releases(), AREAS, lambda: city.now_us)
    office.start()
    city.changes |= {"office": office, "city_warnings": office.warnings, "areas": AREAS}
    city.office = office
    yield city
    office.stop()
