"""/api/v1/admin/inbox: devices that send and that nobody has registered, and what they may be."""

from collections.abc import Iterable
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from api.caller import Operator
from api.formats import Format, Layout
from api.paging import decode_cursor, page
from api.problems import Problem
from api.responses import PRIVATE, internal, respond
from api.rfc3339 import format_us
from api.routes.openapi import collection_of, errors
from api.routes.query import CollectionQuery
from api.routes.stations import nowhere
from api.schemas.inbox import UnregisteredDevice, UnregisteredItem
from api.visibility import View
from devices.guess import Guess
from devices.measurement import Measurement
from ingest.inbox import Inbox, Unregistered
from ingest.uplink import Uplink

router = APIRouter(prefix="/api/v1/admin/inbox", tags=["operators"])
_COLUMNS = tuple(name for name in UnregisteredItem.model_fields if name != "guesses")
_LAYOUT = Layout((*_COLUMNS, "type"), nowhere)
_MOST_GUESSES = 5
_LONGEST = 200


class InboxQuery(CollectionQuery):
    """Unregistered devices. What they may be is worked out for each: a page is short."""

    limit: Annotated[int, Query(ge=1, le=200, description="items on a page")] = 50


@router.get(
    "",
    response_class=Response,
    responses={**collection_of(UnregisteredItem, geojson=False, open_data=False), **errors(403)},
)
def inbox(request: Request, view: Operator, query: Annotated[InboxQuery, Query()]) -> Response:
    """Unregistered devices, the one heard last first, with up to five types that read all payloads.

    An answer takes its time, about two seconds at most; `untried` types are left for the next request.
    """
    kept = _inbox(view)
    after = decode_cursor(query.cursor, int, str)
    chosen, last = page(kept.devices(), lambda each: (-each.last_us, each.dev_eui), after, query.limit)
    items = [_item(view, each, _MOST_GUESSES) for each in kept.look(chosen)]
    for item in items:
        item["type"] = item["guesses"][0]["type"] if item["guesses"] else ""
        if query.f is Format.CSV:
            item |= {each: _no_formula(item[each]) for each in ("name", "profile")}
    return internal(request, view, query.f, items, _LAYOUT, last)


@router.get(
    "/{dev_eui}",
    response_class=Response,
    responses={200: {"model": UnregisteredDevice}, **errors(401, 403, 404, 422)},
)
def device(request: Request, view: Operator, dev_eui: Annotated[str, Path(max_length=40)]) -> Response:
    """One unregistered device with its newest uplinks and every type that reads all of them.

    While some are `untried`, ask again: the next request goes on where this one ended.
    """
    eui = dev_eui.lower().replace("-", "").replace(":", "")
    kept = _inbox(view)
    seen = next((each for each in kept.devices() if each.dev_eui == eui), None)
    if seen is None:
        hint = "registered devices: /api/v1/admin/devices"
        raise Problem(404, f"no unregistered device {dev_eui!r} was heard", hint)
    [found] = kept.look([seen])
    body = orjson.dumps({**_item(view, found), "uplinks": [_uplink(each) for each in found.recent]})
    return respond(request, view, body, cache=PRIVATE, open_data=False)


def _inbox(view: View) -> Inbox:
    if view.services.inbox is None:
        raise Problem(404, "no inbox here", "this application was made without one")
    return view.services.inbox


def _no_formula(text: str) -> str:
    """What the network server wrote, so that no spreadsheet that opens the list runs it."""
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text


def _item(view: View, found: Unregistered, most: int | None = None) -> dict[str, Any]:
    recent, seen = found.recent, found.seen
    newest = recent[0] if recent else None
    heard = [gateway for each in recent for gateway in each.gateways]
    return {
        "device": seen.dev_eui,
        "count": seen.count,
        "first": format_us(seen.first_us),
        "last": format_us(seen.last_us),
        "servers": sorted({each.server for each in recent}),
        "name": next((each.device_name for each in recent if each.device_name), "")[:_LONGEST],
        "profile": next((each.codec_hint for each in recent if each.codec_hint), "")[:_LONGEST],
        "f_ports": sorted({each.f_port for each in recent}),
        "f_port": newest.f_port if newest else None,
        "payload": newest.payload.hex() if newest else "",
        "rssi": _best(each.rssi for each in heard),
        "snr": _best(each.snr for each in heard),
        "gateways": sorted({each.id for each in heard}),
        "guesses": [_guess(view, each) for each in found.guesses[:most]],
        "untried": found.untried,
    }


def _guess(view: View, found: Guess) -> dict[str, Any]:
    return {
        "type": found.type.id,
        "maker": found.type.maker,
        "model": found.type.model,
        "name": {"de": found.type.name_de, "en": found.type.name_en},
        "fit": found.fit,
        "named": found.named,
        "reason": found.reason,
        "frames": found.frames,
        "readings": found.readings,
        "failed": found.failed,
        "missing": found.missing,
        "strictness": round(found.strictness, 2),
        "heeded": round(found.heeded, 2),
        "properties": len(found.type.properties),
        "seen": found.seen,
        "values": [_value(view, each) for each in found.newest],
    }


def _value(view: View, measured: Measurement) -> dict[str, Any]:
    known = view.services.properties[measured.property]
    return {
        "property": measured.property,
        "name": {"de": known.name_de, "en": known.name_en},
        "channel": measured.channel,
        "value": measured.value,
        "unit": known.unit,
        "quality": int(measured.quality),
    }


def _uplink(uplink: Uplink) -> dict[str, Any]:
    return {
        "time": format_us(uplink.arrived_us),
        "f_port": uplink.f_port,
        "f_cnt": uplink.f_cnt,
        "payload": uplink.payload.hex(),
        "rssi": _best(each.rssi for each in uplink.gateways),
        "snr": _best(each.snr for each in uplink.gateways),
        "spreading_factor": uplink.spreading_factor,
    }


def _best(values: Iterable[float | None]) -> float | None:
    return max((each for each in values if each is not None), default=None)
