"""/api/v1/scale: what the levels of each measure mean, in words and colours; and the pages' colours."""

from fastapi import APIRouter, Request, Response

from alerts.scale import SEVERITIES, Scale
from api.caller import AnyCaller
from api.formats import Item, document
from api.responses import respond
from api.routes.openapi import errors
from api.schemas.warnings import ScaleTable

router = APIRouter(tags=["warnings"])
_CACHE = "public, max-age=300"


@router.get("/api/v1/scale", response_class=Response, responses={200: {"model": ScaleTable}, **errors(401)})
def scale(request: Request, view: AnyCaller) -> Response:
    """The one scale of this city: severity, audience, colour and words of every level."""
    return respond(request, view, document(_item(view.services.scale), view.terms), cache=_CACHE)


@router.get("/assets/scale.css", include_in_schema=False)
def stylesheet(request: Request, view: AnyCaller) -> Response:
    """Colours of the severities for the pages, whose policy allows no style in the page itself."""
    known = view.services.scale
    rules = [
        f'[data-severity="{each}"] {{ --tone: {known.colour(each)}; --on-tone: {known.ink(each)}; }}\n'
        for each in SEVERITIES
    ]
    return respond(request, view, "".join(rules).encode(), media_type="text/css")


def _item(known: Scale) -> Item:
    return {
        "severities": [
            {
                "severity": each,
                "colour": known.colour(each),
                "ink": known.ink(each),
                "name": {"de": known.word(each, "de"), "en": known.word(each, "en")},
            }
            for each in SEVERITIES
        ],
        "measures": {
            measure: [
                {
                    "level": level,
                    "severity": grade.severity,
                    "audience": grade.audience,
                    "text": {"de": grade.de, "en": grade.en},
                }
                for level, grade in grades.items()
            ]
            for measure, grades in known.measures.items()
        },
    }
