"""Whether a series still says something: its device stands there, and counts in that direction."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from alerts.kernels.plan import Place
from alerts.kernels.rows import Slots
from alerts.mobility.counted import counted_properties
from devices.catalogue import DeviceType
from ingest.reading import Series


def stands(place: Place, number: int) -> bool:
    """Whether the device of a series is at its station now, and turned as it was.

    A counter that knows only one direction gets it from the device list. Turned round there, it is heard in
    the other one; what it said of the first is over, as if it had been taken away.
    """
    if not place.stands(number):
        return False
    series, device, type_ = place.series[number], place.device(number), place.type(number)
    if device is None or type_ is None or not _is_told_its_direction(type_, series.property):
        return True
    return series.channel == device.direction


class Awaited(NamedTuple):
    """What devices that are in the list and were not heard there yet will report.

    `known` has (station, property, channel), `any_way` (station, property) of devices that name their channel
    themselves.
    """

    known: Collection[tuple[str, str, str]]
    any_way: Collection[tuple[str, str]]

    def has(self, station: str, property_: str, channel: str) -> bool:
        """Whether such a series may still come: who is gone from the list was exchanged then."""
        return (station, property_, channel) in self.known or (station, property_) in self.any_way


def awaited(place: Place, properties: Collection[str]) -> Awaited:
    """Of these properties; one who has told any of them there has told all he will."""
    heard = {
        (each.station, each.dev_eui, channel)
        for each in place.series
        if each.property in properties
        for channel in (each.channel, None)
    }
    known, any_way = set(), set()
    for device in place.registry.devices.values():
        type_ = place.catalogue.get(device.type)
        if type_ is None:
            continue
        for name in type_.properties:
            told = _is_told_its_direction(type_, name)
            channel = device.direction if told else None
            if name not in properties or (device.station, device.dev_eui, channel) in heard:
                continue
            if told:
                known.add((device.station, name, device.direction))
            else:
                any_way.add((device.station, name))
    return Awaited(known, any_way)


def same_counters(place: Place, numbers: Iterable[int]) -> Mapping[int, Slots]:
    """Of slots (places in `numbers`) that the running total of one device tells: each one's others.

    It was turned round in the device list, or stood elsewhere.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for slot, number in enumerate(numbers):
        series, type_ = place.series[number], place.type(number)
        turns = type_ is not None and _is_told_its_direction(type_, series.property)
        groups.setdefault(_counter(series, turns=turns), []).append(slot)
    return {
        slot: np.array([each for each in group if each != slot], np.int64)
        for group in groups.values()
        if len(group) > 1
        for slot in group
    }


def _counter(series: Series, *, turns: bool) -> tuple[str, ...]:
    key = series.dev_eui, series.property
    return key if turns else (*key, series.channel)


def _is_told_its_direction(type_: DeviceType, property_: str) -> bool:
    return property_ in type_.undirected & counted_properties()
