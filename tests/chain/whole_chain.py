"""Everything between a reading and a phone in one process, worked by hand: no threads, a clock of ours.

The engine, the city's office, the board, the outbox with routes and silences, the mailings to residents and
the CAP documents are the real ones over real files. Doubles: what takes a message (a channel's sender, a line
to residents), and the drill's thread, whose events are made by the drill's own functions.
"""

import tempfile
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from chain_city import (
    BERLIN,
    CATCHMENTS,
    CHANNELS,
    GAUGES,
    MIN,
    PUBLIC,
    REGISTRY,
    ROUTES,
    RULES,
    SERIES,
    SEVERITIES,
    SHIPPED,
    STAFF,
    TEXTS,
)
from warned_city import AREAS, BASIS, T0

from alerts import drill
from alerts.board import WarningBoard
from alerts.cap.archive import CapArchive
from alerts.cap.publisher import CapPublisher
from alerts.city.office import CityOffice
from alerts.city.order import Order
from alerts.delivery.channel_worker import Retry
from alerts.delivery.channels import Outcome
from alerts.delivery.dispatch import Dispatch, Place
from alerts.delivery.mailing_texts import MailingTexts
from alerts.delivery.mass_mail import MassMail
from alerts.delivery.outbox import Outbox
from alerts.engine import Engine
from alerts.errors import MailError
from alerts.event import Event, from_row, to_row
from alerts.incidents.decision import Decision
from alerts.routing.silences import Silence, Silences
from alerts.subscriptions import records
from alerts.subscriptions.contact import Contact
from alerts.subscriptions.subscription import Choices
from alerts.subscriptions.subscription import Place as Home
from alerts.subscriptions.subscriptions import Subscriptions
from alerts.subscriptions.vault import Vault
from ingest.journal import Accepted
from ingest.reading import Measured
from ingest.sqlite_journal import SqliteJournal
from ingest.uplink import TimeSource, Uplink

NEVER = Retry(first_s=1e9, most_s=1e9)
PARTS = ("engine", "office", "board", "outbox", "mass", "cap")
_NO_UPLINK = (1 << 63) - 1


class Killed(BaseException):
    """The process ends here: nothing after it is carried out."""


@dataclass(frozen=True)
class Told:
    """One attempt: `who` a channel's name or a subscription's number; `came`: yes, maybe or no."""

    who: Any
    event: str
    episode: str
    came: str
    seq: int
    group: str
    at_us: int
    kind: str
    said: str


