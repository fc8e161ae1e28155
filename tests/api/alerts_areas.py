"""Two warning areas of the small town."""

from alerts.areas import parse_areas


def square(lat, lon, size=0.005):
    west, east, south, north = lon - size, lon + size, lat - size, lat + size
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]


def area(id_, lat, lon, stations, **more):
    return {
        "type": "Feature",
        "properties": {"id": id_, "name": id_.title(), "stations": stations, **more},
        "geometry": {"type": "Polygon", "coordinates": square(lat, lon)},
    }


AREAS = parse_areas(
    {
        "type": "FeatureCollection",
        "features": [
            area("gierath", 50.98, 7.1, ["regen-gierath", "strunde-gierath"], name_en="Gierath village"),
            area("oben", 51.02, 7.18, ["geheim-*", "p-markt"], catchment="strunde"),
        ],
    },
    "areas.geojson",
)
