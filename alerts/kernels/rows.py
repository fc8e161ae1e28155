"""The engine's state: one structured numpy row per slot, saved page by page."""

import ast
import zlib
from collections.abc import Iterator, MutableMapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import structlog

Rows = npt.NDArray[np.void]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Slots = npt.NDArray[np.int64]

_SCHEMA = "schema."
_log = structlog.get_logger(__name__)


class Batch(NamedTuple):
    """Readings of one kernel in their order: slot, time (µs since the epoch, UTC), value in its unit."""

    slot: Slots
    time: Ints
    value: Floats


class Table:
    """Rows of one dtype with a page key each; all zeros is the state of something never seen.

    A kernel owns `rows` during its step and changes them in place. Slots only grow. Pages restored from the
    journal wait until a slot claims their key, so a changed registry finds its state again.
    """

    def __init__(self, name: str, dtype: np.dtype[np.void]) -> None:
        self.name = name
        self.rows: Rows = np.zeros(0, dtype)
        self._dtype = dtype
        self._tag = _tag(dtype)
        self._keys: list[str] = []
        self._dirty: Bools = np.zeros(0, np.bool_)
        self._saved: dict[str, bytes] = {}
        self._schemas: dict[bytes, np.dtype[np.void]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def claim(self, keys: Sequence[str]) -> None:
        """Make slots for keys beyond those known; the known ones come first, in their order."""
        first = len(self._keys)
        new = keys[first:]
        if len(keys) > len(self.rows):
            # room ahead, so that a slot at a time does not copy all rows each time
            rows = np.zeros(max(len(keys), 2 * len(self.rows)), self._dtype)
            rows[:first] = self.rows[:first]
            self.rows = rows
            dirty = np.zeros(len(rows), np.bool_)
            dirty[:first] = self._dirty[:first]
            self._dirty = dirty
        self._keys.extend(new)
        for slot, key in enumerate(new, first):
            page = self._saved.pop(key, None)
            if page is not None:
                self._restore_or_begin(slot, key, page)

    def touch(self, slots: Slots) -> None:
        """Mark slots as changed since their page was last durable."""
        self._dirty[slots] = True

    def pages(self) -> Iterator[tuple[str, bytes]]:
        """Every changed row as a compressed page, and once the schema that reads it."""
        dirty = np.flatnonzero(self._dirty).tolist()
        if dirty and self._tag not in self._schemas:
            yield f"{self.name}/{_SCHEMA}{self._tag.hex()}", repr(self._dtype.descr).encode()
        for slot in dirty:
            yield f"{self.name}/{self._keys[slot]}", self._tag + zlib.compress(self.rows[slot].tobytes(), 1)

    def durable(self) -> None:
        """What pages() gave is in the journal."""
        if self._dirty.any():
            self._schemas[self._tag] = self._dtype
            self._dirty[:] = False

    def restore(self, state: MutableMapping[str, bytes]) -> None:
        """Take this table's pages out of a reader's state, before the first claim."""
        prefix = f"{self.name}/"
        for key in [key for key in state if key.startswith(prefix)]:
            page, name = state.pop(key), key.removeprefix(prefix)
            if name.startswith(_SCHEMA):
                self._schemas[bytes.fromhex(name.removeprefix(_SCHEMA))] = np.dtype(
                    ast.literal_eval(page.decode())
                )
            else:
                self._saved[name] = page

    def _restore_or_begin(self, slot: int, key: str, page: bytes) -> None:
        try:
            self._restore(slot, page)
        except (KeyError, ValueError, zlib.error) as fault:
            # one gauge that begins anew is better than none that is judged
            _log.error("state_page_damaged", page=f"{self.name}/{key}", fault=repr(fault))

    def _restore(self, slot: int, page: bytes) -> None:
        """Copy the fields that the saved version and this one know in the same shape."""
        tag = page[: len(self._tag)]
        saved = np.frombuffer(zlib.decompress(page[len(tag) :]), self._schemas[tag])[0]
        if tag == self._tag:
            self.rows[slot] = saved
            return
        known = saved.dtype.names or ()
        for name in self._dtype.names or ():
            if name in known and saved.dtype[name] == self._dtype[name]:
                self.rows[name][slot] = saved[name]


def _tag(dtype: np.dtype[np.void]) -> bytes:
    return zlib.crc32(repr(dtype.descr).encode()).to_bytes(4, "big")


def rounds(keys: npt.NDArray[np.integer]) -> Iterator[Ints]:
    """Positions in batches that hold every key at most once, a key's own in their order.

    Stepping round by round makes one batch equal to any split of it.
    """
    count = len(keys)
    if count <= 1:
        yield from [np.zeros(1, np.int64)] * count
        return
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    index = np.arange(count)
    if starts.all():
        yield index
        return
    rank = index - np.maximum.accumulate(np.where(starts, index, 0))
    by_rank = order[np.argsort(rank, kind="stable")]
    yield from np.split(by_rank, np.cumsum(np.bincount(rank))[:-1])
