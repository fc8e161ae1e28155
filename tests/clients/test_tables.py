"""pandas and pyarrow read what is exported as a table."""

import pytest
from outside import outside


@pytest.fixture(scope="module")
def station(demo):
    found = demo.json("/api/v1/stations?limit=1000")["items"]
    return next(each["id"] for each in found if "water_level" in each["properties"])


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_has_the_readings(demo, station, form):
    address = f"/api/v1/readings?station={station}&property=water_level&limit=1000"
    items = demo.json(address)["items"]
    told = outside("tables.py", f"{demo.base}{address}&f={form}", form)
    for reader in told.values():
        assert reader["rows"] == len(items) > 20
        assert reader["values"] == [each["value"] for each in items]
        assert reader["times_us"] == [reader["times_us"][0], *sorted(reader["times_us"][1:])]
        assert reader["stations"] == [station]


def test_entities_as_csv(demo):
    address = "/sta/v1.1/Observations?$top=500&$resultFormat=CSV&$select=id,phenomenonTime,result"
    told = outside("tables.py", demo.base + address, "csv")
    entities = demo.json(address.replace("&$resultFormat=CSV", ""))["value"]
    for reader in told.values():
        assert reader["rows"] == len(entities) == 500
        assert reader["columns"] == ["id", "phenomenonTime", "result"]
