"""What the OpenAPI document says beyond the code: media types, errors, one text for all."""

import json
import tomllib
from http import HTTPStatus
from pathlib import Path
from typing import Any

from pydantic import BaseModel, create_model

from api.encoders import PARQUET
from api.formats import MEDIA_TYPES, Format
from api.problems import MEDIA_TYPE
from api.request_limit import NEVER_REFUSED
from api.schemas.envelope import Collection, Internal, Licensed, ProblemDetails, Unlicensed
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
    501: "An option of OData that SensorThings has, and that is not served here",
    503: "The store cannot be read at the moment",
}
_SAID: dict[int, tuple[str, str]] = {
    400: ("from=yesterday is no time", "a time with its offset: 2026-07-14T18:30:00Z"),
    401: ("this needs an operator's token", "send `Authorization: Bearer TOKEN`"),
    403: ("no operator's token is configured", "`stadtfunk token NAME` makes one"),
    404: ("there is no public station 'x'", "the list of what there is: /api/v1/stations"),
    408: ("the body did not come in time", "send it again"),
    409: ("somebody else was faster", "read it again, then decide"),
    413: ("more than 1024 kB", "send less at a time"),
    415: ("this is no JSON", "send it with `Content-Type: application/json`"),
    422: ("limit: Input should be a valid integer", "the parameters of each address: /docs"),
    429: ("more than 3000 requests a minute", "ask again in 2 s"),
    501: ("$search is not served here", "the options there are: docs/sensorthings.md"),
    503: ("the stored readings cannot be read at the moment", "try again in some seconds"),
}
_RETRY_AFTER = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds until it is worth it"}}
_FOLDER = Path(__file__).parent
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
    return {code: _error(code) for code in codes}


def _error(code: int) -> dict[str, Any]:
    detail, hint = _SAID[code]
    example: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(code).phrase,
        "status": code,
        "detail": detail,
        "hint": hint,
    }
    if code == HTTPStatus.UNPROCESSABLE_ENTITY:
        parameter, _, problem = detail.partition(": ")
        example["errors"] = [{"parameter": parameter, "problem": problem}]
    described = {
        "description": _ERRORS[code],
        "content": {MEDIA_TYPE: {"schema": _PROBLEM, "example": example}},
    }
    later = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
    return {**described, "headers": _RETRY_AFTER} if code in later else described


def collection_of(
    model: type,
    *,
    csv: bool = True,
    geojson: bool = True,
    open_data: bool = True,
    parquet: bool = False,
) -> dict[int | str, dict[str, Any]]:
    """The answers of a collection of this kind of item; operators' collections are no open data."""
    content: dict[str, Any] = {}
    if csv:
        content[MEDIA_TYPES[Format.CSV].partition(";")[0]] = {"schema": {"type": "string"}}
    if geojson:
        content[MEDIA_TYPES[Format.GEOJSON]] = {"schema": _FEATURES}
    if parquet:
        content[PARQUET] = {"schema": {"type": "string", "format": "binary"}}
    headers = {
        "Link": {"schema": {"type": "string"}, "description": 'rel="next": the next page (RFC 8288)'},
        "ETag": {"schema": {"type": "string"}},
    }
    page = Collection[model] if open_data else Internal[model]  # type: ignore[valid-type]  # made at run time
    ok = {"model": page, "content": content, "headers": headers}
    return {200: ok, 304: {"description": "You have it"}, **errors(400, 401, 404, 422)}


def one_of(model: type[BaseModel], status: int = 200, *, open_data: bool = True) -> dict[int | str, Any]:
    """The answer that is one thing, with its licence beside its own members."""
    beside = Licensed if open_data else Unlicensed
    return {
        status: {
            "model": create_model(f"One{model.__name__}", __base__=(model, beside), __doc__=model.__doc__)
        }
    }


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add what the routes leave out: the problem's schema, titles from their docstrings, German, examples."""
    schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    document["components"]["schemas"] |= {**schemas(), "Problem": schema}
    refused = {str(code): each for code, each in errors(429).items()}
    german: dict[str, list[str]] = tomllib.loads((_FOLDER / "german.toml").read_text(encoding="utf-8"))
    examples: dict[str, dict[str, Any]] = json.loads((_FOLDER / "examples.json").read_bytes())
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if not path.startswith(NEVER_REFUSED):
                operation["responses"] = {**refused, **operation["responses"]}
            summary, _, more = operation["description"].partition("\n")
            name = f"{method.upper()} {path}"
            deutsch = " ".join(f"{each.rstrip('.')}." for each in german.get(name, ()))
            operation["summary"] = summary.rstrip(".")
            operation["description"] = f"{more.strip()}\n\nDeutsch: {deutsch}".strip()
            _illustrate(operation["responses"], examples.get(name, {}))
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                # FastAPI's own guess, of routes whose parameters may all be any text
                del operation["responses"]["422"]
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)
    return document


def _illustrate(responses: dict[str, Any], examples: dict[str, Any]) -> None:
    """Put an example to each media type of the answer that is no error."""
    for status, response in responses.items():
        if status.startswith("2"):
            for media_type, described in response.get("content", {}).items():
                if media_type in examples:
                    described["example"] = examples[media_type]
