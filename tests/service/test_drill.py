"""Drills through the whole service: journal, engine, outbox, a real SMTP server, API and page."""

import email
import email.policy
import threading
from datetime import UTC, datetime
from email.header import decode_header, make_header

import numpy as np
import pytest
import structlog
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from servers import free_port, wait_for
from starlette.testclient import TestClient

from alerts.backtest.backtest import backtest, settle
from alerts.drill import MAX_BYTES, Drills
from alerts.errors import DrillBusyError, DrillError
from alerts.event import PREEMPTED, from_row
from alerts.rules import load_rules
from ingest.journal import Accepted
from ingest.reading import READING, Measured, Series
from ingest.uplink import TimeSource, Uplink
from stadtfunk.cli import main
from stadtfunk.service import Service, wall_clock_us
from stadtfunk.settings_file import load_settings
from stadtfunk.tokens import new_token

TOKEN, HASH = new_token()
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}
GAUGE = "70b3d57ba0000001"
CITY = """
[city]
name = "Teststadt"
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "sqlite:///{folder}/readings.db"
[[device]]
dev_eui = "70b3d57ba0000001"
type = "decentlab-dl-mbx"
station = "pegel"
name = "Strunde Gierath"
lat = 50.98
lon = 7.1
public = true
interval_s = 300
stages_cm = [50, 80, 110]
[[alerts.channel]]
name = "drilling"
url = "{mail}&to=uebung@stadt.example"
exercises = true
[[alerts.channel]]
name = "control-room"
url = "{mail}&to=leitstelle@stadt.example"
[[alerts.channel]]
name = "residents"
url = "{mail}&to=alle@stadt.example"
audience = ["public"]
[[api.token]]
name = "wehrleiterin"
hash = "{hash}"
"""
LEVELS = (20, 30, 55, 85, 120, 125, 118, 90, 60, 40, *[20] * 30)
SLOW = 3.0


def recording(levels=LEVELS, station="pegel"):
    rows = [
        f"2005-10-20T{4 + i // 12:02d}:{i % 12 * 5:02d}:00Z,{station},water_level,{level}"
        for i, level in enumerate(levels)
    ]
    return "\n".join(["time,station,property,value", *rows]) + "\n"


class Mailbox(Message):
    def __init__(self):
        super().__init__()
        self.messages = []

    def handle_message(self, message):
        self.messages.append(email.message_from_bytes(message.as_bytes(), policy=email.policy.default))

    def to(self, name):
        return [m for m in tuple(self.messages) if m["X-RcptTo"] == f"{name}@stadt.example"]


@pytest.fixture
def mailbox():
    box = Mailbox()
    port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    box.url = f"mailto://127.0.0.1:{port}?from=stadtfunk@stadt.example&smtp=127.0.0.1&mode=insecure"
    yield box
    controller.stop()


@pytest.fixture
def service(tmp_path, mailbox):
    (tmp_path / "city.toml").write_text(CITY.format(folder=tmp_path, mail=mailbox.url, hash=HASH))
    service = Service(load_settings(tmp_path / "city.toml"))
    service.start()
    yield service
    service.stop()
    structlog.reset_defaults()


@pytest.fixture
def client(service):
    with TestClient(service.app()) as client:
        yield client


def begin(client, text=None, **query):
    return client.post("/api/v1/admin/drill", params=query, content=text or recording(), headers=OPERATOR)


def status(client):
    return client.get("/api/v1/admin/drill", headers=OPERATOR).json()


def ended(client):
    wait_for(lambda: not status(client)["running"])
    return status(client)


def warnings(client, **headers):
    return client.get("/api/v1/warnings", headers=headers).json()["items"]


def of_level(items):
    return [each for each in items if each["measure"] == "water_level"]


def really(service, *levels):
    """Uplinks of the real gauge, the last one now."""
    now = wall_clock_us()
    for i, level in enumerate(levels):
        at = now - (len(levels) - 1 - i) * 300_000_000
        reading = Measured(Series("pegel", "water_level", "", GAUGE), at, float(level), 1)
        uplink = Uplink(
            server="s",
            dev_eui=GAUGE,
            f_port=1,
            f_cnt=i,
            session="",
            payload=b"\1",
            received_us=at,
            arrived_us=at,
            time_us=at,
            time_source=TimeSource.SERVER,
            gateways=(),
        )
        service.journal.append([Accepted(uplink, (reading,), (at, -at))])


def delivered(service):
    wait_for(
        lambda: (
            service.outbox._deliveries.position()[0] == len(service.journal.events(0, 10_000))
            and not [r for r in service.outbox.receipts(500) if r.status in {"pending", "sending"}]
        )
    )
    return service.outbox.receipts(500)


def subject(message):
    return str(make_header(decode_header(message["Subject"]))).strip()  # a folded header begins with a space


