"""What the sensors see of it, and when each tells.

Street sensors miss nobody; the counters of car parks miss some and count some twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from devices.registry import InstalledDevice
from devices.simulator.mobility.days import Floats, Ints
from devices.simulator.mobility.demand import generator
from devices.simulator.mobility.parking import Stays
from devices.simulator.mobility.roads import Passings
from devices.simulator.mobility.town import Lot, Street

WRAP: Mapping[str, int] = {"nwave-ncc405": 1 << 16, "parametric-pcr2": 1 << 16}
"""Where the running totals start again; others at 2^32."""

SPEED_CLASSES_KMH = (8, 26, 50)
LORRIES = 0.07
_S = 1_000_000
GATE_S = 300
SPACE_S = 3_600
_UNSEEN = 0.004
_F_PORTS: Mapping[str, int] = {
    "nwave-ncc405": 1,
    "parametric-tcr": 15,
    "pmx-systems-tcr": 14,
    "parametric-pcr2": 14,
    "milesight-vs133": 85,
    "terabee-people-counting-l": 1,
    "bosch-tps110": 1,
    "nwave-nps405": 1,
}

INTERVAL, EVENT = "_interval", "_event"
"""Endings of the properties of counts by interval and of single passings."""

Column = tuple[str, str]
"""Property and channel, as in the journal: with the direction that the device list gives a counter."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One kind of uplink of one device: when (µs, ascending), and values by uplink and column, NaN: none.

    `seen`: by column of a count what the sensor saw, moments ascending. `resets_us`: it began anew at zero.
    """

    device: InstalledDevice
    f_port: int
    times: Ints
    columns: tuple[Column, ...]
    values: Floats
    seen: Mapping[Column, Ints] = field(default_factory=dict)
    resets_us: tuple[int, ...] = ()

    @property
    def cumulative(self) -> bool:
        """Whether it tells running totals alone."""
        return all(name.endswith("_count") for name, _ in self.columns)

    @property
    def wrap(self) -> int:
        """Where its totals start again."""
        return WRAP.get(self.device.type, 1 << 32)


@dataclass(frozen=True, slots=True)
class Span:
    """The time the sensors tell of, and where their chance comes from. `resets`: by DevEUI."""

    begin_us: int
    end_us: int
    seed: int
    resets: Mapping[str, tuple[int, ...]]

    def moments(self, device: InstalledDevice, every_s: float, *, on_time: bool) -> Ints:
        """When a device tells regularly: on time, or from a second of its own on, give or take one."""
        every = round(every_s * _S)
        if on_time:
            return np.arange(self.begin_us, self.end_us + 1, every, dtype=np.int64)
        rng = generator(self.seed, device.dev_eui, "moments")
        first = self.begin_us + int(rng.integers(1, every))
        regular = np.arange(first, self.end_us, every, dtype=np.int64)
        found: Ints = regular + rng.integers(0, 2 * _S, len(regular))
        return found


def of_street(
    street: Street, devices: Sequence[InstalledDevice], passings: Mapping[str, Passings], span: Span
) -> Iterator[Sent]:
    """What the devices of a street or path send; `passings` by lane."""
    lanes = {channel: each.times for channel, each in passings.items()}
    if street.counts == "total" and not street.one_device:
        for device, (channel, times) in zip(devices, lanes.items(), strict=True):
            yield _totals(device, street.property, {channel: times}, span, on_time=street.on_time)
        return
    (device,) = devices
    if street.counts == "total":
        yield _totals(device, street.property, lanes, span, on_time=street.on_time)
    elif street.counts == "both":
        totals = _totals(device, street.property, lanes, span, on_time=street.on_time)
        amounts = _amounts(device, street.property, lanes, totals.times)
        yield Sent(
            device=device,
            f_port=totals.f_port,
            times=totals.times,
            columns=(*amounts.columns, *totals.columns),
            values=np.hstack([amounts.values, totals.values]),
            seen={**amounts.seen, **totals.seen},
            resets_us=totals.resets_us,
        )
    elif street.counts == "event":
        yield from _events(device, street.property, lanes, span)
    else:
        times = span.moments(device, street.interval_s, on_time=street.on_time)
        if street.counts == "classes":
            yield _classes(device, passings, times)
        else:
            yield from _categories(device, passings, times, span)


def of_lot(lot: Lot, devices: Sequence[InstalledDevice], stays: Stays, span: Span) -> Iterator[Sent]:
    """What the devices of a car park send: counters or barrier first, then one for each space."""
    rest = list(devices)
    if lot.told_by == "counters":
        for number, (channel, moments) in enumerate((("in", stays.begin), ("out", np.sort(stays.end)))):
            rng = generator(span.seed, lot.station, channel)
            miss, twice = lot.miss[number], lot.twice[number]
            times = rng.choice((0, 1, 2), len(moments), p=(miss, 1 - miss - twice, twice))
            seen = np.repeat(moments, times)
            yield _totals(rest.pop(0), "vehicle_count", {channel: seen}, span, on_time=False)
    elif lot.told_by == "barrier":
        device = rest.pop(0)
        times = span.moments(device, GATE_S, on_time=False)
        occupied = stays.occupied(times).astype(float)
        yield Sent(device, 1, times, (("parking_occupancy", ""),), occupied[:, None])
    for space, device in enumerate(rest):
        yield _space(device, stays, space, span)


def speed_class(speeds: Floats) -> Ints:
    """Class 0 to 3 of a radar."""
    found: Ints = np.digitize(speeds, SPEED_CLASSES_KMH)
    return found


def _totals(
    device: InstalledDevice, name: str, lanes: Mapping[str, Ints], span: Span, *, on_time: bool
) -> Sent:
    times = span.moments(device, device.interval_s or GATE_S, on_time=on_time)
    resets = span.resets.get(device.dev_eui, ())
    rng = generator(span.seed, device.dev_eui, "totals")
    wrap = WRAP.get(device.type, 1 << 32)
    values = []
    for moments in lanes.values():
        began, at = span.begin_us, int(rng.integers(min(wrap, 200_000)))
        total = np.zeros(len(times))
        for reset in (*resets, None):
            later = times > began if began in resets else times >= began
            passed = np.searchsorted(moments, times[later], "right") - np.searchsorted(
                moments, began, "right"
            )
            total[later] = (at + passed) % wrap
            if reset is not None:
                began, at = reset, 0
        values.append(total)
    columns = tuple((name, channel) for channel in lanes)
    return Sent(
        device=device,
        f_port=_F_PORTS.get(device.type, 1),
        times=times,
        columns=columns,
        values=np.stack(values, axis=1),
        seen=dict(zip(columns, lanes.values(), strict=True)),
        resets_us=resets,
    )


def _amounts(device: InstalledDevice, name: str, lanes: Mapping[str, Ints], times: Ints) -> Sent:
    columns = tuple((f"{name}{INTERVAL}", channel) for channel in lanes)
    return Sent(
        device=device,
        f_port=_F_PORTS[device.type],
        times=times,
        columns=columns,
        values=np.stack([_between(moments, times).astype(float) for moments in lanes.values()], axis=1),
        seen=dict(zip(columns, lanes.values(), strict=True)),
    )


def _events(device: InstalledDevice, name: str, lanes: Mapping[str, Ints], span: Span) -> Iterator[Sent]:
    for channel, moments in lanes.items():
        told = moments[(moments >= span.begin_us) & (moments <= span.end_us)]
        column = (f"{name}{EVENT}", channel)
        yield Sent(device, 1, told, (column,), np.ones((len(told), 1)), {column: moments})


def _classes(device: InstalledDevice, passings: Mapping[str, Passings], times: Ints) -> Sent:
    groups = {
        f"{channel}/class{number}": (each.times[mine], each.speeds[mine])
        for channel, each in passings.items()
        for number in range(len(SPEED_CLASSES_KMH) + 1)
        for mine in (speed_class(each.speeds) == number,)
    }
    return _with_speeds(device, _F_PORTS[device.type], groups, times)


def _categories(
    device: InstalledDevice, passings: Mapping[str, Passings], times: Ints, span: Span
) -> Iterator[Sent]:
    """Cars and lorries, each in a message of their own."""
    lorry = {
        channel: generator(span.seed, device.dev_eui, channel).random(len(each.times)) < LORRIES
        for channel, each in passings.items()
    }
    for number, of_category in enumerate((False, True)):
        groups = {
            f"{channel}/class{number + 1}": (each.times[mine], each.speeds[mine])
            for channel, each in passings.items()
            for mine in (lorry[channel] == of_category,)
        }
        yield _with_speeds(device, _F_PORTS[device.type] + number, groups, times)


def _with_speeds(
    device: InstalledDevice, f_port: int, groups: Mapping[str, tuple[Ints, Floats]], times: Ints
) -> Sent:
    counts = [_between(moments, times) for moments, _ in groups.values()]
    speeds = []
    for count, (moments, each) in zip(counts, groups.values(), strict=True):
        sums = np.append(0.0, np.cumsum(each))
        upto = sums[np.searchsorted(moments, times, "right")]
        before = sums[np.searchsorted(moments, _starts(times), "right")]
        speeds.append(np.where(count > 0, np.rint((upto - before) / np.maximum(count, 1)), np.nan))
    columns = tuple((f"vehicle_count{INTERVAL}", channel) for channel in groups)
    return Sent(
        device=device,
        f_port=f_port,
        times=times,
        columns=(*columns, *(("vehicle_speed", channel) for channel in groups)),
        values=np.stack([*counts, *speeds], axis=1).astype(float),
        seen={column: moments for column, (moments, _) in zip(columns, groups.values(), strict=True)},
    )


def _space(device: InstalledDevice, stays: Stays, space: int, span: Span) -> Sent:
    """A word a few seconds after every change, and a heartbeat; a few cars are not seen at all."""
    rng = generator(span.seed, device.dev_eui, "space")
    mine = np.flatnonzero(stays.space == space)
    mine = mine[rng.random(len(mine)) >= _UNSEEN]
    edges = np.stack([stays.begin[mine], stays.end[mine]], axis=1).ravel()
    told = np.maximum.accumulate(edges + rng.integers(4 * _S, 40 * _S, len(edges))) + np.arange(len(edges))
    within = (told >= span.begin_us) & (told < span.end_us)
    beats = span.moments(device, device.interval_s or SPACE_S, on_time=False)
    times = np.concatenate([told[within], beats])
    state = np.concatenate([1 - np.flatnonzero(within) % 2, np.searchsorted(told, beats, "right") % 2])
    order = np.argsort(times, kind="stable")
    return Sent(
        device,
        _F_PORTS[device.type],
        times[order],
        (("parking_occupied", ""),),
        state[order].astype(float)[:, None],
    )


def _starts(times: Ints) -> Ints:
    """Where the intervals begin that end at these times."""
    return np.append(2 * times[:1] - times[1:2], times[:-1])


def _between(moments: Ints, times: Ints) -> Ints:
    found: Ints = np.searchsorted(moments, times, "right") - np.searchsorted(moments, _starts(times), "right")
    return found
