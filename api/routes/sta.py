"""/sta/v1.1: OGC SensorThings API 1.1."""

from typing import Any
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request, Response

from api.caller import AnyCaller
from api.problems import Problem
from api.responses import PRIVATE, common_headers, respond
from api.routes.openapi import errors
from api.session import authorization
from api.sta.answers import CSV, GEOJSON, JSON, TEXT, Answer, Asked, answer
from api.sta.conformance import MQTT_UPDATES
from api.sta.errors import NotAllowedError, StaError
from api.sta.options import ResourcePath, Step
from api.sta.query_options import parse_options
from api.sta.source import EntitySource
from api.sta.url_path import parse_path
from api.sta.writer import Change, Writer
from api.sta.writing.data_arrays import PATH as CREATE_OBSERVATIONS
from api.sta.writing.writer import methods_of
from api.tokens import demand_operator
from api.visibility import View

ROOT = "/sta/v1.1"
router = APIRouter(tags=["SensorThings"])
MOST_AT_ONCE = 8
"""Requests that are worked on: slow ones wait for each other, and keep nobody else from a thread."""
_CACHE = "public, max-age=30"
MOST_BYTES = 16 << 20
"""Of a body."""
_READS = "GET, HEAD, OPTIONS"
_WRITES = ["POST", "PATCH", "PUT", "DELETE"]
_CONTENT: dict[str, Any] = {each.partition(";")[0]: {} for each in (JSON, GEOJSON, CSV, TEXT)}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "As OGC 18-088 describes", "content": _CONTENT},
    304: {"description": "You have it"},
    **errors(400, 401, 404, 422, 501),
}
_ROOT_ANSWERS = _ANSWERS | {200: {"description": "As OGC 18-088 describes", "content": {JSON: {}}}}
_PATH = {
    "name": "path",
    "in": "path",
    "required": True,
    "description": "An entity set, an entity, what hangs on it or a property: OGC 18-088, section 9.2",
    "schema": {"type": "string"},
    "example": "Things",
}
_OPTIONS = {
    "$filter": "result gt 20 and phenomenonTime ge 2026-07-14T00:00:00Z",
    "$expand": "Thing($expand=Locations),Observations($orderby=phenomenonTime desc;$top=1)",
    "$select": "name,properties",
    "$orderby": "phenomenonTime desc",
    "$top": "100",
    "$skip": "0",
    "$count": "true",
    "$resultFormat": "dataArray",
}
_PARAMETERS: dict[str, Any] = {
    "parameters": [
        _PATH,
        *(
            {"name": name, "in": "query", "schema": {"type": "string"}, "example": example}
            for name, example in _OPTIONS.items()
        ),
    ]
}


@router.get(ROOT, response_class=Response, responses=_ROOT_ANSWERS)
async def root(request: Request, view: AnyCaller) -> Response:
    """The root of the SensorThings API: addresses of its entity sets, and what of the standard is served."""
    return await _read(request, view)


@router.get(f"{ROOT}/{{path:path}}", response_class=Response, responses=_ANSWERS, openapi_extra=_PARAMETERS)
async def read(request: Request, view: AnyCaller) -> Response:
    """Entities, links, properties and values, with the query options of OGC 18-088, section 9.3."""
    return await _read(request, view)


@router.api_route(ROOT, methods=[*_WRITES, "OPTIONS"], include_in_schema=False)
@router.api_route(f"{ROOT}/{{path:path}}", methods=[*_WRITES, "OPTIONS"], include_in_schema=False)
async def write(request: Request, view: AnyCaller) -> Response:
    """Writing, where a source can be written; elsewhere a 405 that says so."""
    source = _source(view)
    writer = view.services.sta_writer if source.writable else None
    if request.method == "OPTIONS":
        return Response(status_code=204, headers={"Allow": _allowed(request, writer)})
    if writer is None:
        error = NotAllowedError("this SensorThings API is for reading", "use GET")
        raise _problem(error, {"Allow": _READS})
    if view.services.tokens:
        demand_operator(authorization(request), view.services.tokens)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Problem(413, f"more than {MOST_BYTES >> 20} MB", "send less at a time")
    return await to_thread.run_sync(_write, request, view, writer, bytes(body), limiter=_places(request))


async def _read(request: Request, view: View) -> Response:
    source = _source(view)
    made = await to_thread.run_sync(_answer, request, view, source, limiter=_places(request))
    cache = "no-cache" if source.writable else _CACHE
    next_ = f'<{made.next_link}>; rel="next"' if made.next_link else None
    if made.body is None:
        return Response(status_code=204, headers={**common_headers(view, cache)})
    return respond(request, view, made.body, media_type=made.media_type, cache=cache, links=[next_])


def _places(request: Request) -> CapacityLimiter:
    limiter: CapacityLimiter = request.app.state.sta_places
    return limiter


def _answer(request: Request, view: View, source: EntitySource) -> Answer:
    raw = _raw_path(request)
    base = _base(request, view)
    query: bytes = request.scope["query_string"]
    try:
        asked = Asked(
            base=base + ROOT,
            address=base + raw,
            query=query.decode("latin-1"),
            path=parse_path(raw.partition(ROOT)[2]),
            options=parse_options(query),
        )
        return answer(source, asked, {} if asked.path.steps else _settings(view))
    except StaError as error:
        raise _problem(error) from error


def _write(request: Request, view: View, writer: Writer, body: bytes) -> Response:
    try:
        path = _path_to_write(request)
        kind = request.headers.get("content-type", "")
        done = writer.write(Change(request.method, path, kind, body, _base(request, view) + ROOT))
    except NotAllowedError as error:
        raise _problem(error, {"Allow": _allowed(request, writer)}) from error
    except StaError as error:
        raise _problem(error) from error
    headers = {"Cache-Control": PRIVATE, **({"Location": done.location} if done.location else {})}
    return Response(done.body, done.status, headers, JSON if done.body is not None else None)


def _path_to_write(request: Request) -> ResourcePath:
    below = _raw_path(request).partition(ROOT)[2]
    if below.strip("/") == CREATE_OBSERVATIONS:  # an address of the standard that is no entity
        return ResourcePath((Step(CREATE_OBSERVATIONS),))
    return parse_path(below)


def _allowed(request: Request, writer: Writer | None) -> str:
    try:
        more = () if writer is None else methods_of(_path_to_write(request))
    except StaError:
        more = ()
    return ", ".join([_READS, *more])


def _source(view: View) -> EntitySource:
    if view.services.sta is None:
        raise Problem(404, "this service has no SensorThings API", "its own API: /docs")
    return view.services.sta(view)


def _base(request: Request, view: View) -> str:
    return view.services.base(str(request.base_url))


def _raw_path(request: Request) -> str:
    """The path as it came: a decoded one no longer tells %2F from /."""
    raw: bytes | None = request.scope.get("raw_path")
    return (
        quote(request.scope["path"])
        if raw is None
        else quote(raw.partition(b"?")[0], safe="%/$,()'=:;@!*+&~")
    )


def _settings(view: View) -> dict[str, Any]:
    brokers = view.services.sta_mqtt
    settings: dict[str, Any] = {name: value for name, value in view.terms_of().members().items() if value}
    if brokers:
        settings |= {MQTT_UPDATES: {"endpoints": list(brokers)}, "conformance": [MQTT_UPDATES]}
    return settings


def _problem(error: StaError, headers: dict[str, str] | None = None) -> Problem:
    extra: dict[str, object] = {}
    if error.option:
        extra["option"] = error.option
    if error.at is not None:
        extra["position"] = error.at
    return Problem(error.status, error.message, error.hint, headers, **extra)
