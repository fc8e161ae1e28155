"""The small town as entities: what each shows, who sees what, and that it follows the registry."""

import threading

import pytest
from city_town import OLD, SERIES, ask, ids, source_of, town_with, view_of, walk
from small_town import COUNTER, LEVEL, MINUTE, SECRETS, T0, TOKEN, Town, fill, registry
from sta_client import Client, served

from api.sta.city import Cities
from api.sta.model import ENTITY_SETS
from devices.registry import load_registry
from ingest.errors import StoreError
from ingest.store import Query


@pytest.fixture
def town(tmp_path):
    town = Town(tmp_path)
    fill(town)
    town.changes["sta"] = Cities("https://pegel.example.org/")
    yield town
    town.store.close()
    town.journal.close()
    town.audit.close()


@pytest.fixture
def source(town):
    return source_of(view_of(town), address="https://pegel.example.org/")


def only(source, path, query=""):
    (found,) = ask(source, path, query)["value"]
    return found


def test_a_station_is_a_thing_at_its_place(source):
    thing = only(source, "Things", "$filter=properties/assetID eq 'strunde-gierath'&$expand=Locations")
    assert thing["name"] == 'Strunde, "Gierath"'
    assert thing["properties"] == {
        "assetID": "strunde-gierath",
        "ownerThing": "Bergisch Gladbach",
        "themes": ["level"],
        "water": "Strunde",
        "stages_cm": [40.0, 60.0],
        "license": "http://dcat-ap.de/def/licenses/dl-zero-de/2.0",
        "attribution": "Stadt Bergisch Gladbach",
    }
    (place,) = thing["Locations"]
    assert place["encodingType"] == "application/geo+json"
    assert place["location"] == {"type": "Point", "coordinates": pytest.approx([7.12, 50.99])}
    past = ask(source, f"Things({thing['@iot.id']})/HistoricalLocations", "$expand=Locations")["value"]
    assert [each["time"] for each in past] == ["2026-07-14T16:30:00Z"]
    assert [each["@iot.id"] for each in past[0]["Locations"]] == [place["@iot.id"]]


def test_a_datastream_is_what_portals_ask_for(source):
    stream = only(
        source,
        "Datastreams",
        "$filter=properties/serviceName eq 'GL_STA_Niederschlag'&$expand=Thing,Sensor,ObservedProperty",
    )
    assert stream["name"] == "Regen Gierath: Niederschlag im Intervall"
    assert stream["observationType"].endswith("OM_Measurement")
    assert stream["unitOfMeasurement"] == {"name": "Millimeter", "symbol": "mm", "definition": "ucum:mm"}
    assert stream["properties"] == {
        "serviceName": "GL_STA_Niederschlag",
        "layerName": "Niederschlag_10-Min",
        "aggregationDuration": "PT10M",
        "station": "regen-gierath",
        "property": "precipitation",
        "license": "http://dcat-ap.de/def/licenses/dl-zero-de/2.0",
        "attribution": "Stadt Bergisch Gladbach",
    }
    assert stream["phenomenonTime"] == "2026-07-14T16:20:00Z/2026-07-14T18:25:00Z"
    assert stream["Thing"]["properties"]["assetID"] == "regen-gierath"
    assert stream["Sensor"]["name"] == "Decentlab DL-TBRG"
    assert stream["Sensor"]["encodingType"] == "text/html"
    assert stream["Sensor"]["metadata"].startswith("https://")
    definition = stream["ObservedProperty"]["definition"]
    assert definition == "https://pegel.example.org/api/v1/properties#precipitation"


def test_each_direction_is_a_datastream_of_its_own(source):
    found = ask(source, "Datastreams", "$filter=properties/property eq 'vehicle_count'&$expand=Thing")[
        "value"
    ]
    assert {each["properties"]["richtung"] for each in found} == {"in", "out"}
    assert {each["properties"]["layerName"] for each in found} == {"Anzahl_Kfz_Zaehlstelle"}
    assert all(each["observationType"].endswith("OM_CountObservation") for each in found)
    assert {each["Thing"]["properties"]["richtung"] for each in found} == {"in, out"}


