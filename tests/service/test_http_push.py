"""Network servers that send by HTTP, against the whole service."""

import json
import sqlite3
import sys
import threading
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from servers import wait_for

sys.path.append(str(Path(__file__).parents[1] / "ingest"))

from uplink_messages import EUI, RAIN, chirpstack, loriot, tts

from ingest.hand_over import HandOver
from ingest.http_push import NoRoom, PushServer
from stadtfunk.cli import main
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings
from stadtfunk.tokens import new_token

NOW_US = time.time_ns() // 1000
CITY = """
[city]
name = "Teststadt"
[[network_server]]
name = "loriot"
kind = "loriot"
push_token = "sha256:{loriot}"
[[network_server]]
name = "ttn"
kind = "tts-v3"
push_token = "sha256:{ttn}"
[[network_server]]
name = "chirpstack"
kind = "chirpstack-v4"
push_token = "sha256:{chirpstack}"
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "sqlite:///{folder}/readings.db"
[[device]]
dev_eui = "{eui}"
type = "decentlab-dl-tbrg"
station = "rain"
lat = 51.0
lon = 7.0
[[api.token]]
name = "test"
hash = "sha256:{operator}"
"""


@pytest.fixture
def tokens():
    return {name: new_token() for name in ("loriot", "ttn", "chirpstack", "operator")}


@pytest.fixture
def config(tmp_path, tokens):
    file = tmp_path / "city.toml"
    hashes = {name: digest for name, (_, digest) in tokens.items()}
    file.write_text(CITY.format(folder=tmp_path, eui=EUI, **hashes))
    return file


@pytest.fixture
def service(config):
    service = Service(load_settings(config))
    service.start()
    yield service
    service.stop()


@pytest.fixture
def send(service, tokens):
    with TestClient(service.app()) as client:

        def post(name, body, *, token=None, query="", **headers):
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            given = tokens[token or name][0]
            return client.post(
                f"/api/v1/uplinks/{name}{query}",
                content=content,
                headers={"Authorization": f"Bearer {given}", **headers},
            )

        post.client = client
        yield post


def rows(service):
    return list(service.journal.uplinks())


def test_what_is_answered_with_2xx_is_durable(service, send):
    answer = send("loriot", loriot("gw", f_cnt=7, time_us=NOW_US))
    assert (answer.status_code, answer.content) == (204, b"")
    [(_, uplink, readings)] = rows(service)
    assert (uplink.server, uplink.dev_eui, uplink.f_cnt, uplink.payload) == ("loriot", EUI, 7, RAIN)
    assert len(readings) == 4
    assert uplink.time_us == NOW_US // 1000 * 1000


def test_what_is_sent_again_counts_once(service, send):
    body = tts(time_us=NOW_US)
    assert [send("ttn", body).status_code for _ in range(3)] == [204] * 3
    halves = [loriot(half, f_cnt=9, time_us=NOW_US) for half in ("rx", "gw")]
    assert [send("loriot", half).status_code for half in halves] == [204] * 2
    assert len(rows(service)) == 2
    assert service.intake.stats.duplicates == 3


def test_what_cannot_be_read_is_kept_for_the_operators(service, send):
    assert send("ttn", b"not JSON").status_code == 204
    [row] = service.journal.rejected()
    assert (row.rejected.reason, row.message.server, row.message.payload) == (
        "malformed_json",
        "ttn",
        b"not JSON",
    )


def test_chirpstack_names_the_event_in_the_query(service, send):
    assert send("chirpstack", chirpstack(time_us=NOW_US), query="?event=up").status_code == 204
    assert send("chirpstack", {"deviceInfo": {"devEui": EUI}}, query="?event=txack").status_code == 204
    odd = send("chirpstack", chirpstack(time_us=NOW_US), query="?event=../../%00&LrnDevEui=x")
    assert odd.status_code == 204
    assert (len(rows(service)), service.intake.stats.ignored["txack"]) == (2, 1)


