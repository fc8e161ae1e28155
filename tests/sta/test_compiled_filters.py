import pytest
from town_of_rows import ids, town

from api.sta.filter_parser import parse_filter


@pytest.fixture(scope="module")
def connection():
    connection = town()
    yield connection
    connection.close()


CASES = [
    ("Things", "id eq 2", [2]),
    ("Things", "name eq 'Mast'", [1]),
    ("Things", "tolower(name) eq 'brücke' and length(name) eq 6", [2]),
    ("Things", "id eq '2'", [2]),
    ("Things", "id in (1, 3, 7)", [1, 3]),
    ("Things", "properties eq null", [3]),
    ("Things", "properties/field ne null", [1, 2]),
    ("Things", "properties/field gt 1", [1, 2]),
    ("Things", "properties/field gt '2'", [2]),
    ("Things", "properties/field eq 3", [2]),
    ("Things", "properties/plz eq '51465'", []),
    ("Things", "properties/plz eq 51465", [2]),
    ("Things", "properties/active", [2]),
    ("Things", "properties/active eq true", [2]),
    ("Things", "not properties/active", []),
    ("Things", "properties/string ne 'two'", [1]),
    ("Things", "properties/deep/a/0 eq 10", [1]),
    ("Things", "properties/deep/a/1/b eq 'x'", [1]),
    ("Things", "Datastreams/id eq 3", [2]),
    ("Things", "Datastreams/id eq null", [3]),
    ("Things", "Datastreams/id ne null", [1, 2]),
    ("Things", "Datastreams/name eq 'b' and Datastreams/id eq 1", []),
    ("Things", "Datastreams/name eq 'b' and Datastreams/id eq 2", [1]),
    ("Things", "not (Datastreams/name eq 'a')", [1, 2]),
    ("Things", "Datastreams/properties/serviceName eq 'GL_STA_Pegel'", [1, 2]),
    ("Things", "Datastreams/unitOfMeasurement/name eq 'metre'", [1, 2]),
    ("Things", "Datastreams/name eq 'c' or Locations/name eq 'Markt'", [1, 2]),
    ("Things", "Datastreams/Observations/result eq 'open'", [1]),
    ("Things", "Locations/HistoricalLocations/time eq 2026-01-01T00:00:00Z", [1]),
    ("Datastreams", "Thing/id eq 2", [3, 4]),
    ("Datastreams", "Thing/name eq 'Mast' and name eq 'a'", [1]),
    ("Datastreams", "Thing/Datastreams/name eq 'c'", [3, 4]),
    ("Datastreams", "Thing/Datastreams/id eq id", [1, 2, 3, 4]),
    ("Datastreams", "Observations/result gt 11", [1]),
    ("Datastreams", "Observations/id eq null", [4]),
    ("Datastreams", "phenomenonTime eq null", [4]),
    ("Datastreams", "phenomenonTime ge 2026-01-01T02:00:00Z", [3]),
    ("Datastreams", "resultTime lt 2026-01-01T05:00:00Z", [2]),
    ("Observations", "result gt 3", [2, 3, 9, 10]),
    ("Observations", "result gt '3'", [2, 3, 4, 9, 10]),
    ("Observations", "result eq 'open'", [4]),
    ("Observations", "result ne 'open'", [1, 2, 3, 5, 7, 8, 9, 10]),
    ("Observations", "result eq 4", [9]),
    ("Observations", "result eq '4'", []),
    ("Observations", "result eq true", [5]),
    ("Observations", "result eq null", [6]),
    ("Observations", "result ne null and not (result gt 3)", [1, 8]),
    ("Observations", "result/a/b eq 7", [7]),
    ("Observations", "result add 1 eq 4", [1]),
    ("Observations", "result div 2 eq 1.5", [1]),
    ("Observations", "7 div 2 eq 3 and id eq 1", [1]),
    ("Observations", "-7 div 2 eq -3 and -7 mod 2 eq -1 and id eq 1", [1]),
    ("Observations", "result div 0 eq null and id eq 1", [1]),
    ("Observations", "round(result) eq 4", [2, 9]),
    ("Observations", "floor(result) eq 3", [1, 2]),
    ("Observations", "ceiling(result) eq -2", [8]),
    ("Observations", "resultTime eq null", [4, 8]),
    ("Observations", "phenomenonTime lt 2026-01-01T02:00:00Z", [1, 2]),
    ("Observations", "phenomenonTime le 2026-01-01T02:00:00Z", [1, 2]),
    ("Observations", "phenomenonTime le 2026-01-01T03:00:00Z", [1, 2, 3, 4]),
    ("Observations", "phenomenonTime gt 2026-01-01T07:00:00Z", [9, 10]),
    ("Observations", "phenomenonTime eq 2026-01-01T02:00:00Z/2026-01-01T03:00:00Z", [3]),
    ("Observations", "2026-01-01T07:00:00Z lt phenomenonTime", [9, 10]),
    ("Observations", "phenomenonTime gt '2026-01-01T07:00:00Z'", [9, 10]),
    ("Observations", "date(phenomenonTime) eq 2026-01-01 and hour(phenomenonTime) ge 8", [9, 10]),
    ("Observations", "time(phenomenonTime) lt 01:30:00", [1, 2]),
    ("Observations", "phenomenonTime sub 2026-01-01T00:00:00Z lt duration'PT90M'", [1, 2]),
    ("Observations", "phenomenonTime add duration'PT1H' eq resultTime add duration'PT60M'", [1, 2, 5, 7, 10]),
    ("Observations", "now() gt phenomenonTime and maxdatetime() gt now()", list(range(1, 11))),
    ("Observations", "Datastream/Thing/name eq 'Mast' and result gt 3", [2, 10]),
    ("Observations", "Datastream/name eq FeatureOfInterest/name", []),
    ("Observations", "FeatureOfInterest/name eq 'here' and id lt 3", [1, 2]),
    ("Observations", "startswith(Datastream/name, 'b') and substring(result, 1) eq '0'", []),
    ("Observations", "null", []),
    ("Observations", "not null", []),
    ("Locations", "geo.distance(location, geography'POINT (7.1 51.5)') lt 0.11", [2]),
    ("Locations", "st_within(location, geography'POLYGON ((7.05 50, 8 50, 8 52, 7.05 52, 7.05 50))')", [1]),
    ("Locations", "geo.length(location) gt 0.5", [2]),
    ("Locations", "location/type eq 'Point'", [1]),
    ("Locations", "Things/Datastreams/Observations/result gt 11", [1]),
]


@pytest.mark.parametrize(("name", "text", "expected"), CASES)
def test_filter_matches_these_rows(connection, name, text, expected):
    assert ids(connection, name, parse_filter(text)) == expected
