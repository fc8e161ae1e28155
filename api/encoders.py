"""The encoder for a format: text as formats has it, or Parquet."""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

from api.formats import MEDIA_TYPES, Encoder, Format, Item, Layout
from api.terms import TermsOfAnswer

AnyFormat: TypeAlias = Format | Literal["parquet"]
PARQUET = "application/vnd.apache.parquet"


class Encoding(Protocol):
    """Writes one collection: head, any number of chunks, tail."""

    def head(self) -> bytes:
        """What stands before the first item."""

    def chunk(self, items: Sequence[Item]) -> bytes:
        """The next items."""

    def tail(self) -> bytes:
        """What stands behind the last item."""

    def whole(self, items: Sequence[Item]) -> bytes:
        """A collection in one piece."""


def encoder(form: AnyFormat, layout: Layout, terms: TermsOfAnswer | None) -> Encoding:
    """What writes a collection in this format."""
    if form == "parquet":
        from api.parquet import ParquetEncoder  # noqa: PLC0415 - 50 MB that a service nobody asks for it spares

        return ParquetEncoder(layout, terms)
    return Encoder(form, layout, terms)


def media_type(form: AnyFormat) -> str:
    """Its media type."""
    return PARQUET if form == "parquet" else MEDIA_TYPES[form]
