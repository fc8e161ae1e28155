"""/api/v1/stations and /api/v1/properties: what measures here, and what is measured."""

from collections.abc import Container, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from alerts.kernels.plan import LEVEL
from api.caller import AnyCaller
from api.formats import Item, Layout, document
from api.mobility.parks import PARKING, shown_parks
from api.paging import decode_cursor, link_next, page
from api.responses import collection, respond
from api.routes.level_item import level_items
from api.routes.openapi import collection_of, errors, one_of
from api.routes.query import CollectionQuery
from api.schemas.levels import StationNow
from api.schemas.measurements import Property, Station
from api.visibility import View

router = APIRouter(prefix="/api/v1", tags=["stations"])
_CACHE = "public, max-age=60"
_CACHE_LEVELS = "public, max-age=10"
_COLUMNS = (
    *("id", "name", "lat", "lon", "themes", "properties", "interval_s", "capacity", "stages_cm"),
    *("gauge_zero_m", "water", "public"),
)


def place(item: Item) -> tuple[float, float] | None:
    """Longitude and latitude of an item that carries its own."""
    return None if item["lat"] is None or item["lon"] is None else (item["lon"], item["lat"])


def nowhere(_: Item) -> None:
    """For items without a place."""


@router.get("/stations", response_class=Response, responses=collection_of(Station))
def stations(request: Request, view: AnyCaller, query: Annotated[CollectionQuery, Query()]) -> Response:
    """All stations."""
    observed, parks = _observed(view), shown_parks(view)
    items = [_item(view, id_, observed.get(id_, ()), parks) for id_ in sorted(view.stations)]
    after = decode_cursor(query.cursor, str)
    chosen, last = page(items, lambda item: (item["id"],), after, query.limit)
    columns = _COLUMNS if view.operator is None else (*_COLUMNS, "devices")
    return collection(
        request,
        view,
        query.f,
        items=chosen,
        layout=Layout(columns, place),
        cache=_CACHE,
        link=link_next(request, last),
    )


@router.get(
    "/stations/{station_id}",
    response_class=Response,
    responses={**one_of(StationNow), **errors(401, 404, 422)},
)
def station(request: Request, view: AnyCaller, station_id: Annotated[str, Path(max_length=200)]) -> Response:
    """One station."""
    view.station(station_id)
    observed = _observed(view).get(station_id, ())
    item = _item(view, station_id, observed, shown_parks(view))
    if LEVEL in observed and view.live(LEVEL):
        item["levels"] = level_items(view.services.levels(station_id), view.services.clock())
    return respond(request, view, document(item, view.terms), cache=_CACHE_LEVELS)


@router.get("/properties", response_class=Response, responses=collection_of(Property, geojson=False))
def properties(request: Request, view: AnyCaller, query: Annotated[CollectionQuery, Query()]) -> Response:
    """Observed properties: names, units, labels; on what terms, how late and how finely they are public."""
    items = [
        {
            "name": each.name,
            "unit": each.unit,
            "kind": each.kind,
            "theme": each.theme,
            "label": {"de": each.name_de, "en": each.name_en},
            "decimals": each.decimals,
            **_rule(view, each.name),
        }
        for _, each in sorted(view.properties.items())
    ]
    after = decode_cursor(query.cursor, str)
    chosen, last = page(items, lambda item: (str(item["name"]),), after, query.limit)
    layout = Layout(
        (
            "name",
            "unit",
            "kind",
            "theme",
            "decimals",
            "license",
            "attribution",
            "delay_s",
            "coarsen_s",
            "round",
            "suppress_below",
        ),
        nowhere,
    )
    return collection(
        request, view, query.f, items=chosen, layout=layout, cache=_CACHE, link=link_next(request, last)
    )


def _rule(view: View, name: str) -> dict[str, Any]:
    rule, terms = view.services.rule(name), view.services.terms_of(name)
    return {
        "license": terms.license,
        "attribution": terms.attribution,
        "delay_s": rule.delay_us / 1e6,
        "coarsen_s": rule.coarsen_us / 1e6,
        "round": rule.round_to or None,
        "suppress_below": rule.suppress_below or None,
    }


def _observed(view: View) -> Mapping[str, Sequence[str]]:
    """Names of the properties each station has readings of, as far as this caller may know."""
    found: dict[str, set[str]] = {}
    for series in view.series():
        found.setdefault(series.station, set()).add(series.property)
    return {id_: sorted(names) for id_, names in found.items()}


def _item(view: View, id_: str, observed: Sequence[str], parks: Container[str]) -> dict[str, Any]:
    station = view.stations[id_]
    registry, catalogue = view.registry, view.services.catalogue
    devices = [registry.devices[eui] for eui in station.devices]
    types = [catalogue[device.type] for device in devices if device.type in catalogue]
    intervals = [
        device.interval_s or (catalogue[device.type].interval_s if device.type in catalogue else None)
        for device in devices
    ]
    themes = {each.theme for each in types} or _themes(view, observed)
    if id_ in parks:
        # also where it is told by counters, which are of traffic
        themes.add(PARKING)
    item: dict[str, Any] = {
        "id": station.id,
        "name": station.name,
        "lat": station.lat,
        "lon": station.lon,
        "themes": sorted(themes),
        "properties": observed,
        "interval_s": max(filter(None, intervals), default=None),
        "capacity": station.capacity,
        "stages_cm": list(station.stages_cm),
        "gauge_zero_m": station.gauge_zero_m,
        "water": station.water,
        "public": station.public,
    }
    if view.operator is not None:
        item["devices"] = list(station.devices)
    return item


def _themes(view: View, observed: Sequence[str]) -> set[str]:
    return {view.properties[name].theme for name in observed if name in view.properties}
