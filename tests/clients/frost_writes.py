"""frost_sta_client fills, changes, empties a scratch instance: `frost_writes.py ROOT`; prints what it saw."""

import datetime as dt
import json
import sys

import frost_sta_client as fsc
import geojson
import jsonpatch
import requests

START = dt.datetime(2026, 7, 14, 18, 30, tzinfo=dt.UTC)


def stream_of(name):
    return fsc.Datastream(
        name=name,
        description="alle 15 min",
        observation_type="http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        unit_of_measurement=fsc.UnitOfMeasurement("Zentimeter", "cm", "cm"),
        properties={"serviceName": "GL_STA_Pegel"},
        sensor=fsc.Sensor(
            name="Ultraschall", description="von oben", encoding_type="text/plain", metadata="Datenblatt"
        ),
        observed_property=fsc.ObservedProperty(
            name="Wasserstand", definition="https://example.org/level", description="über Pegelnull"
        ),
    )


def main():
    service = fsc.SensorThingsService(sys.argv[1])
    place = fsc.Location(
        name="Wehr",
        description="an der Strunde",
        encoding_type="application/geo+json",
        location=geojson.Point((7.1, 51.0)),
    )
    thing = fsc.Thing(name="Pegel", description="am Wehr", properties={"assetID": "p-1"}, locations=[place])
    thing.datastreams = [stream_of("Stand")]
    service.create(thing)
    told = {"created": thing.id, "made": read(service, thing.id)}

    service.patch(thing, jsonpatch.JsonPatch([{"op": "replace", "path": "/name", "value": "Pegel Wehr"}]))
    service.patch(thing, [{"op": "add", "path": "/properties/richtung", "value": "ab"}])
    told["patched"] = read(service, thing.id)

    stream = service.datastreams().query().filter(f"Thing/id eq {thing.id}").list().get(0)
    link = fsc.Datastream(id=stream.id)
    for minute in range(3):
        at = (START + dt.timedelta(minutes=minute)).isoformat()
        service.create(
            fsc.Observation(phenomenon_time=at, result_time=at, result=1.5 + minute, datastream=link)
        )
    told["observed"] = observed(stream)
    told["features"] = [each.name for each in service.features_of_interest().query().list()]

    names = fsc.DataArrayValue.Property
    array = fsc.DataArrayValue()
    array.datastream = link
    array.components = {names.PHENOMENON_TIME, names.RESULT}
    for minute in range(10, 12):
        at = (START + dt.timedelta(minutes=minute)).isoformat()
        array.add_observation(fsc.Observation(phenomenon_time=at, result=float(minute), datastream=link))
    document = fsc.DataArrayDocument()
    document.add_data_array_value(array)
    told["array_links"] = [each.self_link for each in service.observations().create(document)]
    told["observed_then"] = observed(stream)

    changed = service.observations().find(
        stream.get_observations().query().orderby("id", "ASC").list().get(0).id
    )
    changed.result = 99.5
    service.update(changed)
    told["updated"] = service.observations().find(changed.id).result

    service.delete(changed)
    told["after_delete"] = status(service.observations().find, changed.id)
    service.delete(thing)
    told["thing_gone"] = status(service.things().find, thing.id)
    told["left"] = {
        name: getattr(service, name)().query().count().list().count
        for name in ("things", "datastreams", "observations", "historical_locations", "locations", "sensors")
    }
    json.dump(told, sys.stdout)


def read(service, number):
    thing = service.things().query().filter(f"id eq {number}").expand("Locations,Datastreams").list().get(0)
    return {
        "name": thing.name,
        "properties": thing.properties,
        "places": [each.name for each in thing.locations],
        "streams": [each.name for each in thing.datastreams],
    }


def observed(stream):
    found = stream.get_observations().query().orderby("phenomenonTime", "ASC").list()
    return [[each.phenomenon_time, each.result] for each in found]


def status(ask, number):
    try:
        ask(number)
    except requests.HTTPError as error:
        return error.response.status_code
    return 200


main()
