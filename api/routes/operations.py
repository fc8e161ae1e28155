"""/livez, /readyz and /metrics: for whoever keeps the service running."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import APIRouter, Response

from api.caller import AnyCaller, Operator
from api.problems import Problem
from api.routes.openapi import errors
from api.schemas.operations import Readiness
from ingest.health import Health

router = APIRouter(tags=["operation"])
_METRICS = "text/plain; version=0.0.4; charset=utf-8"
_CAN_WAIT = frozenset(
    {
        "store",
        "latest",
        "devices",
        "codecs",
        "required",
        "retention",
        "channel",
        "neighbour",
        "subscriptions",
        "audit",
        "displays",
        "heartbeat",
        "mass_mail",
        "standby",
    }
)
"""Parts that neither an uplink nor an alert waits for."""


@router.get("/livez", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def livez() -> Response:
    """The process answers."""
    return Response("ok\n", headers={"Cache-Control": "no-store"}, media_type="text/plain")


@router.get("/readyz", response_class=Response, responses={200: {"model": Readiness}, **errors(401, 503)})
def readyz(view: AnyCaller) -> Response:
    """Ready: uplinks can be taken and alerts can go out. 503 when not.

    A store that is away makes it `degraded`, still 200: nothing is lost, the journal keeps what the store
    gets later, and no alert waits for it. The same holds for a device list that cannot be used: the old one
    stays in force, for one of several network servers, for one of several channels and for an official
    neighbour. Details of the parts are for operators.
    """
    health = view.services.health()
    essential = _essential(health)
    body: dict[str, Any] = {
        "state": "unready"
        if essential
        else "ready"
        if all(each.ok for each in health.values())
        else "degraded",
        "parts": {name: _part(each, detailed=view.operator is not None) for name, each in health.items()},
        "loss_window": {name: text for name, text in view.services.loss_window().items() if text},
    }
    if body["state"] == "unready":
        raise Problem(
            503, f"not working: {', '.join(essential)}", "operators see the details with their token", **body
        )
    return Response(orjson.dumps(body), headers={"Cache-Control": "no-store"}, media_type="application/json")


@router.get(
    "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}, **errors(401, 403)}
)
def metrics(view: Operator) -> Response:
    """Counters and gauges for Prometheus."""
    return Response(view.services.metrics(), headers={"Cache-Control": "no-store"}, media_type=_METRICS)


def _essential(health: Mapping[str, Health]) -> list[str]:
    """Failed parts without which no uplink is taken or no alert goes out."""
    servers = {name: each for name, each in health.items() if name.startswith("network_server ")}
    one_listens = any(each.ok for each in servers.values())
    return [
        name
        for name, each in health.items()
        if not each.ok and name.partition(" ")[0] not in _CAN_WAIT and not (name in servers and one_listens)
    ]


def _part(health: Health, *, detailed: bool) -> Mapping[str, Any]:
    return {"ok": health.ok, "detail": health.detail} if detailed else {"ok": health.ok}
