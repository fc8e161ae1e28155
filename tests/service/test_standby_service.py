"""Two services at one network server: the first is killed, the second speaks; the first returns, it holds."""

import random
import re
import urllib.request

import pytest
import structlog
from city import AlertSink, ServiceProcess, demo_registry, level_uplink
from servers import wait_for

from devices.registry import Registry
from stadtfunk.cli import main

AFTER_S = 20  # no pause of a busy machine is as long as the first's silence


@pytest.fixture
def gauges():
    return [
        each
        for each in demo_registry().devices.values()
        if each.type == "decentlab-dl-mbx" and each.stages_cm
    ][:2]


@pytest.fixture
def sinks():
    sinks = [AlertSink(), AlertSink()]
    yield sinks
    for each in sinks:
        each.close()


@pytest.fixture
def services(tmp_path, mosquitto, gauges, sinks):
    """The first and its stand-by, each with folder, journal and staff of its own; and their broker."""
    broker = mosquitto()
    registry = Registry({each.dev_eui: each for each in gauges}, {})
    made = []
    for name, sink in zip(("erster", "reserve"), sinks, strict=True):
        (tmp_path / name).mkdir()
        store = f"sqlite:///{tmp_path}/{name}/readings.db"
        made.append(ServiceProcess(tmp_path / name, registry, broker.url, store, sink))
    first, second = made
    with first.config.open("a") as config:
        config.write(f'[[heartbeat]]\nname = "erster"\nkind = "mqtt"\nurl = "{broker.url}"\nevery_s = 5\n')
    with second.config.open("a") as config:
        config.write(
            f'[standby]\nof = "Rathaus"\nafter_s = {AFTER_S}\n'
            f'watch = ["{broker.url}/stadtfunk/heartbeat/erster", "http://127.0.0.1:{first.port}/readyz"]\n'
        )
    yield first, second, broker
    for each in made:
        if each._process is not None:
            each.stop()


def said(sink):
    return [f"{body['title']}\n{body['message']}" for _, body in list(sink.received)]


def numbers(text):
    return set(re.findall(r"(?:Ereignis|Meldung) ([^\s,]+)", text))


def test_one_speaks_whoever_dies(services, sinks, gauges):
    first, second, broker = services
    at_first, at_second = sinks
    rng = random.Random(1)
    frames = iter(range(100))

    def rises(gauge, stage):
        topic, payload = level_uplink(gauge, gauge.stages_cm[stage] + 3, next(frames), rng)
        broker.publish(topic, payload)

    first.start()
    second.start()
    rises(gauges[0], 0)
    wait_for(lambda: at_first.received, 120, "the first to speak")
    wait_for(lambda: any(second.pages("/api/v1/warnings")), 120, "the stand-by to see it")
    assert at_second.received == []

    first.kill()
    wait_for(lambda: len(at_second.received) >= 2, 120, "the stand-by to speak")
    texts = said(at_second)
    assert any("Rathaus schweigt" in text for text in texts)
    again = next(text for text in texts if "schweigt" not in text)
    # the same ids in both texts: who reads both knows that it is one thing
    assert numbers(again) & set().union(*map(numbers, said(at_first)))

    rises(gauges[1], 0)
    wait_for(lambda: len(at_second.received) >= 3, 120, "what the stand-by sees itself")

    first.start()
    wait_for(lambda: any("wieder da" in text for text in said(at_second)), 120, "the stand-by to hold again")
    before = len(at_second.received), len(at_first.received)
    rises(gauges[1], 2)
    wait_for(lambda: len(at_first.received) > before[1], 120, "the first to speak again")
    wait_for(lambda: second.metrics()["stadtfunk_journal_uplinks"] == 3, 120)
    assert len(at_second.received) == before[0]
    request = urllib.request.Request(f"http://127.0.0.1:{second.port}/readyz")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


@pytest.fixture
def checked(tmp_path, capsys):
    (tmp_path / "devices.csv").write_text(
        "dev_eui,type,station,lat,lon\n70b3d57ba0000001,decentlab-dl-tbrg,a,51,7\n"
    )
    head = (
        '[city]\nname = "T"\n[journal]\nurl = "sqlite:journal.db"\n[store]\nurl = "sqlite:readings.db"\n'
        '[devices]\nfile = "devices.csv"\n'
    )

    def check(more):
        (tmp_path / "city.toml").write_text(head + more)
        code = main(["check", "--config", str(tmp_path / "city.toml")])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    yield check
    structlog.reset_defaults()


STANDBY = '[standby]\nof = "Rathaus"\nwatch = ["https://rathaus.example/readyz"]\n'


OWN_BEAT = """
[standby]
of = "a"
watch = ["mqtt://b/stadtfunk/heartbeat/a"]
[[heartbeat]]
name = "a"
kind = "mqtt"
url = "mqtt://b"
"""


@pytest.mark.parametrize(
    ("more", "reports"),
    [
        ('[standby]\nof = "a"\nwatch = []', "standby.watch"),
        ('[standby]\nof = "a"\nwatch = ["mqtt://broker"]', "no MQTT topic"),
        ('[standby]\nof = "a"\nwatch = ["mqtt://broker/a/#"]', "standby.watch[0]"),
        ('[standby]\nof = "a"\nwatch = ["ftp://a/readyz"]', "standby.watch[0]"),
        (f"{STANDBY}after_s = 1", "standby.after_s"),
        (
            OWN_BEAT,
            "we would hear ourselves",
        ),
        (f'{STANDBY}ca_file = "none.pem"', "standby.ca_file"),
        (f'{STANDBY}[displays]\nurl = "mqtt://broker"', "displays: a stand-by has none"),
        (
            f'{STANDBY}[cap]\nsender = "a@b.example"\n[leitstelle]\nfolder = "l"',
            "leitstelle: a stand-by has none",
        ),
    ],
)
def test_check_names_what_is_wrong_with_a_stand_by(checked, more, reports):
    code, text = checked(more)
    assert code == 1
    assert reports in text


def test_check_warns_of_a_client_id_that_both_might_have(checked):
    code, text = checked(
        f'{STANDBY}[[network_server]]\nname = "n"\nkind = "chirpstack-v4"\nurl = "mqtt://broker"\n'
        'client_id = "city"\n'
    )
    assert code == 0
    assert "client_id must not be that of Rathaus" in text
    assert "for staff: nobody hears it" in text
    assert "no link to decide by" in text
