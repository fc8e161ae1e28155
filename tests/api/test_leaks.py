"""As the public, over every route there is: nothing that is not public, nothing of its number or its time.

A new route is asked without a line here. One whose parameters have no filling fails the first test until
PATHS or QUERIES says how to fill them.
"""

import base64
import io
import itertools
import re
from pathlib import Path
from urllib.parse import urlencode

import pyarrow.parquet as pq
import pytest
from leaky_questions import ABOUT_HIDDEN, HIDDEN, MISSING, MORE, SERIES
from leaky_town import SHOWN, UNKNOWN, leaky_town, more_secrets
from small_town import TOKEN, wait_for
from starlette.routing import Mount
from starlette.testclient import TestClient
from stream_listener import Listener

import api
from api.app import _application
from api.sta.city import Cities

# public, not public, not there: the last two must not be told apart
PATHS = {
    "station_id": ("strunde-gierath", "geheim-pegel", "nirgends-mehr"),
    "warning_id": ("starkregen:regen-gierath:1", "starkregen:geheim-pegel:1", "starkregen:nirgends-mehr:1"),
    "city_warning_id": ("w1", "warning.geheim", "warning.nichts"),
    "incident_id": ("incident:1", "incident:geheim", "incident:nichts"),
    "silence_id": ("1", "2", "3"),
    "dev_eui": ("70b3d57ed0000001", "70b3d57ed00000aa", "70b3d57ed00000bb"),
    "server": ("stadtwerke", "stadtwerke", "stadtwerke"),
    "ars": ("053780004004", "053780004004", "053780004004"),
    "id_": ("w1", "warning.geheim", "warning.nichts"),
    "token": ("x" * 43, "y" * 43, "z" * 43),
    "property_name": ("water_level", "battery_voltage", "nothing_of_it"),
    "day": ("2026-07-14",) * 3,
    "form": ("csv", "csv", "csv"),
    "/sta/v1.1/{path:path}": ("Things", f"Things({HIDDEN.thing})", f"Things({MISSING.thing})"),
    "/assets/{name:path}": ("page.css", "geheim.css", "nichts.css"),
    **dict.fromkeys(
        ("/cap/{name}.xml", "/cap/{name}.txt"),
        (
            "stadtfunk.053780004004.w1.2",
            "stadtfunk.053780004004.starkregen-geheim-pegel-1-f7cc391f.1",
            "stadtfunk.053780004004.starkregen-nirgends-pegel-1-f7cc391f.1",
        ),
    ),
}
QUERIES = {
    "station": ("regen-gierath", "geheim-pegel", "nirgends-mehr"),
    "property": ("water_level", "battery_voltage", "nothing_of_it"),
    "f": ("json", "geojson", "csv"),
    "limit": ("1", "2", "all"),
    "cursor": ("WzEsMV0", "WzEsOV0", "x"),
    "from": ("2026-07-14T16:00:00Z", "2026-07-14T18:00:00Z", "x"),
    "to": ("2026-07-14T18:00:00Z", "2026-07-14T19:00:00Z", "x"),
    "order": ("asc", "desc", "x"),
    "interval": ("PT15M", "PT1H", "x"),
    "lat": ("50.98", "51", "x"),
    "lon": ("7.1", "7", "x"),
    "status": ("in_force", "ended", "x"),
    **dict.fromkeys(
        ("device", "by", "reason", "kind", "speed", "release_public", "dry_run"), ("1", "2", "x")
    ),
    "aggregate": ("mean,count", "last", "x"),
    "timezone": ("UTC", "Europe/Berlin", "x"),
    "quality": ("1", "2,3", "x"),
    "page": ("1", "2", "x"),
    "lng": ("7.1", "7", "x"),
    **dict.fromkeys(("cityId", "categoryId"), ("1", "2", "x")),
    "actionName": ("GET_CityPOICategories", "GET_CityPOICount", "x"),
    **dict.fromkeys(("version", "severity", "areas", "incident", "valid_min"), ("1", "2", "x")),
    "$filter": ("id gt 0", "properties/assetID eq 'geheim-pegel'", "x ="),
    "$expand": ("Datastreams", "Datastreams/Observations", "Nirgends"),
    "$select": ("name", "properties", "nirgends"),
    "$orderby": ("name desc", "properties/assetID", "nirgends"),
    "$resultFormat": ("CSV", "GeoJSON", "dataArray"),
    "$count": ("true", "false", "x"),
    **dict.fromkeys(("$top", "$skip"), ("1", "2", "x")),
}
ENDLESS = "/api/v1/stream"
"""Asked in a test of its own."""


def routes(all_of_them, prefix=""):
    """(path, methods) of every route, whatever includes or mounts it."""
    for route in all_of_them:
        if isinstance(route, Mount):
            yield from routes(route.routes, prefix + route.path)
        elif hasattr(route, "original_router"):
            yield from routes(route.original_router.routes, prefix)
        else:
            yield prefix + route.path, sorted(route.methods)