class Chain:
    def __init__(self):
        # a folder in memory, where there is one: hundreds of histories sync their files
        shm = Path("/dev/shm")
        self.temporary = tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None)
        self.folder = Path(self.temporary.name)
        self.now_us = T0
        self.modes = dict.fromkeys((*STAFF, *PUBLIC, "email"), "ok")
        self.levels = dict.fromkeys(GAUGES, 0)
        self.alive = dict.fromkeys(GAUGES, True)
        self.busy = set()
        self.releases = SHIPPED
        self.told: list[Told] = []
        self.events: list[tuple[int, Event]] = []
        self.silences_made: list[Silence] = []
        self.hushed: dict[str, set[str]] = {}
        self.people: Counter = Counter()
        self.drill = None
        self.wrote = 0
        self.sending = None
        self.mailing = None
        self.journal = None
        self.open()

    @property
    def clock(self):
        return lambda: self.now_us

    # the parts

    def open(self):
        self.journal = SqliteJournal(self.folder / "journal.db")
        self.subscriptions = Subscriptions(
            self.folder / "subscriptions.db",
            Vault("ab" * 32),
            self.clock,
            areas=AREAS,
            registry=lambda: REGISTRY,
            timezone="Europe/Berlin",
            channels=("email",),
        )
        self.silences = Silences(self.folder / "silences.db", self.clock)
        for part in PARTS:
            getattr(self, f"open_{part}")()
        self.drill_fence = self.journal.load("drill").fence
        if self.events:
            # what the drills do at their start
            left = [each for each in self.board.snapshot().in_force if each.exercise]
            self.commit_drill([drill._cleared(each, self.now_us, drill._RESTARTED) for each in left])
            self.drill = None

    def open_engine(self):
        self.engine = Engine(
            self.journal, RULES, lambda: REGISTRY, self.clock, catchments=CATCHMENTS, checkpoint_s=0
        )

    def open_office(self):
        self.office = CityOffice(self.journal, self.releases, AREAS, self.clock)
        # what start() does, without the thread
        self.office._fence = self.journal.load("city-office").fence
        self.office._catch_up()

    def open_board(self):
        self.board = WarningBoard(self.clock)
        self.board.catch_up(self.journal)

    def open_outbox(self):
        dispatch = Dispatch(
            CHANNELS,
            self.clock,
            routes=ROUTES,
            silences=self.silences,
            place=Place(AREAS, CATCHMENTS, BERLIN),
        )
        self.outbox = Outbox(
            self.journal,
            self.folder / "deliveries.db",
            CHANNELS,
            TEXTS,
            self.clock,
            retry=NEVER,
            open_sender=lambda channel: Sender(self, channel.name),
            receipts_days=1,
            dispatch=dispatch,
        )
        self.outbox._find_position()
        self.outbox._deliveries.recover()

    def open_mass(self):
        texts = MailingTexts(
            lambda warning, language: TEXTS.render(warning, "en" if language == "en" else "de"),
            "Teststadt",
            "Europe/Berlin",
            AREAS,
        )
        self.mass = MassMail(
            self.journal,
            self.folder / "mailings.db",
            self.subscriptions,
            texts,
            lambda _: {"email": Way(self)},
            self.clock,
            receipts_days=1,
            pause=NEVER,
            retry=NEVER,
        )
        self.mass._find_position()
        self.mass._mailings.recover()
        for worker in self.mass._workers:
            for mailing in self.mass._mailings.open(worker.name):
                worker.add(mailing)

    def open_cap(self):
        self.archive = CapArchive(self.folder / "cap.db")
        self.cap = CapPublisher(
            self.archive,
            lambda: BASIS,
            lambda: self.office.warnings(),  # noqa: PLW0108 - the office of then
            self.board,
            TEXTS,
            clock=self.clock,
            public_stations=lambda: frozenset(GAUGES),
            notices="off",
        )

    def close_parts(self, *parts):
        if "outbox" in parts:
            self.outbox._deliveries.close()
        if "mass" in parts:
            self.mass._mailings.close()
        if "cap" in parts:
            self.archive.close()

    def restart(self, *parts):
        self.close_parts(*parts)
        for part in PARTS:
            if part in parts:
                getattr(self, f"open_{part}")()

    def close(self):
        self.close_parts(*PARTS)
        with closing(self.journal), closing(self.subscriptions), closing(self.silences):
            pass

    def restart_all(self):
        self.close()
        self.open()

    def end(self):
        self.close()
        self.temporary.cleanup()

    def rewind(self, part):
        """As when the file's position is not found in the journal."""
        (self.outbox._deliveries if part == "outbox" else self.mass._mailings).rewind()

    # what happens

    def measure(self, name):
        cm = (20.0, 70.0, 120.0, 170.0, 220.0)[self.levels[name]]
        series = SERIES[name]
        raw = Uplink(
            server="ns",
            dev_eui=series.dev_eui,
            f_port=1,
            f_cnt=0,
            session="",
            payload=b"",
            received_us=self.now_us,
            arrived_us=self.now_us,
            time_us=self.now_us,
            time_source=TimeSource.SERVER,
        )
        self.journal.append([Accepted(raw, (Measured(series, self.now_us, cm, 1),), ())])

    def water(self, name, level):
        self.levels[name] = level
        self.alive[name] = True
        self.now_us += MIN
        self.measure(name)
        self.work()

    def wait(self, minutes):
        parts = min(6, -(-minutes // 5))
        for _ in range(parts):
            self.now_us += round(minutes * MIN / parts)
            for name in GAUGES:
                if self.alive[name]:
                    self.measure(name)
            self.again()
            self.work()

    def again(self):
        """Whatever waits to be tried again is due now."""
        for worker in self.outbox._workers:
            worker._paused.clear()
        for worker in self.mass._workers:
            worker._until_s = 0.0
            for run in worker._runs.values():
                run.later = [(0.0, id_) for _, id_ in run.later]
                run.look_s = 0.0

    def decide(self, incident, action, by):
        future = self.engine.submit(Decision(incident, action, by, "looked", self.now_us))
        self.engine.run_once()
        event = future.result(0)
        self.people[event.id] += 1
        self.work()

    def order(self, action, by, warning="", **content):
        after = self.office.decide(Order(action, by, "seen on site", self.now_us, warning, **content))
        self.people[after.steps[-1].event] += 1
        self.work()
        return after

    def silence(self, **fields):
        kept = self.silences.add(
            Silence(by="Anna Meier", reason="cleaned", from_us=0, until_us=self.now_us + 120 * MIN, **fields)
        )
        self.silences_made.append(kept)

    def unsilence(self, number):
        kept = self.silences_made[number]
        ended = self.silences.end(kept.id, "Bernd Kurz")
        self.silences_made[number] = ended
        self.outbox.unsilence(kept.id)
        self.work()

    def subscribe(self, number, least, gauge):
        """Somebody joins; the number of the subscription."""
        homes = (Home("gauge", gauge) if gauge else Home("area", "gierath"),)
        contact = Contact("email", f"resident{number}@example.org")
        with self.subscriptions._file.write() as connection:
            return records.insert(
                connection,
                self.subscriptions._vault,
                records.Request(contact, Choices(homes, least=least)),
                self.now_us,
            ).id

    def leave(self, number):
        self.subscriptions.remove(Contact("email", f"resident{number}@example.org"))

    def drill_begins(self, released):
        self.wrote += 1
        status = SimpleNamespace(id=f"d{self.wrote}", released_by="Anna Meier" if released else "")
        self.drill = SimpleNamespace(status=status, when=lambda time_us: time_us)

    def drill_says(self, kind, level, gauge):
        self.wrote += 1
        event = Event(
            *(f"e{self.wrote}", f"{gauge}.water_level", self.now_us, gauge, kind, "water_level"),
            *(level, None, 100.0, "level", "measured", "public" if level > 1 else "staff"),
            severity=SEVERITIES[level],
            incident=f"strunde.{self.drill.status.id}",
        )
        self.commit_drill([drill._marked(event, self.drill)])
        self.work()

    def drill_ends(self, reason):
        prefix = f"{drill._prefix(self.drill.status.id)}."
        board = WarningBoard(self.clock)
        board.catch_up(self.journal)
        left = [each for each in board.snapshot().in_force if each.id.startswith(prefix)]
        end = drill._over(self.drill.status.id, self.now_us, reason)
        self.commit_drill([*(drill._cleared(each, self.now_us, reason) for each in left), end])
        self.drill = None

    def commit_drill(self, events):
        self.journal.commit("drill", self.drill_fence, _NO_UPLINK, events=[to_row(each) for each in events])

    # the parts at work

    def work(self):
        """Each part that is not busy does what there is to do."""
        for part in PARTS:
            if part in self.busy:
                continue
            try:
                getattr(self, f"work_{part}")()
            except Killed:
                self.restart(part)
        self.look()

    def work_engine(self):
        while self.engine.run_once():
            pass
        if self.drill is not None:
            self.work_board()
            if any(drill._is_alarm(each) for each in self.board.snapshot().in_force):
                self.drill_ends(drill.PREEMPTED)

    def work_office(self):
        self.office.run_once()

    def work_board(self):
        self.board.catch_up(self.journal)

    def work_outbox(self):
        while self.outbox._expand():
            pass
        self.outbox._release()
        self.outbox._deliveries.expire(self.outbox._oldest_us(), self.now_us)
        self.outbox._pruned = float("-inf")
        self.outbox._prune()
        for worker in self.outbox._workers:
            while (found := worker._next()[0]) is not None:
                self.sending = found
                worker._deliver(found)

    def work_mass(self):
        while self.mass._read():
            pass
        self.mass._mailings.prune(self.now_us - self.mass._receipts_us)
        for worker in self.mass._workers:
            while (found := worker._next())[0] is not None:
                run, ids = found
                if not ids:
                    worker._plan(run)
                    continue
                self.mailing = run.mailing
                with suppress(MailError):
                    line = worker._connected(run, ids)
                    if line is not None:
                        worker._hand_over(line, run, ids)

    def work_cap(self):
        self.cap.refresh()

    def look(self):
        """Take note of what is new in the journal."""
        after = self.events[-1][0] if self.events else 0
        while page := self.journal.events(after, 1000):
            after = page[-1][0]
            self.events += [(number, from_row(row)) for number, row in page]

    def settle(self):
        """Everything works again and has time to catch up."""
        self.busy.clear()
        self.modes = dict.fromkeys(self.modes, "ok")
        for _ in range(7):
            self.wait(5)


@dataclass
class Sender:
    """What a channel's address is: works, refuses, gives no answer, or the process ends meanwhile."""

    chain: Chain
    name: str

    def send(self, text, **_):
        chain, due = self.chain, self.chain.sending.due
        mode = chain.modes[self.name]
        came = {"ok": "yes", "fails": "no"}.get(mode, "maybe")
        said = f"{text.title}\n{text.body}"
        chain.told.append(
            Told(self.name, due.event, due.episode, came, due.seq, due.group, chain.now_us, due.kind, said)
        )
        if mode == "dies":
            chain.modes[self.name] = "ok"
            raise Killed
        return Outcome({"ok": "sent", "fails": "refused"}.get(mode, "unknown"))


@dataclass
class Way:
    """The way to residents, one connection, a few at a time."""

    chain: Chain
    lines: int = 1
    batch: int = 2

    def connect(self):
        if self.chain.modes["email"] == "fails":
            raise MailError("away")
        return Line(self.chain)


@dataclass
class Line:
    chain: Chain

    def send(self, bulletin, to, report):
        chain = self.chain
        for each in to:
            mode = chain.modes["email"]
            came = {"ok": "yes", "later": "no"}.get(mode, "maybe")
            chain.told.append(
                Told(
                    *(each.id, bulletin.event, bulletin.episode, came, chain.mailing.id, bulletin.episode),
                    *(chain.now_us, chain.mailing.kind, f"{bulletin.text.title}\n{bulletin.text.body}"),
                )
            )
            if mode == "dies":
                chain.modes["email"] = "ok"
                for worker in chain.mass._workers:
                    worker._record = lambda *_: None
                raise Killed
            report(each.id, {"ok": "sent", "later": "later"}.get(mode, "unknown"))

    def close(self):
        pass
