"""/parkapi and /datex2: car parks and counts in the shapes of other systems."""

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from api.datex.parking import parking_publication
from api.datex.traffic import measured_data, site_table
from api.formats import Item
from api.mobility.parks import OCCUPANCY
from api.parkapi import parking_sites
from api.responses import respond
from api.terms import TermsOfAnswer
from api.visibility import View

router = APIRouter(tags=["parking and traffic"])
_CACHE = "public, max-age=30"
_COUNTED = ("vehicle_count", "bicycle_count")


def _answers(description: str, *required: str) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "object", "required": list(required)}
    return {
        200: {"description": description, "content": {"application/json": {"schema": schema}}},
        304: {"description": "You have it"},
    }


@router.get(
    "/parkapi/v3/parking-sites",
    response_class=Response,
    responses=_answers("A ParkAPI v3 source", "items", "license", "attribution"),
)
def parkapi(request: Request) -> Response:
    """Car parks as a ParkAPI v3 source, static and realtime data in one object each.

    What MobiData BW and others that run ParkAPI pull.
    """
    view = _view(request)
    terms = view.terms_of([OCCUPANCY])
    return _answer(request, view, {"items": parking_sites(view), **terms.members()}, terms)


@router.get(
    "/datex2/parking.json",
    response_class=Response,
    responses=_answers("Parking Publication Light", "_modelBaseVersion", "parkingPublicationLight"),
)
def datex_parking(request: Request) -> Response:
    """Car parks as a DATEX II v3 Parking Publication Light, for Mobilithek."""
    view = _view(request)
    return _answer(request, view, parking_publication(view), view.terms_of([OCCUPANCY]))


@router.get(
    "/datex2/traffic.json",
    response_class=Response,
    responses=_answers("MeasuredDataPublication", "payload"),
)
def datex_traffic(request: Request) -> Response:
    """Counts of vehicles and bicycles as a DATEX II v3 MeasuredDataPublication, for Mobilithek.

    The newest finished quarter of an hour (hour, where quarters are not public), as vehicles an hour.
    """
    view = _view(request)
    return _answer(request, view, measured_data(view), _counted(view))


@router.get(
    "/datex2/traffic-sites.json",
    response_class=Response,
    responses=_answers("MeasurementSiteTablePublication", "payload"),
)
def datex_sites(request: Request) -> Response:
    """The sites of those counts as a DATEX II v3 MeasurementSiteTablePublication."""
    view = _view(request)
    return _answer(request, view, site_table(view), _counted(view))


def _view(request: Request) -> View:
    """The public's, whoever asks: these documents are passed on."""
    return View(request.app.state.services, request.app.state.book)


def _counted(view: View) -> TermsOfAnswer:
    return view.terms_of(name for name in _COUNTED if name in view.properties)


def _answer(request: Request, view: View, document: Item, terms: TermsOfAnswer) -> Response:
    return respond(request, view, orjson.dumps(document), cache=_CACHE, terms=terms)