APPLICATION = _application()
ROUTES = sorted(set(itertools.chain.from_iterable(
    ((path, method) for method in methods) for path, methods in routes(APPLICATION.routes)
)))  # fmt: skip
READ = sorted({path for path, method in ROUTES if method == "GET"} - {ENDLESS})
DESCRIBED = APPLICATION.openapi()["paths"]


def fillings(name, path):
    """For a parameter of any path, or of this one."""
    return PATHS.get(path) or PATHS[name]


def given(path, which):
    """Values of a path's parameters: 0 public, 1 not public, 2 not there."""
    return [fillings(name, path)[which] for name in re.findall(r"\{(\w+)", path)]


def filled(path, which):
    """A path with its parameters."""
    return re.sub(r"\{(\w+)(:\w+)?\}", lambda match: fillings(match[1], path)[which], path)


def asked(path):
    """Queries of a path: each value of each parameter it has, for the three kinds of a thing."""
    parameters = DESCRIBED.get(path, {}).get("get", {}).get("parameters", [])
    names = [each["name"] for each in parameters if each["in"] == "query"]
    yield {}
    for name in names:
        yield from ({name: value} for value in QUERIES[name])
    if {"f", "limit"} <= set(names):
        yield from ({"f": form, "limit": "2"} for form in QUERIES["f"])
    if {"property", "limit"} <= set(names):
        yield from ({"property": name, "limit": "1"} for name in ("water_level", "precipitation"))
    if {"from", "limit"} <= set(names):
        yield {"from": "2026-07-14T16:00:00Z", "limit": "all"}


def addresses(path):
    """Every address of a path to ask, with what the question itself says."""
    for which, query in itertools.product(range(3 if "{" in path else 1), asked(path)):
        address = filled(path, which) + (f"?{urlencode(query)}" if query else "")
        yield address, [*given(path, which), *query.values()]
    yield from MORE.get(path, ())


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    with leaky_town(tmp_path_factory.mktemp("leaky")) as (town, secrets):
        yield town, secrets


@pytest.fixture(scope="module")
def stranger(leaky):
    with TestClient(leaky[0].app()) as client:
        yield client


def text_of(answer):
    """A body as what it tells."""
    if answer.content and answer.headers.get("content-type", "").endswith("parquet"):
        table = pq.read_table(io.BytesIO(answer.content))
        return f"{table.schema} {table.to_pylist()}"
    return answer.text


def said(answer, repeated):
    """All of an answer, what its cursors say too, but what it repeats of the question."""
    # a length may be any number by chance; that none depends on what is not public is a test of its own
    headers = (f"{name}: {value}" for name, value in answer.headers.items() if name != "content-length")
    text = text_of(answer) + "\n".join(headers)
    for link in re.findall(r"cursor=([\w-]+)", text):
        text += base64.urlsafe_b64decode(link + "=" * (-len(link) % 4)).decode("utf-8", "replace")
    for each in repeated:
        text = text.replace(each, "") if len(each) > 5 else text
    return text


def test_every_answer_reads_through_the_view():
    """`view.readings` and `view.latest()` hold back what comes later: the store itself holds back nothing."""
    beside = {"visibility.py", "admin.py"}
    for file in Path(api.__file__).parent.rglob("*.py"):
        found = re.findall(r"services\.(?:store|latest)\b(?!\.listen)", file.read_text())
        assert not found or file.name in beside, f"{file.name}: {found[0]}"


def test_every_parameter_has_a_filling():
    path_names = {match for path, _ in ROUTES for match in re.findall(r"\{(\w+)", path)}
    assert path_names - {"name", "path"} <= PATHS.keys()
    assert {path for path, _ in ROUTES if "{name" in path or "{path" in path} <= PATHS.keys()
    queries = {
        each["name"]
        for methods in DESCRIBED.values()
        for operation in methods.values()
        for each in operation.get("parameters", [])
        if each["in"] == "query"
    }
    assert queries <= QUERIES.keys()
    assert len(READ) > 40, "the routes are not found any more"


@pytest.mark.parametrize("path", READ)
def test_no_answer_holds_what_is_not_public(leaky, stranger, path):
    for address, repeated in addresses(path):
        answer = stranger.get(address)
        assert answer.status_code < 500 or path == "/readyz", address
        assert leaky[1].found_in(said(answer, repeated)) == [], address
        pages = 0
        while "next" in answer.links and pages < 200:
            pages += 1
            answer = stranger.get(answer.links["next"]["url"])
            assert leaky[1].found_in(said(answer, repeated)) == [], address
        head = stranger.head(address)
        assert leaky[1].found_in(said(head, repeated)) == [], address


@pytest.mark.parametrize(("path", "method"), [each for each in ROUTES if each[1] not in {"GET", "HEAD"}])
def test_nor_does_the_answer_to_a_write(leaky, stranger, path, method):
    for which, body in itertools.product(
        range(3), ({}, {"json": {}}, {"content": b"\xff{"}, {"data": {"a": "b"}})
    ):
        address = filled(path, which)
        answer = stranger.request(method, address, **body)
        assert answer.status_code < 500, address
        assert leaky[1].found_in(said(answer, given(path, which))) == [], (address, body)


