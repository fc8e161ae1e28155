import pytest
from push_service import PushService


@pytest.fixture
def push(tmp_path):
    service = PushService(tmp_path)
    yield service
    service.stop()