def test_an_amount_has_an_interval_and_all_else_an_instant(source):
    rain = only(source, "Datastreams", "$filter=properties/property eq 'precipitation'")["@iot.id"]
    last = only(source, f"Datastreams({rain})/Observations", "$orderby=phenomenonTime desc&$top=1")
    assert last["phenomenonTime"] == "2026-07-14T18:15:00Z/2026-07-14T18:25:00Z"
    assert (last["result"], last["resultTime"]) == (2.3, "2026-07-14T18:25:00Z")
    level = only(source, "Datastreams", "$filter=properties/property eq 'water_level'")["@iot.id"]
    last = only(source, f"Datastreams({level})/Observations", "$orderby=phenomenonTime desc&$top=1")
    assert (last["phenomenonTime"], last["result"]) == ("2026-07-14T18:30:00Z", None)
    assert last["resultQuality"] == {"code": 9}


def test_a_count_is_a_whole_number_and_a_state_true_or_false(tmp_path):
    rows = [(3, 0, 17.0, 1), (7, 0, 3.0, 1), (8, 0, 1.0, 1), (8, 1, 0.0, 1), (8, 2, None, 9)]
    with town_with(tmp_path, rows) as town:
        source = source_of(view_of(town, "leitstelle"))
        found = {
            each["properties"]["property"]: [o["result"] for o in each["Observations"]]
            for each in ask(source, "Datastreams", "$expand=Observations")["value"]
        }
    assert found == {"vehicle_count": [17], "official_rain_warning": [3], "battery_low": [True, False, None]}
    assert isinstance(found["vehicle_count"][0], int)


def test_readings_of_an_exchanged_device_stay_with_their_datastream(tmp_path):
    with town_with(tmp_path, [(4, 0, 5.0, 1), (4, 1, 6.0, 1), (3, 2, 1.0, 1)]) as town:
        source = source_of(view_of(town))
        stream = only(source, "Datastreams", "$expand=Observations,Sensor")
    assert [each["result"] for each in stream["Observations"]] == [5, 6, 1]
    assert stream["Sensor"]["name"] == "Parametric PCR2"


@pytest.mark.parametrize("entity_set", ENTITY_SETS)
def test_no_collection_is_empty_and_none_tells_a_secret(town, entity_set):
    with served(town.app()) as address:
        client = Client(address)
        links = ",".join(ENTITY_SETS[entity_set].links)
        found = client.walk(f"{entity_set}?$expand={links}&$top=5")
        client.session.close()
    assert found
    text = str(found)
    assert [each for each in (*SECRETS, OLD) if each in text] == []


def test_an_operator_sees_what_is_not_public_under_the_same_ids(town):
    with served(town.app()) as address:
        public, staff = Client(address), Client(address)
        staff.session.headers["Authorization"] = f"Bearer {TOKEN}"
        for name in ENTITY_SETS:
            seen, all_ = ({each["@iot.id"] for each in client.walk(name)} for client in (public, staff))
            assert seen < all_ or (name == "Sensors" and seen == all_)
        hidden = {each["@iot.id"] for each in staff.walk("Observations")} - {
            each["@iot.id"] for each in public.walk("Observations")
        }
        for each in list(hidden)[:20]:
            assert staff.get(f"Observations({each})").status_code == 200
            assert public.get(f"Observations({each})").status_code == 404
        for client in (public, staff):
            client.session.close()


def test_what_is_hidden_or_registered_shows_at_once(town):
    cities = Cities()
    source = source_of(view_of(town))
    before = ids(source, "Things")
    assert ids(cities(view_of(town)), "Things") == before
    rows = [
        {"lat": 50.9, "lon": 7.1, **row}
        for row in (
            {"dev_eui": LEVEL, "type": "decentlab-dl-mbx", "station": "strunde-gierath", "public": False},
            {"dev_eui": COUNTER, "type": "parametric-pcr2", "station": "neu", "public": True},
        )
    ]
    town.registry = load_registry(None, rows)
    found = walk(cities(view_of(town)), "Things")[0]["value"]
    assert [each["properties"]["assetID"] for each in found] == ["neu"]
    assert ids(cities(view_of(town)), "Datastreams") == []
    town.registry = registry()
    assert ids(cities(view_of(town)), "Things") == before


def test_a_new_series_and_a_new_reading_show_at_once(town):
    cities = Cities()
    view = view_of(town)
    streams, readings = ids(cities(view), "Datastreams"), ids(cities(view), "Observations")
    town.measure(LEVEL, T0 + MINUTE, ("water_level", 61.5), ("water_temperature", 9.5))
    assert len(ids(cities(view), "Datastreams")) == len(streams) + 1
    assert len(ids(cities(view), "Observations")) == len(readings) + 2


