"""Displays at a real broker: nothing outdated is ever shown, whoever dies."""

import json
import time

import pytest
from display_city import SCENE, Listener, Watched, retained
from servers import Mosquitto, Wire, wait_for
from warned_city import notice, warned

from alerts.board import WarningBoard
from alerts.displays.displays import DisplayConfig, Displays
from alerts.event import Event
from alerts.liveness.progress import Progress
from ingest.broker import read_broker_url

HOUR = 3_600_000_000
TEXT = "stadtfunk/warnings/gierath/text"
OBJECT = "stadtfunk/warnings/gierath"


def now_us():
    return time.time_ns() // 1000


def released(**changes):
    return warned("release", valid_until_us=now_us() + HOUR, **changes)


class City:
    """What the displays read, set by the test."""

    def __init__(self):
        self.warnings = ()
        self.problem = ""
        self.board = WarningBoard(now_us)
        self.running = []

    def start(self, url, interval_s=1, **changes):
        displays = Displays(
            DisplayConfig(read_broker_url(url), **changes),
            SCENE,
            lambda: self.warnings,
            self.board,
            lambda: Progress(self.problem, 0, 0, 0.0),
            now_us,
            interval_s=interval_s,
        )
        displays.start()
        self.running.append(displays)
        return displays


@pytest.fixture
def city():
    city = City()
    yield city
    for each in city.running:
        each.stop()


@pytest.fixture
def watched():
    opened = []

    def watch(port, **options):
        opened.append(Watched(port, **options))
        return opened[-1]

    yield watch
    for each in opened:
        each.close()


@pytest.fixture
def listener():
    opened = []

    def listen(port, *filters):
        opened.append(Listener(port, *filters))
        return opened[-1]

    yield listen
    for each in opened:
        each.close()


def test_columns_hear_calm_warning_and_its_end(city, mosquitto, watched):
    broker = mosquitto()
    city.start(broker.url)
    column = watched(broker.port)
    column.shows("Keine Warnung")
    city.warnings = (released(),)
    column.shows("WARNUNG DER STADT (hoch): Hochwasser")
    city.warnings = ()
    column.shows("Keine Warnung")


def test_every_message_runs_out_by_itself(city, mosquitto, listener):
    broker = mosquitto()
    city.warnings = (released(),)
    city.start(broker.url, interval_s=2)
    heard = listener(broker.port, "stadtfunk/#")
    assert 3540 <= heard.last(OBJECT)[3] <= 3600
    assert 3540 <= heard.last(TEXT)[3] <= 3600
    assert heard.last("stadtfunk/warnings/oben/text")[3] <= 6
    assert heard.last("stadtfunk/status")[3] <= 6
    body = json.loads(heard.last(OBJECT)[1])
    assert body["state"] == "warning"
    assert set(body) >= {"area", "name", "severity", "colour", "word", "issued", "valid_until"}
    status = json.loads(heard.last("stadtfunk/status")[1])
    assert status["online"] is True
    assert status["interval_s"] == 2


def test_a_warning_is_gone_from_the_broker_when_it_has_run_out_though_we_are_dead(city, mosquitto):
    broker = mosquitto()
    city.warnings = (warned("release", valid_until_us=now_us() + 4_000_000),)
    wire = Wire(broker.port)
    city.start(f"mqtt://127.0.0.1:{wire.port}")
    wait_for(lambda: TEXT in retained(broker.port, "stadtfunk/#"), what="the warning")
    wire.close()
    wait_for(lambda: not {TEXT, OBJECT} & retained(broker.port, "stadtfunk/#").keys(), what="it to run out")
    left = retained(broker.port, "stadtfunk/#")
    assert left["stadtfunk/status"] == b'{"online":false}'


def test_a_restarted_broker_shows_nothing_of_yesterday(city, mosquitto, watched):
    broker = mosquitto(persistent=True)
    displays = city.start(broker.url)
    column = watched(broker.port)
    column.shows("Keine Warnung")
    city.warnings = (warned("release", valid_until_us=(until_us := now_us() + 15_000_000)),)
    column.shows("WARNUNG DER STADT")
    displays.stop()
    city.running.clear()
    broker.stop()
    calm_us = now_us() + 3_000_000  # three intervals: so long what else was said may be kept
    time.sleep((max(until_us, calm_us) - now_us()) / 1e6 + 1.5)
    broker.start()
    column.shows("Keine aktuellen Daten seit ")
    fresh = watched(broker.port)
    # this broker may hand out what ran out while it was off, without its expiry: nobody believes that
    fresh.last("stadtfunk/status")
    for each in (column, fresh):
        assert "WARNUNG" not in each.column.shows()
    assert all(each[3] is None for each in fresh.messages)
    city.start(broker.url)
    fresh.shows("Keine Warnung")
    assert retained(broker.port, TEXT) == {TEXT: b"Keine Warnung"}


def test_we_come_back_after_a_broker_that_forgot_everything(city, mosquitto, watched):
    broker = mosquitto(persistent=False)
    city.warnings = (released(),)
    displays = city.start(broker.url)
    column = watched(broker.port)
    column.shows("WARNUNG DER STADT")
    broker.restart()
    wait_for(lambda: TEXT in retained(broker.port, "stadtfunk/#"), what="the warning again")
    wait_for(lambda: displays.health.ok, what=displays.health)
    assert column.column.shows().count("WARNUNG DER STADT") == 1


