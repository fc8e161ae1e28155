"""`stadtfunk demo`: a whole city in one process, with a broker, a simulated network and a storm."""

import argparse
import json
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from alerts import engine
from alerts.event import from_row
from alerts.mobility import engine as mobility
from devices.catalogue import load_catalogue
from devices.registry import load_registry
from devices.simulator.simulator import Delivery, Kind, Simulator
from ingest import store_writer
from ingest.journal import Journal
from stadtfunk.demo_broker import Addresses, demo_broker
from stadtfunk.demo_past import PARKING_DAYS, TRAFFIC_DAYS, Order, give_past
from stadtfunk.duty_officer import DutyOfficer
from stadtfunk.errors import StartError
from stadtfunk.publisher import Publisher
from stadtfunk.reaction import Reaction, Stopwatch
from stadtfunk.serve import Server, bind
from stadtfunk.service import Service
from stadtfunk.settings import Settings
from stadtfunk.settings_file import load_settings
from stadtfunk.signals import stop_asked
from stadtfunk.tokens import new_token

CITY = Path(__file__).with_name("demo_city")
SEED = 1
_PORT = 8080
_LAG = 150
"""Messages that may be under way before the simulated clock has to wait."""
_NAP_S = 0.25
_STUCK_S = 90.0
_POLL_S = 0.01


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `stadtfunk demo`."""
    parser.add_argument("--port", type=int, help="of the pages and the API (default 8080, or a free one)")
    parser.add_argument("--speed", type=float, default=60.0, help="simulated seconds per second (default 60)")
    parser.add_argument("--until-done", action="store_true", help="end after one storm, with a report")
    parser.add_argument(
        "--past",
        action=argparse.BooleanOptionalAction,
        help="days of traffic and parking before the start (usual, but with --until-done)",
    )
    parser.add_argument("--seed", type=int, default=SEED, help="another number, another day")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the databases in DIR")


def run(args: argparse.Namespace) -> int:
    """The demo until Ctrl-C, or until the storm is over and everything is accounted for."""
    if args.speed <= 0:
        print("--speed: give a number above 0", file=sys.stderr)
        return 2
    try:
        with stop_asked() as asked:
            result = _demo(args, asked)
    except _StopAsked:
        return 0
    except TimeoutError as error:
        print(error, file=sys.stderr)
        return 1
    # Last of all, when nothing can write any more.
    print(json.dumps(asdict(result)), flush=True)
    return 0 if result.complete else 1


class _StopAsked(Exception):  # noqa: N818 - no error: somebody wants the demo to end
    """Ctrl-C or SIGTERM, seen where the demo waits."""


def _demo(args: argparse.Namespace, asked: threading.Event) -> "Report":
    token, digest = new_token()
    with (
        _listener(args.port) as listener,
        _folder(args.keep) as folder,
        demo_broker(folder) as broker,
    ):
        values = _values(folder, broker, listener.getsockname()[1], digest)
        settings = load_settings(_city(folder), values)
        registry = load_registry(settings.path(settings.devices.file or Path("devices.csv")))
        simulator = Simulator(load_catalogue(), registry, args.seed)
        clock = DemoClock(time.time_ns() // 1000, args.speed)
        pace = _Pace(clock, asked)
        order = Order(str(settings.source), values, args.seed, clock())
        wanted = not args.until_done if args.past is None else args.past
        past = ""

        def prepare(new: Service) -> None:
            nonlocal past
            past = _past(given=give_past(new, order, simulator)) if wanted else ""

        with (
            _running(settings, pace, listener, prepare) as service,
            Publisher(broker.mqtt_311, "stadtfunk-demo-network-servers") as publisher,
        ):
            print(_welcome(args, settings, token, simulator, past), flush=True)
            start_us = clock()
            messages = simulator.messages(start_us, storms=1 if args.until_done else None)
            stopwatch = Stopwatch(clock)
            service.engine.listen(stopwatch.hear)
            sent = _play(messages, pace, publisher, lambda: service.intake.stats.messages, stopwatch.tick)
            publisher.flush()
            drained = _drained(service, sent, pace)
            reaction = stopwatch.reaction(simulator.crossings(start_us))
            print(reaction.line(), flush=True)
            return replace(drained, **_seconds(reaction))


def _listener(port: int | None) -> socket.socket:
    """The port that was asked for; if none was, the usual one, or a free one where that is taken."""
    if port is not None:
        return bind("127.0.0.1", port)
    try:
        return bind("127.0.0.1", _PORT)
    except StartError:
        return bind("127.0.0.1", 0)


class DemoClock:
    """µs since the epoch that pass `speed` times as fast as real ones, but never beyond the limit.

    The limit is the next message that has not been published: a machine that cannot keep up makes time
    slower, it does not make sensors look silent. Thread-safe.
    """

    def __init__(
        self, start_us: int, speed: float, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.speed = speed
        self._monotonic_ns = monotonic_ns
        self._lock = threading.Lock()
        self._now_us = float(start_us)
        self._limit_us = start_us
        self._seen_ns = monotonic_ns()

    def __call__(self) -> int:
        """The simulated time."""
        with self._lock:
            return self._advance()

    def limit(self, time_us: int) -> None:
        """Let time pass up to here (never back)."""
        with self._lock:
            self._advance()
            self._limit_us = max(self._limit_us, time_us)

    def _advance(self) -> int:
        seen_ns = self._monotonic_ns()
        passed_us = (seen_ns - self._seen_ns) / 1000 * self.speed
        self._seen_ns = seen_ns
        self._now_us = min(self._limit_us, self._now_us + passed_us)
        return int(self._now_us)


@dataclass(frozen=True, slots=True)
class _Pace:
    """How the demo waits: for its clock, or for somebody, and never after it has been stopped."""

    clock: DemoClock
    asked: threading.Event

    def until(self, due_us: int) -> None:
        """Let time pass up to here. Raises _StopAsked."""
        self._look()
        self.clock.limit(due_us)
        while (wait_us := due_us - self.clock()) > 0:
            self._look(min(_NAP_S, wait_us / 1e6 / self.clock.speed))

    def wait(self, condition: Callable[[], bool], problem: str) -> None:
        """Until it holds. Raises _StopAsked, TimeoutError."""
        until = time.monotonic() + _STUCK_S
        while not condition():
            if time.monotonic() > until:
                raise TimeoutError(f"{problem} for {_STUCK_S:.0f} s")
            self._look(_POLL_S)

    def _look(self, seconds: float = 0.0) -> None:
        if self.asked.wait(seconds):
            raise _StopAsked


@dataclass(frozen=True, slots=True)
class Report:
    """The last line of `--until-done`: uplinks sent by the simulator, and what the journal holds of them.

    `crossings`: marks that the simulated water reached; how many of them staff were told of, seconds from one
    to the other by the city's clock and the real one, how many had been expected how many minutes before.
    """

    sent: int
    stored: int
    rejected: int
    readings: int
    warnings_raised: int
    warnings_cleared: int
    crossings: int = 0
    crossings_alerted: int = 0
    crossing_to_alert_s: Mapping[str, float] | None = None
    crossing_to_alert_wall_s: Mapping[str, float] | None = None
    crossings_expected: int = 0
    expected_lead_min: float | None = None

    @property
    def complete(self) -> bool:
        """Nothing lost, nothing doubled."""
        return self.sent == self.stored + self.rejected


def _play(
    messages: Iterable[Delivery],
    pace: _Pace,
    publisher: Publisher,
    taken: Callable[[], int],
    tick: Callable[[], None],
) -> int:
    """Publish each message when it is due; the number of distinct uplinks among them.

    `taken` says how many messages the service has dealt with: it is never left far behind. `tick` is called
    after each message. Raises _StopAsked, TimeoutError.
    """
    distinct = 0
    for published, message in enumerate(messages):
        pace.until(message.due_us)
        least = published - _LAG
        pace.wait(partial(_reached, taken, least), "the service takes no messages")
        publisher.publish(message.topic, message.payload)
        tick()
        distinct += message.kind is not Kind.DUPLICATE
    return distinct


def _reached(count: Callable[[], int], least: int) -> bool:
    return count() > least


def report(journal: Journal, sent: int) -> Report:
    """What the journal holds, beside what was sent."""
    counts = journal.counts()
    raised, cleared, after = set(), set(), 0
    while page := journal.events(after, 1000):
        after = page[-1][0]
        for _, row in page:
            event = from_row(row)
            if event.exercise:
                continue
            if event.kind == "raise":
                raised.add(event.episode)
            elif event.kind == "clear":
                cleared.add(event.episode)
    return Report(sent, counts.stored, counts.rejected, counts.readings, len(raised), len(cleared & raised))


def _seconds(reaction: Reaction) -> dict[str, Any]:
    def pair(found: tuple[float, float] | None) -> Mapping[str, float] | None:
        return None if found is None else {"median": found[0], "max": found[1]}

    return {
        "crossings": reaction.crossings,
        "crossings_alerted": reaction.alerted,
        "crossing_to_alert_s": pair(reaction.simulated),
        "crossing_to_alert_wall_s": pair(reaction.wall),
        "crossings_expected": reaction.expected_before,
        "expected_lead_min": reaction.lead_min,
    }


def _drained(service: Service, sent: int, pace: _Pace) -> Report:
    """The report once the journal holds everything and its readers are through."""
    journal = service.journal

    def done() -> bool:
        counts = journal.counts()
        last = journal.last_seq()
        return counts.stored + counts.rejected >= sent and all(
            journal.cursor(part) >= last for part in (store_writer.PART, engine.PART, mobility.PART)
        )

    with suppress(TimeoutError):  # the report then says what is missing
        pace.wait(done, "the service does not catch up")
    return report(journal, sent)


@contextmanager
def _running(
    settings: Settings, pace: _Pace, listener: socket.socket, prepare: Callable[[Service], None]
) -> Iterator[Service]:
    """The service with its pages, once it hears the broker; `prepare` gets it before it starts."""
    service = Service(settings, clock=pace.clock)
    prepare(service)
    server = Server(service.app(), settings.api.host, settings.api.port)
    pages = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="demo-pages")
    officer = DutyOfficer(service, pace.clock)
    service.start()
    pages.start()
    officer.start()
    try:
        pace.wait(
            lambda: server.started and all(consumer.health.ok for consumer in service.consumers),
            "the service does not start",
        )
        yield service
    finally:
        server.should_exit = True
        pages.join()
        officer.stop()
        service.stop()


def _values(folder: Path, broker: Addresses, port: int, digest: str) -> dict[str, str]:
    """What the city's configuration leaves open."""
    return {
        "DEMO_CHIRPSTACK": broker.mqtt_5,
        "DEMO_TTS": broker.mqtt_311,
        "DEMO_FOLDER": str(folder),
        "DEMO_PORT": str(port),
        "DEMO_TOKEN_SHA256": digest,
    }


