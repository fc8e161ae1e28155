"""/api/v1/admin/incidents: what happens in each catchment as one, and what people decide about it."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from alerts.incidents.decision import Action, Decision, DecisionRefusedError
from alerts.incidents.incident import Incident, Member
from api.caller import Operator
from api.formats import Layout, document
from api.paging import decode_cursor, page
from api.problems import Problem
from api.responses import PRIVATE, common_headers, internal, respond
from api.rfc3339 import format_us
from api.routes.audit import note
from api.routes.openapi import collection_of, errors, one_of
from api.routes.query import CollectionQuery
from api.routes.stations import nowhere
from api.routes.warning_item import UNITS
from api.schemas.incidents import IncidentItem
from api.visibility import View

router = APIRouter(prefix="/api/v1/admin/incidents", tags=["operators"])
_LAYOUT = Layout(
    ("id", "catchment", "status", "severity", "peak_severity", "all_clear", "began", "changed", "ended"),
    nowhere,
)
_STATUS = {"unknown": 404, "closed": 409, "too_early": 409, "late": 503}
_HINTS = {
    "unknown": "the list of what there is: /api/v1/admin/incidents",
    "closed": "what begins later is an incident of its own",
    "too_early": "an all-clear is possible once nothing is Severe or above any more",
    "late": "look at /readyz",
}
IncidentId = Annotated[str, Path(max_length=120)]
_Line = StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$")


class DecisionBody(BaseModel):
    """A person's decision: acknowledge (somebody takes care), confirm, decline, all_clear."""

    model_config = ConfigDict(extra="forbid")

    action: Action
    by: Annotated[str, _Line, Field(max_length=100, description="The person's name")]
    reason: Annotated[str, _Line, Field(max_length=500)]


@router.get(
    "",
    response_class=Response,
    responses={**collection_of(IncidentItem, geojson=False, open_data=False), **errors(403)},
)
def incidents(request: Request, view: Operator, query: Annotated[CollectionQuery, Query()]) -> Response:
    """Incidents that stand or wait for their all-clear first, then those that closed in the last 7 days."""
    keyed = {
        (int(each.status == "closed"), -each.began_us, each.id): each
        for each in view.services.incidents.incidents()
    }
    after = decode_cursor(query.cursor, int, int, str)
    chosen, last = page(sorted(keyed), lambda key: key, after, query.limit)
    return internal(request, view, query.f, [_item(view, keyed[key]) for key in chosen], _LAYOUT, last)


@router.get(
    "/{incident_id}",
    response_class=Response,
    responses={**one_of(IncidentItem, open_data=False), **errors(401, 403, 404, 422)},
)
def incident(request: Request, view: Operator, incident_id: IncidentId) -> Response:
    """One incident with its members, lost sensors and decisions."""
    return respond(request, view, _body(view, incident_id), cache=PRIVATE, open_data=False)


@router.post(
    "/{incident_id}/decisions",
    status_code=201,
    response_class=Response,
    responses={**one_of(IncidentItem, 201, open_data=False), **errors(401, 403, 404, 409, 422, 503)},
)
def decide(view: Operator, incident_id: IncidentId, body: DecisionBody) -> Response:
    """Take a decision; answers with the incident after it."""
    services = view.services
    decision = Decision(incident_id, body.action, body.by, body.reason, services.clock())
    try:
        services.decide(decision)
    except DecisionRefusedError as refused:
        # what the engine has forgotten and the board still shows is over
        known = services.incidents.get(incident_id) is not None
        why = "closed" if refused.why == "unknown" and known else refused.why
        raise Problem(_STATUS[why], str(refused), _HINTS[why]) from refused
    note(view, body.by, f"incident {body.action}", incident_id, body.reason)
    headers = common_headers(view, PRIVATE, open_data=False)
    return Response(_body(view, incident_id), 201, headers, "application/json")


def _body(view: View, incident_id: str) -> bytes:
    found = view.services.incidents.get(incident_id)
    if found is None:
        raise Problem(404, f"there is no incident {incident_id!r}", _HINTS["unknown"])
    return document(_item(view, found), None)


def _item(view: View, incident: Incident) -> dict[str, Any]:
    severity = incident.severity
    members = sorted(incident.members.values(), key=lambda m: (not m.in_force, -m.changed_us, m.episode))
    return {
        "id": incident.id,
        "catchment": incident.catchment,
        "status": incident.status,
        "exercise": incident.exercise,
        "severity": severity,
        "peak_severity": incident.peak,
        "all_clear": incident.clearance or None,
        "began": format_us(incident.began_us),
        "changed": format_us(incident.changed_us),
        "ended": None if incident.ended_us is None else format_us(incident.ended_us),
        "falling": None if incident.falling_us is None else format_us(incident.falling_us),
        "members": [_member(view, each) for each in members],
        "lost": [
            {"station": each.station, "since": format_us(each.since_us), "found": format_us(each.found_us)}
            for each in incident.lost.values()
        ],
        "unverified": [
            {
                "station": each.station,
                "measure": each.measure,
                "value": each.value,
                "time": format_us(each.time_us),
            }
            for each in incident.notices
        ],
        "decisions": [
            {"action": each.action, "by": each.by, "reason": each.reason, "time": format_us(each.time_us)}
            for each in incident.decisions
        ],
    }


def _member(view: View, member: Member) -> dict[str, Any]:
    station = view.stations.get(member.station)
    return {
        "warning": member.episode,
        "in_force": member.in_force,
        "station": member.station,
        "station_name": member.station if station is None else station.name,
        "measure": member.measure,
        "level": member.level,
        "severity": member.severity,
        "value": member.value,
        "unit": UNITS.get(member.measure, ""),
        "window_min": member.window_min,
        "since": format_us(member.since_us),
        "changed": format_us(member.changed_us),
        "confirmation": member.confirmation or None,
        "audience": member.audience,
        "rule": member.rule,
    }
