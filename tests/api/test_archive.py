import io
from datetime import date

import pyarrow.parquet as pq
import pytest
from small_town import LEVEL, MINUTE, RAIN, T0, TOKEN
from starlette.testclient import TestClient

from api.archive import Archive
from api.public_rule import PublicRule

DAY_US = 24 * 60 * MINUTE
ADDRESS = "/api/v1/archive/water_level/2026-07-14"


@pytest.fixture
def kept(city, tmp_path):
    """A city whose days close, and a client of it."""
    city.changes["archive"] = Archive(tmp_path / "archive")
    with TestClient(city.app()) as client:
        yield city, client


def later(city):
    city.now_us = T0 + 4 * DAY_US


def test_a_closed_day_never_changes(kept):
    city, client = kept
    before = client.get(f"{ADDRESS}.csv")
    assert (before.status_code, before.headers["cache-control"]) == (200, "no-cache")
    later(city)
    closed = client.get(f"{ADDRESS}.csv")
    assert closed.text == before.text
    assert closed.headers["cache-control"] == "public, max-age=31536000, immutable"
    city.measure(LEVEL, T0 + 3 * MINUTE, ("water_level", 99.0))
    again = client.get(f"{ADDRESS}.csv")
    assert (again.content, again.headers["etag"]) == (closed.content, closed.headers["etag"])
    known = client.get(f"{ADDRESS}.csv", headers={"If-None-Match": closed.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    late = client.get("/api/v1/readings?property=water_level&from=2026-07-14T00:00:00Z").json()["items"]
    assert 99.0 in [each["value"] for each in late]


def test_it_stays_after_a_restart_and_once_its_readings_are_gone(kept, tmp_path):
    city, client = kept
    later(city)
    closed = client.get(f"{ADDRESS}.csv")
    city.store.delete(city.journal.series()[2], [(0, 2**62)])
    city.changes["archive"] = Archive(tmp_path / "archive")
    with TestClient(city.app()) as client:
        again = client.get(f"{ADDRESS}.csv")
    assert (again.content, again.headers["etag"]) == (closed.content, closed.headers["etag"])


@pytest.mark.parametrize("after", [0, 4 * DAY_US])
def test_parquet_and_csv_have_the_readings_of_the_local_day(kept, after):
    city, client = kept
    # 22:00 UTC is midnight in the city
    city.measure(RAIN, T0 + 209 * MINUTE, ("precipitation", 5.0))
    city.measure(RAIN, T0 + 210 * MINUTE, ("precipitation", 6.0))
    city.now_us = T0 + 211 * MINUTE + after
    address = "/api/v1/archive/precipitation/2026-07-14"
    table = pq.read_table(io.BytesIO(client.get(f"{address}.parquet").content))
    values = table["value"].to_pylist()
    assert values[-1] == 5.0
    assert table.schema.metadata[b"license"]
    lines = client.get(f"{address}.csv").text.splitlines()
    assert [float(line.split(",")[4]) for line in lines[1:]] == values
    next_day = client.get("/api/v1/archive/precipitation/2026-07-15.csv").text.splitlines()
    assert [float(line.split(",")[4]) for line in next_day[1:]] == [6.0]


def test_only_what_is_public_is_in_it_for_operators_too(kept):
    city, client = kept
    later(city)
    own = client.get(f"{ADDRESS}.csv", headers={"Authorization": f"Bearer {TOKEN}"}).text
    assert "geheim" not in own
    assert LEVEL not in own
    assert own == client.get(f"{ADDRESS}.csv").text
    hidden = "/api/v1/archive/battery_voltage/2026-07-14.csv"
    assert client.get(hidden, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 404


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/api/v1/archive/water_level/2026-07-13.csv", 404),
        ("/api/v1/archive/water_level/2027-07-14.csv", 404),
        ("/api/v1/archive/water_level/0001-01-01.csv", 404),
        ("/api/v1/archive/water_level/9999-12-31.csv", 404),
        ("/api/v1/archive/nothing/2026-07-14.csv", 404),
        ("/api/v1/archive/..%2F..%2Fetc/2026-07-14.csv", 404),
        ("/api/v1/archive/water_level/2026-02-30.csv", 422),
        ("/api/v1/archive/water_level/2026-07-14.json", 422),
    ],
)
def test_there_is_no_other_file(kept, address, status):
    city, client = kept
    later(city)
    assert client.get(address).status_code == status


def test_the_index_lists_every_public_property_and_day_page_by_page(kept):
    city, client = kept
    city.measure(RAIN, T0 - 3 * DAY_US, ("precipitation", 5.0))
    city.now_us = T0 + 2 * DAY_US
    whole = client.get("/api/v1/archive").json()["items"]
    rain = [(each["date"], each["closed"]) for each in whole if each["property"] == "precipitation"]
    assert rain == [("2026-07-11", True), ("2026-07-12", True), ("2026-07-13", True), ("2026-07-14", False)]
    assert not any("battery" in each["property"] for each in whole)
    for each in whole:
        assert client.get(each["csv"]).status_code == client.get(each["parquet"]).status_code == 200
    pages, address = [], "/api/v1/archive?limit=3"
    while address:
        answer = client.get(address)
        pages += answer.json()["items"]
        address = answer.links.get("next", {}).get("url")
    assert pages == whole


def test_what_breaks_off_leaves_no_file(tmp_path):
    archive = Archive(tmp_path)

    def broken():
        yield b"half"
        raise RuntimeError

    day = date(2026, 7, 14)
    with pytest.raises(RuntimeError):
        archive.file("water_level", day, "csv", broken())
    assert not archive.has("water_level", day, "csv")
    path, _ = archive.file("water_level", day, "csv", iter([b"whole"]))
    assert path.read_bytes() == b"whole"


def test_a_part_of_a_closed_file_can_be_asked_for(kept):
    city, client = kept
    later(city)
    whole = client.get(f"{ADDRESS}.csv").content
    part = client.get(f"{ADDRESS}.csv", headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, whole[:10])


@pytest.mark.parametrize(
    "rule",
    [PublicRule(delay_us=3 * DAY_US), PublicRule(delay_us=3 * DAY_US - 60 * MINUTE, coarsen_us=60 * MINUTE)],
)
def test_a_day_is_not_closed_before_all_of_it_is_public(city, tmp_path, rule):
    city.changes |= {"archive": Archive(tmp_path / "archive"), "rules": {"water_level": rule}}
    with TestClient(city.app()) as client:
        # longer over than other days need, and yet half of it is still to come
        city.now_us = T0 + 3 * DAY_US - 60 * MINUTE
        half = client.get(f"{ADDRESS}.csv")
        assert (half.status_code, half.headers["cache-control"]) == (200, "no-cache")
        [listed] = [
            each
            for each in client.get("/api/v1/archive").json()["items"]
            if each["property"] == "water_level"
        ]
        assert not listed["closed"]
        # 22:00 UTC is midnight in the city
        city.now_us = T0 + 210 * MINUTE + 5 * DAY_US
        whole = client.get(f"{ADDRESS}.csv")
        assert whole.headers["cache-control"].endswith("immutable")
        assert whole.text.startswith(half.text)
        assert len(whole.text.splitlines()) > len(half.text.splitlines())
        [listed] = [
            each
            for each in client.get("/api/v1/archive").json()["items"]
            if each["property"] == "water_level"
        ]
        assert listed["closed"]
