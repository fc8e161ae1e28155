"""Car parks and counts in the shapes of other systems; tests/clients judges the shapes."""

from dataclasses import replace

import pytest
from kept_counts import HIDDEN, HOUR, LOEWE, ROAD, Kept, counts
from small_town import MINUTE, T0, TOKEN
from starlette.testclient import TestClient

from alerts.mobility.counted import Site
from alerts.mobility.counting import SiteCounts
from alerts.mobility.states import CarPark
from api.mobility.opening_hours import read_opening_hours
from api.mobility.sites import ParkingSite
from api.public_rule import PublicRule

BIKES = Site("z-haupt", "bicycle_count", "out")
WALKERS = Site("z-haupt", "people_count", "in")
SAID = ParkingSite(
    "p-markt",
    "UNDERGROUND",
    "Konrad-Adenauer-Platz",
    "https://stadt.example/parken",
    "Stadt",
    "Einfahrt 2,1 m",
    read_opening_hours("Mo-Sa 06:00-22:00"),
)


@pytest.fixture
def described(city):
    city.parks = (LOEWE, CarPark("geheim-pegel", "spaces", 4, 1, 3, T0, T0, 4, 4))
    city.changes |= {"parking_sites": {"p-markt": SAID}, "static_us": lambda: 1_783_000_000_000_000}
    city.counts = tuple(
        SiteCounts(site, T0, tuple(counts("PT5M", numbers, speed_kmh=kmh)), speeds=kmh is not None)
        for site, numbers, kmh in (
            (ROAD, [30] * 12, 41.5),
            (BIKES, [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3], None),
            (WALKERS, [9] * 12, None),
            (HIDDEN, [9] * 12, None),
        )
    )
    return city


def read(city, path, **headers):
    with TestClient(city.app(), headers=headers) as client:
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        return answer.json()


def test_a_parkapi_site_says_what_is_measured_and_what_the_city_has_said(described):
    document = read(described, "/parkapi/v3/parking-sites")
    assert document["license"]
    assert document["items"] == [
        {
            "uid": "p-markt",
            "name": "Parkplatz Markt",
            "purpose": "CAR",
            "type": "UNDERGROUND",
            "lat": 51.0,
            "lon": 7.14,
            "capacity": 120,
            "capacity_charging": 1,
            "capacity_disabled": 4,
            "has_realtime_data": True,
            "static_data_updated_at": "2026-07-02T13:46:40Z",
            "address": "Konrad-Adenauer-Platz",
            "description": "Einfahrt 2,1 m",
            "operator_name": "Stadt",
            "public_url": "https://stadt.example/parken",
            "opening_hours": "Mo-Sa 06:00-22:00",
            "realtime_data_updated_at": "2026-07-14T18:30:00Z",
            "realtime_opening_status": "OPEN",
            "realtime_capacity": 120,
            "realtime_free_capacity": 87,
            "realtime_capacity_disabled": 4,
            "realtime_free_capacity_disabled": 3,
        }
    ]


def test_a_silent_car_park_has_no_realtime_data_and_an_unknown_one_the_usual_type(city):
    city.parks = (CarPark("p-markt", "spaces", 40, 0, 40, None, None, 40, 0),)
    (site,) = read(city, "/parkapi/v3/parking-sites")["items"]
    assert (site["type"], site["has_realtime_data"]) == ("CAR_PARK", False)
    assert not [name for name in site if name.startswith("realtime")]
    (site,) = read(city, "/datex2/parking.json")["parkingPublicationLight"]["parkingSite"]
    assert "availableSpaces" not in site
    assert "isOpenNow" not in site


