"""InfluxDB: what only it can get wrong. What every store does is in test_stores.py."""

import base64
import http.server
import json
import threading
import urllib.parse
import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storage_samples import CARS_IN, LEVEL, RAIN, SERIES, T0, points, readings

from ingest.errors import CannotDeleteError, StoreError
from ingest.influx_http import parse_address
from ingest.influx_store import InfluxStore
from ingest.line_protocol import escape, lines, unescape
from ingest.reading import Series
from ingest.store import Point, Query


@pytest.fixture
def influx(influxd, request):
    store = InfluxStore(f"influxdb1://127.0.0.1:{influxd.port}/{request.node.name}")
    yield store
    store.close()


def everything(store, series=SERIES):
    return list(store.query(Query(series, limit=10**6)))


def post(port, path, body):
    return urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", body.encode(), timeout=10).read()


def test_a_point_as_it_goes_over_the_wire():
    table = readings((0, 1, 0.2), (2, 2, 7, 3), (0, 3, float("nan"), 9))
    assert lines(SERIES, table, {}) == [
        f"precipitation,device=70b3d57ed0000001,station=kippemuehle value=0.2,quality=1i {T0 + 1}",
        f"vehicle_count,channel=in,device=70b3d57ed0000003,station=buchmuehle value=7.0,quality=3i {T0 + 2}",
        f"precipitation,device=70b3d57ed0000001,station=kippemuehle quality=9i {T0 + 3}",
    ]


def test_umlauts_and_delimiters_stay_readable():
    series = [Series("Straße 5, Köln=Süd", "water_level", "", "1")]
    (line,) = lines(series, readings((0, 1, 1)), {})
    assert line.startswith(r"water_level,device=1,station=Straße\ 5\,\ Köln\=Süd value=1.0")


@given(st.text())
def test_escaped_text_comes_back(text):
    assert unescape(escape(text)) == text


@given(st.text("%25C230AF\\#\n", max_size=12))
def test_escaped_escapes_come_back(text):
    assert unescape(escape(text)) == text
    assert not set(escape(text)) & set("\\\n")


def test_the_first_write_makes_the_database(influxd):
    store = InfluxStore(f"influxdb1://127.0.0.1:{influxd.port}/not there yet")
    store.ping()
    assert everything(store) == list(store.latest()) == list(store.latest(SERIES)) == []
    store.write(SERIES, readings((0, 1, 1)))
    assert everything(store) == [Point(RAIN, T0 + 1, 1.0, 1)]
    assert b"not there yet" in post(influxd.port, "/query?q=SHOW+DATABASES", "")
    store.close()


def test_a_field_of_another_type_costs_only_its_own_points(influx, influxd):
    influx.write(SERIES, readings((0, 0, 0)))
    post(
        influxd.port,
        f"/write?precision=u&db={influx._connection._address.database}",
        f'water_level,station=x value="high" {T0}',
    )
    table = readings(*((number % 4, number, number) for number in range(4000)))
    influx.write(SERIES, table)
    assert everything(influx) == [row for row in points(SERIES, table) if row.series != LEVEL]
    assert influx.refused == 1000
    # and the store goes on
    influx.write(SERIES, readings((0, 9000, 1.5)))
    assert Point(RAIN, T0 + 9000, 1.5, 1) in everything(influx)
    assert influx.refused == 1000


def test_one_point_out_of_range_among_thousands(influx):
    table = readings(*((0, number, number) for number in range(3000)))
    table["time_us"][1234] = 2**62
    influx.write(SERIES, table)
    assert influx.refused == 1
    assert len(everything(influx)) == 2999


def test_somebody_elses_points_in_the_same_database_are_not_ours(influx, influxd):
    influx.write(SERIES, readings((0, 1, 1)))
    database = influx._connection._address.database
    post(
        influxd.port, f"/write?db={database}", 'cpu,host=a usage=3 1\nmem,host=a value=3i 1\nnote value="x" 1'
    )
    assert list(influx.latest()) == [Point(RAIN, T0 + 1, 1.0, 1)]


