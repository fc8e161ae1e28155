"""What is asked of a leaky town beyond the parameters of its routes: SensorThings, and whole days."""

from dataclasses import dataclass
from urllib.parse import quote

from leaky_town import HOUR
from small_town import MINUTE, SECRET, T0

from api.sta.city_ids import entity_ids, observation_id
from api.sta.model import ENTITY_SETS

ROOT = "/sta/v1.1"
OLD = T0 - 5 * 24 * HOUR
SERIES = {
    ("strunde-gierath", "water_level"): 0,
    ("strunde-gierath", "battery_voltage"): 1,
    ("geheim-pegel", "water_level"): 2,
    ("regen-gierath", "precipitation"): 3,
}
"""The journal's numbers of some series, in the order in which they were measured first."""


def id_of(kind, *key):
    """The id of what there is, or would be."""
    return entity_ids(kind, [key])[key]


@dataclass(frozen=True)
class Known:
    """Names and ids that somebody can make up."""

    station: str
    measure: str
    dev_eui: str
    observation: int
    place: str

    @property
    def thing(self):
        return id_of("Station", self.station)

    @property
    def stream(self):
        return id_of("Datastream", self.station, "water_level", "")

    @property
    def battery(self):
        return id_of("Datastream", "strunde-gierath", self.measure, "")

    @property
    def observed(self):
        return id_of("ObservedProperty", self.measure)

    def words(self):
        names = (self.station, self.measure, self.dev_eui, self.place)
        ids = (self.thing, self.stream, self.battery, self.observed, self.observation)
        return sorted({*names, *map(quote, names), *map(str, ids)}, key=len, reverse=True)


HIDDEN = Known("geheim-pegel", "battery_voltage", SECRET, observation_id(2, OLD), "7.18 51.02")
MISSING = Known("nirgends-mehr", "nothing_of_it", "70b3d57ed00000bb", observation_id(4_000_000, OLD), "6 50")


def _by_id():
    """Paths with an id in them."""
    thing, stream = ("Things({0.thing})", "Datastreams({0.stream})")
    for whole, links in (
        (thing, ENTITY_SETS["Things"].links),
        ("Locations({0.thing})", ENTITY_SETS["Locations"].links),
        ("HistoricalLocations({0.thing})", ENTITY_SETS["HistoricalLocations"].links),
        ("FeaturesOfInterest({0.thing})", ENTITY_SETS["FeaturesOfInterest"].links),
        (stream, ENTITY_SETS["Datastreams"].links),
        ("Datastreams({0.battery})", ENTITY_SETS["Datastreams"].links),
        ("ObservedProperties({0.observed})", ENTITY_SETS["ObservedProperties"].links),
        ("Observations({0.observation})", ENTITY_SETS["Observations"].links),
    ):
        yield whole
        for link in links:
            yield f"{whole}/{link}"
    yield from (f"{thing}/name", f"{thing}/Datastreams/$ref", f"{stream}/phenomenonTime")
    yield from ("Observations({0.observation})/result", "Observations({0.observation})/result/$value")
    yield "Observations({0.observation})/Datastream/Thing"


_FILTERS = (
    "Things?$count=true&$filter=properties/assetID eq '{0.station}'",
    "Things?$count=true&$filter=Datastreams/properties/property eq '{0.measure}'",
    "Things?$count=true&$filter=id eq {0.thing}",
    "Things?$filter=id ge {0.thing} and id le {0.thing}&$expand=Datastreams/Observations",
    "Locations?$count=true&$filter=Things/properties/assetID eq '{0.station}'",
    "Locations?$count=true&$filter=geo.distance(location, geography'POINT ({0.place})') lt 0.0001",
    "HistoricalLocations?$count=true&$filter=Thing/id eq {0.thing}",
    "Datastreams?$count=true&$filter=properties/station eq '{0.station}'",
    "Datastreams?$count=true&$filter=ObservedProperty/properties/name eq '{0.measure}'",
    "Datastreams?$count=true&$filter=Observations/id eq {0.observation}",
    "Datastreams?$count=true&$filter=id eq {0.battery}",
    "Sensors?$count=true&$filter=substringof('{0.dev_eui}', name)",
    "Sensors?$count=true&$filter=Datastreams/properties/property eq '{0.measure}'",
    "Sensors?$count=true&$filter=Datastreams/Thing/properties/assetID eq '{0.station}'",
    "ObservedProperties?$count=true&$filter=properties/name eq '{0.measure}'",
    "ObservedProperties?$count=true&$filter=Datastreams/properties/station eq '{0.station}'",
    "Observations?$count=true&$filter=Datastream/Thing/properties/assetID eq '{0.station}'",
    "Observations?$count=true&$filter=Datastream/properties/property eq '{0.measure}'",
    "Observations?$count=true&$filter=Datastream/id eq {0.battery}&$orderby=phenomenonTime desc",
    "Observations?$count=true&$filter=Datastream/id eq {0.stream} or Datastream/id eq {0.battery}",
    "Observations?$count=true&$filter=id eq {0.observation}",
    "Observations?$count=true&$filter=FeatureOfInterest/id eq {0.thing}&$resultFormat=dataArray",
    "FeaturesOfInterest?$count=true&$filter=Observations/Datastream/properties/property eq '{0.measure}'",
    "FeaturesOfInterest?$count=true&$filter=id eq {0.thing}&$resultFormat=GeoJSON",
)


