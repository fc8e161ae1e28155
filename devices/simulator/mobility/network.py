"""What becomes of the uplinks on their way: lost, late, twice."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from devices.simulator.mobility.demand import generator
from devices.simulator.mobility.sensors import Sent

REPORT = np.dtype(
    [
        ("stream", "<i4"),
        ("time_us", "<i8"),
        ("value", "<f8"),
        ("arrival_us", "<i8"),
        ("sent", "<i4"),
        ("uplink", "<i4"),
        ("repeated", "?"),
    ]
)
"""One reading as it arrives: number of its stream, event time, value (NaN: the sensor had none), arrival, and
which uplink of which kind it came in, and whether that had come before."""

_S = 1_000_000
_HOUR_US = 3_600 * _S
_GLITCH = 30_000


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares of the uplinks that are lost, come twice, come late (minutes to `latest_h` hours).

    So many counters start anew, so many are silent for some hours, so many say something absurd once.
    """

    lost: float = 0.05
    repeated: float = 0.03
    late: float = 0.03
    latest_h: float = 6.0
    resets: int = 4
    outages: int = 2
    glitches: int = 4


NO_FAULTS = Faults(0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Incident:
    """What befell a device. `kind`: reset, outage or glitch."""

    kind: str
    dev_eui: str
    begin_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """The uplinks of one kind as they arrive: which, when, and whether it came before; in no order."""

    uplink: np.ndarray
    arrival_us: np.ndarray
    repeated: np.ndarray


def glitched(sent: Sequence[Sent], faults: Faults, seed: int) -> tuple[list[Sent], list[Incident]]:
    """Some totals of some counters made absurd."""
    rng = generator(seed, "glitches")
    found, incidents = list(sent), []
    counters = [number for number, each in enumerate(sent) if each.cumulative and len(each.times)]
    for number in _some(counters, faults.glitches, rng):
        each = found[number]
        at = int(rng.integers(len(each.times) // 4, len(each.times)))
        values = each.values.copy()
        values[at, 0] = (values[at, 0] + _GLITCH) % each.wrap
        found[number] = replace(each, values=values)
        moment = int(each.times[at])
        incidents.append(Incident("glitch", each.device.dev_eui, moment, moment))
    return found, incidents


def outages(sent: Sequence[Sent], faults: Faults, seed: int) -> list[Incident]:
    """Some devices silent for a while; their totals run on."""
    rng = generator(seed, "outages")
    counters = [number for number, each in enumerate(sent) if each.cumulative and len(each.times)]
    found = []
    for number in _some(counters, faults.outages, rng):
        times = sent[number].times
        begin = int(rng.integers(times[len(times) // 4], times[-1]))
        end = begin + round(rng.uniform(4, 16) * _HOUR_US)
        found.append(Incident("outage", sent[number].device.dev_eui, begin, end))
    return found


def deliver(sent: Sent, faults: Faults, silent: Sequence[Incident], seed: int) -> Delivered:
    """Which uplinks arrive, and when."""
    rng = generator(seed, sent.device.dev_eui, str(sent.f_port), "delivery")
    count = len(sent.times)
    kept = rng.random(count) >= faults.lost
    for each in silent:
        if each.dev_eui == sent.device.dev_eui:
            kept &= (sent.times < each.begin_us) | (sent.times >= each.end_us)
    arrival = sent.times + rng.integers(_S // 2, 2 * _S, count)
    if faults.late:
        # from two minutes on, most within the hour
        hours = np.minimum(0.03 + rng.exponential(faults.latest_h / 5, count), faults.latest_h)
        arrival += np.where(rng.random(count) < faults.late, (hours * _HOUR_US).astype(np.int64), 0)
    again = kept & (rng.random(count) < faults.repeated)
    repeats = arrival[again] + (rng.exponential(60, int(again.sum())) * _S).astype(np.int64) + 1
    return Delivered(
        uplink=np.concatenate([np.flatnonzero(kept), np.flatnonzero(again)]),
        arrival_us=np.concatenate([arrival[kept], repeats]),
        repeated=np.repeat([False, True], [int(kept.sum()), len(repeats)]),
    )


def _some(numbers: Sequence[int], count: int, rng: np.random.Generator) -> list[int]:
    chosen = rng.choice(len(numbers), min(count, len(numbers)), replace=False)
    return [numbers[each] for each in chosen.tolist()]
