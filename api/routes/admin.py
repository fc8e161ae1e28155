"""/api/v1/admin: what operators see - refused messages, raw uplinks, devices, receipts."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from alerts.delivery.delivery import Receipt
from api.caller import Operator
from api.formats import Format, Layout
from api.paging import cut, decode_cursor, page
from api.responses import internal
from api.rfc3339 import format_us
from api.routes.openapi import collection_of, errors
from api.routes.query import CollectionQuery, Id
from api.routes.reading_item import reading_items
from api.routes.stations import nowhere
from api.schemas.operations import AdminDevice, AdminUplink, Delivery, RejectedUplink
from api.visibility import View
from ingest.device_event import DeviceEvent, EventKind
from ingest.journal import RejectedRow
from ingest.loss_book import Losses
from ingest.reading import Readings
from ingest.store import Point
from ingest.uplink import Uplink

router = APIRouter(prefix="/api/v1/admin", tags=["operators"])
_SHOWN_PAYLOAD = 4_000
_MOST_UPLINKS = 1_000
Device = Annotated[Id | None, Field(description="DevEUI, 16 hex digits")]


class RejectedQuery(CollectionQuery):
    """Refused messages of a device or reason."""

    device: Device = None
    reason: Annotated[Id | None, Field(description="as counted, such as unknown_device")] = None


class UplinksQuery(BaseModel):
    """The newest uplinks."""

    model_config = ConfigDict(extra="forbid")

    device: Device = None
    limit: Annotated[int, Field(ge=1, le=_MOST_UPLINKS)] = 100


def _admin(model: type, *, csv: bool = True) -> dict[int | str, dict[str, Any]]:
    return {**collection_of(model, csv=csv, geojson=False, open_data=False), **errors(403)}


@router.get("/rejected", response_class=Response, responses=_admin(RejectedUplink))
def rejected(request: Request, view: Operator, query: Annotated[RejectedQuery, Query()]) -> Response:
    """Refused messages, newest first, with their reasons."""
    after = decode_cursor(query.cursor, int)
    before = None if after is None else int(after[0])
    rows = view.services.journal.rejected(query.limit + 1, before, _eui(query.device), query.reason)
    chosen, last = cut(rows, lambda row: (row.id,), query.limit)
    layout = Layout(("id", "time", "reason", "detail", "server", "topic", "device", "payload"), nowhere)
    items = [_refused(row) for row in chosen]
    return internal(request, view, query.f, items, layout, last)


@router.get("/uplinks", response_class=Response, responses=_admin(AdminUplink, csv=False))
def uplinks(request: Request, view: Operator, query: Annotated[UplinksQuery, Query()]) -> Response:
    """The newest stored uplinks, newest first: raw, what was read from them, what the codec left over."""
    rows = view.services.journal.latest_uplinks(query.limit, _eui(query.device))
    items = [_uplink(view, *row) for row in rows]
    return internal(request, view, Format.JSON, items, Layout((), nowhere))


@router.get("/devices", response_class=Response, responses=_admin(AdminDevice))
def devices(request: Request, view: Operator, query: Annotated[CollectionQuery, Query()]) -> Response:
    """Installed devices, when each was last heard, and how many uplinks were lost on the air."""
    heard: dict[str, int] = {}
    for point in view.services.latest.latest():
        eui = point.series.dev_eui
        heard[eui] = max(point.time_us, heard.get(eui, point.time_us))
    log = view.services.device_events
    told = {} if log is None else log.latest()
    items = [
        {
            "device": each.dev_eui,
            "type": each.type,
            "station": each.station,
            "name": each.name,
            "public": each.public,
            "interval_s": each.interval_s,
            "last_time": format_us(heard[each.dev_eui]) if each.dev_eui in heard else None,
            **_told(told, each.dev_eui),
            "note": each.note,
        }
        for _, each in sorted(view.registry.devices.items())
    ]
    after = decode_cursor(query.cursor, str)
    chosen, last = page(items, lambda item: (str(item["device"]),), after, query.limit)
    losses = view.services.losses([str(item["device"]) for item in chosen])
    chosen = [item | _lost(losses.get(str(item["device"]))) for item in chosen]
    layout = Layout(tuple(AdminDevice.model_fields), nowhere)
    return internal(request, view, query.f, chosen, layout, last)


@router.get("/deliveries", response_class=Response, responses=_admin(Delivery))
def deliveries(request: Request, view: Operator, query: Annotated[CollectionQuery, Query()]) -> Response:
    """Receipts of alerts, newest first."""
    cursor = decode_cursor(query.cursor, int, str)
    after = None if cursor is None else (int(cursor[0]), str(cursor[1]))
    rows = view.services.deliveries(query.limit + 1, after)
    chosen, last = cut(rows, lambda row: (row.seq, row.channel), query.limit)
    layout = Layout(tuple(Delivery.model_fields), nowhere)
    items = [_receipt(row) for row in chosen]
    return internal(request, view, query.f, items, layout, last)


def _told(told: Mapping[tuple[str, EventKind], DeviceEvent], dev_eui: str) -> dict[str, Any]:
    """What network servers told of a device last."""
    join, status = told.get((dev_eui, EventKind.JOIN)), told.get((dev_eui, EventKind.STATUS))
    error = told.get((dev_eui, EventKind.LOG))
    return {
        "last_join": None if join is None else format_us(join.time_us),
        "battery_percent": None if status is None else status.battery_percent,
        "last_error": None if error is None else f"{format_us(error.time_us)} {error.detail}",
    }


def _lost(losses: Losses | None) -> dict[str, int | None]:
    """How well a device is heard."""
    return {
        "uplinks_24h": None if losses is None else losses.day.arrived,
        "lost_24h": None if losses is None else losses.day.lost,
        "uplinks_7d": None if losses is None else losses.week.arrived,
        "lost_7d": None if losses is None else losses.week.lost,
    }


def _eui(text: str | None) -> str | None:
    return None if text is None else text.lower().replace("-", "").replace(":", "")


def _refused(row: RejectedRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "time": format_us(row.message.arrived_us),
        "reason": row.rejected.reason,
        "detail": row.rejected.detail,
        "server": row.message.server,
        "topic": row.message.topic,
        "device": None if row.uplink is None else row.uplink.dev_eui,
        "payload": row.message.payload[:_SHOWN_PAYLOAD].decode("utf-8", "replace"),
    }


def _receipt(row: Receipt) -> dict[str, Any]:
    return {
        "event": row.event,
        "warning": row.episode,
        "channel": row.channel,
        "kind": row.kind,
        "status": row.status,
        "attempts": row.attempts,
        "interrupted": row.interrupted,
        "detail": row.detail,
        "event_time": format_us(row.event_us),
        "created": format_us(row.created_us),
        "started": None if row.started_us is None else format_us(row.started_us),
        "ended": None if row.ended_us is None else format_us(row.ended_us),
    }


def _uplink(view: View, seq: int, uplink: Uplink, readings: Readings) -> dict[str, Any]:
    return {
        "seq": seq,
        "device": uplink.dev_eui,
        "server": uplink.server,
        "time": format_us(uplink.time_us),
        "arrived": format_us(uplink.arrived_us),
        "f_port": uplink.f_port,
        "f_cnt": uplink.f_cnt,
        "payload": uplink.payload.hex(),
        "spreading_factor": uplink.spreading_factor,
        "gateways": [{"id": each.id, "rssi": each.rssi, "snr": each.snr} for each in uplink.gateways],
        "readings": reading_items(view, _points(view, readings)),
        **_codec_notes(uplink),
    }


def _codec_notes(uplink: Uplink) -> dict[str, Any]:
    notes = orjson.loads(uplink.codec_notes) if uplink.codec_notes else {}
    return {
        "time_source": notes.get("time_source", uplink.time_source.value),
        "unmapped": notes.get("unmapped", {}),
        "codec_warnings": notes.get("warnings", []),
    }


def _points(view: View, readings: Readings) -> Sequence[Point]:
    known = view.book.all()
    return [
        Point(
            known[row["series"]],
            int(row["time_us"]),
            None if math.isnan(row["value"]) else float(row["value"]),
            int(row["quality"]),
        )
        for row in readings
    ]
