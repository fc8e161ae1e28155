"""Signs of car parks at a real broker: nothing outdated stands on them."""

import json
import time
from dataclasses import replace

import pytest
from display_city import SCENE, Listener, retained
from servers import Wire, wait_for

from alerts.board import WarningBoard
from alerts.displays.displays import DisplayConfig, Displays
from alerts.displays.spaces import SignRules, Spaces
from alerts.liveness.progress import Progress
from alerts.mobility.states import CarPark
from ingest.broker import read_broker_url

LINE, OBJECT = "stadtfunk/parking/p-loewe/text", "stadtfunk/parking/p-loewe"
ALL = "stadtfunk/guidance/text"


def now_us():
    return time.time_ns() // 1000


class Town:
    """One car park, and what the engine of the warnings says of itself."""

    def __init__(self):
        self.park = CarPark("p-loewe", "counters", 120, 33, 87, now_us(), now_us(), 2, 2)
        self.problem = ""
        self.advances = True
        self.running = []

    def start(self, url, interval_s=1, **rules):
        spaces = Spaces(
            SignRules(**rules),
            lambda: (self.park,),
            lambda _: "Bergischer Löwe",
            lambda _: True,
            lambda: self.advances,
            SCENE.zone,
        )
        displays = Displays(
            DisplayConfig(read_broker_url(url)),
            SCENE,
            tuple,
            WarningBoard(now_us),
            lambda: Progress(self.problem, 0, 0, 0.0),
            now_us,
            spaces=spaces,
            interval_s=interval_s,
        )
        displays.start()
        self.running.append(displays)
        return displays


@pytest.fixture
def town():
    town = Town()
    yield town
    for each in town.running:
        each.stop()


@pytest.fixture
def listener():
    opened = []

    def listen(port, *filters):
        opened.append(Listener(port, *filters))
        return opened[-1]

    yield listen
    for each in opened:
        each.close()


def test_a_sign_says_how_many_are_free_and_hears_when_it_changes(town, mosquitto, listener):
    broker = mosquitto()
    town.start(broker.url)
    heard = listener(broker.port, "stadtfunk/parking/#", "stadtfunk/guidance/#")
    assert heard.last(LINE)[1] == "P Bergischer Löwe 87 frei".encode()
    assert heard.last(ALL)[1] == "Bergischer Löwe 87 frei".encode()
    body = json.loads(heard.last(OBJECT)[1])
    assert (body["free"], body["sure"], body["capacity"]) == (87, True, 120)
    assert set(body) >= {"issued", "valid_until"}
    town.park = replace(town.park, free=0, occupied=120)
    wait_for(lambda: heard.last(LINE)[1] == b"P Bergischer L\xc3\xb6we besetzt", what=heard.messages)
    town.park = replace(town.park, confidence=0.1)
    wait_for(lambda: heard.last(LINE)[1] == b"P Bergischer L\xc3\xb6we ---", what=heard.messages)


def test_what_stands_there_runs_out_when_we_are_gone(town, mosquitto):
    broker = mosquitto()
    wire = Wire(broker.port)
    town.start(f"mqtt://127.0.0.1:{wire.port}")
    wait_for(lambda: {LINE, OBJECT, ALL} <= retained(broker.port, "stadtfunk/#").keys(), what="the lines")
    wire.close()
    wait_for(lambda: not {LINE, OBJECT, ALL} & retained(broker.port, "stadtfunk/#").keys(), what="to run out")


def test_signs_go_on_while_the_engine_of_the_warnings_hangs(town, mosquitto, listener):
    broker = mosquitto()
    town.problem = "the engine has finished no step for 61 s"
    town.start(broker.url)
    heard = listener(broker.port, "stadtfunk/#")
    assert heard.last(LINE, count=3)[1].endswith(b"87 frei")
    assert not heard.of("stadtfunk/warnings/city/text")
    town.advances = False
    wait_for(lambda: heard.last(LINE)[1].endswith(b" ---"), what=heard.messages)


def test_a_sign_that_is_gone_is_cleared_and_what_others_write_is_overwritten(town, mosquitto, listener):
    broker = mosquitto()
    town.start(broker.url)
    wait_for(lambda: LINE in retained(broker.port, "stadtfunk/#"), what="the line")
    writer = listener(broker.port, "stadtfunk/parking/#")
    writer._client.publish(LINE, b"P Bergischer Loewe 999 frei", qos=1, retain=True)
    writer._client.publish("stadtfunk/parking/p-weg/text", b"P Weg 5 frei", qos=1, retain=True)
    wait_for(
        lambda: retained(broker.port, "stadtfunk/parking/#").get(LINE, b"").endswith(b"87 frei"), what="it"
    )
    wait_for(lambda: "stadtfunk/parking/p-weg/text" not in retained(broker.port, "stadtfunk/#"), what="gone")
