"""pygeoapi's SensorThings provider over a city: `pygeoapi_reads.py ROOT BBOX FROM TO`; prints what it saw.

BBOX is minx,miny,maxx,maxy; FROM and TO are RFC 3339.
"""

import json
import sys

from pygeoapi.provider.sensorthings import SensorThingsProvider


def provider(root, entity, **more):
    return SensorThingsProvider(
        {"name": "SensorThings", "type": "feature", "data": root, "entity": entity, **more}
    )


def main():
    root, box, begin, end = sys.argv[1:]
    bbox = [float(each) for each in box.split(",")]
    told = {}
    for entity in ("Things", "Datastreams", "Observations", "ObservedProperties"):
        asked = provider(root, entity, time_field="phenomenonTime")
        page = asked.query(limit=4)
        first = page["features"][0]
        told[entity] = {
            "fields": sorted(asked.get_fields()),
            "hits": asked.query(resulttype="hits")["numberMatched"],
            "first": first,
            "second_page": [each["id"] for each in asked.query(offset=2, limit=2)["features"]],
            "ids": [each["id"] for each in page["features"]],
            "same": asked.get(first["id"])["id"],
            "inside": asked.query(resulttype="hits", bbox=bbox)["numberMatched"],
            "places": [
                each["geometry"]["coordinates"] for each in asked.query(bbox=bbox, limit=50)["features"]
            ],
            "without_geometry": asked.query(limit=1, skip_geometry=True)["features"][0]["geometry"],
        }
    observations = provider(root, "Observations", time_field="phenomenonTime")
    stream = told["Observations"]["first"]["properties"]["Datastream"]["@iot.id"]
    of_one = [("Datastream", stream)]
    sorted_ = observations.query(
        limit=5000, properties=of_one, sortby=[{"property": "phenomenonTime", "order": "-"}]
    )["features"]
    told["stream"] = stream
    told["times"] = [each["properties"]["phenomenonTime"] for each in sorted_]
    told["results"] = [each["properties"]["result"] for each in sorted_]
    told["between"] = [
        each["properties"]["phenomenonTime"]
        for each in observations.query(limit=5000, properties=of_one, datetime_=f"{begin}/{end}")["features"]
    ]
    told["since"] = observations.query(resulttype="hits", properties=of_one, datetime_=f"{begin}/..")[
        "numberMatched"
    ]
    told["equal"] = observations.query(
        resulttype="hits", properties=[*of_one, ("result", told["results"][0])]
    )["numberMatched"]
    told["all_at_once"] = len(observations.query(limit=100_000)["features"])
    name = told["Things"]["first"]["properties"]["name"]
    named = provider(root, "Things").query(properties=[("name", f"'{name}'")])["features"]
    told["named"] = [each["id"] for each in named]
    json.dump(told, sys.stdout)


main()
