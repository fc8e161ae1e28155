import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from asgi_scope import scope_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_town import LEVEL, MINUTE, RAIN, T0, wait_for
from starlette.testclient import TestClient

from api import routes
from api.rfc3339 import format_us, parse_us

READINGS = "/api/v1/readings"
FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (1900, 2100))
COLUMNS = ["station", "property", "channel", "time", "value", "unit", "quality"]


def follow(client, address):
    pages = []
    while address:
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["items"])
        address = answer.links.get("next", {}).get("url")
    return pages


def test_a_reading_has_exactly_the_agreed_members(client):
    [first, *_] = client.get(READINGS, params={"station": "regen-gierath"}).json()["items"]
    assert first == {
        "station": "regen-gierath",
        "property": "precipitation",
        "time": "2026-07-14T16:30:00Z",
        "value": 0.0,
        "unit": "mm",
        "quality": 1,
    }


def test_a_channel_is_named_only_where_there_is_one(client):
    items = client.get("/api/v1/readings/latest", params={"station": "z-haupt"}).json()["items"]
    assert [item["channel"] for item in items] == ["in", "out"]


def test_a_value_the_sensor_did_not_have_is_null_with_its_quality(client):
    [item] = client.get("/api/v1/readings/latest", params={"station": "strunde-gierath"}).json()["items"]
    assert (item["value"], item["quality"]) == (None, 9)


def test_an_operator_sees_the_device_and_what_is_internal(operator):
    items = operator.get("/api/v1/readings/latest").json()["items"]
    assert {item["device"] for item in items} >= {RAIN, LEVEL}
    assert {"battery_voltage", "water_level"} <= {item["property"] for item in items}
    assert "geheim-pegel" in {item["station"] for item in items}


def test_an_exchanged_device_leaves_one_latest_value(city):
    city.measure("70b3d57ed0000002", T0 + MINUTE, ("water_level", 41.0))
    with TestClient(city.app()) as client:
        wait_for(
            lambda: (
                client.get("/api/v1/readings/latest?station=strunde-gierath").json()["items"][0]["value"]
                == 41.0
            )
        )


def test_from_is_included_and_to_is_not(client):
    span = {"station": "regen-gierath", "from": "2026-07-14T16:35:00Z", "to": "2026-07-14T16:45:00Z"}
    items = client.get(READINGS, params=span).json()["items"]
    assert [item["time"] for item in items] == ["2026-07-14T16:35:00Z", "2026-07-14T16:40:00Z"]


@pytest.mark.parametrize(
    "given_", ["2026-07-14T18:35:00+02:00", quote("2026-07-14T18:35:00+02:00"), "2026-07-14t16:35:00z"]
)
def test_times_with_an_offset_are_understood_even_with_a_bare_plus(client, given_):
    items = client.get(f"{READINGS}?station=regen-gierath&limit=1&from={given_}").json()["items"]
    assert items[0]["time"] == "2026-07-14T16:35:00Z"


def test_without_from_it_is_the_last_day(city):
    city.measure(RAIN, T0 - 25 * 60 * MINUTE, ("precipitation", 9.0))
    with TestClient(city.app()) as client:
        assert 9.0 not in [item["value"] for item in client.get(READINGS).json()["items"]]
        assert 9.0 in [
            item["value"] for item in client.get(f"{READINGS}?from=2026-07-01T00:00:00Z").json()["items"]
        ]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50, 51, 52, 1000])
def test_pages_joined_are_the_whole(client, limit, order):
    whole = client.get(READINGS, params={"limit": 10_000, "order": order}).json()["items"]
    assert len(whole) == 24 + 25 + 2
    pages = follow(client, f"{READINGS}?limit={limit}&order={order}")
    assert [item for page in pages for item in page] == whole
    assert all(len(page) == limit for page in pages[:-1])


def test_a_cursor_survives_new_and_late_data(city):
    with TestClient(city.app()) as client:
        before = client.get(f"{READINGS}?limit=10000").json()["items"]
        first = client.get(f"{READINGS}?limit=20")
        city.measure(RAIN, T0 - 115 * MINUTE + 1, ("precipitation", 77.0))  # late: before the cursor
        city.measure(RAIN, T0 + MINUTE, ("precipitation", 88.0))
        city.now_us += 60 * MINUTE  # and the default of `from` moves on
        rest = [item for page in follow(client, first.links["next"]["url"]) for item in page]
        joined = first.json()["items"] + rest
        assert [item for item in joined if item["value"] not in {77.0, 88.0}] == before
        assert [item["value"] for item in joined if item["value"] in {77.0, 88.0}] == [88.0]


def test_all_streams_the_same_readings(client):
    whole = client.get(READINGS, params={"limit": 10_000})
    streamed = client.get(READINGS, params={"limit": "all"})
    assert streamed.json() == whole.json()
    assert "etag" not in streamed.headers
    assert (
        client.get(READINGS, params={"limit": "all", "f": "csv"}).text
        == client.get(READINGS, params={"f": "csv"}).text
    )


