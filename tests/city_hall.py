"""A city office over a real journal: notices come and go, people decide, the service restarts."""

from dataclasses import replace

from warned_city import AREAS, MINUTE, T0

from alerts.city import plain_words
from alerts.city.office import CityOffice
from alerts.city.order import Order
from alerts.city.release import Releases
from alerts.event import Event, from_row, to_row
from ingest.sqlite_journal import SqliteJournal

WHO = "A. Beispiel"
GAUGE, UPSTREAM = "strunde-gierath", "oben-pegel"
INCIDENT = "strunde.20260714T183000Z"
LEVELS = {2: "Moderate", 3: "Severe", 4: "Extreme"}
_ENGINE_NEEDS = (1 << 63) - 1


class Hall:
    """`office` runs by hand: tick() is what its thread does."""

    def __init__(self, folder, releases=None, areas=AREAS, write=plain_words.write):
        self.file = folder / "journal.db"
        self.releases = releases or Releases()
        self.areas = areas
        self.write = write
        self.now_us = T0
        self.levels = {}
        self.wrote = 0
        self.incident = INCIDENT
        self.open()

    def open(self):
        self.journal = SqliteJournal(self.file)
        self.fence = self.journal.load("engine").fence
        self.office = CityOffice(
            self.journal, self.releases, self.areas, lambda: self.now_us, write=self.write
        )
        self.office._fence = self.journal.load("city-office").fence  # what start() does, without the thread
        self.office._catch_up()

    def restart(self):
        self.journal.close()
        self.open()

    def close(self):
        self.journal.close()

    def commit(self, *events):
        rows = [to_row(event) for event in events]
        self.journal.commit("engine", self.fence, _ENGINE_NEEDS, events=rows)

    def later(self, minutes):
        self.now_us += round(minutes * MINUTE)
        return self.tick()

    def tick(self):
        return self.office.run_once()

    def notice(self, kind, level=3, station=GAUGE, **changes):
        """One event of the engine, and what the office makes of it."""
        self.wrote += 1
        event = Event(
            f"e{self.wrote}",
            f"level.{station}",
            self.now_us,
            station,
            kind,
            "water_level",
            level,
            None,
            100.0,
            "water-level",
            "measured",
            audience="public" if kind in {"raise", "escalate"} else None,
            severity=LEVELS.get(level, ""),
            incident=self.incident,
        )
        self.commit(replace(event, **changes))
        return self.tick()

    def all_clear(self, by=WHO, reason="looked at it"):
        return self.notice(
            "decision",
            0,
            station="",
            measure="all_clear",
            episode=self.incident,
            severity="",
            by=by,
            reason=reason,
        )

    def order(self, action, warning="", by=WHO, reason="seen on site", **changes):
        return self.office.decide(Order(action, by, reason, self.now_us, warning, **changes))

    @property
    def one(self):
        [warning] = self.office.warnings()
        return warning

    def steps(self):
        """All steps in the journal, in their order."""
        return [event for event in self.events() if event.city is not None]

    def events(self):
        found, after = [], 0
        while page := self.journal.events(after, 1000):
            after = page[-1][0]
            found += [from_row(row) for _, row in page]
        return found
