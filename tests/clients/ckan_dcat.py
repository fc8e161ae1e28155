"""Reads a catalogue as CKAN's harvester does (ckanext-dcat, profile euro_dcat_ap_3) and prints what it found.

Runs in an environment that has ckan, ckanext-dcat and geomet: `python ckan_dcat.py CATALOGUE FORMAT`, where
FORMAT is turtle, xml or json-ld and CATALOGUE an address or a file. The last line is one JSON object:
datasets (guid, title, license, contact, resources with url, format, license, ...), `next`, `errors`.
"""

import json
import logging
import sys
import urllib.request
from pathlib import Path

from ckan.common import config
from ckanext.dcat.processors import RDFParser, RDFParserException


def main():
    logging.disable(logging.CRITICAL)
    source, form = sys.argv[1:]
    # what a portal without further settings has
    config.setdefault("ckan.locale_default", "de")
    config.setdefault("ckan.site_url", "http://localhost")
    found = {"datasets": [], "next": None, "errors": []}
    parser = RDFParser(profiles=["euro_dcat_ap_3"])
    try:
        parser.parse(_read(source), _format=form)
        found["next"] = parser.next_page()
        found["datasets"] = [_dataset(each) for each in parser.datasets()]
    except RDFParserException as error:
        found["errors"].append(str(error))
    for each in found["datasets"]:
        found["errors"] += [
            f"{each['guid']}: no {key}" for key in ("guid", "title", "notes") if not each[key]
        ]
        found["errors"] += [
            f"{each['guid']}: {resource['name']}: no {key}"
            for resource in each["resources"]
            for key in ("url", "format", "license")
            if not resource[key]
        ]
    print(json.dumps(found, ensure_ascii=False))  # noqa: T201 - the answer of this script


def _read(source):
    if not source.startswith(("http://", "https://")):
        return Path(source).read_bytes()
    with urllib.request.urlopen(source, timeout=30) as answer:
        return answer.read()


def _dataset(parsed):
    extras = {each["key"]: each["value"] for each in parsed.get("extras", [])}
    return {
        "guid": extras.get("guid") or extras.get("uri"),
        "title": parsed.get("title"),
        "notes": parsed.get("notes"),
        "license_id": parsed.get("license_id"),
        "tags": sorted(each["name"] for each in parsed.get("tags", [])),
        "extras": extras,
        "resources": [
            {
                "uri": each.get("uri"),
                "name": each.get("name"),
                "url": each.get("url") or each.get("access_url"),
                "format": each.get("format"),
                "mimetype": each.get("mimetype"),
                "license": each.get("license"),
                "availability": each.get("availability"),
            }
            for each in parsed.get("resources", [])
        ],
    }


if __name__ == "__main__":
    main()
