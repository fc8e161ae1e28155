"""What judges the documents: the standard's schema and two packages that others wrote."""

import warnings
from pathlib import Path

import pytest
from lxml import etree

SCHEMA = Path(__file__).parents[3] / "shared/data/schemas/CAP-v1.2.xsd"


def schema():
    if not SCHEMA.exists():
        pytest.skip(f"no {SCHEMA}: the schema of CAP 1.2 is not part of the repository")
    return etree.XMLSchema(etree.parse(SCHEMA))


def faults(xml):
    """What the standard's own schema says."""
    judge = schema()
    judge.validate(etree.fromstring(xml))
    return [each.message for each in judge.error_log]


def others_accept(xml):
    """The WMO's validator and the bindings of cap-tools, each with its own copy of the schema."""
    capvalidator = pytest.importorskip("capvalidator")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs
        models = pytest.importorskip("cap_tools.models")
        from xsdata.formats.dataclass.parsers import XmlParser  # noqa: PLC0415 - comes with cap_tools

        alert = XmlParser().from_bytes(xml, models.Alert)
    result = capvalidator.check_schema(xml)
    return result.passed and alert.identifier
