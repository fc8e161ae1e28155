"""/api/v1/admin/audit: who decided what, when and why."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response

from alerts.audit import AuditLog, Entry
from api.caller import Operator
from api.formats import Layout
from api.paging import cut, decode_cursor
from api.problems import Problem
from api.responses import PRIVATE, internal
from api.rfc3339 import format_us
from api.routes.openapi import collection_of, errors
from api.routes.query import CollectionQuery
from api.routes.stations import nowhere
from api.schemas.operations import AuditChain, AuditEntry
from api.visibility import View

router = APIRouter(prefix="/api/v1/admin/audit", tags=["operators"])
_LAYOUT = Layout(tuple(AuditEntry.model_fields), nowhere)


def note(view: View, by: str, action: str, subject: str, reason: str) -> None:
    """Note what an operator has done, with the name of the token it was done with."""
    if view.services.audit is not None:
        view.services.audit.note(by, action, subject, reason, f"token {view.operator}")


@router.get(
    "",
    response_class=Response,
    responses={**collection_of(AuditEntry, geojson=False, open_data=False), **errors(403)},
)
def audit(request: Request, view: Operator, query: Annotated[CollectionQuery, Query()]) -> Response:
    """What people decided and entered, newest first. Entries hold no contact data."""
    cursor = decode_cursor(query.cursor, int)
    rows = _log(view).entries(query.limit + 1, None if cursor is None else int(cursor[0]))
    chosen, last = cut(rows, lambda entry: (entry.seq,), query.limit)
    return internal(request, view, query.f, [_item(each) for each in chosen], _LAYOUT, last)


@router.get(
    "/chain", response_class=Response, responses={200: {"model": AuditChain}, **errors(401, 403, 404)}
)
def chain(view: Operator) -> Response:
    """Read the whole log and say where its chain of hashes breaks. `head` is worth noting elsewhere."""
    found = _log(view).chain()
    body = {"entries": found.entries, "head": found.head, "broken_at": found.broken_at}
    headers = {"Cache-Control": PRIVATE, "Vary": "Authorization"}
    return Response(orjson.dumps(body), 200, headers, "application/json")


def _log(view: View) -> AuditLog:
    if view.services.audit is None:
        raise Problem(404, "no audit log here", "this application was made without one")
    return view.services.audit


def _item(entry: Entry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "time": format_us(entry.time_us),
        "by": entry.by,
        "action": entry.action,
        "subject": entry.subject,
        "reason": entry.reason,
        "detail": entry.detail,
        "previous": entry.previous,
        "hash": entry.hash,
    }
