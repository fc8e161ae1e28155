"""How many readings there should be: what makes an interval complete."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from api.aggregates.source import Place, Source
from devices.catalogue import DeviceType
from devices.properties import ObservedProperty
from devices.registry import Registry
from ingest.reading import Series
from ingest.store import Query

_SAMPLE = 64
_ROUGHLY_S = 15
_MINUTE_S = 60


def per_second(
    place: Place,
    registry: Registry,
    catalogue: Mapping[str, DeviceType],
    observed: ObservedProperty,
    spacing_s: "Spacing",
) -> float:
    """Readings a second that a place should have, 0 unknown.

    Of every device that stands there and measures it: its `interval_s`, else the commonest spacing (not of
    states, which come when they change), else what is usual for its type. Where no device stands any more:
    of the last one. Where the caller sees one value for each interval, that is how many there are.
    """
    standing = [each for each in place.series if _stands(registry, each)]
    rate = 0.0
    for series in standing or place.series[-1:]:
        device = registry.devices.get(series.dev_eui)
        type_ = catalogue.get(device.type) if device else None
        seconds = (
            place.every_s
            or (device.interval_s if device else None)
            or (spacing_s.of(series) if observed.kind != "state" else 0)
            or (type_.interval_s if type_ else 0)
        )
        rate += 1 / seconds if seconds else 0.0
    return rate


class Spacing:
    """Commonest seconds between the readings of a series from a time on; asked once for each."""

    def __init__(self, source: Source, from_us: int) -> None:
        self._source = source
        self._from_us = from_us

    def of(self, series: Series) -> float:
        """0 where there are too few; above a minute radio makes them uneven, so to a quarter of one."""
        times = [point.time_us for point in self._source.query(Query([series], self._from_us, limit=_SAMPLE))]
        return commonest(times)


def commonest(times_us: Sequence[int]) -> float:
    """Commonest seconds between ascending times, of several the shortest; 0 with fewer than two spacings."""
    gaps = [(after - before) / 1e6 for before, after in pairwise(times_us)]
    near = Counter(
        round(gap / _ROUGHLY_S) * _ROUGHLY_S if gap >= _MINUTE_S else max(round(gap), 1) for gap in gaps
    )
    if near.total() < 2:  # noqa: PLR2004 - one gap is no habit
        return 0.0
    return min(near, key=lambda seconds: (-near[seconds], seconds))


def _stands(registry: Registry, series: Series) -> bool:
    device = registry.devices.get(series.dev_eui)
    return device is not None and device.station == series.station