def test_a_column_says_so_when_we_die_and_keeps_what_still_holds(city, mosquitto, watched):
    broker = mosquitto()
    city.warnings = (released(),)
    wire = Wire(broker.port)
    city.start(f"mqtt://127.0.0.1:{wire.port}", interval_s=30)
    column = watched(broker.port)
    # not only as the last that is known: the status, too, has come
    wait_for(lambda: column.column.shows().startswith("WARNUNG DER STADT"), what=column.messages)
    wire.close()  # the last will tells it, long before a heartbeat is missed
    column.shows("Keine aktuellen Daten seit ")
    assert ". Zuletzt: WARNUNG DER STADT (hoch)" in column.column.shows()
    assert len(column.column.shows()) <= 160
    column.ahead_s = 3700
    assert "WARNUNG" not in column.column.shows()


def test_a_column_that_nobody_tells_anything_stops_believing(city, mosquitto, watched):
    broker = mosquitto()
    city.start(broker.url, interval_s=30)
    column = watched(broker.port)
    column.shows("Keine Warnung")
    column.ahead_s = 80
    assert column.column.shows() == "Keine Warnung"
    column.ahead_s = 95
    assert column.column.shows().startswith("Keine aktuellen Daten seit ")
    assert "Keine Warnung" not in column.column.shows()


def test_while_the_engine_hangs_nobody_reads_that_all_is_calm(city, mosquitto, watched):
    broker = mosquitto()
    city.start(broker.url)
    column = watched(broker.port)
    column.shows("Keine Warnung")
    city.problem = "the engine has finished no step for 61 s"
    column.shows("Keine aktuellen Daten seit ")
    wait_for(lambda: TEXT not in retained(broker.port, "stadtfunk/#"), what="calm to run out")
    # what a person releases still arrives
    city.warnings = (released(),)
    column.shows("Zuletzt: WARNUNG DER STADT")
    city.problem = ""
    wait_for(lambda: column.column.shows().startswith("WARNUNG DER STADT"))


def test_topics_of_areas_that_are_gone_are_cleared(city, mosquitto):
    broker = mosquitto()
    broker.publish("stadtfunk/warnings/abgerissen/text", b"WARNUNG", retain=True)
    broker.publish("stadtfunk/warnings/abgerissen", b"{}", retain=True)
    broker.publish("stadtfunk/exercise/warnings/gierath", b"{}", retain=True)
    broker.publish("stadtfunk/other", b"not ours", retain=True)
    city.start(broker.url)
    wait_for(
        lambda: (
            set(retained(broker.port, "stadtfunk/#"))
            == {
                "stadtfunk/other",
                "stadtfunk/status",
                *(
                    f"stadtfunk/warnings/{area}{end}"
                    for area in ("city", "gierath", "oben")
                    for end in ("", "/text")
                ),
            }
        ),
        what="the topics of the areas there are",
    )


def test_what_another_writes_to_our_topics_is_put_right(city, mosquitto, watched):
    broker = mosquitto()
    city.start(broker.url)
    column = watched(broker.port)
    column.shows("Keine Warnung")
    broker.publish(TEXT, b"Alles brennt", retain=True)
    wait_for(lambda: retained(broker.port, TEXT).get(TEXT) == b"Keine Warnung", what="ours again")


def test_exercises_are_under_exercise_only_and_leave_nothing(city, mosquitto, listener):
    broker = mosquitto()
    city.warnings = (released(exercise=True),)
    city.start(broker.url)
    heard = listener(broker.port, "stadtfunk/#")
    said = heard.last("stadtfunk/exercise/warnings/gierath/text")[1].decode()
    assert said.startswith("ÜBUNG: WARNUNG DER STADT")
    assert json.loads(heard.last("stadtfunk/exercise/warnings/gierath")[1])["warnings"][0]["exercise"] is True
    heard.last(TEXT)
    city.warnings = ()
    wait_for(
        lambda: not any("exercise" in each for each in retained(broker.port, "stadtfunk/#")),
        what="the exercise to be cleared",
    )
    assert {each[1] for each in heard.of(TEXT)} == {b"Keine Warnung"}


def test_notices_of_the_board_are_published_as_they_come(city, mosquitto, watched):
    broker = mosquitto()
    city.start(broker.url)
    column = watched(broker.port)
    column.shows("Keine Warnung")
    known = notice()
    city.board.apply(
        [
            Event(
                *("e1", known.id, now_us(), known.station, "raise", known.measure, 3, None, 152.4),
                *("rule", "why", "public"),
                severity="Severe",
            )
        ]
    )
    column.shows("Messwertmeldung, keine amtliche Warnung: ")


def test_a_user_who_may_not_write_shows_in_the_health(city, mosquitto, tmp_path):
    (tmp_path / "acl").write_text("user nobody\ntopic read stadtfunk/#\n")
    broker = mosquitto(users={"nobody": "secret"}, lines=[f"acl_file {tmp_path}/acl"])
    displays = city.start(broker.url)
    wait_for(lambda: "publishing refused: stadtfunk/" in displays.health.detail, what=displays.health)
    assert not displays.health.ok


def test_a_broker_that_is_away_shows_in_the_health_and_stop_does_not_wait(city, tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.mqtt_link._PAUSE_S", (60.0, 60.0))
    broker = Mosquitto(tmp_path / "own")
    broker.stop()
    displays = city.start(broker.url)
    wait_for(lambda: "nothing listens there" in displays.health.detail, what=displays.health)
    displays.stop()
    city.running.clear()
    wait_for(lambda: not displays._link._thread.is_alive(), 20, "the link to end before its next attempt")
    broker.stop()


def test_a_clean_stop_says_offline(city, mosquitto):
    broker = mosquitto()
    displays = city.start(broker.url)
    wait_for(lambda: TEXT in retained(broker.port, "stadtfunk/#"))
    displays.stop()
    assert json.loads(retained(broker.port, "stadtfunk/status")["stadtfunk/status"])["online"] is False