def test_the_parking_publication_says_the_same(described):
    document = read(described, "/datex2/parking.json")
    publication = document["parkingPublicationLight"]
    assert publication["publicationTime"] == "2026-07-14T18:30:00Z"
    assert publication["publicationCreator"] == {"country": "DE", "nationalIdentifier": "DE-053780004004"}
    assert publication["parkingSite"] == [
        {
            "_id": "p-markt",
            "lastUpdate": "2026-07-14T18:30:00Z",
            "type": {"value": "carPark"},
            "name": "Parkplatz Markt",
            "description": "Einfahrt 2,1 m",
            "openingTimesDescription": ["Mo-Sa 06:00-22:00"],
            "isOpenNow": True,
            "operatorInformation": ["Stadt"],
            "urlLinkAddress": "https://stadt.example/parken",
            "numberOfSpaces": 120,
            "availableSpaces": 87,
            "occupancyTrend": {"value": "increasing"},
            "assignedFor": [
                {"typeOfAssignment": {"value": "allowedFor"}, "fuelType": {"value": "battery"}},
                {
                    "typeOfAssignment": {"value": "allowedFor"},
                    "user": {"value": "disabled"},
                    "availableSpaces": 3,
                },
            ],
            "locationAndDimension": {
                "locationDescriptor": "Konrad-Adenauer-Platz",
                "coordinatesForDisplay": {"latitude": 51.0, "longitude": 7.14},
            },
        }
    ]


@pytest.mark.parametrize(
    ("trend", "word"),
    [(None, "unknown"), (3.5, "stable"), (-3.5, "stable"), (3.7, "increasing"), (-3.7, "decreasing")],
)
def test_a_trend_of_three_percent_an_hour_is_one(city, trend, word):
    city.parks = (CarPark("p-markt", "counters", 120, 33, 87, T0, T0, 2, 2, 1.0, trend),)
    (site,) = read(city, "/datex2/parking.json")["parkingPublicationLight"]["parkingSite"]
    assert site["occupancyTrend"] == {"value": word}


def told(site):
    return {
        each["index"]: each["physicalQuantity"]["roaSinglePhysicalQuantity"]["basicData"]
        for each in site["physicalQuantity"]
    }


def announced(city):
    (table,) = read(city, "/datex2/traffic-sites.json")["payload"]["roaMeasurementSiteTablePublication"][
        "measurementSiteTable"
    ]
    (station,) = table["measurementSite"]
    return {
        each["index"]: each["measurementSpecificCharacteristics"]
        for each in station["measurementSpecificCharacteristics"]
    }


def test_counts_are_told_as_flows_and_people_on_foot_are_none(described):
    publication = read(described, "/datex2/traffic.json")["payload"]["roaMeasuredDataPublication"]
    (site,) = publication["siteMeasurements"]
    assert site["measurementSiteReference"] == {
        "targetClass": "MeasurementSite",
        "idG": "z-haupt",
        "versionG": "1783000000.2",
    }
    assert site["measurementTimeDefault"]["period"] == {
        "startOfPeriod": "2026-07-14T18:15:00Z",
        "endOfPeriod": "2026-07-14T18:30:00Z",
    }
    assert told(site) == {
        1: {"roaTrafficFlow": {"vehicleFlow": {"vehicleFlowRate": 4 * (1 + 2 + 3)}}},
        3: {"roaTrafficFlow": {"vehicleFlow": {"vehicleFlowRate": 4 * 90}}},
        4: {"roaTrafficSpeed": {"averageVehicleSpeed": {"speed": 41.5}}},
    }
    meant = announced(described)
    assert meant.keys() == {1, 3, 4}
    assert meant[1] == {
        "specificMeasurementValueType": {"value": "trafficFlow"},
        "period": 900,
        "measurementSide": {"value": "outboundFromTown"},
        "specificVehicleCharacteristics": {"vehicleType": [{"value": "bicycle"}]},
    }
    assert meant[4]["specificMeasurementValueType"] == {"value": "trafficSpeed"}
    assert meant[4]["specificVehicleCharacteristics"] == {"vehicleType": [{"value": "anyVehicle"}]}


