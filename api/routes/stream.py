"""/api/v1/stream: changes as they happen (server-sent events)."""

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse

from api.caller import AnyCaller
from api.routes.openapi import errors

if TYPE_CHECKING:
    from api.stream import Stream

router = APIRouter(prefix="/api/v1", tags=["stream"])


@router.get(
    "/stream",
    response_class=Response,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **errors(401, 422, 503),
    },
)
async def stream(
    request: Request,
    view: AnyCaller,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> StreamingResponse:
    """Server-sent events, each with `now`.

    `hello` at the start; `city_warning`, `warnings`, `readings` and `congestions` with the `items` that
    changed; `heartbeat` every 15 seconds; `reset` when what was missed is not known any more: read the
    collections again.
    """
    hub: Stream = request.app.state.stream
    hub.admit(view.operator)
    return StreamingResponse(
        hub.listen(view.operator, last_event_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
