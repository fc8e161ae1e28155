"""parkapi-sources' own validation of a ParkAPI v3 source: `parkapi_sites.py FILE`; prints what it took."""

import json
import sys
from pathlib import Path

from parkapi_sources.models import RealtimeParkingSiteInput, StaticParkingSiteInput
from validataclass.exceptions import ValidationError
from validataclass.validators import DataclassValidator


def main():
    items = json.loads(Path(sys.argv[1]).read_text())
    told = {"static": [], "realtime": [], "faults": []}
    for kind, model in (("static", StaticParkingSiteInput), ("realtime", RealtimeParkingSiteInput)):
        validator = DataclassValidator(model)
        for item in items:
            if kind == "realtime" and not item.get("has_realtime_data"):
                continue
            try:
                told[kind].append(validator.validate(item).to_dict()["uid"])
            except ValidationError as error:
                told["faults"].append([item.get("uid"), kind, str(error.to_dict())])
    json.dump(told, sys.stdout)


main()
