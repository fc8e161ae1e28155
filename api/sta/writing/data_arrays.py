"""CreateObservations: many Observations as arrays of values, OGC 18-088, section 13.2."""

from collections.abc import Sequence
from typing import Any

from api.sta.errors import BadRequestError
from api.sta.model import ENTITY_SETS
from api.sta.writing import bodies
from api.sta.writing.creating import Inline, Parent, create
from api.sta.writing.work import Work

PATH = "CreateObservations"
_OBSERVATIONS = ENTITY_SETS["Observations"]
_FEATURE = ("FeatureOfInterest/id", "FeatureOfInterest/@iot.id")
_IDS = ("id", "@iot.id")


def create_observations(work: Work, body: Any, base: str) -> list[str]:
    """For each row the new Observation's address, or "error" where it cannot be one; its others are kept.

    Raises BadRequestError for what is no list of data arrays.
    """
    groups = bodies.a_list(body, "the body")
    read = [_group(group, f"[{number}]") for number, group in enumerate(groups)]
    return [_made(work, datastream, each, base) for datastream, rows in read for each in rows]


def _made(work: Work, datastream: int | None, entity: dict[str, Any] | None, base: str) -> str:
    if datastream is None or entity is None:
        return "error"
    connection = work.connection
    connection.execute("SAVEPOINT one")
    try:
        work.demand(ENTITY_SETS["Datastreams"], datastream, "Datastream")
        id_ = create(work, _OBSERVATIONS, Inline(entity), Parent("datastream_id", datastream))
    except BadRequestError:
        connection.execute("ROLLBACK TO one")
        return "error"
    finally:
        connection.execute("RELEASE one")
    return f"{base}/Observations({id_})"


def _group(value: Any, at: str) -> tuple[int | None, Sequence[dict[str, Any] | None]]:
    """The Datastream's id, and each row as an entity; None for one that cannot be read."""
    group = bodies.an_object(value, at)
    for name in ("Datastream", "components", "dataArray"):
        if name not in group:
            raise BadRequestError(
                f"{at} has no {name}",
                'write {"Datastream": {"@iot.id": 1}, "components": ["phenomenonTime", "result"],'
                ' "dataArray": [["2026-07-14T18:30:00Z", 1]]}',
            )
    names = bodies.a_list(group["components"], f"{at}.components")
    known = {*_OBSERVATIONS.properties, *_FEATURE, *_IDS}
    for name in names:
        if not isinstance(name, str) or name not in known or names.count(name) > 1:
            raise BadRequestError(
                f"{at}.components: {str(name)[:80]!r} is twice or no component",
                f"there are {', '.join([*_OBSERVATIONS.properties, _FEATURE[0]])}",
            )
    rows = bodies.a_list(group["dataArray"], f"{at}.dataArray")
    try:
        datastream = bodies.reference(group["Datastream"], f"{at}.Datastream")
    except BadRequestError:
        datastream = None
    return datastream, [_entity(names, row) for row in rows]


def _entity(names: Sequence[str], row: Any) -> dict[str, Any] | None:
    if not isinstance(row, list) or len(row) != len(names):
        return None
    entity: dict[str, Any] = {}
    for name, value in zip(names, row, strict=True):
        if name in _FEATURE:
            if value is not None:
                entity["FeatureOfInterest"] = {bodies.ID: value}
        elif name not in _IDS:
            entity[name] = value
    return entity