def test_a_store_that_is_away_says_so_and_works_when_it_is_back(own_influxd):
    store = InfluxStore(f"influxdb1://127.0.0.1:{own_influxd.port}/city")
    store.write(SERIES, readings((0, 1, 1)))
    own_influxd.stop()
    for use in (
        lambda: store.write(SERIES, readings((0, 2, 2))),
        store.ping,
        store.latest,
        lambda: everything(store),
    ):
        with pytest.raises(StoreError, match=r"no answer.*start InfluxDB"):
            use()
    own_influxd.start()
    store.write(SERIES, readings((0, 2, 2)))
    assert [point.value for point in everything(store)] == [1.0, 2.0]
    store.close()


def test_version_2_writes_what_version_1_writes(victoria_metrics):
    url = f"influxdb://127.0.0.1:{victoria_metrics.port}/city?org=stadt&token=secret"
    store = InfluxStore(url)
    table = readings(*((number % 4, number * 1_000_000, number) for number in range(12_000)))
    store.write(SERIES, table)
    store.close()
    post(victoria_metrics.port, "/internal/force_flush", "")
    match = urllib.parse.quote('{station!="", __name__=~".+_value"}')
    answer = post(victoria_metrics.port, f"/api/v1/export?match[]={match}", "")
    found = set()
    for line in answer.splitlines():
        row = json.loads(line)
        tags = row["metric"]
        name = tags["__name__"].removesuffix("_value")
        series = Series(tags["station"], name, tags.get("channel", ""), tags["device"])
        for value, time_ms in zip(row["values"], row["timestamps"], strict=True):
            found.add((series, time_ms * 1000, value))
    assert found == {(row.series, row.time_us, row.value) for row in points(SERIES, table)}
    assert store.refused == 0


