"""`stadtfunk backtest`: what the rules would have made of a history, and how well they would have warned."""

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from alerts.backtest.backtest import backtest, settle, spacing_of, with_missing_rows
from alerts.catchments import Catchments, load_catchments
from alerts.errors import AlertsConfigError
from alerts.event import Event
from alerts.kernels.curve_row import Tally
from alerts.kernels.plan import RAIN_DEPTH
from alerts.kostra.kostra import Kostra
from alerts.rules import Rules, load_rules
from alerts.scale import load_scale
from devices.catalogue import Catalogue
from devices.errors import DevicesError, Fault
from devices.properties import observed_properties
from devices.registry import Registry, load_registry
from ingest.errors import HistoryError, StoreError
from ingest.reading import Readings, Series
from ingest.readings_csv import Resolve, read_csv
from ingest.readings_store import read_store
from ingest.sorted_spool import SortedSpool
from ingest.stores import open_store
from stadtfunk.backtest_report import Judged, write_report
from stadtfunk.einsaetze import read_happened
from stadtfunk.errors import ConfigError
from stadtfunk.javascript_types import named_types
from stadtfunk.kostra_commands import city_kostra
from stadtfunk.settings import Settings
from stadtfunk.settings_file import load_settings

if TYPE_CHECKING:
    from alerts.backtest.verification import Happened

