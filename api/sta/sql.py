"""A piece of SQL with its parameters: values of a request never become text of a statement."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = int | float | str | None


@dataclass(frozen=True, slots=True)
class Sql:
    """`text` with a `?` for each of `parameters`, in their order."""

    text: str
    parameters: tuple[Value, ...] = ()


def sql(*parts: str | Sql) -> Sql:
    """The parts one behind the other; texts are ours, never a request's."""
    return Sql(
        "".join(part if isinstance(part, str) else part.text for part in parts),
        tuple(each for part in parts if isinstance(part, Sql) for each in part.parameters),
    )


def parameter(value: Value) -> Sql:
    """One value of a request."""
    return Sql("?", (value,))


def separated(separator: str, parts: Iterable[Sql]) -> Sql:
    """The parts with `separator` between them; long chains in groups, as SQLite bounds a tree's depth."""
    pieces = list(parts)
    while len(pieces) > _FLAT:
        groups = [pieces[at : at + _FLAT] for at in range(0, len(pieces), _FLAT)]
        pieces = [sql("(", separated(separator, group), ")") for group in groups]
    joined: list[str | Sql] = []
    for piece in pieces:
        joined += [separator, piece] if joined else [piece]
    return sql(*joined)


_FLAT = 200
