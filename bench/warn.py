"""From a gauge's uplink to staff and 50,000 residents: `stadtfunk serve` and everything around it."""

import email.policy
import http.client
import json
import math
import re
import smtplib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from email import message_from_string
from pathlib import Path
from typing import Any

from mail import LINKS, NAIVE, SENDER, clock, sink, subscribe
from paho.mqtt import client as mqtt
from report import Report, run
from warn_city import CALM_CM, EXTREME_CM, KEY, MASS, STAFF, City, Ports, area_of
from workload import mosquitto, wait

from alerts.cap.document import safe_id
from alerts.subscriptions.mails import message
from alerts.subscriptions.vault import Vault
from alerts.texts.text import Text
from ingest.sqlite_journal import SqliteJournal

PEOPLE, SMS_PEOPLE = 50_000, 20
GAUGES, RELEASES = 40, 20
"""Gauges before the burst, and as many from its begin on; warnings released before it and during another."""
EVERY_S = 0.25
BASELINE = 500
STAFF_GOAL_S, PAGES_GOAL_S, MAILS_GOAL_S = 2.0, 1.0, 300.0
USUAL = "usual Python"
Publish = Callable[[str, bytes], None]
Times = dict[str, int]
"""µs since the epoch, by station."""


def measure(scale: float) -> Report:
    """Real broker, service process, mail server process; staff channels and the SMS service hang or fail."""
    people = max(500, round(PEOPLE * scale))
    gauges = max(6, round(GAUGES * min(scale, 1)))
    releases = max(2, round(RELEASES * min(scale, 1)))
    with tempfile.TemporaryDirectory() as name, mosquitto(Path(name)) as port:
        ours = Storm(Path(name) / "ours", port, people, gauges, releases)
        ours.go()
        usual = UsualPython(Path(name), port, max(100, round(BASELINE * min(scale, 1))))
        usual.go(gauges)
    report = Report("warn", f"from a gauge's uplink to staff and {people:,} residents by e-mail, loopback")
    mails = sorted(at - ours.published[MASS] for at in ours.residents)
    took = mails[-1] / 1e6
    calm = [each for each in ours.before if each in ours.staff]
    # a burst of few residents may be over before the next uplink
    burst = [each for each in ours.during if ours.published[each] < ours.residents[-1]] or ours.during[:1]
    for what, stations in (("staff, calm", calm), ("staff, during the burst", burst)):
        whole = [ours.staff[each] - ours.published[each] for each in stations]
        own = [ours.staff[each] - ours.arrived[each] for each in stations]
        base = (USUAL, _p(usual.staff, 50)) if stations is calm else ("", 0.0)
        report.add(f"{what}: publish to acceptance, p50", _p(whole, 50), "s", baseline=base)
        report.add(f"{what}: publish to acceptance, p99", _p(whole, 99), "s", goal=STAFF_GOAL_S)
        report.add(f"{what}: arrival to acceptance, p99", _p(own, 99), "s", goal=STAFF_GOAL_S)
        report.add(f"{what}: uplinks", len(stations), "", "more")
    report.add("residents: publish to acceptance, p50", _p(mails, 50), "s")
    report.add("residents: publish to acceptance, p99", _p(mails, 99), "s")
    report.add("residents: arrival to acceptance, p99", _p(mails, 99) - ours.way_in_s, "s")
    report.add("residents: the first", mails[0] / 1e6, "s")
    report.add("residents: the last", took, "s", goal=MAILS_GOAL_S * people / PEOPLE)
    report.add("  with the baseline's rate", people / usual.rate, "s")
    rate = people / (took - mails[0] / 1e6)
    report.add("hand-over rate", rate, "mails/s", "more", baseline=(USUAL, usual.rate))
    report.add("our CPU in the burst, everything", ours.cpu_s * 1e6 / people, "µs/mail")
    for when, stations in (("calm", ours.released[0]), ("during 50,000 mails", ours.released[1])):
        for where, seen in (("on the stream", ours.heard), ("in the CAP feed", ours.fed)):
            delays = [seen[each] - ours.ordered[each] for each in stations]
            report.add(f"released, {when}: {where}, p50", _p(delays, 50), "s")
            report.add(f"released, {when}: {where}, p99", _p(delays, 99), "s", goal=PAGES_GOAL_S)
    notices = [ours.noticed[each] - ours.published[each] for each in (*ours.before, *ours.during)]
    report.add("notice: publish to the stream, p50", _p(notices, 50), "s")
    report.add("notice: publish to the stream, p99", _p(notices, 99), "s", goal=PAGES_GOAL_S)
    report.notes += [
        "publish: the MQTT client's call; arrival: as the journal says; acceptance: the mail server's noting",
        f"an uplink each {EVERY_S:g} s, each of another gauge and incident, each Extreme and public",
        f"of three staff channels one hangs, one refuses every second message; {SMS_PEOPLE} SMS hang",
        "staff: the first mail that names the gauge; each incident makes two or more",
        f"{USUAL}: stock paho, json, decode, compare, mail to staff, then mails to residents, {NAIVE}",
    ]
    return report


