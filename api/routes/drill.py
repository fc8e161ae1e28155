"""/api/v1/admin/drill: a recorded event played as an exercise, one at a time."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from alerts.drill import MAX_BYTES, MAX_SPEED, Drills, DrillStatus
from alerts.errors import DrillBusyError, DrillError
from api.caller import Operator
from api.problems import Problem
from api.responses import PRIVATE
from api.rfc3339 import format_us
from api.routes.audit import note
from api.routes.openapi import errors
from api.schemas.incidents import Drill
from api.visibility import View

router = APIRouter(prefix="/api/v1/admin", tags=["operators"])
_CSV: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The recording, `time,station,property,value` as for a backtest; at most 8 MB",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}


class DrillQuery(BaseModel):
    """How a recording is played."""

    model_config = ConfigDict(extra="forbid")

    speed: Annotated[float, Field(gt=0, le=MAX_SPEED, description="times as fast as recorded")] = 60.0
    release_public: Annotated[
        str,
        Field(max_length=80, description="name of who releases it to the public; left out: staff only"),
    ] = ""


@router.post(
    "/drill",
    status_code=201,
    response_class=Response,
    responses={201: {"model": Drill}, **errors(401, 403, 409, 413, 422)},
    openapi_extra=_CSV,
)
async def begin(request: Request, view: Operator, query: Annotated[DrillQuery, Query()]) -> Response:
    """Play a recording as an exercise. It ends at its last reading, by DELETE, or at a real alarm."""
    drills = _drills(view)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Problem(413, f"more than {MAX_BYTES >> 20} MB", "cut the recording to the event")
    release = query.release_public.strip()
    try:
        status = await run_in_threadpool(
            drills.begin, bytes(body), by=view.operator or "", speed=query.speed, release=release
        )
    except DrillBusyError as error:
        raise Problem(
            409, str(error), "GET this address tells what runs; during a real alarm none starts"
        ) from error
    except DrillError as error:
        raise Problem(422, str(error), "columns: time,station,property,value, as for a backtest") from error
    released = f", released to the public by {status.released_by}" if release else ""
    what = f"recording of {status.readings} readings{released}"
    await run_in_threadpool(note, view, status.started_by, "drill start", status.id, what)
    return _answer(status, 201)


@router.get("/drill", response_class=Response, responses={200: {"model": Drill}, **errors(401, 403, 404)})
def status(view: Operator) -> Response:
    """The drill that runs, or the last one since the start of the service."""
    return _answer(_drills(view).status)


@router.delete("/drill", response_class=Response, responses={200: {"model": Drill}, **errors(401, 403, 404)})
def end(view: Operator) -> Response:
    """End the drill that runs; its warnings are cleared."""
    drills = _drills(view)
    running = drills.status is not None and drills.status.running
    ended = drills.end(view.operator or "")
    if running and ended is not None:
        note(view, view.operator or "", "drill stop", ended.id, ended.reason)
    return _answer(ended)


def _drills(view: View) -> Drills:
    if view.services.drills is None:
        raise Problem(404, "no drills here", "this application was made without them")
    return view.services.drills


def _answer(drill: DrillStatus | None, code: int = 200) -> Response:
    if drill is None:
        raise Problem(404, "no drill since the start of the service", "POST a recording here to start one")
    body = {
        "id": drill.id,
        "running": drill.running,
        "started_by": drill.started_by,
        "released_by": drill.released_by,
        "speed": drill.speed,
        "started": format_us(drill.started_us),
        "until": format_us(drill.until_us),
        "ended": None if drill.ended_us is None else format_us(drill.ended_us),
        "reason": drill.reason,
        "readings": drill.readings,
        "played": drill.played,
        "events": drill.events,
        "skipped": drill.skipped,
        "complaints": drill.complaints,
    }
    headers = {"Cache-Control": PRIVATE, "Vary": "Authorization"}
    return Response(orjson.dumps(body), code, headers, "application/json")
