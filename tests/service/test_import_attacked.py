"""Hundreds of devices registered while they send: once each, all or none, nobody is told of the past."""

import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import replace

import pytest
from city import AlertSink, ServiceProcess, demo_registry
from servers import wait_for

from devices.catalogue import load_catalogue
from devices.simulator.network import Frame, chirpstack_v4, join, message_id, radio
from stadtfunk.publisher import Publisher

COUNT = 150
HOUR_US = 3_600_000_000
PAST = ((20, 8), (180, 7), (190, 6.5), (30, 6), (25, 5), (20, 4), (20, 3))
"""Level in cm, hours ago: above both marks once, and long gone."""
IMPORT = "/api/v1/admin/devices/import"
HEAD = "dev_eui,type,station,name,lat,lon,sensor_height_cm,stages_cm\n"
CATALOGUE = load_catalogue()
GAUGE = next(each for each in demo_registry().devices.values() if each.type == "decentlab-dl-mbx")


@pytest.fixture
def service(tmp_path, mosquitto):
    sink = AlertSink()
    broker = mosquitto()
    service = ServiceProcess(tmp_path, demo_registry(), broker.url, f"sqlite:///{tmp_path}/readings.db", sink)
    service.broker_url = broker.url
    yield service
    service.stop()
    sink.close()


def eui(n, group=1):
    return f"70b3d57e{group:02x}{n:06x}"


def row(n, group=1, **changed):
    given = {"eui": eui(n, group), "type": GAUGE.type, "station": f"neu-{group}-{n}", "name": "Pegel"}
    given |= {"lat": "50.99", "lon": "7.1", "height": "300", "stages": "100;150"} | changed
    return ",".join(given.values()) + "\n"


def rows(start, end, group=1):
    return (HEAD + "".join(row(n, group) for n in range(start, end))).encode()


def uplink(n, level_cm, f_cnt, at_us):
    device = replace(GAUGE, dev_eui=eui(n), sensor_height_cm=300.0)
    rng = random.Random(f_cnt * 7919 + n)
    values = {"water_distance": (300 - level_cm) * 10, "sample_count": 5, "battery_voltage": 3.0}
    payload = CATALOGUE[device.type].encode(1, values)
    heard = radio(rng, device.lat, device.lon)
    frame = Frame(device, join(random.Random(1)), 1, f_cnt, payload, at_us, heard, None)
    return chirpstack_v4(frame, message_id(rng))


def post(service, path, body):
    """Status and body; status 0 where the service went away."""
    request = urllib.request.Request(f"http://127.0.0.1:{service.port}{path}", body, method="POST")
    request.add_header("Authorization", f"Bearer {service.token}")
    request.add_header("Content-Type", "text/csv")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
    except OSError:
        return 0, {}


def at_once(service, *bodies):
    """Status and what was written, of each, sorted."""
    answers = []

    def send(body):
        status, answer = post(service, IMPORT, body)
        answers.append((status, answer.get("written", 0)))

    threads = [threading.Thread(target=send, args=(each,)) for each in bodies]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return sorted(answers)


def levels(service, n):
    query = f"station=neu-1-{n}&property=water_level&from=2020-01-01T00:00:00Z&limit=1000"
    return Counter(each["value"] for each in service.pages(f"/api/v1/readings?{query}"))