def test_a_drill_is_marked_and_reaches_only_who_takes_part(service, client, mailbox):
    begun = begin(client, speed=3600)
    assert begun.status_code == 201
    assert begun.json()["started_by"] == "wehrleiterin"
    (warning,) = wait_for(lambda: of_level(warnings(client, **OPERATOR)))
    assert warning["exercise"] is True
    assert warning["audience"] == "staff"
    assert warning["headline"]["de"].startswith("ÜBUNG: Wasserstand")
    assert warning["headline"]["en"].startswith("EXERCISE: Water level")
    assert warning["text"]["de"].startswith("ÜBUNG, kein echtes Ereignis")
    for path in ("/", "/api/v1/warnings", "/api/v1/areas", f"/api/v1/warnings/{warning['id']}"):
        assert "xercise." not in client.get(path).text.replace(f"'{warning['id']}'", "")
    assert client.get(f"/api/v1/warnings/{warning['id']}").status_code == 404
    assert 'stadtfunk_warnings_in_force{exercise="false"} 0.0' in service.metrics.render().decode()

    assert ended(client)["reason"] == "exercise ended: all readings played"
    receipts = delivered(service)
    sent = mailbox.to("uebung")
    # on a busy machine what is over has replaced its beginning before anybody was told of that
    unsent = {(r.status, r.detail) for r in receipts if r.channel == "drilling" and r.status != "sent"}
    assert {status for status, _ in unsent} <= {"superseded", "skipped"}
    assert {detail for status, detail in unsent if status == "skipped"} <= {"was never told of it"}
    told = [r.kind for r in receipts if r.channel == "drilling" and ".water_level." in r.event]
    assert told[::-1][:3] == ["raise", "escalate", "escalate"]
    assert sent
    for message in sent:
        assert subject(message).startswith("ÜBUNG: ")
        assert (
            message.get_body(("plain", "html"))
            .get_content()
            .strip()
            .startswith("ÜBUNG, kein echtes Ereignis")
        )
    others = [r for r in receipts if r.channel != "drilling"]
    assert {r.status for r in others} == {"skipped"}
    assert {r.detail for r in others} <= {"no exercises here", "for staff only"}
    assert not mailbox.to("leitstelle")
    assert not mailbox.to("alle")
    assert not service.board.snapshot().in_force
    assert warnings(client) == []


def test_released_to_the_public_it_is_shown_marked_but_no_resident_gets_a_message(service, client, mailbox):
    begin(client, speed=1200, release_public="Dr. Wache")
    (warning,) = wait_for(lambda: of_level(warnings(client)))
    assert "ÜBUNG" in client.get("/").text
    assert warning["exercise"] is True
    assert warning["audience"] == "public"
    assert ended(client)["released_by"] == "Dr. Wache"
    reasons = {from_row(row).reason for _, row in service.journal.events(0, 100)}
    assert any("released to the public by Dr. Wache" in reason for reason in reasons)
    delivered(service)
    assert not mailbox.to("alle")
    assert mailbox.to("uebung")


def test_a_real_alarm_ends_the_drill_at_once(service, client, mailbox):
    begin(client, recording((*[20] * 2, 55, *[60] * 60)), speed=600)
    wait_for(lambda: mailbox.to("uebung"))
    delivered(service)
    before = len(mailbox.to("uebung"))
    really(service, 30, 60)
    drill = ended(client)
    assert drill["reason"] == PREEMPTED
    wait_for(lambda: mailbox.to("leitstelle"))
    receipts = delivered(service)
    exercise = service.board.get(next(r.episode for r in receipts if r.episode.startswith("exercise.")))
    assert exercise.status == "ended"
    assert exercise.history[-1].reason == PREEMPTED
    assert not any(each.exercise for each in service.board.snapshot().in_force)
    # nobody hears of the end of the exercise: only of the real thing, and it is not marked
    said = mailbox.to("uebung")[before:]
    assert said
    assert not [each for each in said if "ÜBUNG" in subject(each)]
    assert begin(client).status_code == 409
    assert "real warning" in begin(client).json()["detail"]


def test_one_at_a_time_and_ended_by_a_person(service, client):
    assert client.get("/api/v1/admin/drill", headers=OPERATOR).status_code == 404
    assert begin(client, speed=SLOW).status_code == 201
    second = begin(client)
    assert second.status_code == 409
    assert "a drill is running" in second.json()["detail"]
    over = client.delete("/api/v1/admin/drill", headers=OPERATOR).json()
    assert (over["running"], over["reason"]) == (False, "exercise ended: by wehrleiterin")
    client.delete("/api/v1/admin/drill", headers=OPERATOR)
    noted = client.get("/api/v1/admin/audit", headers=OPERATOR).json()["items"]
    assert [(each["by"], each["action"], each["subject"]) for each in noted] == [
        ("wehrleiterin", "drill stop", over["id"]),
        ("wehrleiterin", "drill start", over["id"]),
    ]
    assert begin(client, speed=3600).status_code == 201


