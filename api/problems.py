"""Errors as RFC 9457 problem details, whatever raised them."""

from collections.abc import Mapping
from http import HTTPStatus

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alerts.errors import BusyError, MobilityError, SubscriptionsError
from ingest.errors import IngestError

MEDIA_TYPE = "application/problem+json"
NEVER_ENDS = "/api/v1/stream"
_RETRY_AFTER_S = "10"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
log = structlog.get_logger(__name__)


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """An answer that is an error. `hint` says what to do; `extra` becomes members of the document."""

    def __init__(
        self,
        status: int,
        detail: str,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
        **extra: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.hint = hint
        self.headers = dict(headers or {})
        self.extra = extra

    def response(self) -> Response:
        """The problem as its HTTP answer; never cached."""
        body: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.hint:
            body["hint"] = self.hint
        headers = {"Cache-Control": "no-store", **self.headers}
        content = orjson.dumps({**body, **self.extra}, default=str)
        return Response(content, self.status, headers, MEDIA_TYPE)


def not_found(what: str, name: str) -> Problem:
    """The same answer for what does not exist and what is not public."""
    return Problem(
        404, f"there is no public {what} {name[:100]!r}", f"the list of what there is: /api/v1/{_LISTS[what]}"
    )


_LISTS = {
    "station": "stations",
    "property": "properties",
    "warning": "warnings",
    "warning of the city": "city-warnings",
}


def install(app: FastAPI) -> None:
    """Answer every error of the application with a problem document."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(IngestError, _unavailable)
    app.add_exception_handler(BusyError, _busy)
    app.add_exception_handler(SubscriptionsError, _no_subscriptions)
    app.add_exception_handler(MobilityError, _no_counts)
    app.add_middleware(Unexpected)


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - registered for this class
    return error.response()


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return _other_method(request)
    hints = {404: "the addresses of this service: /docs"}
    details = {404: "nothing has this address"}
    code = error.status_code
    detail = details.get(code, str(error.detail))
    return Problem(code, detail, hints.get(code, ""), error.headers).response()


def _other_method(request: Request) -> Response:
    """What is possible at an address: as a 405, or for whoever asks by OPTIONS."""
    possible = [
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]
    # Headers answers HEAD with what GET would say, but of the stream, which never ends
    if "GET" in possible and request.url.path != NEVER_ENDS:
        possible.insert(1, "HEAD")
    allow = {"Allow": ", ".join([*possible, "OPTIONS"])}
    if request.method == "OPTIONS":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=allow)
    return Problem(
        405, f"{request.method} is not possible here", f"possible: {allow['Allow']}", allow
    ).response()


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    faults: dict[str, list[str]] = {}
    for item in error.errors():
        # a parameter that may be of several types has a fault for each of them
        parameter = str(item["loc"][1] if len(item["loc"]) > 1 else item["loc"][0])[:100]
        unknown = item["type"] == "extra_forbidden"
        faults.setdefault(parameter, []).append("no such parameter" if unknown else str(item["msg"]))
    named = {parameter: " or ".join(dict.fromkeys(problems)) for parameter, problems in faults.items()}
    return Problem(
        422,
        "; ".join(f"{parameter}: {problem}" for parameter, problem in named.items()),
        _remedy(request, named),
        errors=[{"parameter": parameter, "problem": problem} for parameter, problem in named.items()],
    ).response()


def _remedy(request: Request, named: Mapping[str, str]) -> str:
    if "body" in named and "json" not in request.headers.get("Content-Type", ""):
        return "the body is JSON: send it with `Content-Type: application/json`"
    return "the parameters of each address: /docs"


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("cannot answer", path=request.url.path, error=str(error))
    return Problem(
        503,
        "the stored readings cannot be read at the moment",
        "try again in some seconds; warnings and latest readings are not affected",
        {"Retry-After": _RETRY_AFTER_S},
    ).response()


async def _busy(_: Request, error: Exception) -> Response:
    assert isinstance(error, BusyError)  # noqa: S101 - registered for this class
    return Problem(429, str(error), headers={"Retry-After": str(error.seconds)}).response()


async def _no_counts(_: Request, error: Exception) -> Response:
    log.warning("cannot answer", error=str(error))
    detail = "counts and car parks cannot be read at the moment"
    return Problem(503, detail, "ask again", {"Retry-After": _RETRY_AFTER_S}).response()


async def _no_subscriptions(_: Request, error: Exception) -> Response:
    log.warning("cannot answer", error=str(error))
    detail = "subscriptions cannot be read or changed at the moment"
    return Problem(503, detail, "try again in some minutes", {"Retry-After": _RETRY_AFTER_S}).response()


def _shown(path: str) -> str:
    """A path for the log; what stands behind subscriptions/ opens somebody's data."""
    before, found, _ = path.partition("/subscriptions/")
    return f"{before}{found}***" if found else path


class Unexpected:
    """Answers what nobody expected with a problem document, inside the layer that adds the headers.

    An answer that has begun cannot be taken back: its connection is cut, so that nobody takes it for whole.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception:
            log.exception("request failed", path=_shown(scope.get("path", "")))
            if started or scope["type"] != "http":
                raise
            detail = "the service failed to answer; the operators find the reason in its log"
            await Problem(500, detail).response()(scope, receive, send)
