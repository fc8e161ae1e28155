"""The end of `stadtfunk serve`: clean, soon, and with nothing left to judge again."""

import signal
import time

import pytest
from city import AlertSink, ServiceProcess, demo_registry, load
from servers import wait_for

from stadtfunk.publisher import Publisher


@pytest.fixture
def service(tmp_path, mosquitto):
    sink = AlertSink()
    service = ServiceProcess(
        tmp_path, demo_registry(), mosquitto().url, f"sqlite:///{tmp_path}/readings.db", sink
    )
    yield service
    service.stop()
    sink.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_under_load_ends_every_part(service, number):
    service.start()
    broker_url = service.config.read_text().split('url = "')[1].split('"')[0]
    with Publisher(broker_url) as publisher:
        for each in load(demo_registry(), 2000, time.time_ns() // 1000, seed=1):
            publisher.publish(each.topic, each.payload)
        code = service.stop(number)
    assert code == 0
    assert (service.folder / "service.log").read_text().splitlines()[-1].split("]")[1].split()[0] == "stopped"


def test_a_signal_at_the_start_is_obeyed(service):
    service.start(ready=False)
    log = service.folder / "service.log"
    wait_for(lambda: "started" in log.read_text(), 180, "the start")
    assert service.stop() == 0
    assert "Traceback" not in log.read_text()
