"""/api/v1/official-warnings: what the Deutscher Wetterdienst warns of here, in its own words."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.caller import AnyCaller
from api.formats import Layout
from api.paging import decode_cursor, link_next, page
from api.problems import Problem
from api.responses import collection
from api.rfc3339 import format_us
from api.routes.openapi import collection_of, errors
from api.routes.query import CollectionQuery
from api.routes.stations import nowhere
from api.schemas.warnings import OfficialWarning as Schema
from api.terms import Terms, terms_alone
from api.visibility import View
from ingest.neighbours.dwd_cap import FRESH_US
from ingest.neighbours.official_warning import Official, OfficialWarning

router = APIRouter(prefix="/api/v1", tags=["warnings"])
_CACHE = "no-cache"
SOURCE = "Quelle: Deutscher Wetterdienst"
_LICENSE = "https://creativecommons.org/licenses/by/4.0/"
_LAYOUT = Layout(
    (
        *(
            "id",
            "kind",
            "status",
            "event",
            "code",
            "level",
            "severity",
            "headline",
            "onset",
            "expires",
            "sent",
        ),
        *("description", "instruction", "areas", "above_m", "below_m", "sender", "web"),
    ),
    nowhere,
)


@router.get(
    "/official-warnings",
    response_class=Response,
    responses={**collection_of(Schema, geojson=False), **errors(503)},
)
async def official_warnings(
    request: Request, view: AnyCaller, query: Annotated[CollectionQuery, Query()]
) -> Response:
    """Official warnings and advance notices for the city, unchanged, worst first.

    They are the Deutscher Wetterdienst's and no conclusion of the city's sensors. 404 when the city has no
    such source, 503 when it has not answered for half an hour: an empty list always means that there is none.
    """
    if not has_official(view):
        raise Problem(404, "no source of official warnings is configured here")
    official = seen(view)
    if official is None:
        raise Problem(503, "the Deutscher Wetterdienst does not answer", "see https://www.dwd.de/warnungen")
    after = decode_cursor(query.cursor, int)
    keyed = list(enumerate(official_items(view, official)))
    chosen, last = page(keyed, lambda each: (each[0],), after, query.limit)
    return collection(
        request,
        view,
        query.f,
        items=[item for _, item in chosen],
        layout=_LAYOUT,
        cache=_CACHE,
        link=link_next(request, last),
        # the source and the licence are DWD's, whatever the city's own data stand under
        terms=terms_alone(Terms(_LICENSE, SOURCE)),
    )


def has_official(view: View) -> bool:
    """Whether there is a source, and this caller may see it."""
    services = view.services
    return services.official() is not None and (services.official_public or view.operator is not None)


def seen(view: View) -> Official | None:
    """What this caller may see; None where no source is configured, or it is not public, or it is silent.

    Texts of a silent source are not shown: DWD lets its name stand by its warnings only where they are
    complete and on time (docs/neighbours.md).
    """
    official = view.services.official()
    if official is None or not has_official(view) or official.as_of_us is None:
        return None
    return official if view.services.clock() - official.as_of_us <= FRESH_US else None


def official_items(view: View, official: Official) -> list[Mapping[str, Any]]:
    """The warnings that have not expired."""
    now_us = view.services.clock()
    return [_item(each, now_us) for each in official.warnings if not each.over(now_us)]


def _item(warning: OfficialWarning, now_us: int) -> Mapping[str, Any]:
    return {
        "id": warning.identifier,
        "kind": warning.kind,
        "status": "in_force" if warning.covers(now_us) else "to_come",
        "sender": warning.sender,
        "event": warning.event,
        "code": warning.code,
        "level": warning.level,
        "severity": warning.severity,
        "headline": warning.headline,
        "description": warning.description,
        "instruction": warning.instruction,
        "onset": format_us(warning.onset_us),
        "expires": None if warning.expires_us is None else format_us(warning.expires_us),
        "sent": format_us(warning.sent_us),
        "areas": list(warning.areas),
        "above_m": warning.above_m,
        "below_m": warning.below_m,
        "web": warning.web,
    }
