"""Roads: what a configuration says of them, and what is wrong with that."""

from collections.abc import Iterator, Mapping

from alerts.mobility.calendar import Calendar
from alerts.mobility.roads import VEHICLES, Streets
from alerts.mobility.segments import Street, read_line, segment_faults
from devices.catalogue import DeviceType
from devices.errors import Fault
from devices.registry import InstalledDevice, Registry
from stadtfunk.errors import ConfigError
from stadtfunk.settings import Settings
from stadtfunk.settings.segments import SegmentTable


def streets_of(settings: Settings, registry: Registry, catalogue: Mapping[str, DeviceType]) -> Streets:
    """The calendar and the segments of a city. Raises ConfigError with every fault."""
    if found := list(faults(settings, registry, catalogue)):
        raise ConfigError(*found)
    segments, _ = _segments(settings)
    return Streets(Calendar(settings.city.timezone, settings.city.ars), tuple(segments))


def faults(
    settings: Settings, registry: Registry, catalogue: Mapping[str, DeviceType] | None
) -> Iterator[Fault]:
    """What is wrong with [[traffic.segment]]; without a catalogue, with its files."""
    segments, unusable = _segments(settings)
    yield from unusable
    if catalogue is not None:
        yield from segment_faults(str(settings.source), segments, _counted(registry, catalogue))


def _segments(settings: Settings) -> tuple[list[Street], list[Fault]]:
    found: list[Street] = []
    unusable: list[Fault] = []
    for table in settings.traffic.segment:
        if isinstance(table.line, tuple):
            found.append(_street(table, table.line))
            continue
        file = settings.path(table.line)
        line, problem = read_line(file, table.id)
        if problem:
            remedy = "give GeoJSON with a LineString, WGS 84, in the direction of travel"
            unusable.append(Fault(str(file), f"traffic.segment {table.id}.line", problem, remedy))
        else:
            found.append(_street(table, line))
    return found, unusable


def _street(table: SegmentTable, line: tuple[tuple[float, float], ...]) -> Street:
    return Street(table.id, table.name, line, table.stations, table.channels, table.free_flow_kmh)


def _counted(registry: Registry, catalogue: Mapping[str, DeviceType]) -> dict[str, frozenset[str] | None]:
    """Channels by station that counts vehicles; None where the devices themselves tell directions apart."""
    found: dict[str, set[str] | None] = {}
    for device in registry.devices.values():
        if not _counts_vehicles(device, catalogue):
            continue
        known = found.setdefault(device.station, set())
        if known is not None:
            known.add(device.direction)
        if not device.direction:
            found[device.station] = None
    return {station: None if known is None else frozenset(known) for station, known in found.items()}


def _counts_vehicles(device: InstalledDevice, catalogue: Mapping[str, DeviceType]) -> bool:
    type_ = catalogue.get(device.type)
    return type_ is not None and any(name.startswith(VEHICLES) for name in type_.properties)
