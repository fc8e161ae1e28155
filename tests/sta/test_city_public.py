"""What is public later, coarser or rounded, through SensorThings: neither times nor values as stored."""

import contextlib

import pytest
from city_town import ask, town_with, view_of
from small_town import MINUTE, T0

from api.public_rule import PublicRule
from api.sta.city import Cities

HOUR = 60 * MINUTE
# minutes before T0, which is 18:30 UTC
ROWS = [(0, -m, m / 10, 1) for m in (118, 113, 61, 47, 20, 4)] + [
    (2, -m, float(m), 1) for m in (118, 61, 20, 4)
]


class Asked:
    """A store that is asked: no file to attach."""

    def __init__(self, store):
        self.query = store.query


@contextlib.contextmanager
def sources(folder, *, attached, **rules):
    """A maker of sources for a caller, and the town."""
    with town_with(folder, ROWS) as town:
        cities = Cities()
        changes = {"rules": rules} | ({} if attached else {"store": Asked(town.store)})
        yield town, lambda operator=None: cities(view_of(town, operator, **changes))


def stream(source, name, query=""):
    path = f"$filter=properties/property eq '{name}'&$expand=Observations{query}"
    [found] = ask(source, "Datastreams", path)["value"]
    return found


@pytest.mark.parametrize("attached", [True, False])
def test_an_amount_by_the_hour_says_so_everywhere(tmp_path, attached):
    with sources(tmp_path, attached=attached, precipitation=PublicRule(coarsen_us=HOUR)) as (_, source):
        rain = stream(source(), "precipitation")
        assert rain["properties"]["aggregationDuration"] == "PT1H"
        assert rain["properties"]["layerName"] == "Niederschlag_1-Stunde"
        spans = [each["phenomenonTime"] for each in rain["Observations"]]
        assert spans == [f"2026-07-14T{h}:00:00Z/2026-07-14T{h + 1}:00:00Z" for h in (16, 17)]
        assert rain["phenomenonTime"] == "2026-07-14T16:00:00Z/2026-07-14T18:00:00Z"
        assert [each["result"] for each in rain["Observations"]] == [pytest.approx(23.1), pytest.approx(10.8)]
        own = stream(source("leitstelle"), "precipitation")
        assert own["properties"]["aggregationDuration"] == "PT10M"
        assert own["phenomenonTime"] == "2026-07-14T16:22:00Z/2026-07-14T18:26:00Z"


@pytest.mark.parametrize("attached", [True, False])
def test_what_is_coarsened_is_of_an_interval_whatever_it_measures(tmp_path, attached):
    with sources(tmp_path, attached=attached, water_level=PublicRule(coarsen_us=HOUR)) as (_, source):
        level = stream(source(), "water_level")
        assert level["properties"]["aggregationDuration"] == "PT1H"
        assert level["properties"]["layerName"] == "Wasserstand"
        assert [(each["phenomenonTime"], each["resultTime"]) for each in level["Observations"]] == [
            (f"2026-07-14T{h}:00:00Z/2026-07-14T{h + 1}:00:00Z", f"2026-07-14T{h + 1}:00:00Z")
            for h in (16, 17)
        ]
        assert level["phenomenonTime"] == "2026-07-14T16:00:00Z/2026-07-14T18:00:00Z"
        during = "$filter=Datastream/properties/property eq 'water_level' and phenomenonTime "
        assert len(ask(source(), "Observations", f"{during}lt 2026-07-14T17:30:00Z")["value"]) == 1
        assert len(ask(source(), "Observations", f"{during}gt 2026-07-14T17:00:00Z")["value"]) == 0
        own = stream(source("leitstelle"), "water_level")
        assert "aggregationDuration" not in own["properties"]
        assert own["Observations"][0]["phenomenonTime"] == "2026-07-14T16:32:00Z"


@pytest.mark.parametrize("attached", [True, False])
def test_a_datastream_ends_where_its_public_part_does(tmp_path, attached):
    with sources(tmp_path, attached=attached, water_level=PublicRule(delay_us=HOUR)) as (_, source):
        level = stream(source(), "water_level")
        assert level["phenomenonTime"] == "2026-07-14T16:32:00Z/2026-07-14T17:29:00Z"
        assert [each["result"] for each in level["Observations"]] == [118, 61]
        later = "$filter=overlaps(phenomenonTime, 2026-07-14T17:40:00Z/2026-07-14T20:00:00Z)&$count=true"
        assert ask(source(), "Datastreams", later)["@iot.count"] == 1, "only the rain"
        assert ask(source("leitstelle"), "Datastreams", later)["@iot.count"] == 2


@pytest.mark.parametrize("attached", [True, False])
@pytest.mark.parametrize("staff_first", [True, False])
def test_a_station_is_where_it_is_since_its_first_public_value(tmp_path, attached, staff_first):
    rules = {"precipitation": PublicRule(coarsen_us=HOUR), "water_level": PublicRule(coarsen_us=24 * HOUR)}
    with sources(tmp_path, attached=attached, **rules) as (_, source):

        def since(operator=None):
            found = ask(source(operator), "HistoricalLocations", "$expand=Thing")["value"]
            return {each["Thing"]["properties"]["assetID"]: each["time"] for each in found}

        before = since("leitstelle") if staff_first else None
        public = since()
        assert public["regen-gierath"] == "2026-07-14T17:00:00Z"
        # the first value of a day is still to come
        assert public["strunde-gierath"] == "2026-07-14T18:30:00Z"
        own = before or since("leitstelle")
        assert own["regen-gierath"] == own["strunde-gierath"] == "2026-07-14T16:32:00Z"


def test_a_station_without_a_public_value_does_not_tell_when_others_begin(tmp_path):
    with sources(tmp_path, attached=True) as (town, source):
        before = ask(source(), "HistoricalLocations")
        town.now_us = T0 + HOUR
        town.measure("70b3d57ed0000005", T0 + HOUR, ("air_temperature", 1.0))
        assert ask(source(), "HistoricalLocations") == before


def test_a_rounded_value_cannot_be_asked_for_more_finely(tmp_path):
    with sources(tmp_path, attached=True, water_level=PublicRule(round_to=50.0)) as (_, source):
        of = "Datastream/properties/property eq 'water_level'"
        finely = ask(source(), "Observations", f"$filter={of} and result eq 61&$count=true")
        assert finely["@iot.count"] == 0
        found = ask(source(), "Observations", f"$filter={of}&$orderby=result desc,id")["value"]
        assert [each["result"] for each in found] == [100, 50, 0, 0]


def test_tables_are_made_anew_when_something_has_become_public_and_not_before(tmp_path, monkeypatch):
    monkeypatch.setattr("api.sta.city._LATER_S", 0.0)
    monkeypatch.setattr("api.sta.city._REST", 1e-9)
    rules = {"water_level": PublicRule(delay_us=3 * HOUR), "precipitation": PublicRule(round_to=0.5)}
    with town_with(tmp_path, ROWS) as town:
        cities, view = Cities(), view_of(town, rules=rules)

        def tables():
            return cities.snapshot(view_of(town), view.stored)

        town.now_us = T0
        first = tables()
        assert {each.property for each in first.series.values()} == {"precipitation"}
        town.now_us = T0 + HOUR - 1
        assert tables() is first
        town.now_us = T0 + 2 * HOUR
        second = tables()
        assert {each.property for each in second.series.values()} == {"precipitation", "water_level"}
        assert tables() is second
        cities.close()
