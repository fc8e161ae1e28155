"""A backtest: the kernels over a history.

A missing row of interval depths counts as 0: it is put in, so that windows, calm and all-clear are those of
a gauge that reported its dry intervals. Live, silence is never calm; a history file often leaves out zeros.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from alerts.backtest.silence import Silence
from alerts.catchments import Catchments
from alerts.event import Event
from alerts.kernels.curve_row import Tally
from alerts.kernels.kernels import MADE_UP, Kernels
from alerts.kernels.plan import RAIN_COUNTER, RAIN_DEPTH
from alerts.kernels.rain import WINDOWS_MIN
from alerts.kernels.rows import Bools, Ints
from alerts.kostra.kostra import Kostra
from alerts.rules import Rules
from devices.catalogue import DeviceType
from devices.registry import InstalledDevice, Registry
from ingest.reading import READING, Readings, Series

_MINUTE_US = 60_000_000
_FILL_US = (WINDOWS_MIN[-1] + 24 * 60) * _MINUTE_US
"""After so long without a row every window is dry and every episode has ended: no more zeros are needed."""
_LONGEST_INTERVAL = 24 * 60 * _MINUTE_US
_GAPS = 1 << 43
_LONGEST_GAP = _GAPS - 1
_EARLY = 0.9
"""Share of an interval after which the next row may come without a row in between being missed."""


@dataclass(slots=True)
class Spacing:
    """What the times of the series say. `interval_us`: commonest spacing, the shorter of equals, 0 unknown;
    `doubled`: readings of a series and time that were there already."""  # noqa: D205, D209 - one thought

    interval_us: Ints
    doubled: int


def spacing_of(batches: Iterable[Readings], series: int) -> Spacing:
    """Commonest spacing of every series; the batches are sorted by time."""
    last = np.full(series, -1, np.int64)
    counts: dict[int, dict[int, int]] = {}
    doubled = 0
    for batch in batches:
        order = np.argsort(batch["series"], kind="stable")
        number, time = batch["series"][order].astype(np.int64), batch["time_us"][order]
        _, before = _before(number, time, last)
        last[number] = time
        gap = time - before
        doubled += int((gap == 0).sum())
        counted = (before >= 0) & (gap > 0) & (gap <= _LONGEST_GAP)
        pairs, often = np.unique(number[counted] * _GAPS + gap[counted], return_counts=True)
        for pair, count in zip(pairs.tolist(), often.tolist(), strict=True):
            each, width = divmod(pair, _GAPS)
            mine = counts.setdefault(each, {})
            mine[width] = mine.get(width, 0) + count
    interval = np.zeros(series, np.int64)
    for each, mine in counts.items():
        interval[each] = min(mine, key=lambda width: (-mine[width], width))
    return Spacing(interval, doubled)


def settle(
    registry: Registry,
    series: Sequence[tuple[str, str]],
    interval_us: Ints,
    catalogue: Mapping[str, DeviceType],
) -> tuple[Registry, tuple[Series, ...]]:
    """The registry of a history: each (station, property) from a device of its own with its interval.

    The interval is the installed device's `interval_s`, else the commonest spacing. Rain total and rain depth
    of a station stay with one device, for then the total is used.
    """
    devices: dict[str, InstalledDevice] = {}
    euis: dict[tuple[str, str], str] = {}
    found: list[Series] = []
    for number, (station, name) in enumerate(series):
        made = (station, "rain" if name in {RAIN_DEPTH, RAIN_COUNTER} else name)
        eui = euis.setdefault(made, f"{number + 1:016x}")
        found.append(Series(station, name, "", eui))
        device = _device(registry, station, name, catalogue)
        seconds = device.interval_s or int(interval_us[number]) / 1e6 or None
        if eui not in devices or name == RAIN_DEPTH:
            devices[eui] = replace(device, dev_eui=eui, interval_s=seconds)
    stations = {
        id_: replace(station, devices=tuple(eui for eui, each in devices.items() if each.station == id_))
        for id_, station in registry.stations.items()
    }
    return Registry(MappingProxyType(devices), MappingProxyType(stations)), tuple(found)


def with_missing_rows(
    batches: Iterable[Readings], series: Sequence[Series], registry: Registry, end_us: int
) -> Iterator[Readings]:
    """The batches, sorted by time, with 0 wherever an interval depth is missing up to `end_us`."""
    interval = _filled_us(series, registry)
    margin = int(interval.max(initial=0))
    last = np.full(len(series), -1, np.int64)
    heard = last.copy()
    held = np.zeros(0, READING)
    for batch in batches:
        horizon = int(batch["time_us"][-1])
        filled = _sorted(np.concatenate((held, batch, _missing(batch, interval, last, heard, horizon))))
        # of the last interval no one knows yet what is missing
        cut = int(np.searchsorted(filled["time_us"], horizon - margin, "right"))
        held = filled[cut:]
        if cut:
            yield filled[:cut]
    empty = np.zeros(0, READING)
    rest = _sorted(np.concatenate((held, _missing(empty, interval, last, heard, end_us + margin))))
    rest = rest[rest["time_us"] <= end_us]
    if len(rest):
        yield rest


def backtest(  # noqa: PLR0913 - what a run depends on
    rules: Rules,
    registry: Registry,
    series: Sequence[Series],
    batches: Iterable[Readings],
    *,
    catalogue: Mapping[str, DeviceType] | None = None,
    kostra: Kostra | None = None,
    catchments: Catchments | None = None,
    tally: Tally | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> Iterator[Event]:
    """Events of a history in the order of time; nothing is too old to be judged.

    A sensor is silent where rows of a series are missing that are not put in as 0.

    `tally` counts what the kernels did not take, `progress` hears the time of the newest reading judged.
    """
    kernels = Kernels(rules, registry, catalogue, series, kostra=kostra, catchments=catchments)
    if tally is not None:
        kernels.tally = tally
    silence = Silence(kernels.watch_plan, [width > 0 for width in _filled_us(series, registry)])
    for readings in batches:
        yield from silence.merge(readings, kernels.step(readings))
        progress(int(readings["time_us"][-1]))


def _filled_us(series: Sequence[Series], registry: Registry) -> Ints:
    """Interval at which each series' missing rows are put in, 0 for those whose are not."""
    interval = np.zeros(len(series), np.int64)
    for number, each in enumerate(series):
        if each.property == RAIN_DEPTH:
            width = round((registry.devices[each.dev_eui].interval_s or 0) * 1e6)
            interval[number] = width if width <= _LONGEST_INTERVAL else 0
    return interval


