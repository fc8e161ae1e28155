"""A city whose codec changes: what was recorded with the old one is decoded again with the new one."""

import sqlite3
from dataclasses import dataclass
from types import SimpleNamespace

from devices.decoded import decode_each
from devices.measurement import Measurement, Quality, Rejected
from devices.registry import InstalledDevice, Registry
from ingest.decoding import Decoding
from ingest.dedup import keys
from ingest.journal import Accepted, Refused
from ingest.reprocess import Reprocess, Selection
from ingest.reprocess_book import Book
from ingest.settling import Settling
from ingest.sqlite_journal import SqliteJournal
from ingest.sqlite_store import SqliteStore
from ingest.store_writer import StoreWriter
from ingest.uplink import Message, TimeSource, Uplink

T0 = 1_780_000_000_000_000
S = 1_000_000
PROPERTIES = ("water_level", "precipitation", "battery_voltage")
EUIS = tuple(f"a84041ffff0000{n:02x}" for n in range(1, 4))


@dataclass(frozen=True)
class ToyCodec:
    """A payload is pairs (field, age in steps of 10 s); `fields[n]` is what field n becomes: None, "reject",
    "missing", or (property, channel, factor). The value is the factor times the payload's length."""

    fields: tuple

    def decode(self, f_port, payload):
        if f_port == 9:
            raise RuntimeError("a broken codec")
        out = []
        for field, age in zip(payload[::2], payload[1::2], strict=True):
            meaning = self.fields[field % len(self.fields)]
            if meaning == "reject":
                return Rejected("unknown_frame", str(field))
            if meaning == "missing":
                out.append(Measurement(PROPERTIES[0], None, Quality.MISSING, "", T0 - age * 10 * S))
            elif meaning is not None:
                name, channel, factor = meaning
                out.append(Measurement(name, factor * len(payload), Quality.GOOD, channel, T0 - age * 10 * S))
        return tuple(out)

    def decode_many(self, frames):
        return decode_each(self.decode, frames)


def decoding(codec, devices=EUIS):
    registry = SimpleNamespace(
        current=Registry({eui: InstalledDevice(eui, "toy", f"station-{eui[-1]}") for eui in devices}, {})
    )
    toy = SimpleNamespace(decode=codec.decode, decode_many=codec.decode_many, sandboxed=False, dates=False)
    return Decoding(registry, {"toy": toy})


def uplink(number, payload=b"\0\0", dev_eui=EUIS[0], **changes):
    known = {
        "server": "stadtwerke",
        "dev_eui": dev_eui,
        "f_port": 1,
        "f_cnt": number,
        "session": "01087309",
        "payload": bytes(payload),
        "received_us": T0 + number * S,
        "arrived_us": T0 + number * S,
        "time_us": T0 + number * S,
        "time_source": TimeSource.SERVER,
    }
    return Uplink(**(known | changes))


class City:
    """Journal, store and book in a folder."""

    def __init__(self, folder, store=None):
        self.folder = folder
        self.journal = SqliteJournal(folder / "journal.db")
        self.store = store or SqliteStore(folder / "readings.db")
        self.book = Book(folder / "reprocess.db")

    def live(self, codec, uplinks, *, batch=3, drain=True):
        """Take the uplinks as the intake does, and let the store writer write what was read."""
        decode = decoding(codec)
        for start in range(0, len(uplinks), batch):
            accepted, refused = [], []
            for each in uplinks[start : start + batch]:
                found = decode.readings(each)
                if isinstance(found, Rejected):
                    message = Message(each.server, "up", b"{}", 1, False, each.arrived_us)
                    refused.append(Refused(message, found, keys(each), each))
                else:
                    accepted.append(Accepted(each, found, keys(each)))
            self.journal.append(accepted, refused)
        if drain:
            self.drain()
        return self

    def drain(self):
        writer = StoreWriter(self.journal, self.store, linger_s=0)
        writer.start()
        try:
            assert writer.drain(120)
        finally:
            writer.stop()

    def reprocess(self, codec, selection=None, *, store=None, basis="", anew=False, **more):
        """One start of the command. `more`: of Reprocess, and `judge`."""
        stopping = more.setdefault("stopping", lambda: False)
        judge = more.pop("judge", None)
        more = {"young_us": T0 + 10**15, "patience_s": 0.0, "page": 4} | more
        work = Reprocess(
            self.journal,
            decoding(codec, more.pop("devices", EUIS)),
            selection or Selection(),
            **more,
        )
        settling = Settling(self.journal, store or self.store, self.book, judge=judge, stopping=stopping)
        return work.run(self.book, "run", basis, settling, anew=anew)

    def preview(self, codec, **more):
        more = {"young_us": T0 + 10**15, "page": 4} | more
        return Reprocess(self.journal, decoding(codec), Selection(), **more).preview()

    def stored(self):
        """Every row of the store, as the file has it."""
        with sqlite3.connect(self.folder / "readings.db") as connection:
            return connection.execute(
                "SELECT station, property, channel, dev_eui, time, value, readings.quality FROM readings "
                "JOIN series ON number = series ORDER BY 1, 2, 3, 4, 5"
            ).fetchall()

    def read_again(self):
        """What the journal holds as read: by seq and series."""
        names = self.journal.series()
        return [
            (seq, uplink, [(names[number], *map(str, rest)) for _, number, *rest in rows.tolist()])
            for seq, uplink, rows in self.journal.uplinks(0, 10**6)
        ]

    def close(self):
        for each in (self.journal, self.store, self.book):
            each.close()