class Answers(http.server.BaseHTTPRequestHandler):
    """An InfluxDB in the one respect that matters here: its answer. Texts as the real ones give them."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, self.headers, body))
        status, text = self.server.answer(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def answers():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.seen = []
    server.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "text", "remedy"),
    [
        (401, '{"code":"unauthorized","message":"unauthorized access"}', "token.*correct"),
        (403, '{"code":"forbidden","message":"insufficient permissions"}', "token.*correct"),
        (404, '{"code":"not found","message":"bucket \\"city\\" not found"}', "create the bucket 'city'"),
        (400, '{"code":"invalid","message":"bad org id"}', "bad org id"),
        (503, '{"code":"unavailable","message":"queue full"}', "InfluxDB's log"),
    ],
)
def test_an_answer_about_us_loses_no_point(answers, status, text, remedy):
    answers.answer = lambda _: (status, text)
    store = InfluxStore(f"influxdb://127.0.0.1:{answers.port}/city?org=stadt&token=a%2Bb==")
    with pytest.raises(StoreError, match=remedy):
        store.write(SERIES, readings((0, 1, 1), (1, 1, 1)))
    with pytest.raises(StoreError, match=remedy):
        store.ping()
    assert store.refused == 0
    assert [headers["Authorization"] for _, headers, _ in answers.seen] == ["Token a+b=="] * 2
    write = urllib.parse.urlsplit(answers.seen[0][0])
    assert write.path == "/api/v2/write"
    assert urllib.parse.parse_qs(write.query) == {"org": ["stadt"], "bucket": ["city"], "precision": ["us"]}
    store.close()


def test_version_2_refuses_some_points_for_good(answers):
    def answer(body):
        bad = body.count(b"water_level")
        text = f"failure writing points to database: partial write: field type conflict dropped={bad}"
        return (422, json.dumps({"code": "unprocessable entity", "message": text})) if bad else (204, "")

    answers.answer = answer
    store = InfluxStore(f"influxdb://127.0.0.1:{answers.port}/city?org=stadt&token=t")
    store.write(SERIES, readings(*((number % 4, number, number) for number in range(1000))))
    assert store.refused == 250
    assert len(answers.seen) < 30
    written = b"\n".join(body for _, _, body in answers.seen if b"water_level" not in body).splitlines()
    assert len(set(written)) == 750
    store.close()


def test_too_large_a_batch_is_halved(answers):
    answers.answer = lambda body: (413, "too large") if len(body) > 2000 else (204, "")
    store = InfluxStore(f"influxdb1://127.0.0.1:{answers.port}/city")
    store.write(SERIES, readings(*((0, number, number) for number in range(100))))
    assert store.refused == 0
    store.close()


def test_version_1_logs_in_and_names_no_password_in_errors(answers):
    answers.answer = lambda _: (401, '{"error":"authorization failed"}')
    store = InfluxStore(f"influxdb1://stadt:ge%40heim@127.0.0.1:{answers.port}/city")
    with pytest.raises(StoreError, match="user and password") as fault:
        store.write(SERIES, readings((0, 1, 1)))
    assert "heim" not in str(fault.value)
    login = base64.b64encode(b"stadt:ge@heim").decode()
    assert answers.seen[0][1]["Authorization"] == f"Basic {login}"
    store.close()


def test_something_else_on_the_port(answers):
    answers.answer = lambda _: (200, "<html>")
    store = InfluxStore(f"influxdb1://127.0.0.1:{answers.port}/city")
    with pytest.raises(StoreError, match="no InfluxDB"):
        store.ping()
    store.close()


def test_addresses():
    one = parse_address("influxdb1s://u:p%2F@[::1]:9999/my%20db")
    assert (one.version, one.url, one.database, one.user, one.password) == (
        1,
        "https://[::1]:9999",
        "my db",
        "u",
        "p/",
    )
    two = parse_address("influxdb://influx/city?org=stadt&token=t")
    assert (two.version, two.url, two.database, two.org, two.token) == (
        2,
        "http://influx:8086",
        "city",
        "stadt",
        "t",
    )
    for url in (
        "influxdb3://h/b",
        "influxdb://h:no/b",
        "influxdb://h",
        "influxdb1://h/db?token=secret",
        "influxdb1://u:secret/x@h/db",
        "influxdb1://u:12/secret@h/db",
        "influxdb1://u:x#secret@h/db",
    ):
        with pytest.raises(StoreError) as fault:
            parse_address(url)
        assert "secret" not in str(fault.value)


def test_the_proxy_of_the_environment_is_not_asked(influx, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    influx.write(SERIES, readings((2, 1, 1)))
    assert everything(influx) == [Point(CARS_IN, T0 + 1, 1.0, 1)]


def test_a_store_without_a_call_to_delete_says_so(victoria_metrics):
    store = InfluxStore(f"influxdb://127.0.0.1:{victoria_metrics.port}/city?org=o&token=t")
    with pytest.raises(CannotDeleteError):
        store.delete(CARS_IN, [(T0, T0 + 1)])
    store.close()


def test_what_2x_is_asked_to_delete():
    heard = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            body = b'{"results":[{}]}' if self.path.startswith("/query") else b""
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    store = InfluxStore(f"influxdb://127.0.0.1:{server.server_port}/city?org=o&token=t")
    store.delete(Series('s "x"', "vehicle_count", "in", "1"), [(T0, T0 + 1)])
    store.delete(RAIN, [(T0, T0)])
    store.close()
    server.shutdown()
    server.server_close()
    (path, body), (asked, _), (_, plain) = heard
    assert (path, asked.partition("?")[0]) == ("/api/v2/delete?bucket=city&org=o", "/query")
    assert json.loads(body) == {
        "start": "2026-10-03T04:00:00.000000000Z",
        "stop": "2026-10-03T04:00:00.000001001Z",
        "predicate": '_measurement="vehicle_count" AND station="s \\"x\\"" AND channel="in" AND device="1"',
    }
    assert "channel" not in json.loads(plain)["predicate"]
