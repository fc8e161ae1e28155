"""/dcat/catalog: the city's open data as a DCAT-AP.de catalogue, for Open.NRW and GovData to harvest."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.caller import AnyCaller
from api.dcat.documents import RDF_TYPES, Catalogue, Rdf
from api.dcat.graph import CATALOG, Page, page_address
from api.problems import Problem
from api.responses import respond
from api.routes.openapi import errors
from api.visibility import View

router = APIRouter(tags=["catalogue"])
_CACHE = "public, max-age=300"
_MOST = 100


class PageQuery(BaseModel):
    """Which page; a catalogue of a hundred datasets or fewer has one."""

    model_config = ConfigDict(extra="forbid")

    page: Annotated[int, Field(ge=1, le=1_000_000, description="from 1; follow rel=next")] = 1
    limit: Annotated[int, Field(ge=1, le=_MOST, description="datasets on a page")] = _MOST


_Paged = Annotated[PageQuery, Query()]


def _answers(*forms: Rdf) -> dict[int | str, dict[str, Any]]:
    content: dict[str, Any] = {RDF_TYPES[form]: {"schema": {"type": "string"}} for form in forms}
    ok = {"description": "DCAT-AP.de 3.0", "content": content}
    return {200: ok, 304: {"description": "You have it"}, **errors(401, 404, 422)}


@router.get(CATALOG, response_class=Response, responses=_answers(*Rdf))
def negotiated(request: Request, view: AnyCaller, query: _Paged) -> Response:
    """The catalogue in the form that Accept asks for: Turtle, RDF/XML or JSON-LD."""
    form = preferred(request.headers.get("accept", ""))
    answer = _respond(request, view, query, form)
    answer.headers["Vary"] = "Authorization, Accept"
    answer.headers["Content-Location"] = f"{CATALOG}.{form.value}"
    return answer


@router.get(f"{CATALOG}.ttl", response_class=Response, responses=_answers(Rdf.TURTLE))
def turtle(request: Request, view: AnyCaller, query: _Paged) -> Response:
    """The catalogue as Turtle."""
    return _respond(request, view, query, Rdf.TURTLE)


@router.get(f"{CATALOG}.rdf", response_class=Response, responses=_answers(Rdf.XML))
def rdf_xml(request: Request, view: AnyCaller, query: _Paged) -> Response:
    """The catalogue as RDF/XML."""
    return _respond(request, view, query, Rdf.XML)


@router.get(f"{CATALOG}.jsonld", response_class=Response, responses=_answers(Rdf.JSON_LD))
def json_ld(request: Request, view: AnyCaller, query: _Paged) -> Response:
    """The catalogue as JSON-LD."""
    return _respond(request, view, query, Rdf.JSON_LD)


def preferred(accept: str) -> Rdf:
    """What an Accept header likes best (RFC 9110, 12.5.1); Turtle where it names nothing we have."""
    quality = dict.fromkeys(Rdf, 0.0)
    for part in accept.split(","):
        kind, *parameters = (each.strip().lower() for each in part.split(";"))
        for form, media_type in RDF_TYPES.items():
            if kind == media_type:
                quality[form] = max(quality[form], _weight(parameters))
    best = max(quality, key=quality.__getitem__)
    return best if quality[best] > 0 else Rdf.TURTLE


def _weight(parameters: list[str]) -> float:
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _offered(app: FastAPI) -> frozenset[str]:
    """The paths there are, and the media types of readings: what a distribution can be."""
    paths = app.openapi()["paths"]
    return frozenset((*paths, *paths["/api/v1/readings"]["get"]["responses"]["200"]["content"]))


def _respond(request: Request, view: View, query: PageQuery, form: Rdf) -> Response:
    """A page of what the public sees, whoever asks: harvesters pass a catalogue on."""
    services = view.services
    public = View(services, view.book)
    catalogue: Catalogue = request.app.state.catalogue
    found = catalogue.facts(public, _offered(request.app))
    base = services.base(str(request.base_url), services.publisher.base)
    page = Page(query.page, query.limit, request.url.path)
    last = page.last(found.datasets)
    if page.number > last:
        raise Problem(404, f"the catalogue has {last} page(s), not {page.number}", "begin at page 1")
    following = replace(page, number=page.number + 1)
    link = f'<{page_address(base, following)}>; rel="next"' if page.number < last else None
    body = catalogue.document(found, base, page, form)
    media_type = f"{RDF_TYPES[form]}; charset=utf-8" if form is not Rdf.JSON_LD else RDF_TYPES[form]
    return respond(request, view, body, media_type=media_type, cache=_CACHE, links=[link])
