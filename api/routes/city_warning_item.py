"""A warning of the city as the API writes it: what everybody may see, and the whole course for operators."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alerts.city.city_warning import CityWarning, Decided
from alerts.city.register import RULE, signed_by
from alerts.event import CityStep, CityText
from api.rfc3339 import format_us
from api.visibility import View

KIND = {"de": "Warnung der Stadt", "en": "Warning of the city"}
_ENDS = ("all_clear", "cancel", "expire")


def warnings_heard(warnings: Iterable[CityWarning]) -> list[CityWarning]:
    """Those that the public has been told of."""
    return [each for each in warnings if each.public]


def city_warning_item(view: View, warning: CityWarning) -> dict[str, Any]:
    """What everybody may see of a warning that was released: what is in force, or how it ended.

    A pending update, and what was proposed before, is nobody's but the operators'.
    """
    said = [each for each in warning.steps if each.step.action in {"release", "update"}]
    released_by = signed_by(said)
    last = warning.steps[-1] if warning.status == "ended" else None
    return {
        "id": warning.id,
        "kind": KIND,
        "status": warning.status,
        "exercise": warning.exercise,
        "severity": warning.severity,
        "areas": _areas(view, warning.areas),
        **texts_item(warning.texts, turned=True),
        "released_by": released_by,
        "released_by_rule": released_by.startswith(RULE),
        "released": format_us(warning.released_us or 0),
        "changed": format_us((last or said[-1]).time_us),
        "valid_until": format_us(warning.valid_until_us),
        "ended": None if warning.ended_us is None else format_us(warning.ended_us),
        "end": last.step.action if last is not None and last.step.action in _ENDS else None,
        "ended_by": last.step.by if last is not None else None,
    }


def course_item(view: View, warning: CityWarning) -> dict[str, Any]:
    """Everything about a warning, for operators."""
    last = warning.steps[-1].step
    return {
        "id": warning.id,
        "incident": warning.incident or None,
        "status": warning.status,
        "exercise": warning.exercise,
        "staff_only": warning.staff_only,
        "public": warning.public,
        "severity": warning.severity,
        "areas": _areas(view, warning.areas),
        "texts": texts_item(warning.texts),
        "proposed": format_us(warning.proposed_us),
        "released": None if warning.released_us is None else format_us(warning.released_us),
        "changed": format_us(warning.changed_us),
        "valid_until": format_us(warning.valid_until_us),
        "ended": None if warning.ended_us is None else format_us(warning.ended_us),
        "end": last.action if warning.status == "ended" else None,
        "pending": None if warning.pending is None else _step(view, warning.pending),
        "steps": [_decided(view, each) for each in warning.steps],
    }


def texts_item(texts: Mapping[str, CityText], *, turned: bool = False) -> dict[str, Any]:
    """Texts by language, or `turned` by headline, description, instruction."""
    if turned:
        return {
            name: {language: getattr(text, name) for language, text in texts.items()}
            for name in ("headline", "description", "instruction")
        }
    return {
        language: {
            "headline": text.headline,
            "description": text.description,
            "instruction": text.instruction,
        }
        for language, text in texts.items()
    }


def _decided(view: View, decided: Decided) -> dict[str, Any]:
    return {"action": decided.step.action, "time": format_us(decided.time_us), **_step(view, decided.step)}


def _step(view: View, step: CityStep) -> dict[str, Any]:
    return {
        "by": step.by,
        "reason": step.reason,
        "severity": step.severity,
        "areas": _areas(view, step.areas),
        "texts": texts_item(step.texts),
        "template": step.template or None,
        "valid_until": format_us(step.valid_until_us),
    }


def _areas(view: View, ids: Sequence[str]) -> list[dict[str, Any]]:
    names = {area.id: area.names() for area in view.services.areas.areas}
    return [{"id": id_, "name": names.get(id_) or {"de": id_, "en": id_}} for id_ in ids]
