"""Whatever is created, changed and deleted in whatever order: the same is there as in a model of dicts."""

import tempfile
from pathlib import Path

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from sta_bodies import (
    datastream,
    feature,
    link,
    location,
    observation,
    observed_property,
    plain_datastream,
    sensor,
    thing,
)

from api.sta.errors import BadRequestError, NotFoundError
from api.sta.model import ENTITY_SETS
from api.sta.scratch import ScratchSource
from api.sta.url_path import parse_path
from api.sta.writer import Change
from api.sta.writing.writer import ScratchWriter

BASE = "https://example.org/sta"
NAMES = st.text("abc", max_size=2)
DELETED_WITH = {
    "things": [("streams", "thing")],
    "sensors": [("streams", "sensor")],
    "kinds": [("streams", "kind")],
    "streams": [("observations", "stream")],
    "features": [("observations", "feature")],
    "observations": [],
    "locations": [],
}
PATHS = {
    "things": "Things",
    "sensors": "Sensors",
    "kinds": "ObservedProperties",
    "streams": "Datastreams",
    "observations": "Observations",
    "features": "FeaturesOfInterest",
    "locations": "Locations",
}
LINKS = {
    "streams": {"thing": "Thing", "sensor": "Sensor", "kind": "ObservedProperty"},
    "observations": {"stream": "Datastream", "feature": "FeatureOfInterest"},
}


