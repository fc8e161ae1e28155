"""What follows from what is written, and what is refused."""

import sqlite3
import threading

import pytest
from sta_bodies import (
    SETS,
    datastream,
    feature,
    link,
    location,
    observation,
    point,
    thing,
)
from sta_client import Client, served
from sta_town import town_of

from api.sta.errors import StorageError
from api.sta.scratch import ScratchSource
from api.sta.writing.writer import ScratchWriter

MINUTE = 60_000_000
T0 = 1_784_053_800_000_000  # 2026-07-14T18:30:00Z


class Clock:
    """Stands still until it is told the time."""

    now_us = T0

    def __call__(self):
        return self.now_us


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def scratch_source(tmp_path):
    source = ScratchSource(tmp_path / "sta-scratch.db")
    yield source
    with source.read() as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    source.close()


class Current:
    """The source and writer of the test that runs: a town is not built for each."""

    source = writer = None

    def write(self, change):
        return self.writer.write(change)

    def serve(self, source, clock):
        self.source, self.writer = source, ScratchWriter(source, clock)


@pytest.fixture(scope="module")
def current(tmp_path_factory):
    current = Current()
    changes = {"sta": lambda _: current.source, "sta_writer": current, "tokens": ()}
    with town_of(tmp_path_factory.mktemp("town"), **changes) as town, served(town.app()) as address:
        current.address = address
        yield current


@pytest.fixture
def client(scratch_source, clock, current):
    current.serve(scratch_source, clock)
    client = Client(current.address)
    yield client
    client.session.close()


@pytest.fixture
def stream(client):
    """A Datastream of a Thing with a Location."""
    client.create("Things", thing(Locations=[location()], Datastreams=[datastream()]))
    return "Datastreams(1)"


def names(client, path):
    return [each["name"] for each in client.walk(path)]


def test_a_thing_that_moves_leaves_a_trace(client, clock):
    client.create("Things", thing(Locations=[location("A"), location("B")]))
    assert names(client, "Things(1)/Locations") == ["A", "B"]
    clock.now_us += MINUTE
    client.create("Things(1)/Locations", location("C"))
    assert names(client, "Things(1)/Locations") == ["C"]
    clock.now_us += MINUTE
    client.change("PATCH", "Things(1)", {"Locations": [link(1)]})
    clock.now_us += MINUTE
    client.create("Locations", location("D", Things=[link(1)]))
    clock.now_us += MINUTE
    client.change("PATCH", "Locations(2)", {"Things": [link(1)]})
    trace = client.walk("Things(1)/HistoricalLocations?$expand=Locations($select=name)")
    assert [(each["time"][14:16], [at["name"] for at in each["Locations"]]) for each in trace] == [
        ("30", ["A", "B"]),
        ("31", ["C"]),
        ("32", ["A"]),
        ("33", ["D"]),
        ("34", ["B"]),
    ]
    assert names(client, "Things(1)/Locations") == ["B"]
    client.change("PATCH", "Locations(2)", {"name": "Neu"})
    assert len(client.ids("HistoricalLocations")) == 5


def test_the_latest_historical_location_says_where_a_thing_is(client):
    client.create("Things", thing(Locations=[location("A")]))
    client.create("Locations", location("B"))
    client.create("Locations", location("C"))
    client.change("PATCH", "HistoricalLocations(1)", {"time": "2016-01-01T06:00:00Z"})
    later = {"time": "2016-01-01T07:00:00Z", "Thing": link(1), "Locations": [link(2)]}
    client.create("HistoricalLocations", later)
    assert names(client, "Things(1)/Locations") == ["B"]
    earlier = {"time": "2016-01-01T05:00:00Z", "Locations": [link(3)]}
    client.create("Things(1)/HistoricalLocations", earlier)
    assert names(client, "Things(1)/Locations") == ["B"]
    same = {"time": "2016-01-01T07:00:00Z", "Thing": link(1)}
    client.create("Locations(3)/HistoricalLocations", same)
    assert names(client, "Things(1)/Locations") == ["B"]
    client.change("PATCH", "HistoricalLocations(3)", {"time": "2016-01-02T00:00:00Z"})
    assert names(client, "Things(1)/Locations") == ["C"]
    client.change("PATCH", "HistoricalLocations(3)", {"Locations": [link(1)]})
    assert names(client, "Things(1)/Locations") == ["A"]
    for body in ({**later, "Locations": []}, {"time": later["time"], "Thing": link(1)}):
        assert client.send("POST", "HistoricalLocations", body).status_code == 400
    assert client.send("PATCH", "HistoricalLocations(1)", {"Locations": []}).status_code == 400