def _asked(path):
    name, mark, query = path.partition("?")
    return f"{ROOT}/{name}{mark}{quote(query, safe='$=&')}"


def _pair(path, other=MISSING, own=HIDDEN):
    return tuple((_asked(path.format(each)), each.words()) for each in (own, other))


def _delayed_and_coarse():
    """Readings of public series that are not public themselves, and such as there is none."""
    level, rain = SERIES["strunde-gierath", "water_level"], SERIES["regen-gierath", "precipitation"]
    newest, single = T0 - 5 * MINUTE, T0 - 121 * MINUTE - MINUTE // 2
    for series, at, none in ((level, newest, T0 - 4 * MINUTE), (rain, single, single + MINUTE // 4)):
        for path in ("Observations({})", "Observations({})/result", "Observations?$filter=id eq {}"):
            yield tuple((_asked(path.format(id_)), [str(id_)]) for id_ in _two(series, at, none))


def _two(series, at, none):
    return observation_id(series, at), observation_id(series, none)


ABOUT_HIDDEN = [*map(_pair, (*_by_id(), *_FILTERS)), *_delayed_and_coarse()]
"""Two questions each, with what they repeat: one about what is hidden, one about what is not there."""


def _two_deep(name):
    links = ENTITY_SETS[name].links.values()
    return [f"{link.name}/{below}" for link in links for below in ENTITY_SETS[link.target].links]


def _general():
    """Everything that can be walked to."""
    for name, each in ENTITY_SETS.items():
        yield name
        yield f"{name}?$count=true&$top=2&$orderby=id desc"
        yield f"{name}?$count=true&$top=1000&$expand={','.join(_two_deep(name))}"
        yield f"{name}?$resultFormat=CSV&$top=1000"
        yield f"{name}?$resultFormat=dataArray&$count=true"
        yield f"{name}?$resultFormat=GeoJSON&$top=1000"
        yield from (f"{name}?$top=3&$expand={link}($count=true;$top=2)" for link in each.links)
        yield f"{name}/$ref"
    yield "Observations?$orderby=phenomenonTime desc&$top=3&$count=true"
    yield "Observations?$orderby=resultTime desc&$top=1000&$expand=Datastream,FeatureOfInterest"
    yield "Observations?$orderby=result desc&$top=5&$expand=Datastream"
    yield f"Observations?$count=true&$filter=phenomenonTime gt {_text(-HOUR)}"
    lately = f"{_text(-20 * MINUTE)}/{_text(HOUR)}"
    yield f"Datastreams?$count=true&$filter=overlaps(phenomenonTime, {lately})"
    yield f"Observations?$count=true&$filter=overlaps(phenomenonTime, {lately})&$expand=Datastream"
    yield f"Datastreams?$count=true&$filter=phenomenonTime lt {_text(-122 * MINUTE)}"
    yield f"Datastreams?$count=true&$filter=resultTime gt {_text(-20 * MINUTE)}&$orderby=phenomenonTime desc"
    yield "Datastreams?$expand=Observations($orderby=phenomenonTime desc;$top=1;$count=true)"
    yield "Datastreams?$filter=Observations/result gt 100&$count=true"
    yield "HistoricalLocations?$orderby=time&$count=true"
    for station in ("regen-gierath", "strunde-gierath", "z-haupt", "p-markt"):
        yield f"Things({id_of('Station', station)})/Datastreams?$expand=Observations($count=true)"
        yield f"FeaturesOfInterest({id_of('Station', station)})/Observations?$count=true&$top=1000"
        yield f"HistoricalLocations({id_of('Station', station)})"


def _text(minutes_us):
    minutes = 18 * 60 + 30 + minutes_us // MINUTE
    return f"2026-07-14T{minutes // 60:02}:{minutes % 60:02}:00Z"


def _archived():
    for name in ("water_level", "precipitation", "relative_humidity", "vehicle_count", "air_temperature"):
        for day in ("2026-07-09", "2026-07-14"):
            for form in ("csv", "parquet"):
                yield f"/api/v1/archive/{name}/{day}.{form}"


def _summed_up():
    for name in ("water_level", "precipitation", "relative_humidity", "vehicle_count"):
        for interval in ("PT5M", "PT1H", "P1D"):
            asked = f"property={name}&interval={interval}&aggregate=mean,min,max,sum,count,last"
            yield f"/api/v1/readings?{asked}&from=2026-07-01T00:00:00Z"
    yield "/api/v1/readings?f=parquet&limit=all&from=2026-07-01T00:00:00Z"


MORE = {
    ROOT + "/{path:path}": [
        *((_asked(path), ()) for path in _general()),
        *(each[0] for each in ABOUT_HIDDEN),
    ],
    "/api/v1/archive/{property_name}/{day}.{form}": [(path, ()) for path in _archived()],
    "/api/v1/readings": [(path, ()) for path in _summed_up()],
}
"""Addresses beside those that a route's parameters make, by its path, with what they say themselves."""