def test_hundreds_are_registered_while_they_send(service):
    service.start()
    now_us = time.time_ns() // 1000
    expected = {n: Counter(float(level) for level, _ in PAST) for n in range(COUNT)}
    with Publisher(service.broker_url) as publisher:
        for n in range(COUNT):
            for f_cnt, (level, hours) in enumerate(PAST):
                publisher.publish(*uplink(n, level, f_cnt, now_us - int(hours * HOUR_US) + n))
        publisher.flush()
    inbox = "/api/v1/admin/inbox?limit=200"
    wait_for(
        lambda: sum(each["count"] for each in service.pages(inbox)) == COUNT * len(PAST), 120, "the inbox"
    )
    _check_dry_runs(service)

    done = threading.Event()

    def send():
        f_cnt = 100
        with Publisher(service.broker_url) as publisher:
            while not done.is_set():
                for n in range(0, COUNT, 2):
                    publisher.publish(*uplink(n, 20, f_cnt, time.time_ns() // 1000))
                    expected[n][20.0] += 1
                publisher.flush()
                f_cnt += 1
                done.wait(0.3)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        assert at_once(service, rows(0, 50), rows(50, 100)) == [(200, 50), (200, 50)]
        assert at_once(service, rows(100, COUNT), rows(100, COUNT)) == [(200, 50), (422, 0)]
    finally:
        done.set()
        sender.join()
    wait_for(lambda: not service.get(inbox)[0]["items"], 120, "an empty inbox")
    sample = range(0, COUNT, 5)
    wait_for(lambda: all(levels(service, n) == expected[n] for n in sample), 120, "every reading once")
    assert service.sink.received == [], "nobody is told of the past"
    in_force = [each for each in service.pages("/api/v1/warnings?limit=1000") if each["status"] == "in_force"]
    assert in_force == []
    _check_killed(service, sample, expected)


def _check_killed(service, sample, expected):
    """All rows or none, and what was read before stays as it is."""
    listed = service.folder / "devices.csv"
    before = listed.read_bytes()
    sent = threading.Thread(target=post, args=(service, IMPORT, rows(0, 300, 2)))
    sent.start()
    time.sleep(0.05)
    service.kill()
    sent.join()
    written = listed.read_bytes()
    assert written.startswith(before)
    new = written[len(before) :].count(b"\n")
    assert new in {0, 300}
    service.start(ready=False)
    wait_for(service.ready, 120, "the service again")
    devices = {each["device"] for each in service.pages("/api/v1/admin/devices?limit=1000")}
    assert len(devices & {eui(n, 2) for n in range(300)}) == new
    assert all(levels(service, n) == expected[n] for n in sample)
    assert service.sink.received == []


def _check_dry_runs(service):
    """Each names its bad row; none leaves a trace."""
    known = next(iter(demo_registry().devices))
    good = row(0)
    cases = [
        (HEAD + good + row(1, eui="12"), (3, "dev_eui")),
        (HEAD + good + row(1, eui=eui(0).upper()), (3, "dev_eui")),
        (HEAD + good + row(1, eui=known), (3, "dev_eui")),
        (HEAD + good + row(1, type="no-such"), (3, "type")),
        (HEAD + row(1, lat="", lon=""), (2, "lat")),
        ("\ufeff" + HEAD + good + row(1, eui="12"), (3, "dev_eui")),
        ((HEAD + good + row(1, eui="12")).replace("\n", "\r\n"), (3, "dev_eui")),
        ((HEAD + good + row(1, eui="12")).replace(";", "").replace(",", ";"), (3, "dev_eui")),
        ((HEAD + row(0, name="Kippemühle") + row(1, eui="12")).encode("latin-1"), (3, "dev_eui")),
        (HEAD + row(0, name='"Peg\n\nel"') + row(1, eui="12"), (5, "dev_eui")),
        (HEAD + row(0, name='"Peg\n\nel"') + row(1), (2, "name")),
        (HEAD + good + row(1, name="=cmd|'/c calc'!A0"), (3, "name")),
        (HEAD + good + row(1, station="<script>"), (3, "station")),
        (HEAD + good + row(1, name='"Pegel') + row(2), (3, "name")),
        ((HEAD + good).encode("utf-16"), (None, "file")),
    ]
    folder = service.folder
    before = {each.name: each.read_bytes() for each in folder.glob("*devices.csv*")}
    for text, place in cases:
        body = text if isinstance(text, bytes) else text.encode()
        status, answer = post(service, f"{IMPORT}?dry_run=true", body)
        found = [(each["line"], each["field"]) for each in answer["errors"]]
        assert (status, answer["written"], place in found) == (200, 0, True), (text, found)
    assert post(service, f"{IMPORT}?dry_run=true", (HEAD + good * 20_000).encode())[0] in {0, 413}
    assert {each.name: each.read_bytes() for each in folder.glob("*devices.csv*")} == before
    assert service.get("/api/v1/admin/audit")[0]["items"] == []