def test_the_same_place_is_one_feature_until_it_changes(client, stream):
    def feature_of(number):
        return client.json(f"Observations({number})/FeatureOfInterest")

    for _ in range(2):
        client.create(f"{stream}/Observations", observation())
    assert feature_of(1) == feature_of(2)
    assert feature_of(1)["feature"] == point(7.13, 50.99)
    client.change("PATCH", "Locations(1)", {"location": point(8, 52)})
    client.create(f"{stream}/Observations", observation())
    assert feature_of(3)["feature"] == point(8, 52)
    assert feature_of(1)["feature"] == point(7.13, 50.99)
    assert client.send("DELETE", feature_of(3)["@iot.selfLink"]).status_code == 200
    client.create(f"{stream}/Observations", observation())
    assert feature_of(4)["feature"] == point(8, 52)
    client.change("PATCH", feature_of(4)["@iot.selfLink"], {"feature": point(9, 53)})
    client.create(f"{stream}/Observations", observation())
    assert feature_of(5)["feature"] == point(8, 52)
    assert len(client.ids("FeaturesOfInterest")) == 3


def test_an_observation_is_of_now_unless_it_says_when(client, stream):
    made = client.create(f"{stream}/Observations", {"result": 1})
    assert (made["phenomenonTime"], made["resultTime"]) == ("2026-07-14T18:30:00Z", None)
    made = client.create(f"{stream}/Observations", {"result": None, "phenomenonTime": None})
    assert (made["phenomenonTime"], made["result"]) == ("2026-07-14T18:30:00Z", None)
    for wrong in (None, "gestern", 5, "2026-07-14T18:30:00Z/2026-07-14T17:30:00Z", "2026-07-14T18:30:00"):
        answer = client.send("PATCH", "Observations(1)", {"phenomenonTime": wrong})
        assert answer.status_code == 400
        assert "phenomenonTime" in answer.json()["detail"]


def test_a_datastream_covers_its_observations(client, stream):
    def covers(which=stream):
        shown = client.json(which)
        return shown.get("phenomenonTime"), shown.get("resultTime"), shown.get("observedArea")

    assert covers() == (None, None, None)
    client.create(f"{stream}/Observations", observation(day=5, FeatureOfInterest=feature(lon=7, lat=51)))
    assert covers() == ("2026-03-05T06:00:00Z/2026-03-05T06:00:00Z", None, point(7, 51))
    body = observation(
        phenomenonTime="2026-03-01T00:00:00Z/2026-03-09T00:00:00Z",
        resultTime="2026-03-09T01:00:00Z",
        FeatureOfInterest=feature(lon=8, lat=53),
    )
    client.create(f"{stream}/Observations", body)
    box = [[7, 51], [8, 51], [8, 53], [7, 53], [7, 51]]
    times, results, area = covers()
    assert times == "2026-03-01T00:00:00Z/2026-03-09T00:00:00Z"
    assert results == "2026-03-09T01:00:00Z/2026-03-09T01:00:00Z"
    assert area == {"type": "Polygon", "coordinates": [box]}
    client.change("PATCH", "FeaturesOfInterest(2)", {"feature": point(7, 52)})
    assert covers()[2] == {"type": "LineString", "coordinates": [[7, 51], [7, 52]]}
    client.send("DELETE", "Observations(1)")
    assert covers()[2] == point(7, 52)
    other = client.create("Things(1)/Datastreams", datastream("anders"))["@iot.selfLink"]
    client.change("PATCH", "Observations(2)", {"Datastream": link(2)})
    assert covers() == (None, None, None)
    assert covers(other) == (times, results, point(7, 52))
    client.send("DELETE", "FeaturesOfInterest(2)")
    assert covers(other) == (None, None, None)


@pytest.mark.parametrize("result", [0, -1.5, 1e300, "voll", "", True, False, None, {"a": [1]}, [], 2**62])
def test_a_result_comes_back_as_it_was(client, stream, result):
    made = client.create(f"{stream}/Observations", {"result": result})
    assert made["result"] == result
    assert type(made["result"]) is type(result)