def test_who_may_send(service, send, tokens):
    body = loriot(time_us=NOW_US)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}):
        answer = send.client.post("/api/v1/uplinks/loriot", json=body, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")
    # an operator is no network server, and a network server no operator
    assert send("loriot", body, token="operator").status_code == 401
    read = {"Authorization": f"Bearer {tokens['loriot'][0]}"}
    assert send.client.get("/api/v1/admin/uplinks", headers=read).status_code == 401
    for other in ("ttn", "nobody"):
        assert send(other, body, token="loriot").status_code == 403
    assert not rows(service)
    assert not service.journal.rejected()


def test_without_a_network_server_that_sends_nobody_may(config, tokens):
    text = config.read_text()
    config.write_text(text[: text.index("[[network_server]]")] + text[text.index("[journal]") :])
    service = Service(load_settings(config))
    with TestClient(service.app()) as client:
        headers = {"Authorization": f"Bearer {tokens['loriot'][0]}"}
        assert client.post("/api/v1/uplinks/loriot", json={}, headers=headers).status_code == 403
    service.stop()


def test_a_body_is_bounded(service, send):
    largest = b" " * (64 << 10)
    assert send("loriot", largest).status_code == 204
    answer = send("loriot", largest + b" ")
    assert answer.status_code == 413
    assert "64 kB" in answer.json()["detail"]
    assert len(service.journal.rejected()) == 1


def test_only_posting_is_possible(send):
    assert send.client.get("/api/v1/uplinks/loriot").status_code == 405


@pytest.fixture
def stuck(service):
    """The journal's file, locked by somebody else until released."""
    lock = sqlite3.connect(service.journal._file.path, isolation_level=None, check_same_thread=False)
    lock.execute("BEGIN IMMEDIATE")
    yield lambda: lock.execute("ROLLBACK")
    lock.close()


def test_what_is_not_durable_is_not_answered_with_2xx(service, send, stuck, monkeypatch):
    monkeypatch.setattr("api.routes.uplinks.ANSWER_S", 0.3)
    body = loriot(time_us=NOW_US)
    answer = send("loriot", body)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert not rows(service)
    stuck()
    monkeypatch.setattr("api.routes.uplinks.ANSWER_S", 30.0)
    assert send("loriot", body).status_code == 204
    wait_for(lambda: service.intake.stats.messages == 2)
    assert len(rows(service)) == 1


def test_too_many_at_a_time_are_told_to_come_back(service, send, stuck, monkeypatch):
    monkeypatch.setattr("api.routes.uplinks.ANSWER_S", 0.1)
    send.client.app.state.services.pushes["loriot"].server._most_waiting = 2
    codes = [send("loriot", loriot(time_us=NOW_US)).status_code for _ in range(4)]
    assert codes == [503, 503, 429, 429]
    assert send("ttn", tts(time_us=NOW_US)).status_code == 503  # another one's room is its own
    stuck()
    wait_for(lambda: service.intake.stats.messages == 3, 120)
    monkeypatch.setattr("api.routes.uplinks.ANSWER_S", 30.0)
    wait_for(lambda: send("loriot", loriot(time_us=NOW_US)).status_code == 204)


def test_a_full_hand_over_takes_nothing():
    sink = HandOver(most_messages=2)
    server = PushServer("one", sink, lambda: NOW_US)
    taken = [server.receive("push/up", b"x") for _ in range(2)]
    assert server.receive("push/up", b"x") is NoRoom.FULL
    for delivery in sink.take(10, 1.0):
        delivery.acknowledge()
    assert [each.done() for each in taken] == [True, True]
    assert not isinstance(server.receive("push/up", b"x"), NoRoom)
    assert (server.stats.messages, server.stats.turned_away) == (3, 1)


def test_many_at_once(service, send):
    bodies = [loriot(f_cnt=i, time_us=NOW_US) for i in range(100, 160)]
    codes = []

    def some(mine):
        codes.extend(send("loriot", body).status_code for body in mine)

    threads = [threading.Thread(target=some, args=(bodies[i::6],)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [204] * 60
    assert len(rows(service)) == 60


def test_it_shows_among_the_parts_and_in_the_metrics(service, send, tokens):
    send("loriot", loriot("gw", time_us=time.time_ns() // 1000))  # the last hour's, whenever this runs
    headers = {"Authorization": f"Bearer {tokens['operator'][0]}"}
    metrics = send.client.get("/metrics", headers=headers).text
    assert 'stadtfunk_push_messages_total{network_server="loriot"} 1.0' in metrics
    assert 'stadtfunk_gateways_heard{network_server="loriot"} 1.0' in metrics
    assert service.health()["network_server loriot"].ok
    assert "2xx" in service.loss_window()["loriot"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('push_token = "sha256:', 'push_token = "'), None),
        (('push_token = "sha256:', 'push_token = "x'), "stadtfunk token"),
        (('kind = "loriot"', 'kind = "loriot"\nurl = "mqtt://broker"'), "or a push_token"),
        (('kind = "loriot"', 'kind = "loriot"\ntopics = ["up"]'), "belong to MQTT"),
    ],
)
def test_check_says_what_is_wrong(config, capsys, change, says):
    config.write_text(config.read_text().replace(*change))
    status = main(["check", "--config", str(config)])
    printed = capsys.readouterr().err
    assert (status, printed) == (0, "") if says is None else says in printed


def test_one_token_is_one_senders(config, tokens, capsys):
    config.write_text(config.read_text().replace(tokens["ttn"][1], tokens["operator"][1]))
    assert main(["check", "--config", str(config)]) == 1
    assert "network_server[1].push_token: somebody else has the same token" in capsys.readouterr().err
