"""What the OpenAPI document says beyond the code: media types, errors, one text for all."""

from typing import Any

from api.formats import MEDIA_TYPES, Format
from api.problems import MEDIA_TYPE
from api.schemas.envelope import Collection, Internal, ProblemDetails
from api.subscription_bodies import schemas

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_ERRORS = {
    400: "A parameter that cannot be meant so; `hint` says what to do",
    401: "A bearer token is missing or not known",
    403: "No operator's token is configured",
    404: "Does not exist, or is not public",
    408: "The body did not come in time",
    409: "Not now, or not any more; `detail` says what is in the way",
    413: "The request is too large",
    415: "The body is no JSON, or packed",
    422: "A parameter of the wrong type or out of range",
    429: "Too many ask at the moment; `Retry-After` says when to try again",
    503: "The store cannot be read at the moment",
}
_FEATURES = {
    "type": "object",
    "required": ["type", "features"],
    "description": "FeatureCollection (RFC 7946)",
}
DESCRIPTION = """Measurements of the city's own sensors, and what follows from them.

Times are RFC 3339 in UTC; units are UCUM; `quality` is a QARTOD flag (1 good, 2 not evaluated, 3 suspect,
4 fail, 9 missing). Collections page by the Link header: follow `rel="next"` as it is. Every answer has a
strong ETag; send it back in If-None-Match. The header `Stadtfunk-Now` is the clock the data lives by.
Errors are RFC 9457 problem documents. What is marked with a lock needs an operator's token
(`Authorization: Bearer TOKEN`); everything else is open, and with a token also shows what is not public.
Warnings are automatic measurement notices, not official warnings.

Messwerte der städtischen Sensoren. Zeiten in UTC, Einheiten nach UCUM. Warnungen sind automatische
Messwertmeldungen, keine amtlichen Warnungen."""


def errors(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Descriptions of the errors a route answers with."""
    return {
        code: {"description": _ERRORS[code], "content": {MEDIA_TYPE: {"schema": _PROBLEM}}} for code in codes
    }


def collection_of(
    model: type, *, geojson: bool = True, open_data: bool = True
) -> dict[int | str, dict[str, Any]]:
    """The answers of a collection of this kind of item; operators' collections are no open data."""
    content: dict[str, Any] = {MEDIA_TYPES[Format.CSV].partition(";")[0]: {"schema": {"type": "string"}}}
    if geojson:
        content[MEDIA_TYPES[Format.GEOJSON]] = {"schema": _FEATURES}
    headers = {
        "Link": {"schema": {"type": "string"}, "description": 'rel="next": the next page (RFC 8288)'},
        "ETag": {"schema": {"type": "string"}},
    }
    page = Collection[model] if open_data else Internal[model]  # type: ignore[valid-type]  # made at run time
    ok = {"model": page, "content": content, "headers": headers}
    return {200: ok, 304: {"description": "You have it"}, **errors(400, 401, 404, 422)}


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add the problem's schema, which the routes refer to; titles from the routes' docstrings."""
    schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    document["components"]["schemas"] |= {**schemas(), "Problem": schema}
    for operations in document["paths"].values():
        for operation in operations.values():
            summary, _, more = operation["description"].partition("\n")
            operation["summary"], operation["description"] = summary.rstrip("."), more.strip()
    return document