def test_a_stream_longer_than_a_chunk_is_whole(client, monkeypatch):
    monkeypatch.setattr(routes.readings, "_CHUNK", 10)
    for form in ("json", "geojson"):
        streamed = client.get(READINGS, params={"limit": "all", "f": form}).json()
        assert streamed == client.get(READINGS, params={"limit": 10_000, "f": form}).json()


def test_a_fifth_long_download_is_put_off(city):
    app = city.app()
    with TestClient(app) as client:
        app.state.downloads._running = 4
        answer = client.get(READINGS, params={"limit": "all"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")


async def status_of(app, path, query, go_on, begun):
    """What an answer begins with, put into the queue `begun`; its body is not taken before `go_on`."""

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        if message["type"] == "http.response.start":
            begun.put_nowait(message["status"])
        await go_on.wait()

    await app(scope_of(path, query), receive, send)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (READINGS, b"limit=all"),
        (READINGS, b"limit=all&interval=PT1H"),
        ("/api/v1/archive/precipitation/2026-07-14.csv", b""),
    ],
)
def test_of_twelve_long_downloads_at_the_same_moment_four_begin(city, path, query):
    app = city.app()

    async def main():
        go_on, begun = asyncio.Event(), asyncio.Queue()
        async with app.router.lifespan_context(app):
            asked = [asyncio.create_task(status_of(app, path, query, go_on, begun)) for _ in range(12)]
            first = [await begun.get() for _ in range(12)]
            go_on.set()
            await asyncio.gather(*asked)
            await status_of(app, path, query, go_on, begun)
            return sorted(first), await begun.get()

    first, later = asyncio.run(main())
    assert first == [200] * 4 + [503] * 8
    assert later == 200, "a place is free again"


def test_csv_follows_rfc_4180(operator):
    answer = operator.get("/api/v1/stations", params={"f": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    lines = answer.text.split("\r\n")
    assert lines[-1] == ""
    assert "\n" not in answer.text.replace("\r\n", "")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert 'Strunde, "Gierath"' in [row["name"] for row in rows]
    assert '"Strunde, ""Gierath"""' in answer.text
    assert {row["stages_cm"] for row in rows} == {"", "40.0 60.0"}


def test_csv_has_the_same_values_as_json(client):
    items = client.get(READINGS).json()["items"]
    rows = list(csv.DictReader(io.StringIO(client.get(READINGS, params={"f": "csv"}).text)))
    assert list(rows[0]) == COLUMNS
    assert [(r["station"], r["time"], r["value"], r["channel"]) for r in rows] == [
        (i["station"], i["time"], "" if i["value"] is None else str(i["value"]), i.get("channel", ""))
        for i in items
    ]


def test_geojson_places_each_reading_at_its_station(client):
    answer = client.get("/api/v1/readings/latest", params={"f": "geojson", "station": "regen-gierath"})
    assert answer.headers["content-type"] == "application/geo+json"
    document = answer.json()
    assert document["type"] == "FeatureCollection"
    assert document["license"]
    [feature] = document["features"]
    assert feature["geometry"] == {"type": "Point", "coordinates": [7.1, 50.98]}
    assert feature["properties"]["value"] == 2.3


def test_a_stored_value_is_written_without_what_floats_add(city):
    city.measure(RAIN, T0, ("precipitation", 0.1 + 0.2))
    with TestClient(city.app()) as client:
        assert (
            client.get(READINGS, params={"order": "desc", "property": "precipitation"}).json()["items"][0][
                "value"
            ]
            == 0.3
        )


@settings(deadline=None, max_examples=200)
@given(st.integers(min_value=-62_135_596_800_000_000, max_value=253_402_300_799_999_999))
def test_every_time_is_read_as_it_was_written(time_us):
    text = format_us(time_us)
    assert parse_us(text) == time_us
    assert text.endswith("Z")


@settings(deadline=None, max_examples=200)
@given(st.datetimes(min_value=FIRST, max_value=LAST), st.integers(-14 * 60, 14 * 60))
def test_every_offset_means_the_same_moment(moment, minutes):
    sign = "-" if minutes < 0 else "+"
    offset = f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    utc = (moment - timedelta(minutes=minutes)).isoformat() + "Z"
    assert parse_us(f"{moment.isoformat()}{offset}") == parse_us(utc)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-07-14t18:30z", "2026-07-14T18:30:00Z"),
        ("2026-07-14 20:30:00 02:00", "2026-07-14T18:30:00Z"),
        ("2026-07-14T18:30:00.123456789Z", "2026-07-14T18:30:00.123456Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_every_form_of_rfc_3339_is_understood(text, same):
    assert format_us(parse_us(text)) == same


@pytest.mark.parametrize("interval", ["", "&interval=P1D"])
@pytest.mark.parametrize("to", ["0001-01-01T00:00:00Z", "0001-01-01T12:00:00Z"])
def test_the_day_before_the_calendar_begins_is_empty(client, to, interval):
    assert client.get(f"{READINGS}?to={to}{interval}").json()["items"] == []


@settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.text(max_size=60))
def test_no_text_is_taken_for_a_cursor_or_breaks_the_service(client, text):
    answer = client.get(READINGS, params={"cursor": text})
    assert answer.status_code in {200, 400, 422}
