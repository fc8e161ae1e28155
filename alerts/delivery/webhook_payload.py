"""What a webhook's receiver reads: one event, and how its notice or warning stands after it."""

from datetime import UTC, datetime
from typing import Any

import orjson

from alerts.city.city_warning import CityWarning
from alerts.delivery.city_messages import told_as
from alerts.event import CityStep
from alerts.warning import Warning  # noqa: A004 - the field's word, see there


def payload(warning: Warning | CityWarning, *, staff: bool) -> str:
    """JSON of the latest step: `type`, `timestamp` and `data`, the same whenever it is written.

    What is for staff alone (who decided and why, incidents) is left out for others.
    """
    if isinstance(warning, CityWarning):
        action, step = told_as(warning), warning.steps[-1]
        return _written(f"city_warning.{action}", step.time_us, _city(warning, staff=staff))
    latest = warning.history[-1]
    return _written(f"notice.{latest.kind}", latest.time_us, _notice(warning, staff=staff))


def _written(type_: str, time_us: int, data: dict[str, Any]) -> str:
    return orjson.dumps({"type": type_, "timestamp": _time(time_us), "data": data}).decode()


def _city(warning: CityWarning, *, staff: bool) -> dict[str, Any]:
    latest = warning.steps[-1]
    data = {
        "id": warning.id,
        "event": latest.event,
        "status": warning.status,
        **_said(warning),
        "released": _time(warning.released_us),
        "ended": _time(warning.ended_us),
        "exercise": warning.exercise,
    }
    of_staff = {
        "incident": warning.incident,
        "by": latest.step.by,
        "reason": latest.step.reason,
        "proposed_update": None if warning.pending is None else _said(warning.pending),
    }
    return {**data, **of_staff} if staff else data


def _said(about: CityWarning | CityStep) -> dict[str, Any]:
    return {
        "severity": about.severity,
        "areas": list(about.areas),
        "texts": {
            language: {
                "headline": text.headline,
                "description": text.description,
                "instruction": text.instruction,
            }
            for language, text in about.texts.items()
        },
        "valid_until": _time(about.valid_until_us),
    }


def _notice(warning: Warning, *, staff: bool) -> dict[str, Any]:
    latest = warning.history[-1]
    data = {
        "id": warning.id,
        "event": latest.event,
        "notice": "automatic measurement notice, not an official warning",
        "status": warning.status,
        "station": warning.station,
        "measure": warning.measure,
        "level": warning.level,
        "severity": warning.severity,
        "value": warning.value,
        "window_min": warning.window_min,
        "raised": _time(warning.raised_us),
        "changed": _time(warning.changed_us),
        "ended": _time(warning.ended_us),
        "confirmation": warning.confirmation,
        "expected_min": latest.expected_min,
        "exercise": warning.exercise,
    }
    return {**data, "incident": warning.incident, "reason": latest.reason} if staff else data


def _time(time_us: int | None) -> str | None:
    """RFC 3339, UTC."""
    if time_us is None:
        return None
    return f"{datetime.fromtimestamp(time_us // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
