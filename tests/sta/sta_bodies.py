"""Bodies of entities, as small as the standard lets them be."""

MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
SETS = (
    *("Things", "Locations", "HistoricalLocations", "Datastreams", "Sensors", "ObservedProperties"),
    *("Observations", "FeaturesOfInterest"),
)


def point(lon, lat):
    return {"type": "Point", "coordinates": [lon, lat]}


def thing(name="Pegel", **more):
    return {"name": name, "description": f"{name} am Wehr", **more}


def location(name="Wehr", lon=7.13, lat=50.99, **more):
    where = {"encodingType": "application/geo+json", "location": point(lon, lat)}
    return {"name": name, "description": f"{name} an der Strunde", **where, **more}


def sensor(name="Sonde", **more):
    return {
        "name": name,
        "description": f"{name} im Rohr",
        "encodingType": "application/pdf",
        "metadata": f"https://example.org/{name}.pdf",
        **more,
    }


def observed_property(name="Wasserstand", **more):
    return {"name": name, "definition": f"https://example.org/{name}", "description": name, **more}


def feature(name="Bach", lon=7.2, lat=51.0, **more):
    where = {"encodingType": "application/geo+json", "feature": point(lon, lat)}
    return {"name": name, "description": f"{name} oberhalb", **where, **more}


def plain_datastream(name="Stand", **more):
    unit = {"name": "Zentimeter", "symbol": "cm", "definition": "ucum:cm"}
    return {
        "name": name,
        "description": f"{name} alle 15 min",
        "observationType": MEASUREMENT,
        "unitOfMeasurement": unit,
        **more,
    }


def datastream(name="Stand", **more):
    """With a Sensor and an ObservedProperty of its own."""
    parts = {"Sensor": sensor(f"Sonde {name}"), "ObservedProperty": observed_property(f"Art {name}")}
    return plain_datastream(name, **{**parts, **more})


def observation(result=1, day=1, **more):
    return {"phenomenonTime": f"2026-03-{day:02}T06:00:00Z", "result": result, **more}


def link(id_):
    return {"@iot.id": id_}
