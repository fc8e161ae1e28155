"""/api/v1/admin/devices, writing: register one device or a CSV list of them, all or nothing."""

import re
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from fastapi import APIRouter, Body, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from api.caller import Operator
from api.problems import Problem
from api.responses import PRIVATE
from api.routes.audit import note
from api.routes.openapi import errors
from api.schemas.inbox import DeviceBody, Registered
from api.visibility import View
from devices.errors import ChangedListError, ClosedListError, Fault, RegistryError
from devices.registration import Checked, Registration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devices.device_list import DeviceRow, RawRow

router = APIRouter(prefix="/api/v1/admin/devices", tags=["operators"])
_REQUEST, _IMPORT = "request", "import"
_PLACE = re.compile(r"(?:line (\d+))?(?:, )?(.*)", re.DOTALL)
_IN_AN_ENTRY = 25
_By = Annotated[
    str,
    Field(
        max_length=100,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="name of the person, for the audit log; left out: of the token",
    ),
]
_JSON: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": DeviceBody.model_json_schema()}},
    }
}
_CSV: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A list of devices as `[devices] file` has it, UTF-8; at most 1 MB and 5,000 rows",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}


class RegisterQuery(BaseModel):
    """Who registers."""

    model_config = ConfigDict(extra="forbid")

    by: _By = ""


class ImportQuery(RegisterQuery):
    """How a list is taken."""

    dry_run: Annotated[bool, Field(description="check every row, write nothing")] = False
    version: Annotated[
        str | None,
        Field(max_length=64, description="of the dry run; 409 where the device list has changed since"),
    ] = None


@router.post(
    "",
    status_code=201,
    response_class=Response,
    responses={201: {"model": Registered}, **errors(401, 403, 404, 409, 413, 422)},
    openapi_extra=_JSON,
)
def register(
    view: Operator, query: Annotated[RegisterQuery, Query()], body: Annotated[dict[str, Any], Body()]
) -> Response:
    """Register one device: it joins the CSV device list, and its refused uplinks are decoded at once."""
    with _told():
        done = _desk(view).add([(_REQUEST, "", body)])
    _note(view, query.by, "device register", done.rows)
    return _answer(done, 201)


@router.post(
    "/import",
    response_class=Response,
    responses={200: {"model": Registered}, **errors(401, 403, 404, 409, 413, 422)},
    openapi_extra=_CSV,
)
async def take_list(request: Request, view: Operator, query: Annotated[ImportQuery, Query()]) -> Response:
    """Register a CSV list of devices, all or none. A dry run names what is wrong with each row."""
    return await run_in_threadpool(_import, view, query, await request.body())


def _import(view: View, query: ImportQuery, data: bytes) -> Response:
    desk = _desk(view)
    with _told():
        rows: list[RawRow] = []
        try:
            rows = desk.read(_IMPORT, data)
        except RegistryError as error:
            if not query.dry_run:
                raise
            checked = desk.check(())
            return _answer(Checked((), error.faults, checked.version), dry_run=True)
        if query.dry_run:
            return _answer(desk.check(rows), dry_run=True)
        done = desk.add(rows, query.version)
    _note(view, query.by, "device import", done.rows)
    return _answer(done)


def _desk(view: View) -> Registration:
    if view.services.registration is None:
        raise Problem(
            404, "no devices are registered here", "this application was made without a device list"
        )
    return view.services.registration


@contextmanager
def _told() -> "Iterator[None]":
    """What is wrong, as a problem document with every fault."""
    try:
        yield
    except RegistryError as error:
        faults = _faults(error.faults)
        first = faults[0]
        where = ", ".join(filter(None, (f"line {first['line']}" if first["line"] else "", first["field"])))
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        detail = f"{where}: {first['problem']}{more}" if where else f"{first['problem']}{more}"
        raise Problem(422, detail, first["remedy"], errors=faults) from error
    except (ClosedListError, ChangedListError) as error:
        fault = error.faults[0]
        raise Problem(409, f"{fault.file}, {fault.key}: {fault.problem}", fault.remedy) from error


def _faults(faults: Sequence[Fault]) -> list[dict[str, Any]]:
    """Line, field, problem and remedy; what stands in another file than the one sent says so."""
    found = []
    for fault in faults:
        if fault.file in {_REQUEST, _IMPORT}:
            line, field = _PLACE.fullmatch(fault.key).groups()  # type: ignore[union-attr]  # it matches any text
            problem = fault.problem
        else:
            line, field, problem = None, "", f"{fault.file}, {fault.key}: {fault.problem}"
        found.append(
            {
                "line": None if line is None else int(line),
                "field": field[:100],
                "problem": problem[:500],
                "remedy": fault.remedy[:500],
            }
        )
    return found


def _note(view: View, by: str, action: str, rows: "Sequence[DeviceRow]") -> None:
    """Each device stands in the audit log, several in an entry.

    "eui" keeps its digits from passing for a telephone number, which the log leaves out.
    """
    for some in (rows[start : start + _IN_AN_ENTRY] for start in range(0, len(rows), _IN_AN_ENTRY)):
        subject = f"eui{some[0].dev_eui}" if len(rows) == 1 else f"{len(some)} of {len(rows)} devices"
        said = f"{some[0].type} at {some[0].station}"
        reason = said if len(rows) == 1 else " ".join(f"eui{each.dev_eui}" for each in some)
        note(view, by.strip() or view.operator or "", action, subject, reason)


def _answer(done: Checked, status: int = 200, *, dry_run: bool = False) -> Response:
    body = {
        "dry_run": dry_run,
        "written": 0 if dry_run else len(done.rows),
        "version": done.version,
        "devices": [each.model_dump(mode="json") for each in done.rows],
        "errors": _faults(done.faults),
    }
    headers = {"Cache-Control": PRIVATE, "Vary": "Authorization"}
    return Response(orjson.dumps(body), status, headers, "application/json")