class Storm:
    """Everything real: broker, service, mail server, each a process of its own."""

    def __init__(self, folder: Path, mqtt_port: int, people: int, gauges: int, releases: int) -> None:
        folder.mkdir()
        self.folder = folder
        self.mqtt_port = mqtt_port
        self.people = people
        self.city = City(2 * gauges)
        self.before, self.during = self.city.others[:gauges], self.city.others[gauges:]
        self.released = (self.before[:releases], self.before[releases : 2 * releases])
        self.published: Times = {}
        self.arrived: Times = {}
        self.staff: Times = {}
        self.ordered: Times = {}
        self.fed: Times = {}
        self.noticed: Times = {}
        self.heard: Times = {}
        self.residents: list[int] = []
        self.cpu_s = 0.0

    @property
    def way_in_s(self) -> float:
        """From the mass gauge's publishing to its arrival."""
        return (self.arrived[MASS] - self.published[MASS]) / 1e6

    def go(self) -> None:
        """All of it; what was measured is in the attributes."""
        sms = [f"+4917112345{i:02}" for i in range(SMS_PEOPLE)]
        subscribe(self.folder / "subscriptions.db", Vault(KEY), self.people, sms)
        out = self.folder / "sink.json"
        with sink(out) as (smtp, http_port):
            ports = Ports(self.mqtt_port, smtp, http_port, _free_port())
            token = self.city.write(self.folder, ports)
            with serving(self.folder, ports.api, token) as service, publisher(self.mqtt_port) as publish:
                threading.Thread(target=self._listen, args=(service,), daemon=True).start()
                self._storm(service, publish)
        self._read(json.loads(out.read_text()))

    def _storm(self, service: "Serving", publish: Publish) -> None:
        for station in (MASS, *self.city.others):
            publish(*self.city.uplink(station, CALM_CM, ago_s=600))
        wait(lambda: service.metric("stadtfunk_journal_uplinks") > len(self.city.others), "calm readings")
        time.sleep(2)
        self._rise(self.before, publish)
        time.sleep(2)
        for station in self.released[0]:
            self._release(service, station)
        cpu_s = service.cpu_s
        self._rise([MASS, *self.during], publish)
        sent = 'stadtfunk_mass_mails_total{outcome="sent",way="email"}'
        wait(lambda: service.metric(sent) >= self.people, "the mails of the notice", 300)
        self.cpu_s = service.cpu_s - cpu_s
        self._release(service, MASS)
        for station in self.released[1]:
            self._release(service, station)
        wait(lambda: service.metric(sent) >= 2 * self.people, "the mails of the warning", 300)
        wait(lambda: set(map(area_of, self.ordered)) <= set(self.heard), "the stream", 10)
        time.sleep(1)

    def _rise(self, stations: Sequence[str], publish: Publish) -> None:
        for station in stations:
            topic, payload = self.city.uplink(station, EXTREME_CM)
            self.published[station] = clock()
            publish(topic, payload)
            time.sleep(EVERY_S)

    def _release(self, service: "Serving", station: str) -> None:
        """Order it and wait for the feed."""
        id_ = service.proposed(station)
        self.ordered[station] = clock()
        order = {"action": "release", "by": "A. Beispiel", "reason": "the gauge is right"}
        service.ask(f"/api/v1/admin/city-warnings/{id_}/steps", order)
        while f".{safe_id(id_)}." not in service.ask("/cap/feed.atom"):
            time.sleep(0.005)
        self.fed[station] = clock()

    def _listen(self, service: "Serving") -> None:
        """As a browser does, without a token."""
        connection = http.client.HTTPConnection("127.0.0.1", service.port)
        connection.request("GET", "/api/v1/stream")
        kind = ""
        with suppress(OSError, http.client.HTTPException):
            for raw in connection.getresponse():
                line = raw.decode()
                if line.startswith("event: "):
                    kind = line[7:].strip()
                elif line.startswith("data: ") and kind in {"warnings", "city_warning"}:
                    for item in json.loads(line[6:])["items"]:
                        self._hear(kind, item)

    def _hear(self, kind: str, item: Mapping[str, Any]) -> None:
        if kind == "warnings":
            self.noticed.setdefault(item["station"], clock())
        else:
            for area in item["areas"]:
                self.heard.setdefault(area["id"], clock())

    def _read(self, noted: Mapping[str, Any]) -> None:
        assert set(Counter(address for _, address in noted["taken"]).values()) == {2}, (
            "not everybody, or thrice"
        )
        self.residents = [at for at, _ in noted["taken"]][: self.people]
        for at, text in noted["letters"]:
            mail = message_from_string(text, policy=email.policy.default)
            body = mail.get_body(("plain", "html"))
            assert body is not None
            for station in re.findall(r"pegel-\w+", f"{mail['Subject']} {body.get_content()}"):
                self.staff.setdefault(station, at)
        journal = SqliteJournal(self.folder / "journal.db")
        for _, uplink, _ in journal.uplinks(0, 10_000):
            # the first uplink of a gauge is the calm one, the last is ours
            self.arrived[self.city.stations[uplink.dev_eui]] = uplink.arrived_us
        journal.close()
        assert set(self.published) <= set(self.staff), "staff were not told of everything"


