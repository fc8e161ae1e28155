"""/cap and /compat/nina: warnings of the city as CAP 1.2 and in the forms that other programs read."""

from email.utils import format_datetime, parsedate_to_datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request, Response

from alerts.cap.cell_broadcast import broadcast_text
from alerts.cap.document import Document
from alerts.cap.publisher import CapPublisher, Listed, nina_id
from api.caller import AnyCaller
from api.cap_forms import CAP_TYPE, atom, cap_json, dashboard, features
from api.problems import Problem
from api.responses import respond
from api.rfc3339 import EPOCH
from api.routes.openapi import errors
from api.visibility import View

router = APIRouter(tags=["cap"])
_CACHE = "no-cache"
_SECOND_US = 1_000_000
_Name = Annotated[str, Path(max_length=400, description="identifier of a document")]
_Shared = Annotated[str, Path(max_length=400, description="id that a warning's documents share")]


def _answers(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    ok = {"description": description, "content": {media_type: {}}}
    return {200: ok, 304: {"description": "You have it"}, **errors(401, 404, 422)}


@router.get(
    "/cap/feed.atom",
    response_class=Response,
    responses=_answers("application/atom+xml", "Atom (RFC 4287); entries link to application/cap+xml"),
)
def feed(request: Request, view: AnyCaller) -> Response:
    """Warnings of the city in force and ended in the last 24 hours, each by its latest document.

    With an operator's token also what is not for the public. 404 when the city has no sender configured.
    """
    publisher = _publisher(view)
    listed = _seen(view, publisher.listed())
    base = view.services.base(str(request.base_url), view.services.cap_url)
    body = atom(listed, view.services.city.name, base, publisher.changed_us)
    answer = respond(
        request, view, body, media_type="application/atom+xml; charset=utf-8", cache=_CACHE, open_data=False
    )
    return _dated(request, answer, publisher.changed_us)


@router.get(
    "/cap/warnings.geojson",
    response_class=Response,
    responses=_answers("application/geo+json", "FeatureCollection (RFC 7946)"),
)
def geojson(request: Request, view: AnyCaller) -> Response:
    """The areas of the warnings of the city that are in force, exercises (`status`) too."""
    listed = _seen(view, _publisher(view).listed())
    made = features([each.latest for each in listed if each.in_force])
    return _json(request, view, made, "application/geo+json")


@router.get(
    "/cap/{name}.xml",
    response_class=Response,
    responses=_answers(CAP_TYPE, "CAP 1.2 (OASIS)"),
)
def document(request: Request, view: AnyCaller, name: _Name) -> Response:
    """One CAP document, as it was issued; those that are over stay, because later ones refer to them."""
    found = _document(view, name)
    answer = respond(request, view, found.xml, media_type=CAP_TYPE, cache=_CACHE, open_data=False)
    return _dated(request, answer, found.sent_us)


@router.get(
    "/cap/{name}.txt",
    response_class=Response,
    responses=_answers("text/plain", "At most 1395 characters of the GSM alphabet"),
)
def text(request: Request, view: AnyCaller, name: _Name) -> Response:
    """One document as a text for cell broadcast (DE-Alert): at most 1395 characters."""
    body = broadcast_text(_document(view, name).xml).encode()
    return respond(request, view, body, media_type="text/plain; charset=utf-8", cache=_CACHE, open_data=False)


@router.get(
    "/compat/nina/dashboard/{ars}.json",
    response_class=Response,
    responses=_answers("application/json", "A list, in the shape of NINA's /dashboard"),
)
def nina_dashboard(
    request: Request,
    view: AnyCaller,
    ars: Annotated[str, Path(pattern=r"^\d{12}$", description="Regionalschlüssel of the city or its Kreis")],
) -> Response:
    """Warnings of the city in force, in the shape of the NINA warn app's overview; no exercises.

    Like NINA's own it takes the Kreis as well: the first five digits and seven zeros.
    """
    own = view.services.city.ars
    publisher = _publisher(view)
    if not own or ars not in {own, f"{own[:5]}0000000"}:
        raise Problem(404, f"this service warns for {own or 'no region'}, not for {ars}")
    return _json(request, view, dashboard(_seen(view, publisher.listed())))


@router.get(
    "/compat/nina/warnings/{id_}.json",
    response_class=Response,
    responses=_answers("application/json", "CAP as JSON, in the shape of NINA's /warnings"),
)
def nina_warning(request: Request, view: AnyCaller, id_: _Shared) -> Response:
    """The latest document of a warning as JSON; in force, or ended in the last 24 hours."""
    return _json(request, view, cap_json(_latest(view, id_)))


@router.get(
    "/compat/nina/warnings/{id_}.geojson",
    response_class=Response,
    responses=_answers("application/geo+json", "FeatureCollection (RFC 7946)"),
)
def nina_geojson(request: Request, view: AnyCaller, id_: _Shared) -> Response:
    """The areas of a warning's latest document."""
    return _json(request, view, features([_latest(view, id_)]), "application/geo+json")


def _publisher(view: View) -> CapPublisher:
    if view.services.cap is None:
        raise Problem(404, "this city publishes no CAP", "[cap] sender in the configuration switches it on")
    return view.services.cap


def _seen(view: View, listed: tuple[Listed, ...]) -> list[Listed]:
    """What is public; operators see measurement notices of restricted scope too."""
    return [each for each in listed if view.operator is not None or each.latest.scope == "Public"]


def _document(view: View, name: str) -> Document:
    found = _publisher(view).document(name)
    if found is None or (found.scope != "Public" and view.operator is None):
        raise Problem(404, f"there is no public document {name[:100]!r}", "the latest ones: /cap/feed.atom")
    return found


def _latest(view: View, id_: str) -> Document:
    for each in _seen(view, _publisher(view).listed()):
        if nina_id(each.latest) == id_:
            return each.latest
    raise Problem(404, f"there is no public warning {id_[:100]!r}", "the latest ones: /cap/feed.atom")


def _json(request: Request, view: View, body: object, media_type: str = "application/json") -> Response:
    content = orjson.dumps(body)
    return respond(request, view, content, media_type=media_type, cache=_CACHE, open_data=False)


def _dated(request: Request, answer: Response, time_us: int) -> Response:
    """With Last-Modified; 304 for who has it, where no ETag says better (RFC 9110, 13.1.3)."""
    moment = EPOCH.fromtimestamp(-(-time_us // _SECOND_US), EPOCH.tzinfo)
    answer.headers["Last-Modified"] = format_datetime(moment, usegmt=True)
    since = request.headers.get("if-modified-since")
    if since and "if-none-match" not in request.headers and answer.status_code != 304:  # noqa: PLR2004 - HTTP
        try:
            known = parsedate_to_datetime(since)
            if known.tzinfo is not None and known >= moment:
                return Response(status_code=304, headers=_bodiless(answer))
        except (TypeError, ValueError):
            pass
    return answer


def _bodiless(answer: Response) -> dict[str, str]:
    return {
        key: value for key, value in answer.headers.items() if key not in {"content-length", "content-type"}
    }
