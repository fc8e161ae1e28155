"""Silences: somebody says that staff know of something and need not hear of it for a while."""

import fnmatch
import threading
import unicodedata
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from alerts.errors import SilenceRefusedError, SilencesError
from alerts.event import Severity
from alerts.scale import rank
from ingest.sqlite_file import SqliteFile

MOST_US = 7 * 86_400_000_000
"""No silence is longer."""
_KEPT_US = 30 * 86_400_000_000
_APPLICATION_ID = 0x53465369
_SCHEMA = (
    "CREATE TABLE silences(id TEXT PRIMARY KEY, until_us INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID",
)


@dataclass(frozen=True, slots=True)
class Silence:
    """What is not told until when. Times µs since the epoch, UTC.

    What is named must all hold: a station (ids or globs) and a catchment and a measure, at most
    `max_severity`. `second`: who has confirmed that Extreme may be hidden too. `ended_us`, `ended_by`: when
    somebody ended it before its time.
    """

    by: str
    reason: str
    from_us: int
    until_us: int
    stations: tuple[str, ...] = ()
    catchments: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    max_severity: Severity = "Moderate"
    second: str = ""
    id: str = ""
    ended_us: int | None = None
    ended_by: str = ""

    def holds(self, time_us: int) -> bool:
        """Whether it is in force at a time."""
        return self.ended_us is None and self.from_us <= time_us < self.until_us

    def hides(self, station: str, catchment: str, measure: str, severity: Severity) -> bool:
        """Whether it is about this; Extreme only where a second person has confirmed."""
        if severity == "Extreme" and not self.confirmed:
            return False
        return (
            rank(severity) <= rank(self.max_severity)
            and (not self.stations or any(fnmatch.fnmatchcase(station, each) for each in self.stations))
            and (not self.catchments or catchment in self.catchments)
            and (not self.measures or measure in self.measures)
        )

    @property
    def confirmed(self) -> bool:
        """Whether a second person, by another name, has confirmed it."""
        return bool(_same(self.second)) and _same(self.second) != _same(self.by)


class Silences:
    """The file of silences. Methods raise SilencesError; thread-safe."""

    def __init__(self, path: Path, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._file = SqliteFile(
            path, application_id=_APPLICATION_ID, version=1, schema=_SCHEMA, error=SilencesError
        )
        with self._file.read() as connection:
            rows = connection.execute("SELECT body FROM silences").fetchall()
        self._silences = {each.id: each for row in rows for each in [_decoder.decode(row[0])]}

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def add(self, silence: Silence) -> Silence:
        """Keep it, with an id. Raises SilenceRefusedError when it would hide too much."""
        now = self._clock()
        if not silence.by.strip() or not silence.reason.strip():
            raise SilenceRefusedError("a silence needs a name and a reason")
        narrow = [each for each in silence.stations if each.strip("*?[]!")]
        if len(narrow) < len(silence.stations) or not (narrow or silence.catchments or silence.measures):
            raise SilenceRefusedError("name a station, a catchment or a measure: nobody silences everything")
        if not now < silence.until_us <= now + MOST_US:
            raise SilenceRefusedError("until must lie in the next 7 days")
        if silence.max_severity == "Extreme" and not silence.confirmed:
            raise SilenceRefusedError("Extreme is hidden only when a second person has confirmed: second")
        kept = replace(silence, id=uuid.uuid4().hex[:12], from_us=now, ended_us=None, ended_by="")
        self._keep(kept)
        return kept

    def end(self, id_: str, by: str) -> Silence | None:
        """End one before its time, None where there is none. One that is over stays as it is."""
        now = self._clock()
        with self._lock:
            found = self._silences.get(id_)
        if found is None or not found.holds(now):
            return found
        ended = replace(found, ended_us=now, ended_by=by)
        self._keep(ended)
        return ended

    def hiding(
        self, station: str, catchment: str, measure: str, severity: Severity, time_us: int
    ) -> Silence | None:
        """The silence in force that hides this and lasts longest."""
        with self._lock:
            found = [each for each in self._silences.values() if each.holds(time_us)]
        hiding = [each for each in found if each.hides(station, catchment, measure, severity)]
        return max(hiding, key=lambda each: each.until_us, default=None)

    def all(self) -> Sequence[Silence]:
        """Those in force first, then those of the last 30 days; each newest first."""
        now = self._clock()
        with self._lock:
            found = list(self._silences.values())
        return sorted(found, key=lambda each: (not each.holds(now), -each.from_us, each.id))

    def _keep(self, silence: Silence) -> None:
        old = self._clock() - _KEPT_US
        with self._lock:
            with self._file.write() as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO silences VALUES(?, ?, ?)",
                    (silence.id, silence.until_us, msgspec.json.encode(silence)),
                )
                connection.execute("DELETE FROM silences WHERE until_us < ?", (old,))
            kept = {id_: each for id_, each in self._silences.items() if each.until_us >= old}
            self._silences = {**kept, silence.id: silence}


def _same(name: str) -> str:
    """A name as people read it: what is not seen, and how it is typed, makes nobody another person."""
    letters = "".join(c for c in unicodedata.normalize("NFKD", name) if c.isalnum() or c.isspace())
    return " ".join(letters.split()).casefold()


_decoder = msgspec.json.Decoder(Silence)
