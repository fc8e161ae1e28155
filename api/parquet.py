"""Readings as Parquet, written row group by row group: what is written is not kept."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa  # type: ignore[import-untyped]  # it has no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # as above

from api.formats import Item, Layout
from api.terms import TermsOfAnswer

_TIMES = frozenset({"time", "begin", "end", "corrected"})
_TEXTS = frozenset(
    {"station", "property", "channel", "unit", "device", "interval", "direction", "vehicle_class"}
)
_TYPES: Mapping[str, pa.DataType] = {
    "quality": pa.uint8(),
    "count": pa.int64(),
    "capacity": pa.int64(),
    "suppressed": pa.bool_(),
}
_ROWS = 25_000
"""In a row group: big enough to be packed well, small enough to be held."""


class ParquetEncoder:
    """As formats.Encoder: head, chunks, tail; licence and attribution in the file's metadata.

    Columns are those of CSV: times as microseconds in UTC, names as dictionaries, numbers as numbers.
    """

    def __init__(self, layout: Layout, terms: TermsOfAnswer | None) -> None:
        self._columns = layout.columns
        fields = [pa.field(name, _type(name)) for name in self._columns]
        self._schema = pa.schema(fields, metadata=_metadata(terms))
        self._out = _Out()
        self._rows: list[Item] = []
        self._writer = pq.ParquetWriter(self._out, self._schema, compression="snappy")

    def head(self) -> bytes:
        """What stands before the first item."""
        return self._out.taken()

    def chunk(self, items: Sequence[Item]) -> bytes:
        """The next items; what comes out now may belong to earlier ones."""
        self._rows += items
        if len(self._rows) >= _ROWS:
            self._flush()
        return self._out.taken()

    def tail(self) -> bytes:
        """The rest, and where everything stands."""
        self._flush()
        self._writer.close()
        return self._out.taken()

    def whole(self, items: Sequence[Item]) -> bytes:
        """A collection in one piece."""
        return self.head() + self.chunk(items) + self.tail()

    def _flush(self) -> None:
        if self._rows:
            columns = [self._column(name) for name in self._columns]
            self._rows = []
            self._writer.write_table(pa.table(columns, schema=self._schema))

    def _column(self, name: str) -> Any:
        values = [item.get(name) for item in self._rows]
        if name in _TIMES:
            return pa.array(values, pa.string()).cast(_type(name))
        if name in _TEXTS:
            return pa.array([value or "" for value in values], pa.string()).dictionary_encode()
        return pa.array(values, _type(name))


def _metadata(terms: TermsOfAnswer | None) -> dict[str, str]:
    """Members of the answer; what is no text as JSON."""
    members = terms.members().items() if terms else ()
    texts = {
        name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in members
    }
    return {name: text for name, text in texts.items() if text != "null"}


def _type(name: str) -> pa.DataType:
    if name in _TIMES:
        return pa.timestamp("us", tz="UTC")
    if name in _TEXTS:
        return pa.dictionary(pa.int32(), pa.string())
    return _TYPES.get(name, pa.float64())


class _Out(io.RawIOBase):
    """A file that is only ever written on, and forgets what was taken from it."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)
