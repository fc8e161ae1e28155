import pytest
from official_servers import OfficialServer


@pytest.fixture
def official():
    server = OfficialServer()
    yield server
    server.stop()