class Writing(RuleBasedStateMachine):
    """Ids may be of entities that have gone: the service must refuse what the model cannot do."""

    ids = Bundle("ids")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.source = ScratchSource(Path(self.folder.name) / "scratch.db")
        self.now_us = 0
        self.writer = ScratchWriter(self.source, self.clock)
        self.model = {name: {} for name in PATHS}
        self.at, self.made_of, self.last = {}, {}, dict.fromkeys(PATHS, 0)
        self.trace = []  # a HistoricalLocation each: Thing and its Locations

    def teardown(self):
        self.source.close()
        self.folder.cleanup()

    def clock(self):
        self.now_us += 1_000_000
        return self.now_us

    def send(self, method, path, body=None):
        body = b"" if body is None else orjson.dumps(body)
        return self.writer.write(Change(method, parse_path(path), "application/json", body, BASE))

    def refused(self, method, path, body=None):
        try:
            self.send(method, path, body)
        except (BadRequestError, NotFoundError):
            return True
        return False

    def known(self, name, id_):
        return id_ in self.model[name]

    def add(self, kind, /, **fields):
        self.last[kind] += 1
        self.model[kind][self.last[kind]] = fields
        return self.last[kind]

    def move(self, id_, locations):
        self.at[id_] = set(locations)
        if locations:
            self.trace.append((id_, set(locations)))

    @rule(target=ids, name=NAMES, where=st.booleans(), streams=st.integers(0, 2))
    def create_thing(self, name, where, streams):
        body = thing(name, Locations=[location(name)] * where, Datastreams=[datastream(name)] * streams)
        id_ = self.add("things", name=name)
        assert self.send("POST", "Things", body).location == f"{BASE}/Things({id_})"
        self.move(id_, [self.add("locations", name=name)] if where else [])
        for _ in range(streams):
            fields = {"sensor": self.add("sensors", name=f"Sonde {name}")}
            fields["kind"] = self.add("kinds", name=f"Art {name}")
            self.add("streams", name=name, thing=id_, **fields)
        return id_

    @rule(target=ids, of=ids, name=NAMES)
    def create_location_of(self, of, name):
        if not self.known("things", of):
            assert self.refused("POST", f"Things({of})/Locations", location(name))
            return of
        self.send("POST", f"Things({of})/Locations", location(name))
        id_ = self.add("locations", name=name)
        self.move(of, [id_])
        return id_

    @rule(of=ids, where=st.lists(ids, min_size=1, max_size=2))
    def move_thing(self, of, where):
        body = {"Locations": [link(each) for each in where]}
        if not self.known("things", of) or not all(self.known("locations", each) for each in where):
            assert self.refused("PATCH", f"Things({of})", body)
            return
        self.send("PATCH", f"Things({of})", body)
        self.move(of, where)

    @rule(target=ids, name=NAMES)
    def create_parts(self, name):
        self.send("POST", "Sensors", sensor(name))
        self.send("POST", "ObservedProperties", observed_property(name))
        self.add("kinds", name=name)
        return self.add("sensors", name=name)

    @rule(target=ids, thing_=ids, sensor_=ids, kind=ids, name=NAMES)
    def create_datastream(self, thing_, sensor_, kind, name):
        fields = {"thing": thing_, "sensor": sensor_, "kind": kind}
        body = plain_datastream(name, **{LINKS["streams"][key]: link(id_) for key, id_ in fields.items()})
        if not all(self.known(f"{key}s", id_) for key, id_ in fields.items()):
            assert self.refused("POST", "Datastreams", body)
            return thing_
        self.send("POST", "Datastreams", body)
        return self.add("streams", name=name, **fields)

    @rule(target=ids, stream=ids, own=st.booleans(), result=st.integers())
    def create_observation(self, stream, own, result):
        body = observation(result % 1000, **({"FeatureOfInterest": feature()} if own else {}))
        path = f"Datastreams({stream})/Observations"
        known = self.known("streams", stream)
        places = sorted(self.at[self.model["streams"][stream]["thing"]]) if known else []
        if not known or not (own or places):
            assert self.refused("POST", path, body)
            return stream
        self.send("POST", path, body)
        if own:
            of = self.add("features", name="Bach")
        else:
            of = self.made_of.get(places[0])
            if of is None:
                of = self.add("features", name=self.model["locations"][places[0]]["name"])
                self.made_of[places[0]] = of
        return self.add("observations", name=result % 1000, stream=stream, feature=of)

    @rule(kind=st.sampled_from(["things", "sensors", "kinds", "streams", "features"]), id_=ids, name=NAMES)
    def rename(self, kind, id_, name):
        path = f"{PATHS[kind]}({id_})"
        if not self.known(kind, id_):
            assert self.refused("PATCH", path, {"name": name})
            return
        self.send("PATCH", path, {"name": name})
        self.model[kind][id_]["name"] = name

    @rule(kind=st.sampled_from([(k, f) for k, each in LINKS.items() for f in each]), id_=ids, other=ids)
    def link_anew(self, kind, id_, other):
        kind, field = kind
        body = {LINKS[kind][field]: link(other)}
        if not self.known(kind, id_) or not self.known(f"{field}s", other):
            assert self.refused("PATCH", f"{PATHS[kind]}({id_})", body)
            return
        self.send("PATCH", f"{PATHS[kind]}({id_})", body)
        self.model[kind][id_][field] = other

    @rule(kind=st.sampled_from([*PATHS]), id_=ids)
    def delete(self, kind, id_):
        path = f"{PATHS[kind]}({id_})"
        if not self.known(kind, id_):
            assert self.refused("DELETE", path)
            return
        self.send("DELETE", path)
        self.forget(kind, id_)

    @rule(id_=consumes(ids))
    def nothing_happens(self, id_):
        assert self.refused("PATCH", f"Things({id_})", {"nothing": 1})

    def forget(self, kind, id_):
        del self.model[kind][id_]
        for other, field in DELETED_WITH[kind]:
            for each in [key for key, value in self.model[other].items() if value[field] == id_]:
                self.forget(other, each)
        if kind == "things":
            del self.at[id_]
            self.trace = [each for each in self.trace if each[0] != id_]
        if kind == "locations":
            self.made_of.pop(id_, None)
            for places in self.at.values():
                places.discard(id_)
            self.trace = [each for each in self.trace if id_ not in each[1]]
        if kind == "features":
            self.made_of = {place: of for place, of in self.made_of.items() if of != id_}

    @invariant()
    def the_same_is_there(self):
        with self.source.read() as connection:
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            for kind, path in PATHS.items():
                columns = ["result" if kind == "observations" else "name"]
                links = LINKS.get(kind, {})
                columns += [ENTITY_SETS[path].links[each].column for each in links.values()]
                rows = connection.execute(f"SELECT id, {', '.join(columns)} FROM {ENTITY_SETS[path].table}")
                found = {row[0]: dict(zip(["name", *links], row[1:], strict=True)) for row in rows}
                assert found == self.model[kind]
            at = {each: set() for each in self.at}
            for thing_, where in connection.execute("SELECT * FROM things_locations"):
                at[thing_].add(where)
            assert at == self.at
            trace = {}
            for id_, thing_, where in connection.execute(
                "SELECT id, thing_id, location_id FROM historical_locations "
                "LEFT JOIN locations_historical_locations ON historical_location_id = id ORDER BY id"
            ):
                trace.setdefault((id_, thing_), set()).add(where)
            assert [(thing_, where) for (_, thing_), where in trace.items()] == self.trace


TestWritingInAnyOrder = Writing.TestCase
TestWritingInAnyOrder.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