_MOST_COMPLAINTS = 1000
_MINUTE_US = 60_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `stadtfunk backtest`."""
    parser.add_argument("--config", type=Path, required=True, metavar="city.toml")
    parser.add_argument(
        "--readings",
        type=Path,
        metavar="FILE.csv",
        help="time,station,property,value; may be gzipped and in any order",
    )
    parser.add_argument(
        "--from-store", action="store_true", help="judge what the configuration's [store] holds instead"
    )
    parser.add_argument(
        "--from", dest="begin", type=_time, metavar="T", help="with --from-store: from here on"
    )
    parser.add_argument("--to", dest="end", type=_time, metavar="T", help="with --from-store: up to here")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="events.jsonl", help="one event a line, by time"
    )
    parser.add_argument(
        "--rules",
        type=Path,
        action="append",
        default=[],
        metavar="rules.toml",
        help="instead of the configuration's; given twice, two sets side by side (the second set's events "
        "go to events-2.jsonl)",
    )
    parser.add_argument("--report", type=Path, metavar="DIR", help="write report.html and report.json there")
    parser.add_argument(
        "--events",
        type=Path,
        metavar="einsaetze.csv",
        help="what really happened: begin[,end][,station][,text], for hits, false alarms and misses",
    )
    parser.add_argument(
        "--tolerance-min",
        type=_minutes,
        default=60.0,
        metavar="N",
        help="a warning counts for what happened so long before or after it (60)",
    )
    parser.add_argument("--language", choices=("de", "en"), default="de", help="of the report")


def run(args: argparse.Namespace) -> int:
    """0 when the history was judged, rows skipped by name or not; 1 when it could not be."""
    if args.events and not args.report:
        print("stadtfunk backtest: --events needs --report DIR to show its scores in", file=sys.stderr)
        return 2
    if bool(args.readings) == args.from_store or (not args.from_store and (args.begin or args.end)):
        problem = "give either --readings FILE.csv or --from-store; --from and --to belong to --from-store"
        print(f"stadtfunk backtest: {problem}", file=sys.stderr)
        return 2
    settings = load_settings(args.config)
    city = _City(settings, args.rules)
    zone = settings.city.timezone
    said = _Complaints(args.readings or Path("store"))
    happened: tuple[Happened, ...] | None = None
    try:
        if args.events:
            about = _Complaints(args.events)
            happened = tuple(read_happened(args.events, zone, city.registry.stations, about))
            about.finish()
        with SortedSpool() as spool, ExitStack() as files:
            outs = [files.enter_context(_opened(path)) for path in _outs(args.out, len(city.rules))]
            source = _stored(settings, args.begin, args.end) if args.from_store else _in_file(args.readings)
            history = _History.read(source, city, spool, said)
            judged = [
                _judge(history, rules, city, out, keep=args.report is not None)
                for rules, out in zip(city.rules, outs, strict=True)
            ]
    except (HistoryError, ConfigError) as fault:
        said.finish()
        print(fault, file=sys.stderr)
        return 1
    _summarise(history, judged)
    if args.report:
        page = write_report(
            args.report,
            city=settings.city.name,
            zone=zone,
            language=args.language,
            registry=city.registry,
            history=(history.spool.first_us, history.spool.last_us, history.rows),
            skipped=said.total,
            judged=judged,
            happened=happened,
            tolerance_us=round(args.tolerance_min * _MINUTE_US),
        )
        print(f"report: {page}")
    return 0


class _City:
    """What of the configuration a backtest needs. Raises ConfigError with all faults."""

    def __init__(self, settings: Settings, rules: list[Path]) -> None:
        faults: list[Fault] = []
        self.catalogue = Catalogue({})
        self.registry = Registry()
        self.rules: list[Rules] = []
        self.kostra = Kostra()
        self.catchments = Catchments()
        try:
            self.registry = load_registry(
                settings.devices.file and settings.path(settings.devices.file),
                settings.device,
                types_optional=True,
                tables_file=str(settings.source),
            )
            if any(device.type for device in self.registry.devices.values()):
                self.catalogue = named_types(settings)
        except DevicesError as error:
            faults += error.faults
        try:
            self.kostra = city_kostra(settings)
        except AlertsConfigError as error:
            faults += error.faults
        try:
            file = settings.alerts.catchments
            self.catchments = load_catchments(file and settings.path(file))
        except AlertsConfigError as error:
            faults += error.faults
        else:
            faults += self.catchments.check(self.registry) if self.registry.devices else []
        faults += self._take_rules(settings, rules)
        if faults:
            raise ConfigError(*faults)

    def _take_rules(self, settings: Settings, rules: list[Path]) -> list[Fault]:
        faults: list[Fault] = []
        scale = None
        try:
            scale = load_scale(settings.alerts.scale and settings.path(settings.alerts.scale))
        except AlertsConfigError as error:
            faults += error.faults
        own = settings.alerts.rules and settings.path(settings.alerts.rules)
        chosen: list[Path | None] = [*rules] or [own]
        for path in chosen:
            try:
                self.rules.append(load_rules(path, scale))
            except AlertsConfigError as error:
                faults += error.faults
            else:
                faults += self.rules[-1].check(self.registry) if self.registry.devices else []
        return faults


@dataclass(slots=True)
class _History:
    """The readings in the order of time, and the stations they are of."""

    spool: SortedSpool
    series: tuple[Series, ...]
    registry: Registry
    rank: list[int]
    doubled: int
    read_s: float

    @property
    def rows(self) -> int:
        return self.spool.rows

    @classmethod
    def read(cls, source: "_Source", city: _City, spool: SortedSpool, complain: "_Complaints") -> "_History":
        """Read the source once, find the intervals."""
        began = time.monotonic()
        keys: list[tuple[str, str]] = []
        numbers: dict[tuple[str, str], int] = {}
        known = observed_properties()

        def resolve(station: str, name: str) -> int | str:
            if station not in city.registry.stations:
                return f"station {station[:40]!r} is not in the configuration"
            if name not in known:
                return (
                    f"property {name[:40]!r} is not known; docs/device-types.md tells where they are listed"
                )
            key = (station, name)
            if key not in numbers:
                numbers[key] = len(keys)
                keys.append(key)
            return numbers[key]

        for readings in source(resolve, complain):
            spool.add(readings)
        complain.finish()
        if not spool.rows:
            raise HistoryError(f"{complain.file}: not one row can be used")
        order = sorted(range(len(keys)), key=lambda number: keys[number])
        rank = [0] * len(keys)
        for place, number in enumerate(order):
            rank[number] = place
        spacing = spacing_of(spool.batches(rank), len(keys))
        registry, series = settle(
            city.registry, [keys[number] for number in order], spacing.interval_us, city.catalogue
        )
        _name_other_spacings(complain.file, series, registry, spacing.interval_us.tolist())
        return cls(spool, series, registry, rank, spacing.doubled, time.monotonic() - began)


_Source = Callable[[Resolve, "_Complaints"], Iterator[Readings]]


def _in_file(path: Path) -> _Source:
    def read(resolve: Resolve, complain: "_Complaints") -> Iterator[Readings]:
        try:
            size = path.stat().st_size
        except OSError as fault:
            raise HistoryError(f"{path}: cannot be read: {fault.strerror}") from fault
        with _progress("reading", 0, size) as progress:
            yield from read_csv(path, resolve, complain, progress)

    return read


def _stored(settings: Settings, begin: int | None, end: int | None) -> _Source:
    def skipped(series: Series, problem: str) -> None:
        print(f"store: series {series.station} {series.property} left out: {problem}", file=sys.stderr)

    def read(resolve: Resolve, _: "_Complaints") -> Iterator[Readings]:
        try:
            store = open_store(settings.store.url)
        except StoreError as fault:
            raise HistoryError(f"the store cannot be opened: {fault}") from fault
        with contextlib.closing(store):
            yield from read_store(store, resolve, skipped, begin, end)

    return read


def _name_other_spacings(
    path: Path, series: tuple[Series, ...], registry: Registry, spacing_us: list[int]
) -> None:
    """Say where the file's rain does not have the interval that the configuration gives."""
    for each, found_us in zip(series, spacing_us, strict=True):
        given_s = registry.devices[each.dev_eui].interval_s
        if each.property == RAIN_DEPTH and given_s and found_us and round(given_s * 1e6) != found_us:
            print(
                f"{path}: {each.station}: interval_s is {given_s:g}, but its rows are mostly "
                f"{found_us / 1e6:g} s apart: interval_s counts, rows between are taken as 0",
                file=sys.stderr,
            )


