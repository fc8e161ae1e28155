import io

import pyarrow.parquet as pq
import pytest
from small_town import LEVEL, MINUTE, T0
from starlette.testclient import TestClient

from api import routes
from api.rfc3339 import format_us

READINGS = "/api/v1/readings"


def table(client, **params):
    answer = client.get(READINGS, params={"f": "parquet", **params})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    return pq.read_table(io.BytesIO(answer.content))


def as_json(rows):
    """Rows as JSON has them: a channel only where there is one."""
    return [
        {
            name: format_us(round(value.timestamp() * 1e6)) if name in {"time", "begin", "end"} else value
            for name, value in row.items()
            if (name, value) != ("channel", "")
        }
        for row in rows
    ]


@pytest.mark.parametrize("limit", [10_000, "all"])
@pytest.mark.parametrize("more", [{}, {"interval": "PT15M", "aggregate": "mean,count"}])
def test_parquet_has_the_same_readings_as_json(client, limit, more):
    expected = client.get(READINGS, params={"limit": limit, **more}).json()["items"]
    assert as_json(table(client, limit=limit, **more).to_pylist()) == expected


def test_an_operator_s_has_the_device(operator):
    assert set(table(operator)["device"].to_pylist()) >= {LEVEL}


def test_the_licence_is_in_the_file(client):
    terms = table(client).schema.metadata
    assert terms[b"license"] == b"http://dcat-ap.de/def/licenses/dl-zero-de/2.0"
    assert terms[b"attribution"] == b"Stadt Bergisch Gladbach"


def test_types_are_those_of_the_values(client):
    types = {field.name: str(field.type) for field in table(client).schema}
    assert types["time"] == "timestamp[us, tz=UTC]"
    assert (types["value"], types["quality"]) == ("double", "uint8")


def test_nothing_is_a_file_without_rows(client):
    for limit in (10, "all"):
        assert table(client, limit=limit, **{"from": "2040-01-01T00:00:00Z"}).num_rows == 0


def test_pages_are_linked_and_not_sent_again(client):
    first = client.get(READINGS, params={"f": "parquet", "limit": 20})
    assert "next" in first.links
    again = client.get(
        READINGS, params={"f": "parquet", "limit": 20}, headers={"If-None-Match": first.headers["etag"]}
    )
    assert again.status_code == 304


def test_a_span_of_several_row_groups_is_whole(city, monkeypatch):
    monkeypatch.setattr("api.parquet._ROWS", 20)
    monkeypatch.setattr(routes.readings, "_CHUNK", 7)
    city.measure(LEVEL, T0 + MINUTE + 1, ("water_level", 41.5))
    with TestClient(city.app()) as client:
        content = client.get(READINGS, params={"f": "parquet", "limit": "all"}).content
        assert pq.ParquetFile(io.BytesIO(content)).num_row_groups == 3
        found = as_json(pq.read_table(io.BytesIO(content)).to_pylist())
        assert found == client.get(READINGS, params={"limit": 10_000}).json()["items"]


def test_only_readings_are_parquet(client):
    assert client.get("/api/v1/stations?f=parquet").status_code == 422