def test_a_number_beyond_64_bits_is_kept_as_a_decimal(client, stream):
    made = client.create(f"{stream}/Observations", b'{"result": 123456789012345678901234567890}')
    assert made["result"] == pytest.approx(1.2345678901234568e29)
    made = client.create(f"{stream}/Observations", b'{"result": 18446744073709551615}')
    assert made["result"] == pytest.approx(1.8446744073709552e19)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "no JSON"),
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[1]", "no JSON object"),
        (b"null", "no JSON object"),
        (b"[" * 5000, "no JSON"),
        (b'{"name": "a", "description": "b", "properties": ' + b'{"a":' * 600 + b"1" + b"}" * 601, "nest"),
        (b'{"name": 5, "description": "b"}', "name is no text"),
        (b'{"name": "a", "description": "b", "properties": []}', "properties is no JSON object"),
        (b'{"name": "a", "description": "b", "descripton": "c"}', "'descripton'"),
        (b'{"name": "a", "description": "b", "Sensors": []}', "'Sensors'"),
        (b'{"name": "a", "description": "b", "Locations": {"@iot.id": 1}}', "Locations is no list"),
        (b'{"name": "a", "description": "b", "Locations": [{"@iot.id": "1"}]}', "is no id"),
        (b'{"name": "a", "description": "b", "Locations": [{"@iot.id": 1e400}]}', "no JSON"),
        (b'{"name": "a", "description": "b", "Locations": [{"@iot.id": 18446744073709551615}]}', "is no id"),
        (b'{"name": "a", "description": "b", "Locations": [{"@iot.id": 4}]}', "Locations(4)"),
    ],
)
def test_what_is_no_thing_is_refused_with_what_is_wrong(client, body, says):
    answer = client.send("POST", "Things", body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"] + answer.json()["hint"]
    assert client.ids("Things") == []


@pytest.mark.parametrize(
    "geometry",
    [
        None,
        "POINT(7 51)",
        {},
        {"type": "Point"},
        {"type": "Point", "coordinates": ["a", 1]},
        {"type": "Point", "coordinates": []},
        {"type": "Kreis", "coordinates": [7, 51]},
        {"type": "Feature", "geometry": None},
        {"type": "Polygon", "coordinates": [[[7, 51], [8, 51]]]},
    ],
)
def test_a_place_that_is_no_geometry_is_refused(client, geometry):
    answer = client.send("POST", "Locations", location(location=geometry))
    assert answer.status_code == 400
    assert "location" in answer.json()["detail"]
    client.create("Locations", location(encodingType="text/plain", location=geometry or "am Wehr"))
    assert client.send("PATCH", "Locations(1)", {"encodingType": "application/geo+json"}).status_code == 400


def test_a_place_may_be_a_feature_or_of_another_encoding(client):
    whole = {"type": "Feature", "properties": {"a": 1}, "geometry": point(7, 51)}
    assert client.create("Locations", location(location=whole))["location"] == whole
    free = location(encodingType="text/plain", location="hinter der Brücke")
    made = client.create("Locations", {**free, "Things": [thing(Datastreams=[datastream()])]})
    assert made["location"] == "hinter der Brücke"
    client.create("Datastreams(1)/Observations", observation())
    assert client.json("FeaturesOfInterest(1)")["feature"] == "hinter der Brücke"
    assert "observedArea" not in client.json("Datastreams(1)")


def test_a_path_and_a_body_must_not_disagree(client, stream):
    client.create("Things(1)/Datastreams", datastream("anders"))
    answer = client.send("POST", f"{stream}/Observations", observation(Datastream=link(2)))
    assert answer.status_code == 400
    assert client.create(f"{stream}/Observations", observation(Datastream=link(1)))


def test_trees_have_an_end(client):
    body = thing("unten", Locations=[location()])
    for depth in range(60):
        body = location(Things=[body]) if depth % 2 else thing(Locations=[body] if depth else [])
    answer = client.send("POST", "Locations", body)
    assert answer.status_code == 400
    assert "within each other" in answer.json()["detail"]
    assert {each: client.ids(each) for each in SETS} == {each: [] for each in SETS}


def test_a_body_has_an_end(client):
    answer = client.send("POST", "Things", b'{"name": "' + b"a" * (17 << 20) + b'"}')
    assert answer.status_code == 413


def test_whoever_has_configured_tokens_wants_to_see_one(scratch_source, clock, other_town, token):
    client = other_town(sta=lambda _: scratch_source, sta_writer=ScratchWriter(scratch_source, clock))
    assert client.send("POST", "Things", thing()).status_code == 401
    assert client.json("Things")["value"] == []
    headers = {"Authorization": f"Bearer {token}"}
    assert client.send("POST", "Things", thing(), headers=headers).status_code == 201
    assert client.send("DELETE", "Things(1)", headers={"Authorization": "Bearer x"}).status_code == 401
    assert len(client.json("Things")["value"]) == 1


def test_many_write_and_read_at_once(client, stream):
    client.create(f"{stream}/Observations", observation())
    faults = []

    def write(number):
        with_own = Client(client.base.removesuffix("/sta/v1.1"))
        try:
            for each in range(10):
                with_own.create(f"{stream}/Observations", observation(number * 100 + each))
                with_own.json(f"{stream}?$expand=Observations($top=3)")
        except AssertionError as error:
            faults.append(error)
        finally:
            with_own.session.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not faults
    assert client.ids("Observations") == list(range(1, 42))


def test_what_was_written_is_there_after_a_restart(tmp_path, clock, current, client):
    source = ScratchSource(tmp_path / "again.db")
    current.serve(source, clock)
    client.create("Things", thing(Locations=[location()]))
    client.send("DELETE", "Things(1)")
    source.close()
    source = ScratchSource(tmp_path / "again.db")
    current.serve(source, clock)
    assert client.create("Things", thing())["@iot.id"] == 2
    assert client.ids("Locations") == [1]
    source.close()
    assert client.get("Things").status_code == 503


def test_somebody_elses_file_stays_as_it_was(tmp_path):
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE theirs(a)")
    other.close()
    with pytest.raises(StorageError, match="belongs to something else"):
        ScratchSource(tmp_path / "other.db")
    text = tmp_path / "text.db"
    text.write_text("no database" * 100)
    with pytest.raises(StorageError, match="no database"):
        ScratchSource(text)