def _missing(readings: Readings, interval: Ints, last: Ints, heard: Ints, horizon: int) -> Readings:
    """Zeros for the depths that are missing before these readings and up to the horizon.

    `last`: time of each series' last row, put in or not; `heard`: of its last real one. Both move on.
    """
    mine = readings[interval[readings["series"]] > 0] if len(readings) else readings
    order = np.argsort(mine["series"], kind="stable")
    number, time = mine["series"][order].astype(np.int64), mine["time_us"][order]
    first, before = _before(number, time, last)
    real = np.where(first, heard[number], before)
    # rows of a series follow each other by time, so the last one stays
    last[number] = heard[number] = time
    # and from the last row on to the horizon, beyond which the next one lies
    open_ = np.flatnonzero((last >= 0) & (interval > 0))
    number, before = np.concatenate((number, open_)), np.concatenate((before, last[open_]))
    real = np.concatenate((real, heard[open_]))
    until = np.concatenate((time, np.full(len(open_), horizon)))
    width = interval[number]
    until = np.minimum(until - np.rint(_EARLY * width).astype(np.int64), real + _FILL_US)
    count = np.where(before >= 0, np.maximum((until - before) // np.maximum(width, 1), 0), 0)
    rows = np.zeros(int(count.sum()), READING)
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count) + 1
    rows["series"] = np.repeat(number, count)
    rows["time_us"] = np.repeat(before, count) + rank * np.repeat(width, count)
    rows["quality"] = 2
    rows["seq"] = MADE_UP
    np.maximum.at(last, rows["series"], rows["time_us"])
    return rows


def _before(number: Ints, time: Ints, last: Ints) -> tuple[Bools, Ints]:
    """Of rows in the order of series and time: which begin a series, and the time before each row."""
    first = np.ones(len(number), np.bool_)
    first[1:] = number[1:] != number[:-1]
    before = np.roll(time, 1)
    return first, np.where(first, last[number], before)


def _sorted(readings: Readings) -> Readings:
    return readings[np.lexsort((readings["series"], readings["time_us"]))]


def _device(
    registry: Registry, station: str, name: str, catalogue: Mapping[str, DeviceType]
) -> InstalledDevice:
    """The device of a station that measures this: by its type, else one without a type, else the first."""
    here = [registry.devices[eui] for eui in registry.stations[station].devices]

    def fit(device: InstalledDevice) -> int:
        type_ = catalogue.get(device.type)
        return 1 if type_ is None else 0 if name in type_.properties else 2

    return min(here, key=fit)