def test_only_operators_may(client):
    for method in ("GET", "POST", "DELETE"):
        assert client.request(method, "/api/v1/admin/drill", content=recording()).status_code == 401


@pytest.mark.parametrize(
    ("text", "query", "said"),
    [
        ("a,b\n", {}, "the header is"),
        (recording(station="elsewhere"), {}, "not installed here"),
        (recording(), {"speed": 0.001}, "higher speed"),
        ("time,station,property,value\n", {}, "not one row"),
        (f"{recording()}2009-01-01T00:00:00Z,pegel,water_level,20\n", {"speed": 3600}, "31 days"),
    ],
)
def test_what_cannot_be_played_is_refused_with_its_reason(client, text, query, said):
    answer = begin(client, text, **query)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert status(client)["status"] == 404


def test_too_much_is_refused(client, service):
    assert begin(client, "x" * (MAX_BYTES + 1)).status_code == 413
    assert begin(client, speed=0).status_code == 422
    with pytest.raises(DrillError, match="speed"):
        service.drills.begin(recording().encode(), by="x", speed=float("nan"))


def test_bad_lines_are_named(client):
    begin(client, recording() + "nonsense\n", speed=3600)
    drill = ended(client)
    assert drill["skipped"] == 1
    assert drill["complaints"][0].startswith(f"line {len(LEVELS) + 2}: ")
    assert drill["played"] == drill["readings"] == len(LEVELS)


def test_it_concludes_what_a_backtest_concludes(service, client):
    begin(client, speed=3600)
    ended(client)
    drilled = [from_row(row) for _, row in service.journal.events(0, 1000)]
    registry, series = settle(
        service.registry.current, [("pegel", "water_level")], np.array([300_000_000]), service.catalogue
    )
    start = round(datetime(2005, 10, 20, 4, tzinfo=UTC).timestamp()) * 1_000_000
    rows = [(i, 0, 2, start + i * 300_000_000, level) for i, level in enumerate(LEVELS)]
    expected = list(backtest(load_rules(None), registry, series, [np.array(rows, READING)]))
    assert expected
    of_drill = [
        (e.id.split(".", 2)[2], e.kind, e.level, e.value)
        for e in drilled
        if e.rule != "drill" and e.kind != "city"
    ]
    assert of_drill == [(e.id, e.kind, e.level, e.value) for e in expected]
    assert all(e.exercise and e.id.removeprefix("warning.").startswith("exercise.") for e in drilled)
    assert all(abs(e.time_us - wall_clock_us()) < 600_000_000 for e in drilled)


def test_a_restart_ends_what_a_crash_left(service, client):
    begin(client, recording((20, 55, *[60] * 4, 85, *[90] * 60)), speed=600)
    wait_for(lambda: service.board.snapshot().in_force)
    left = service.board.snapshot().in_force
    # another one takes the journal over, as the next process would
    again = Drills(
        service.journal,
        service.board,
        load_rules(None),
        lambda: service.registry.current,
        wall_clock_us,
        lambda: service.board.catch_up(service.journal),
    )
    again.start()
    assert [service.board.get(each.id).history[-1].reason for each in left] == [
        "exercise ended: the service was restarted"
    ]
    assert "another process" in ended(client)["reason"]
    assert not service.board.snapshot().in_force
    again.stop()
    with pytest.raises(DrillBusyError):
        again.begin(recording().encode(), by="x")


def test_the_end_of_the_service_ends_the_drill(tmp_path, mailbox):
    (tmp_path / "city.toml").write_text(CITY.format(folder=tmp_path, mail=mailbox.url, hash=HASH))
    others = set(threading.enumerate())
    service = Service(load_settings(tmp_path / "city.toml"))
    service.start()
    service.drills.begin(recording((20, 20, 55, *[60] * 200)).encode(), by="x", speed=600)
    wait_for(lambda: service.board.snapshot().in_force)
    service.stop()
    assert service.drills.status.reason == "exercise ended: the service stops"
    assert not service.board.snapshot().in_force
    ours = [each for each in set(threading.enumerate()) - others if each.name == "drill"]
    wait_for(lambda: not any(each.is_alive() for each in ours), 30, "an end before the drill's, at 100 s")


def test_retention_does_not_wait_for_the_drill(service):
    assert service.journal.cursor("drill") > service.journal.last_seq()


def test_residents_channels_cannot_take_part(tmp_path, mailbox, capsys):
    text = CITY.format(folder=tmp_path, mail=mailbox.url, hash=HASH)
    text = text.replace('audience = ["public"]', 'audience = ["public"]\nexercises = true')
    (tmp_path / "city.toml").write_text(text)
    assert main(["check", "--config", str(tmp_path / "city.toml")]) == 1
    assert "exercises is not usable" in capsys.readouterr().err
    structlog.reset_defaults()