def test_a_class_heard_for_the_first_time_makes_another_version_of_the_table(described):
    def version():
        table = read(described, "/datex2/traffic-sites.json")["payload"]["roaMeasurementSiteTablePublication"]
        return table["measurementSiteTable"][0]["versionG"]

    before = version()
    lorries = Site(ROAD.station, ROAD.property, f"{ROAD.channel}/class0")
    described.counts = (*described.counts, SiteCounts(lorries, T0, tuple(counts("PT5M", [1] * 3))))
    assert version() != before


def test_the_gate_of_a_car_park_is_on_no_side_of_the_town(city):
    stations = city.registry.stations
    markt = replace(stations["p-markt"], capacity=40)
    city.registry = replace(city.registry, stations={**stations, markt.id: markt})
    city.counts = (SiteCounts(Site("p-markt", "vehicle_count", "in"), T0, tuple(counts("PT5M", [1] * 3))),)
    assert "measurementSide" not in announced(city)[1]


def test_a_speed_that_may_not_be_told_has_no_index_and_one_of_two_vehicles_no_value(described):
    two = tuple(counts("PT5M", [0, 1, 1], speed_kmh=41.5))
    described.counts = (SiteCounts(ROAD, T0, two, speeds=True),)
    publication = read(described, "/datex2/traffic.json")["payload"]["roaMeasuredDataPublication"]
    assert told(publication["siteMeasurements"][0]).keys() == {1}
    assert announced(described).keys() == {1, 2}
    described.changes["rules"] = {"vehicle_speed": PublicRule(public=False)}
    assert announced(described).keys() == {1}


def test_a_count_that_is_not_whole_says_so_and_an_older_one_its_time(described):
    part = counts("PT5M", [30] * 12, T0 - HOUR)
    halves = tuple(type(each)(each.begin_us, each.end_us, each.count, 0.5) for each in part)
    described.counts = (
        SiteCounts(ROAD, T0 - HOUR + 4 * MINUTE, halves),
        SiteCounts(BIKES, T0, tuple(counts("PT5M", [2] * 12))),
    )
    publication = read(described, "/datex2/traffic.json")["payload"]["roaMeasuredDataPublication"]
    (site,) = publication["siteMeasurements"]
    bikes, road = [
        each["physicalQuantity"]["roaSinglePhysicalQuantity"]["basicData"]["roaTrafficFlow"]
        for each in site["physicalQuantity"]
    ]
    assert "measurementOrCalculationTime" not in bikes
    assert road["measurementOrCalculationTime"]["timeValue"] == "2026-07-14T17:30:00Z"
    assert road["vehicleFlow"]["dataError"] is True
    assert road["vehicleFlow"]["reasonForDataError"]["values"][0]["value"] == "nur zu 50% beobachtet"


def test_where_only_hours_are_public_hours_are_told(described):
    described.changes["rules"] = {"vehicle_count": PublicRule(coarsen_us=HOUR)}
    described.counts = (
        SiteCounts(ROAD, T0 - 30 * MINUTE, tuple(counts("PT5M", [30] * 24, T0 - 30 * MINUTE))),
    )
    publication = read(described, "/datex2/traffic.json")["payload"]["roaMeasuredDataPublication"]
    (site,) = publication["siteMeasurements"]
    assert site["measurementTimeDefault"]["period"]["startOfPeriod"] == "2026-07-14T17:00:00Z"
    described.changes["rules"] = {"vehicle_count": PublicRule(delay_us=HOUR)}
    publication = read(described, "/datex2/traffic.json")["payload"]["roaMeasuredDataPublication"]
    assert publication["siteMeasurements"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/parkapi/v3/parking-sites",
        "/datex2/parking.json",
        "/datex2/traffic.json",
        "/datex2/traffic-sites.json",
    ],
)
def test_they_are_the_public_s_whoever_asks(described, path):
    described.changes["history"] = Kept()
    public, staff = read(described, path), read(described, path, Authorization=f"Bearer {TOKEN}")
    assert public == staff
    assert "geheim" not in str(public)
