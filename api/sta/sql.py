"""A piece of SQL with its parameters: values of a request never become text of a statement."""

from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = int | float | str | None


@dataclass(frozen=True, slots=True)
class Sql:
    """`text` with a `?` for each of `parameters`, in their order."""

    text: str
    parameters: tuple[Value, ...] = ()
