"""frost_sta_client asks a city: `frost_reads.py ROOT SERVICE_NAME`; the last line is what it was told."""

import json
import sys

import frost_sta_client as fsc


def main():
    root, theme = sys.argv[1:]
    service = fsc.SensorThingsService(root)
    things = service.things().query().count().top(7).list()
    told = {
        "things_count": things.count,
        "first_page": len(things.entities),
        "things": [[each.id, each.name, each.properties] for each in things],
        "found": service.things().find(things.get(0).id).name,
        "sets": {
            name: getattr(service, name)().query().top(1).list().entities[0].self_link
            for name in (
                *("things", "locations", "historical_locations", "datastreams", "sensors"),
                *("observed_properties", "observations", "features_of_interest"),
            )
        },
        "points": [list(each.location["coordinates"]) for each in service.locations().query().top(3).list()],
    }
    named = service.things().query().filter(f"name eq '{things.get(3).name}'").list()
    told["named"] = [each.id for each in named]
    streams = (
        service.datastreams().query().filter(f"properties/serviceName eq '{theme}'").orderby("name", "ASC")
    )
    streams = streams.expand("Thing($expand=Locations),Sensor,ObservedProperty").list()
    told["streams"] = [
        {
            "id": each.id,
            "name": each.name,
            "thing": each.thing.name,
            "place": [place.name for place in each.thing.locations],
            "property": each.observed_property.name,
            "sensor": each.sensor.name,
            "unit": each.unit_of_measurement.definition,
            "phenomenon_time": each.phenomenon_time,
        }
        for each in streams
    ]
    told["stream"] = next(each for each in told["streams"] if each["property"] == "Wasserstand")
    stream = service.datastreams().find(told["stream"]["id"])
    observations = stream.get_observations().query().orderby("phenomenonTime", "DESC").top(20).count().list()
    told["observed_count"] = observations.count
    told["observed"] = [[each.id, each.phenomenon_time, each.result] for each in observations]
    told["latest"] = (
        service.datastreams()
        .query()
        .filter(f"id eq {stream.id}")
        .expand("Observations($orderby=phenomenonTime desc;$top=1)")
        .list()
        .get(0)
        .observations.get(0)
        .result
    )
    higher = stream.get_observations().query().filter("result ge 1").top(1000).list()
    told["higher"] = len(list(higher))
    json.dump(told, sys.stdout)


main()
