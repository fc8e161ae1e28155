"""/citykey: stations, warnings and a tile in the shapes that the Citykey apps parse."""

import math
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from api.citykey.messages import content as news_of
from api.citykey.messages import infobox as messages_of
from api.citykey.places import categories, pois
from api.citykey.tiles import services as tiles_of
from api.responses import common_headers, respond
from api.visibility import View

router = APIRouter(prefix="/citykey", tags=["citykey"])
_CACHE = "public, max-age=30"
_WARNINGS = "no-cache"
_LAT, _LON, _CITY = 90.0, 180.0, 2**31 - 1

_Text = Annotated[str | None, Field(description="as the apps send it")]
_Degrees = Annotated[str | None, Field(description="degrees", examples=["50.99"])]
_ENVELOPE = {"type": "object", "required": ["content"]}
_FAULTS = {"type": "object", "required": ["errors"]}
_FAULT = {"errors": [{"errorCode": "invalid.parameter", "userMsg": "cityId ist keine Zahl"}]}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "As Citykey", "content": {"application/json": {"schema": _ENVELOPE}}},
    304: {"description": "You have it"},
    400: {
        "description": "A parameter that cannot be meant so, as Citykey tells errors",
        "content": {"application/json": {"schema": _FAULTS, "example": _FAULT}},
    },
}


class CityQuery(BaseModel):
    """Which city, by Citykey's number; it comes back as it was sent. What else the apps send is theirs."""

    cityId: _Text = None  # noqa: N815 - the apps' name


class PoiQuery(CityQuery):
    """Where somebody is, and what is looked for."""

    lat: _Degrees = None
    lng: _Degrees = None
    categoryId: _Text = None  # noqa: N815 - the apps' name
    actionName: _Text = None  # noqa: N815 - the apps' name


class _ParameterError(ValueError):
    """A parameter that is none; its text is for who reads the answer."""


@router.get("/poi", response_class=Response, responses=_ANSWERS)
def poi(request: Request, query: Annotated[PoiQuery, Query()]) -> Response:
    """Stations and car parks, from the nearest on. `actionName` GET_CityPOICategories: the categories.

    GET_CityPOICount: how many there are.
    """
    view = _view(request)
    try:
        city, category = _whole("cityId", query.cityId) or 0, _whole("categoryId", query.categoryId)
        near = _place(query.lat, query.lng)
    except _ParameterError as fault:
        return _fault(view, str(fault))
    if query.actionName == "GET_CityPOICategories":
        return _answer(request, view, categories(view), _CACHE)
    found = pois(view, city, category, near, _address(request, view))
    return _answer(request, view, len(found) if query.actionName == "GET_CityPOICount" else found, _CACHE)


@router.get("/content", response_class=Response, responses=_ANSWERS)
def content(request: Request, query: Annotated[CityQuery, Query()]) -> Response:
    """Warnings in force and ended in the last 24 hours as news of the city."""
    view = _view(request)
    try:
        city = _whole("cityId", query.cityId) or 0
    except _ParameterError as fault:
        return _fault(view, str(fault))
    address = _address(request, view)
    return _answer(request, view, news_of(view, city, address, _picture(address)), _WARNINGS)


@router.get("/infobox", response_class=Response, responses=_ANSWERS)
def infobox(request: Request, query: Annotated[CityQuery, Query()]) -> Response:
    """Warnings in force and ended in the last 24 hours as messages to everybody."""
    view = _view(request)
    try:
        _whole("cityId", query.cityId)
    except _ParameterError as fault:
        return _fault(view, str(fault))
    return _answer(request, view, messages_of(view, _address(request, view)), _WARNINGS)


@router.get("/services", response_class=Response, responses=_ANSWERS)
def services(request: Request, query: Annotated[CityQuery, Query()]) -> Response:
    """The tile that opens the residents' page."""
    view = _view(request)
    try:
        _whole("cityId", query.cityId)
    except _ParameterError as fault:
        return _fault(view, str(fault))
    return _answer(request, view, tiles_of(view.services.city, _address(request, view)), _CACHE)


def _view(request: Request) -> View:
    """The public's, whoever asks: the apps send a token of Citykey's, and a 401 would log their user out."""
    return View(request.app.state.services, request.app.state.book)


def _address(request: Request, view: View) -> str:
    return f"{view.services.base(str(request.base_url))}/"


def _picture(address: str) -> str:
    return f"{address}assets/icon-192.png"


def _whole(name: str, text: str | None) -> int | None:
    if text is None or not text.strip():
        return None
    if not (text.strip().isascii() and text.strip().isdigit()) or len(text) > len(str(_CITY)):
        raise _ParameterError(f"{name} ist keine Zahl")
    return int(text)


def _place(lat: str | None, lng: str | None) -> tuple[float, float] | None:
    if not (lat and lng):
        return None
    try:
        place = float(lat), float(lng)
    except ValueError as error:
        raise _ParameterError("lat und lng sind Grad, zum Beispiel lat=50.99&lng=7.13") from error
    if (
        not (math.isfinite(place[0]) and math.isfinite(place[1]))
        or abs(place[0]) > _LAT
        or abs(place[1]) > _LON
    ):
        raise _ParameterError("lat und lng sind Grad, zum Beispiel lat=50.99&lng=7.13")
    return place


def _answer(request: Request, view: View, content: object, cache: str) -> Response:
    return respond(request, view, orjson.dumps({"content": content}), cache=cache)


def _fault(view: View, text: str) -> Response:
    body = orjson.dumps({"errors": [{"errorCode": "invalid.parameter", "userMsg": text}]})
    # no error is what somebody has already, whatever If-None-Match says
    headers = common_headers(view, "no-store", open_data=False)
    return Response(body, 400, headers, "application/json")