class Serving:
    """`stadtfunk serve` as a process of its own."""

    def __init__(self, pid: int, port: int, token: str) -> None:
        self.pid, self.port = pid, port
        self._headers = {"Authorization": f"Bearer {token}"}
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask(self, path: str, body: object = None) -> str:
        """What it answers. Raises OSError, AssertionError."""
        method, data = ("GET", None) if body is None else ("POST", json.dumps(body))
        headers = {**self._headers, "Content-Type": "application/json"}
        try:
            self._connection.request(method, path, data, headers)
            answer = self._connection.getresponse()
            text = answer.read().decode()
        finally:
            # the server hangs up on whoever is idle
            self._connection.close()
        assert answer.status < 300, f"{path}: {answer.status} {text}"
        return text

    def ready(self) -> bool:
        """Whether it hears the broker."""
        self._connection.close()
        self._connection.request("GET", "/readyz", headers=self._headers)
        parts = json.loads(self._connection.getresponse().read())["parts"]
        return bool(parts["network_server bench"]["ok"])

    def metric(self, name: str) -> float:
        """One figure of /metrics; asked seldom, so that asking costs little."""
        time.sleep(0.2)
        lines = self.ask("/metrics").splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(f"{name} ")), 0.0)

    def proposed(self, station: str) -> str:
        """The warning that is proposed for a gauge's incident."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            for each in json.loads(self.ask("/api/v1/admin/city-warnings?limit=1000"))["items"]:
                if each["status"] == "proposed" and area_of(station) in [
                    area["id"] for area in each["areas"]
                ]:
                    return str(each["id"])
            time.sleep(0.1)
        raise TimeoutError(f"no warning is proposed for {station}")

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the process (Linux)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


@contextmanager
def serving(folder: Path, port: int, token: str) -> Iterator[Serving]:
    """The service until the end of the block."""
    log = folder / "service.log"
    command = [sys.executable, "-m", "stadtfunk", "serve", "--config", folder / "city.toml"]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        service = Serving(process.pid, port, token)

        def ready() -> bool:
            assert process.poll() is None, log.read_text()
            with suppress(OSError):
                return service.ready()
            return False

        wait(ready, "the service is not ready")
        yield service
    except BaseException:
        sys.stderr.write(log.read_text()[-3000:])
        raise
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def publisher(port: int) -> Iterator[Publish]:
    """Publishes at QoS 1, as a network server does."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield lambda topic, payload: client.publish(topic, payload, qos=1).wait_for_publish(30)
    finally:
        client.disconnect()
        client.loop_stop()


class UsualPython:
    """What one writes first: a callback that decodes, compares, and mails to staff, then to residents."""

    def __init__(self, folder: Path, mqtt_port: int, people: int) -> None:
        self.out = folder / "usual.json"
        self.mqtt_port = mqtt_port
        self.people = people
        self.staff: list[int] = []
        self.rate = 0.0
        self._smtp_port = 0
        self._handled = 0
        self._text = Text("Wasserstand, Marke 4", "Ein Text von der Länge einer Meldung. " * 15)

    def go(self, gauges: int) -> None:
        """So many gauges, then one for everybody."""
        city = City(gauges)
        published = []
        with sink(self.out) as (self._smtp_port, _), publisher(self.mqtt_port) as publish:
            client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
            client.on_message = lambda _client, _data, message: self._on_message(city, message)
            client.connect("127.0.0.1", self.mqtt_port)
            client.loop_start()
            subscribed = threading.Event()
            client.on_subscribe = lambda *_: subscribed.set()
            client.subscribe("application/#", 1)
            assert subscribed.wait(10)
            for station in (*city.others, MASS):
                topic, payload = city.uplink(station, EXTREME_CM)
                published.append(clock())
                publish(topic, payload)
                time.sleep(EVERY_S)
            wait(lambda: self._handled > gauges, "the usual Python does not finish")
            client.disconnect()
            client.loop_stop()
        noted = json.loads(self.out.read_text())
        took = [at for at, _ in noted["taken"]]
        self.rate = (len(took) - 1) / (max(took) - min(took)) * 1e6
        self.staff = [at - then for then, (at, _) in zip(published, noted["letters"], strict=True)]

    def _on_message(self, city: City, received: mqtt.MQTTMessage) -> None:
        station, level_cm = city.read(json.loads(received.payload))
        if level_cm > city.highest_cm:
            self._mail(STAFF)
            if station == MASS:
                for i in range(self.people):
                    self._mail(f"resident{i}@example.org")
        self._handled += 1

    def _mail(self, to: str) -> None:
        with smtplib.SMTP("127.0.0.1", self._smtp_port) as smtp:
            smtp.send_message(message(SENDER, to, self._text, f"{LINKS.base}/{to}"))


def _p(delays_us: Sequence[int], percent: int) -> float:
    """The percentile in seconds: so many of a hundred took no longer."""
    return sorted(delays_us)[math.ceil(len(delays_us) * percent / 100) - 1] / 1e6


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


if __name__ == "__main__":
    run(measure)