def test_what_may_be_seen_is_seen_and_operators_see_the_rest(leaky, stranger):
    town, secrets = leaky
    public = stranger.get("/api/v1/readings?from=2026-07-14T16:00:00Z").text
    assert all(number in public for number in SHOWN)
    whole = [
        item
        for item in stranger.get("/api/v1/readings").json()["items"]
        if item["property"] == "precipitation"
    ]
    assert [item["time"] for item in whole] == ["2026-07-14T17:00:00Z", "2026-07-14T18:00:00Z"]
    traffic = stranger.get("/api/v1/traffic").json()["items"]
    assert {item["interval"] for item in traffic} <= {"PT1H"}
    assert "levels" not in stranger.get("/api/v1/stations/strunde-gierath").json()
    with TestClient(town.app(), headers={"Authorization": f"Bearer {TOKEN}"}) as operator:
        seen = "".join(
            operator.get(f"/api/v1/{path}").text
            for path in ("readings?from=2026-07-14T16:00:00Z", "traffic?from=2026-07-14T16:00:00Z", "areas")
        )
    assert {"999.0137", "77.13579", "7919", "86.42", "3.61803"} - {"999.0137"} <= set(secrets.found_in(seen))


@pytest.mark.parametrize("path", [path for path in READ if "{" in path])
def test_what_is_not_public_is_answered_like_what_does_not_exist(stranger, path):
    hidden, missing = (alike(stranger, path, which) for which in (1, 2))
    assert hidden == missing


@pytest.mark.parametrize(("hidden", "missing"), ABOUT_HIDDEN)
def test_nor_in_sensorthings_by_any_id_or_filter(stranger, hidden, missing):
    assert like(stranger, *hidden) == like(stranger, *missing)


def test_the_ids_asked_for_are_those_of_what_is_hidden(leaky):
    """Else the tests with them would prove nothing."""
    town, _ = leaky
    number = {(each.station, each.property): n for n, each in enumerate(town.journal.series())}
    assert {key: number[key] for key in SERIES} == SERIES
    with TestClient(town.app(), headers={"Authorization": f"Bearer {TOKEN}"}) as operator:
        for (path, _), _ in ABOUT_HIDDEN:
            if "?" not in path:
                assert operator.get(path).status_code == 200, path


def alike(client, path, which):
    return like(client, filled(path, which), given(path, which))


def like(client, address, repeated):
    """An answer but for what it repeats of the question."""
    answer = client.get(address)
    text = answer.text
    for each in repeated:
        text = text.replace(each, "")
    return answer.status_code, text, {k: v for k, v in answer.headers.items() if k != "content-length"}


@pytest.mark.parametrize("name", ["station", "property"])
@pytest.mark.parametrize("path", [path for path in READ if path in DESCRIBED])
def test_nor_can_a_question_about_it_tell(stranger, path, name):
    answers = []
    for value in QUERIES[name][1:]:
        answer = stranger.get(filled(path, 0), params={name: value})
        headers = {k: v for k, v in answer.headers.items() if k != "content-length"}
        answers.append((answer.status_code, answer.text.replace(value, ""), headers))
    assert answers[0] == answers[1]


def test_nothing_public_changes_with_what_is_not(tmp_path):
    """Bodies, lengths, ETags, numbers of items, pages: all as before, whatever happens unseen."""
    with leaky_town(tmp_path) as (town, _), TestClient(town.app()) as client:
        before = everything(client)
        more_secrets(town)
        wait_for(lambda: any(point.series.dev_eui == UNKNOWN for point in town.latest.latest()))
        after = everything(client)
        # what has kept nothing from before
        town.changes["sta"] = Cities()
        with TestClient(town.app()) as other:
            anew = everything(other)
    assert before.keys() == after.keys() == anew.keys()
    for address, answer in before.items():
        assert after[address] == answer, address
        assert anew[address] == answer, address


def everything(client):
    found = {}
    for path in READ:
        for address, _ in addresses(path):
            answer = client.get(address)
            found[address] = answer.status_code, answer.content, dict(answer.headers)
    return found


@pytest.mark.anyio
async def test_the_stream_is_silent_about_it(tmp_path):
    with leaky_town(tmp_path) as (town, secrets):
        app = town.app()
        async with app.router.lifespan_context(app):
            hub = app.state.stream
            public, staff = Listener(hub), Listener(hub, "leitstelle")
            await public.until("hello")
            await staff.until("hello")
            more_secrets(town)
            await staff.until("warnings")
            await staff.until("readings")
            town.measure("70b3d57ed0000001", town.now_us, ("air_temperature", 21.7))
            await public.until("readings")
            assert secrets.found_in(str(public.events)) == []
            assert public.kinds == ["hello", "readings"]
            [number, after] = [int(event[2].rpartition("-")[2]) for event in public.events]
            assert after == number + 1, "a gap in the numbers counts what is not public"
            await public.leave()
            await staff.leave()


@pytest.fixture
def anyio_backend():
    return "asyncio"
