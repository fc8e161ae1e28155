"""Can it warn in time? What `stadtfunk check` says about levels, waves and basins, as advice.

A gauge's alarm can be late by its reporting interval and by one more for an uplink that is lost, and by a few
seconds of transmission and processing. Raising has no hold: holds only delay the end. Against that stands
the time there is: the fastest travel time to a station below, or the time in which a basin fills at its
design inflow. Where either is not known nothing is claimed; what is missing is said once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from alerts.catchments import Basin, Catchments
from alerts.kernels.basin import Curves, minutes_to
from alerts.kernels.plan import LEVEL
from alerts.kernels.rise_plan import travel_times
from alerts.rule_kinds import BasinOverflow, WaterLevel
from alerts.rules import Rules
from devices.catalogue import DeviceType
from devices.registry import Registry

LOST_UPLINKS = 1
PROCESSING_S = 15.0
"""From the measurement to the alert in the outbox, with the network server between."""
_LEAST_INTERVAL_S = 60
_ROUND_S = 30
_RISE_WITHIN_S = 900
_FEEDS = frozenset({LEVEL, "water_distance", "water_depth"})


@dataclass(frozen=True, slots=True)
class _Gauge:
    """A level station: the shortest interval of its gauges (s, None unknown)."""

    station: str
    interval_s: float | None

    @property
    def delay_s(self) -> float | None:
        """From the water to the alert at worst, one uplink lost."""
        return None if self.interval_s is None else self.interval_s * (1 + LOST_UPLINKS) + PROCESSING_S

    @property
    def words(self) -> str:
        """Where the delay comes from."""
        return (
            f"its interval of {_span(self.interval_s or 0)}, one lost uplink and {PROCESSING_S:.0f} s of "
            "processing (raising has no hold)"
        )


def lead_time_advice(
    rules: Rules, registry: Registry, catalogue: Mapping[str, DeviceType], catchments: Catchments
) -> Iterator[str]:
    """A line for each rule and station that cannot warn in time, and one for each kind of thing not known."""
    gauges = _gauges(registry, catalogue)
    marked = {
        id_: gauge
        for id_, gauge in gauges.items()
        if (rule := rules.of(WaterLevel, id_)) is not None and rule.marks_of(registry.stations[id_])
    }
    unknown = sorted(id_ for id_, gauge in marked.items() if gauge.interval_s is None)
    if unknown:
        yield (
            f"{', '.join(unknown)}: whether the marks are told in time is not known without the reporting "
            "interval: give interval_s in the device list"
        )
    travel = travel_times(catchments.reaches)
    yield from _waves(marked, travel)
    yield from _own_rise(rules, marked)
    loose = sorted(set(marked) - {station for pair in travel for station in pair})
    if loose:
        yield (
            f"{', '.join(loose)}: how much time a wave leaves is not known: give a [[reach]] with its travel "
            "time in [alerts] catchments, from a gauge upstream or to one below"
        )
    yield from _basins(rules, gauges, catchments.basins)


def _waves(
    marked: Mapping[str, _Gauge], travel: Mapping[tuple[str, str], tuple[float, float]]
) -> Iterator[str]:
    """Stations whose gauges upstream all report too late for the wave."""
    for below in marked:
        above = [
            (times[0] * 60 - gauge.delay_s, times[0], gauge)
            for (source, target), times in travel.items()
            if target == below and (gauge := marked.get(source)) is not None and gauge.delay_s is not None
        ]
        if not above:
            continue
        margin, fastest, gauge = max(above, key=lambda each: each[0])
        if margin >= 0:
            continue
        yield (
            f"{below}: a wave seen at {gauge.station} arrives after {fastest:g} min, but can be told up to "
            f"{_span(gauge.delay_s or 0)} after it passed there ({gauge.words}): {_span(-margin)} too late. "
            + _help(gauge.station, fastest * 60)
        )


def _own_rise(rules: Rules, marked: Mapping[str, _Gauge]) -> Iterator[str]:
    """Gauges that report too seldom for a rate of rise, or for the lead their rule wants."""
    for id_, gauge in marked.items():
        rule = rules.of(WaterLevel, id_)
        if rule is None or not rule.lead_min or gauge.interval_s is None or gauge.delay_s is None:
            continue
        if gauge.delay_s >= rule.lead_min * 60:
            late = gauge.delay_s - rule.lead_min * 60
            yield (
                f"{id_}, rule {rule.id}: lead_min is {rule.lead_min:g} min, but a reading can be "
                f"{_span(gauge.delay_s)} old ({gauge.words}): {_span(late)} too late. "
                + _help(id_, rule.lead_min * 60)
            )
        elif gauge.interval_s > _RISE_WITHIN_S:
            yield (
                f"{id_}, rule {rule.id}: with an interval of {_span(gauge.interval_s)} a rise rests on two "
                "readings: low confidence, and told only when it rains in its catchment. An interval of "
                f"{_RISE_WITHIN_S} s or less gives three in half an hour"
            )


def _basins(rules: Rules, gauges: Mapping[str, _Gauge], basins: Sequence[Basin]) -> Iterator[str]:
    silent = sorted(each.id for each in basins if rules.of(BasinOverflow, each.station) is None)
    if silent:
        yield f"basin {', '.join(silent)}: no rule of kind basin covers its station, nobody is warned"
    bare = sorted(each.id for each in basins if each.design_inflow_m3s is None)
    if bare:
        yield (
            f"basin {', '.join(bare)}: whether its overflow is told in time is not known: give "
            "design_inflow_m3s, the inflow (m³/s) it must be warned of"
        )
    for basin in basins:
        gauge = gauges.get(basin.station)
        if gauge is None or gauge.delay_s is None or basin.design_inflow_m3s is None:
            continue
        curves, lowest = Curves(basin), basin.spillways[0]
        fills = minutes_to(
            curves, curves.volume(basin.volume[0][0]), basin.design_inflow_m3s, 0.0, lowest.level_cm
        )
        if fills is None or fills * 60 >= gauge.delay_s:
            continue
        yield (
            f"basin {basin.id}: at {basin.design_inflow_m3s:g} m³/s it fills to {lowest.name} in "
            f"{fills:.0f} min, but its gauge {gauge.station} can be told {_span(gauge.delay_s)} late "
            f"({gauge.words}): {_span(gauge.delay_s - fills * 60)} too late. "
            + _help(gauge.station, fills * 60)
        )


def _help(station: str, within_s: float) -> str:
    """What would make a gauge fast enough."""
    interval = int((within_s - PROCESSING_S) / (1 + LOST_UPLINKS) // _ROUND_S * _ROUND_S)
    others = "uplinks triggered by a threshold, or a second sensor farther upstream"
    if interval < _LEAST_INTERVAL_S:
        return f"No interval is short enough: use {others}"
    return f"What helps: an interval of {interval} s or less at {station}, {others}"


def _gauges(registry: Registry, catalogue: Mapping[str, DeviceType]) -> Mapping[str, _Gauge]:
    """Level stations; a type that nobody knows counts as a gauge where the station has marks."""
    found: dict[str, _Gauge] = {}
    for id_, station in registry.stations.items():
        intervals: list[float | None] = []
        for eui in station.devices:
            device = registry.devices[eui]
            type_ = catalogue.get(device.type)
            if type_ is not None and not _FEEDS & set(type_.properties):
                continue
            if type_ is None and not station.stages_cm and device.sensor_height_cm is None:
                continue
            intervals.append(device.interval_s or (type_.interval_s if type_ else None))
        if intervals:
            known = [each for each in intervals if each]
            found[id_] = _Gauge(id_, min(known) if known else None)
    return found


def _span(seconds: float) -> str:
    """Rounded up to whole minutes, below two minutes in seconds."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{-(-seconds // 60):.0f} min"  # noqa: PLR2004 - two minutes
