"""Judges a JSON document by a schema: `datex_schema.py SCHEMA DOCUMENT`; prints the faults.

References to other files are looked for beside the schema, as the published ones have them.
"""

import json
import sys
from pathlib import Path

from jsonschema import FormatChecker
from jsonschema.validators import validator_for
from referencing import Registry, Resource


def main():
    schema, document = (Path(each) for each in sys.argv[1:])
    whole = json.loads(schema.read_text())
    kind = validator_for(whole)

    def beside(uri):
        return Resource.from_contents(json.loads((schema.parent / uri.rpartition("/")[2]).read_text()))

    kind.check_schema(whole)
    validator = kind(
        {**whole, "$id": schema.name}, registry=Registry(retrieve=beside), format_checker=FormatChecker()
    )
    faults = [
        [each.json_path, each.message[:300]]
        for each in validator.iter_errors(json.loads(document.read_text()))
    ]
    json.dump({"faults": faults}, sys.stdout)


main()