def _judge(history: _History, rules: Rules, city: _City, out: Any, *, keep: bool) -> Judged:
    began = time.monotonic()
    tally = Tally()
    kept: list[Event] = []
    count = 0
    spool = history.spool
    batches = with_missing_rows(spool.batches(history.rank), history.series, history.registry, spool.last_us)
    with _progress(f"judging by {rules.file}", spool.first_us, spool.last_us) as progress:
        for event in backtest(
            rules,
            history.registry,
            history.series,
            batches,
            catalogue=city.catalogue,
            kostra=city.kostra,
            catchments=city.catchments,
            tally=tally,
            progress=progress,
        ):
            out.write(_line(event))
            count += 1
            if keep:
                kept.append(event)
    return Judged(rules, kept, count, tally, time.monotonic() - began)


def _line(event: Event) -> bytes:
    body: dict[str, object] = {
        "time": _iso(event.time_us),
        "station": event.station,
        "kind": event.kind,
        "measure": event.measure,
        "level": event.level,
        "window_min": event.window_min,
        "value": event.value,
        "rule": event.rule,
        "reason": event.reason,
    }
    rises = event.kind in {"raise", "escalate"}
    if rises or (event.audience is not None and event.kind not in {"step_down", "clear"}):
        body["audience"] = event.audience
    if rises:
        body["confirmation"], body["witness"] = event.confirmation, event.witness
    return msgspec.json.encode(body) + b"\n"


def _iso(time_us: int) -> str:
    seconds, us = divmod(time_us, 1_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{us:06d}Z" if us else f"{text}Z"


def _summarise(history: _History, judged: list[Judged]) -> None:
    print(
        f"{history.rows} readings of {len(history.series)} series from {_iso(history.spool.first_us)} to "
        f"{_iso(history.spool.last_us)}, read in {history.read_s:.1f} s"
    )
    if history.doubled:
        print(f"{history.doubled} rows repeat a station's time: the first one counts")
    for each in judged:
        raised = sum(event.kind == "raise" for event in each.events)
        more = f", {raised} warnings" if each.events else ""
        print(f"{each.rules.file}: {each.count} events{more} in {each.seconds:.1f} s")
        if each.tally.implausible:
            print(f"readings that cannot be real, not counted: {each.tally.implausible}")


@dataclass(slots=True)
class _Complaints:
    """Names skipped lines on standard error; after a thousand it only counts."""

    file: Path
    total: int = 0
    _told: int = field(default=0, repr=False)

    def __call__(self, line: int, problem: str) -> None:
        self.total += 1
        if self.total <= _MOST_COMPLAINTS:
            print(f"{self.file}, line {line}: skipped: {problem}", file=sys.stderr)

    def finish(self) -> None:
        """Say how many there were."""
        if self.total and self.total != self._told:
            self._told = self.total
            more = f", the first {_MOST_COMPLAINTS} named" if self.total > _MOST_COMPLAINTS else ""
            print(f"{self.file}: {self.total} lines skipped{more}", file=sys.stderr)


@contextlib.contextmanager
def _progress(what: str, begin: int, end: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error while somebody looks at it."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    started = shown = time.monotonic()

    def show(at: int) -> None:
        nonlocal shown
        now = time.monotonic()
        share = min(max((at - begin) / max(end - begin, 1), 0.0), 1.0)
        if now - shown < 0.1 and share < 1:  # noqa: PLR2004 - ten times a second
            return
        shown = now
        left = (now - started) * (1 - share) / share if share else 0.0
        bar = ("█" * round(30 * share)).ljust(30, "·")
        print(f"\r{bar} {share:4.0%}  {what}, {left:.0f} s left \x1b[K", end="", file=sys.stderr, flush=True)

    yield show
    print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _outs(out: Path, count: int) -> list[Path]:
    return [out, *(out.with_name(f"{out.stem}-{number}{out.suffix}") for number in range(2, count + 1))]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        file = path.open("wb")
    except OSError as fault:
        problem = Fault(str(path), "--out", fault.strerror or str(fault), "give a file that can be written")
        raise ConfigError(problem) from fault
    with file:
        yield file


def _time(text: str) -> int:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise argparse.ArgumentTypeError("a time with its offset, such as 2026-07-14T00:00:00+02:00")
    return round(time.timestamp()) * 1_000_000


def _minutes(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 14 * 24 * 60:
        raise argparse.ArgumentTypeError("minutes from 0 to 20160 (two weeks)")
    return value