def test_a_series_that_the_store_learns_later_shows_when_it_has_it(town):
    cities, view = Cities(), view_of(town)
    before = town.journal.last_seq()
    town.journal.append([town.uplink(LEVEL, T0 + MINUTE, ("water_temperature", 9.5))])
    (stream,) = ask(cities(view), "Datastreams", "$filter=properties/property eq 'water_temperature'")[
        "value"
    ]
    path = f"Datastreams({stream['@iot.id']})/Observations"
    assert ask(cities(view), path)["value"] == []
    town.store.write(town.journal.series(), town.journal.read(before, 10)[1])
    assert [each["result"] for each in ask(cities(view), path)["value"]] == [9.5]


def test_times_before_2000_and_after_2069_are_no_observations(tmp_path):
    minutes = [0, (946_684_800_000_000 - 1 - T0) // MINUTE, 50 * 527_040]
    with town_with(tmp_path, [(2, minute, 1.0, 1) for minute in minutes]) as town:
        source = source_of(view_of(town))
        assert ask(source, "Observations", "$count=true")["@iot.count"] == 1
        stream = only(source, "Datastreams")
    assert stream["phenomenonTime"] == "2026-07-14T18:30:00Z/2026-07-14T18:30:00Z"


@pytest.mark.parametrize("apart", [False, True])
def test_of_readings_in_one_millisecond_the_first_is_an_observation(tmp_path, apart):
    """As a backlog without times of its own arrives: no id comes twice, and every page goes on."""
    burst_us = [0, 400, 900, 1_000, 1_999, 2_000, 2_001, 2_002, 2_003, 2_004, 5_000, 7_777]
    rows = [(2, each / MINUTE, float(each), 1) for each in burst_us]
    options = {"special": lambda *_: True} if apart else {}
    with town_with(tmp_path, rows) as town:
        source = source_of(view_of(town), **options)
        stream = only(source, "Datastreams")["@iot.id"]
        for path in ("Observations", f"Datastreams({stream})/Observations"):
            for order in ("", "&$orderby=phenomenonTime", "&$orderby=phenomenonTime desc"):
                pages = walk(source, path, f"$count=true&$top=1{order}")
                found = [each for page in pages for each in page["value"]]
                assert sorted(each["result"] for each in found) == [0.0, 1_000.0, 2_000.0, 5_000.0, 7_777.0]
                assert len({each["@iot.id"] for each in found}) == len(found)
                assert {page["@iot.count"] for page in pages} == {5}
        for each in found:
            assert ask(source, f"Observations({each['@iot.id']})")["result"] == each["result"]


class Broken:
    """A store that is away."""

    def query(self, _: Query):
        raise StoreError("the store is away")


def test_a_store_that_is_away_is_no_reason_to_hide_the_stations(town):
    town.changes["store"] = Broken()
    with served(town.app()) as address:
        client = Client(address)
        assert len(client.walk("Things?$expand=Locations")) == 4
        assert len(client.walk("Datastreams?$select=name")) == 4
        for path in ("Observations", "Datastreams", "Datastreams?$expand=Observations"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        client.session.close()


def test_many_threads_read_while_the_registry_changes(town):
    cities, faults = Cities(), []
    things = {4, 3}
    rows = [
        {"dev_eui": f"{i:016x}", "type": "decentlab-dl-mbx", "station": f"s{i}", "public": True}
        for i in range(3)
    ]
    fewer = load_registry(None, [{"lat": 50.9, "lon": 7.1, **row} for row in rows])
    views = [view_of(town)]
    town.registry = fewer
    views.append(view_of(town))

    def read():
        try:
            for n in range(25):
                assert len(ids(cities(views[n % 2]), "Things")) in things
                ask(cities(views[0]), "Observations", "$top=5")
        except Exception as fault:  # noqa: BLE001 - told to the test's own thread
            faults.append(fault)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []


def test_series_are_numbered_as_the_journal_numbers_them(tmp_path):
    with town_with(tmp_path, [(2, 0, 1.0, 1), (0, 0, 1.0, 1)]) as town:
        found = ask(source_of(view_of(town)), "Observations", "$expand=Datastream")["value"]
        assert [each["Datastream"]["properties"]["property"] for each in found] == [
            series.property for series in town.journal.series()
        ]
        assert town.journal.series() == [SERIES[2], SERIES[0]]
