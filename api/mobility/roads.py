"""The state of the roads as a caller may see it."""

from collections.abc import Iterable, Mapping

from alerts.mobility.calendar import QUARTER_US
from alerts.mobility.segments import Street
from alerts.mobility.states import Congestion, FlowState, Segment
from api.formats import Item
from api.rfc3339 import format_us
from api.visibility import View

VEHICLES, SPEED = "vehicle_count", "vehicle_speed"


def seen_streets(view: View) -> dict[str, Street]:
    """Segments whose state this caller may know, by id: of all their stations every quarter of an hour."""
    return {
        street.id: street
        for street in view.services.roads.streets
        if all(_shows(view, station, VEHICLES) for station in street.stations)
    }


def seen_flow(view: View) -> list[FlowState]:
    """Directions whose state this caller may know."""
    return [
        each for each in view.services.roads.flow() if _shows(view, each.site.station, each.site.property)
    ]


def seen_congestions(view: View, congestions: Iterable[Congestion]) -> list[Congestion]:
    """Those at places that this caller may know of."""
    streets = seen_streets(view)
    return [each for each in congestions if _sees(view, streets, each)]


def flow_item(view: View, each: FlowState) -> Item:
    """One direction."""
    low, middle, high = each.typical or (None, None, None)
    name = each.site.property
    return {
        "station": each.site.station,
        "property": name,
        "channel": each.site.channel,
        "state": each.state,
        "basis": each.basis,
        "since": _time(each.since_us),
        "time": _time(each.time_us),
        "value": _rounded(view, name, each.count),
        "speed_kmh": _speed(view, each.speed_kmh),
        "typical_low": _rounded(view, name, low),
        "typical": _rounded(view, name, middle),
        "typical_high": _rounded(view, name, high),
    }


def segment_item(view: View, each: Segment, street: Street) -> Item:
    """One segment."""
    return {
        "id": each.id,
        "name": each.name,
        "state": each.state,
        "since": _time(each.since_us),
        "time": _time(each.time_us),
        "speed_kmh": _speed(view, each.speed_kmh),
        "free_flow_kmh": street.free_flow_kmh,
        "stations": list(street.stations),
    }


def congestions_between(
    view: View, span_us: tuple[int, int], limit: int, after: tuple[int, str] | None
) -> tuple[list[Congestion], bool]:
    """At most `limit` that this caller may know of, behind a position, and whether there are more."""
    found: list[Congestion] = []
    while len(found) <= limit:
        read = view.services.roads.congestions(*span_us, limit + 1, after)
        found += seen_congestions(view, read)
        if len(read) <= limit:
            break
        after = read[-1].begin_us, read[-1].id
    return found[:limit], len(found) > limit


def congestion_items(view: View, congestions: Iterable[Congestion]) -> list[Item]:
    """Those at places that this caller may know of."""
    streets = seen_streets(view)
    return [_congestion(view, streets, each) for each in congestions if _sees(view, streets, each)]


def _sees(view: View, streets: Mapping[str, Street], each: Congestion) -> bool:
    return each.segment in streets if each.site is None else _shows(view, each.site[0], VEHICLES)


def _congestion(view: View, streets: Mapping[str, Street], each: Congestion) -> Item:
    station, channel = each.site or (None, None)
    return {
        "id": each.id,
        "segment": each.segment if station is None else None,
        "station": station,
        "channel": channel,
        "name": streets[each.segment].name if station is None else view.stations[station].name,
        "begin": format_us(each.begin_us),
        "end": _time(each.end_us),
        "in_force": each.end_us is None,
        "worst": each.worst,
    }


def place_of(view: View, streets: Mapping[str, Street], item: Item) -> Item | None:
    """GeoJSON geometry of a congestion: the segment's line, or the point of the station."""
    if item["segment"] is not None:
        return line_of(streets[item["segment"]])
    place = view.locate(item)
    return None if place is None else {"type": "Point", "coordinates": place}


def line_of(street: Street) -> Item:
    """Its GeoJSON geometry."""
    return {"type": "LineString", "coordinates": street.line}


def _shows(view: View, station: str, name: str) -> bool:
    """Whether this caller may know what a station's counts say every quarter of an hour.

    Where its devices measure speeds, the state may follow from them: then of those too.
    """
    if station not in view.stations or name not in view.properties or not _quarterly(view, name):
        return False
    return (
        name != VEHICLES
        or not _measures_speed(view, station)
        or (SPEED in view.properties and _quarterly(view, SPEED))
    )


def _quarterly(view: View, name: str) -> bool:
    if view.operator is not None:
        return True
    rule = view.services.rule(name)
    if rule.suppress_below:
        # its quarters are too short to be told, and what is usual is made of them
        return False
    return not rule.delay_us and (not rule.coarsen_us or QUARTER_US % rule.coarsen_us == 0)


def _measures_speed(view: View, station: str) -> bool:
    devices, catalogue = view.registry.devices, view.services.catalogue
    types = (devices[eui].type for eui in view.stations[station].devices if eui in devices)
    return any(SPEED in type_.properties for name in types if (type_ := catalogue.get(name)) is not None)


def _time(time_us: int | None) -> str | None:
    return None if time_us is None else format_us(time_us)


def _rounded(view: View, name: str, value: float | None) -> int | None:
    return None if value is None else round(view.rounded(name, value))


def _speed(view: View, value: float | None) -> float | None:
    return None if value is None else round(view.rounded(SPEED, value), 1)
