"""/api/v1/admin/events: what network servers tell of devices beside their uplinks."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from api.caller import Operator
from api.formats import Layout
from api.paging import cut, decode_cursor
from api.responses import internal
from api.rfc3339 import format_us
from api.routes.openapi import collection_of, errors
from api.routes.query import CollectionQuery, Id
from api.routes.stations import nowhere
from api.schemas.operations import DeviceEventItem
from ingest.device_event import DeviceEvent, EventKind

router = APIRouter(prefix="/api/v1/admin", tags=["operators"])


class EventsQuery(CollectionQuery):
    """Events of a device or kind."""

    device: Annotated[Id | None, Field(description="DevEUI, 16 hex digits")] = None
    kind: EventKind | None = None


@router.get(
    "/events",
    response_class=Response,
    responses={**collection_of(DeviceEventItem, geojson=False, open_data=False), **errors(403)},
)
def events(request: Request, view: Operator, query: Annotated[EventsQuery, Query()]) -> Response:
    """What network servers tell of devices beside their uplinks, newest first.

    Joins, answers to status requests, log entries, acknowledged downlinks: the last 20 of each and device.
    """
    after = decode_cursor(query.cursor, int)
    before = None if after is None else int(after[0])
    device = None if query.device is None else query.device.lower().replace("-", "").replace(":", "")
    log = view.services.device_events
    rows = [] if log is None else log.recent(query.limit + 1, before, device, query.kind)
    chosen, last = cut(rows, lambda row: (row[0],), query.limit)
    return internal(
        request,
        view,
        query.f,
        [_item(number, event) for number, event in chosen],
        Layout(tuple(DeviceEventItem.model_fields), nowhere),
        last,
    )


def _item(number: int, event: DeviceEvent) -> dict[str, Any]:
    return {
        "id": number,
        "time": format_us(event.time_us),
        "device": event.dev_eui,
        "kind": event.kind.value,
        "error": event.error,
        "detail": event.detail,
        "battery_percent": event.battery_percent,
        "external_power": event.external_power,
        "margin_db": event.margin_db,
        "server": event.server,
        "arrived": format_us(event.arrived_us),
    }
