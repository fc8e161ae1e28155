"""The service root: the eight sets, and which requirements of the standards are met."""

from collections.abc import Sequence
from typing import Any

from api.sta.model import ENTITY_SETS

_REQUIREMENT = "http://www.opengis.net/spec/iot_sensing/1.1/req"
_ENTITIES = (
    *("thing", "location", "historical-location", "datastream", "sensor", "observed-property"),
    *("observation", "feature-of-interest"),
)
_REQUEST_DATA = (
    *("order", "expand", "select", "status-code", "query-status-code", "orderby", "top", "skip", "count"),
    *("filter", "built-in-filter-operations", "built-in-query-functions", "pagination"),
)
_WRITING = (
    *("create-entity", "link-to-existing-entities", "deep-insert", "deep-insert-status-code"),
    *("update-entity", "update-entity-put", "update-entity-jsonpatch", "delete-entity"),
    *("historical-location-auto-creation", "historical-location-manual-creation"),
)
READING: Sequence[str] = (
    f"{_REQUIREMENT}/datamodel",
    f"{_REQUIREMENT}/datamodel/entity-control-information/common-control-information",
    *(
        f"{_REQUIREMENT}/datamodel/{each}/{part}"
        for each in _ENTITIES
        for part in ("properties", "relations")
    ),
    f"{_REQUIREMENT}/resource-path/resource-path-to-entities",
    f"{_REQUIREMENT}/request-data",
    *(f"{_REQUIREMENT}/request-data/{each}" for each in _REQUEST_DATA),
    f"{_REQUIREMENT}/data-array/data-array",
    "https://fraunhoferiosb.github.io/FROST-Server/extensions/DeepSelect.html",
    "https://fraunhoferiosb.github.io/FROST-Server/extensions/GeoJSON-ResultFormat.html",
    "https://fraunhoferiosb.github.io/FROST-Server/extensions/CSV-ResultFormat.html",
)
WRITING: Sequence[str] = (
    f"{_REQUIREMENT}/create-update-delete",
    *(f"{_REQUIREMENT}/create-update-delete/{each}" for each in _WRITING),
)
MQTT_UPDATES = f"{_REQUIREMENT}/receive-updates-via-mqtt/receive-updates"


def root(base: str, settings: dict[str, Any], *, writable: bool) -> dict[str, Any]:
    """The root document; `settings`: more members of serverSettings, their `conformance` more requirements.

    OGC 18-088, section 9.1.
    """
    conformance = [*READING, *(WRITING if writable else ()), *settings.get("conformance", ())]
    return {
        "value": [{"name": each, "url": f"{base}/{each}"} for each in ENTITY_SETS],
        "serverSettings": {**settings, "conformance": conformance},
    }