def _city(folder: Path) -> Path:
    """The city's configuration, copied: a device that somebody registers is written into the list."""
    city = folder / "city"
    if not city.exists():
        shutil.copytree(CITY, city)
    return city / "city.toml"


def _welcome(
    args: argparse.Namespace, settings: Settings, token: str, simulator: Simulator, past: str = ""
) -> str:
    url = f"http://{settings.api.host}:{settings.api.port}"
    script = simulator.script
    onset_s = script.onset_min * 60 / args.speed
    minutes = args.speed / 60
    pace = f"{minutes:g} simulated {'minute' if minutes == 1 else 'minutes'}"
    again = "" if args.until_done else f", and returns after {script.calm_min} calm minutes"
    return f"""
Stadtfunk demo: a simulated Bergisch Gladbach. Devices and values are fictitious.

  {url}/                  map, stations, warnings in force (live)
  {url}/console           the staff page: log in with the token below
  {url}/docs              the API
  {url}/api/v1/warnings   the same warnings as JSON
  {url}/api/v1/parking    free spaces, and what is expected in the next hour
  {url}/api/v1/traffic/segments    where it jams (GeoJSON); /congestions: when it did
  {url}/api/v1/city-warnings   what the city's duty officer released (a script decides here)
  {url}/metrics           for operators: Authorization: Bearer {token}

Operator token: {token}

One second is {pace}. A storm begins in about {onset_s:.0f} s{again}:
{script.rain_min} minutes of rain as it falls once in {script.return_period_a} years
(Euler Typ II, from KOSTRA-DWD-2010R of Deutscher Wetterdienst).
The rain index (SRI) rests on the same tables, superseded in 2023, and Refrath has none:
a city imports its own.
Watch the Strunde rise from Herrenstrunden down to Gierath. One gauge falls silent, one shows an absurd
value, some uplinks are broken. On the roads into town the traffic jams.{past}
Ctrl-C ends the demo.
"""


def _past(*, given: bool) -> str:
    if not given:
        return "\nThe folder has a past of its own: counts and car parks go on from there."
    return f"""
Traffic and parking have a past, too: {PARKING_DAYS} days of the car parks, {TRAFFIC_DAYS} of the counters.
A process beside this one simulates them now and the real reader goes through them; so what is usual
is known, and what to expect. It takes some ten seconds of a core; until then there are no counts.
The uplinks of the past are in no journal: /api/v1/traffic and /api/v1/parking/history reach back,
readings do not."""


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="stadtfunk-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
