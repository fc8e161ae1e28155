"""Who hears of a notice or a warning of the city, as residents asked for it."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from alerts.areas import Areas
from alerts.city.city_warning import CityWarning
from alerts.scale import ReadIn, rank
from alerts.subscriptions import records
from alerts.subscriptions.contact import Contact, ContactChannel
from alerts.subscriptions.matching import candidates, matches, reach, silent
from alerts.subscriptions.subscription import Place, QuietHours
from alerts.subscriptions.vault import Vault
from alerts.warning import Warning  # noqa: A004 - the field's word, see there
from devices.registry import Registry
from ingest.sqlite_file import SqliteFile

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody to tell now. `id` is what receipts may name; the tokens are for this message only."""

    id: int
    contact: Contact
    language: ReadIn
    manage: str = field(repr=False)
    leave: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Audience:
    """Ids of subscriptions, ascending: who is to be told now, and who has quiet hours now."""

    told: tuple[int, ...]
    held: tuple[int, ...]


class Audiences:
    """Reads the file of subscriptions. Thread-safe; methods raise SubscriptionsError."""

    def __init__(  # noqa: PLR0913, PLR0917 - who is warned where and when
        self,
        file: SqliteFile,
        vault: Vault,
        clock: Callable[[], int],
        areas: Areas,
        registry: Callable[[], Registry],
        zone: ZoneInfo,
    ) -> None:
        self._file = file
        self._vault = vault
        self._clock = clock
        self._areas = areas
        self._registry = registry
        self._zone = zone

    def recipients(self, what: Warning | CityWarning, now_us: int | None = None) -> Iterator[Recipient]:
        """Whoever is to be told of a notice's or a city warning's latest step now, each address once.

        Whoever was told of an earlier step is told of this one, unless the choices changed in between. In
        quiet hours (see matching.silent) nobody is.
        """
        told = self.of(what, None, now_us).told
        for first in range(0, len(told), _CHUNK):
            yield from self.opened(told[first : first + _CHUNK])

    def of(
        self, what: Warning | CityWarning, channel: ContactChannel | None, now_us: int | None = None
    ) -> Audience:
        """The same as ids, by one channel or all (None), and whom quiet hours keep it from now."""
        found = reach(what, self._areas, self._registry())
        if found is None:
            return Audience((), ())
        at_us = self._clock() if now_us is None else now_us
        near, values = candidates(found, self._areas)
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT s.id, s.quiet_start, s.quiet_end, "  # noqa: S608 - own words
                "p.kind, p.ref, p.lat, p.lon, p.radius_km "
                "FROM places p JOIN subscriptions s ON s.id = p.subscription "
                f"WHERE ({near}) AND s.{found.told} = 1 AND s.least <= ? AND (? IS NULL OR s.channel = ?) "
                "ORDER BY s.id",
                (*values, rank(found.severity), channel, channel),
            ).fetchall()
        reached, own = matches(found, [Place(*row[3:]) for row in rows], self._areas)
        told: list[int] = []
        held: list[int] = []
        for id_, group in itertools.groupby(range(len(rows)), key=lambda i: int(rows[i][0])):
            mine = [i for i in group if reached[i]]
            if not mine:
                continue
            quiet = _quiet(*rows[mine[0]][1:3])
            kept = silent(quiet, found, at_us, self._zone, own=any(own[i] for i in mine))
            (held if kept else told).append(id_)
        return Audience(tuple(told), tuple(held))

    def of_end(
        self,
        what: Warning | CityWarning,
        channel: ContactChannel,
        ids: Iterable[int],
        now_us: int | None = None,
    ) -> Audience:
        """Who of those told of a warning still wants messages of its kind, wherever their places are now."""
        found = reach(what, self._areas, self._registry())
        if found is None:
            return Audience((), ())
        at_us = self._clock() if now_us is None else now_us
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT id, quiet_start, quiet_end FROM subscriptions "  # noqa: S608 - a Literal
                f"WHERE {found.told} = 1 AND channel = ? ORDER BY id",
                (channel,),
            ).fetchall()
        wanted = set(ids)
        told: list[int] = []
        held: list[int] = []
        for id_, start, end in rows:
            if id_ in wanted:
                kept = silent(_quiet(start, end), found, at_us, self._zone, own=True)
                (held if kept else told).append(id_)
        return Audience(tuple(told), tuple(held))

    def opened(self, ids: Sequence[int]) -> list[Recipient]:
        """Those of them who still have a subscription, by id, with their addresses.

        One that is damaged is left out: it keeps nobody else from being told.
        """
        marks = ",".join("?" * len(ids))
        with self._file.read() as connection:
            rows = connection.execute(
                f"SELECT id, contact, language FROM subscriptions WHERE id IN ({marks}) ORDER BY id",  # noqa: S608 - question marks
                list(ids),
            ).fetchall()
        return [
            Recipient(id_, each.contact, tongue, each.manage, each.leave)
            for id_, sealed, tongue in rows
            if (each := records.readable_secrets(self._vault, id_, sealed)) is not None
        ]


def _quiet(start: int | None, end: int | None) -> QuietHours | None:
    return None if start is None or end is None else QuietHours(start, end)
