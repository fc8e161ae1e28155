"""/api/v1/admin/mailings: what residents who subscribed were sent; counts, never addresses."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from alerts.delivery.mailings import MailingSummary, RunSummary
from api.caller import Operator
from api.formats import Layout
from api.paging import cut, decode_cursor
from api.responses import internal
from api.rfc3339 import format_us
from api.routes.openapi import collection_of, errors
from api.routes.query import CollectionQuery
from api.routes.stations import nowhere
from api.schemas.operations import Mailing

router = APIRouter(prefix="/api/v1/admin/mailings", tags=["operators"])
_LAYOUT = Layout(tuple(Mailing.model_fields), nowhere)


@router.get(
    "",
    response_class=Response,
    responses={**collection_of(Mailing, geojson=False, open_data=False), **errors(403)},
)
def mailings(request: Request, view: Operator, query: Annotated[CollectionQuery, Query()]) -> Response:
    """Messages to residents who subscribed, newest first, with how many have been told."""
    cursor = decode_cursor(query.cursor, int)
    rows = view.services.mailings(query.limit + 1, None if cursor is None else int(cursor[0]))
    chosen, last = cut(rows, lambda mailing: (mailing.id,), query.limit)
    return internal(request, view, query.f, [_item(each) for each in chosen], _LAYOUT, last)


def _item(mailing: MailingSummary) -> dict[str, Any]:
    return {
        "id": mailing.id,
        "event": mailing.event,
        "warning": mailing.episode,
        "told": mailing.told,
        "kind": mailing.kind,
        "severity": mailing.severity,
        "event_time": format_us(mailing.event_us),
        "created": format_us(mailing.created_us),
        "ways": [_run(each) for each in mailing.runs],
    }


def _run(run: RunSummary) -> dict[str, Any]:
    return {
        "way": run.way,
        "state": run.state,
        "wanted": run.wanted,
        "sent": run.sent,
        "refused": run.refused,
        "first": None if run.first_us is None else format_us(run.first_us),
        "last": None if run.last_us is None else format_us(run.last_us),
    }
