"""ogc-sta-schema-validator over every entity: `validate_entities.py ROOT`; prints counts and faults per set.

The tool brings no schemas. These are the mandatory properties of OGC 18-088, chapter 8, and absolute links.
"""

import json
import logging
import sys
import tempfile
from pathlib import Path

from src.api_client import SensorThingsAPIClient
from src.jsonschema_validator import JsonSchemaValidationEngine
from src.runner import ValidationRunner
from src.schema_loader import SchemaLoader

TEXT = {"type": "string", "minLength": 1}
INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"
TIME = {"type": "string", "pattern": f"^{INSTANT}$"}
INTERVAL = {"type": "string", "pattern": f"^{INSTANT}/{INSTANT}$"}
EITHER = {"type": "string", "pattern": f"^{INSTANT}(/{INSTANT})?$"}
GEOMETRY = {
    "type": "object",
    "required": ["type", "coordinates"],
    "properties": {"type": {"enum": ["Point", "Polygon"]}, "coordinates": {"type": "array", "minItems": 1}},
}
UNIT = {
    "type": "object",
    "required": ["name", "symbol", "definition"],
    "properties": {key: {"type": ["string", "null"]} for key in ("name", "symbol", "definition")},
}
KINDS = (
    r"^http://www\.opengis\.net/def/observationType/OGC-OM/2\.0/"
    r"OM_(Measurement|CountObservation|TruthObservation|CategoryObservation|Observation)$"
)
NAMED = {"name": TEXT, "description": TEXT}
PLACE = {**NAMED, "encodingType": {"const": "application/geo+json"}}
SETS = {
    "Things": (NAMED, ["Locations", "HistoricalLocations", "Datastreams"]),
    "Locations": ({**PLACE, "location": GEOMETRY}, ["Things", "HistoricalLocations"]),
    "HistoricalLocations": ({"time": TIME}, ["Thing", "Locations"]),
    "Datastreams": (
        {
            **NAMED,
            "observationType": {"type": "string", "pattern": KINDS},
            "unitOfMeasurement": UNIT,
            "observedArea": GEOMETRY,
            "phenomenonTime": INTERVAL,
        },
        ["Thing", "Sensor", "ObservedProperty", "Observations"],
    ),
    "Sensors": ({**NAMED, "encodingType": TEXT, "metadata": {}}, ["Datastreams"]),
    "ObservedProperties": (
        {**NAMED, "definition": {"type": "string", "pattern": r"^[a-z][a-z0-9+.-]*:\S+$"}},
        ["Datastreams"],
    ),
    "Observations": (
        {
            "phenomenonTime": EITHER,
            "result": {"type": ["number", "string", "boolean", "null"]},
            "resultTime": {"type": ["string", "null"], "pattern": f"^{INSTANT}$"},
        },
        ["Datastream", "FeatureOfInterest"],
    ),
    "FeaturesOfInterest": ({**PLACE, "feature": GEOMETRY}, ["Observations"]),
}


def schema(name, root):
    own, links = SETS[name]
    link = {"type": "string", "pattern": f"^{root}/{name}\\(\\d+\\)"}
    properties = {
        "@iot.id": {"type": "integer", "minimum": 0},
        "@iot.selfLink": {**link, "pattern": link["pattern"] + "$"},
        **own,
        **{f"{each}@iot.navigationLink": link for each in links},
        "properties": {"type": "object"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://example.org/{name}",
        "title": name,
        "x-entityType": name,
        "x-version": "1.1",
        "type": "object",
        "required": [each for each in properties if each != "properties"],
        "properties": properties,
    }


def caught(engine, entity, rules):
    """Mandatory properties whose absence goes unnoticed."""
    missing = ({**entity} for _ in rules["required"])
    unseen = []
    for name, broken in zip(rules["required"], missing, strict=True):
        del broken[name]
        if engine.validate_entity(broken, rules).is_valid:
            unseen.append(name)
    return unseen


def main():
    logging.disable(logging.CRITICAL)
    root = sys.argv[1]
    client = SensorThingsAPIClient(root)
    told = {"sets": client.get_available_entity_types(), "connected": client.test_connection(), "of": {}}
    with tempfile.TemporaryDirectory() as folder:
        for name in SETS:
            (Path(folder) / f"{name}.json").write_text(json.dumps(schema(name, root)))
        runner = ValidationRunner(client, SchemaLoader(folder))
        for name, results in runner.validate_all_entity_types(list(SETS)).items():
            (first,) = client.get_entities(name, limit=1)
            told["of"][name] = {
                "count": client.get_entity_count(name),
                "checked": len(results),
                "different": len({each.entity_id for each in results}),
                "faults": [
                    f"{each.entity_id} {error.property_path}: {error.message}"
                    for each in results
                    for error in each.errors
                ][:10],
                "unseen": caught(JsonSchemaValidationEngine(), first, schema(name, root)),
            }
    json.dump(told, sys.stdout)


main()
