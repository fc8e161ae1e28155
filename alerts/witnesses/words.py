"""What stands in an event's `witness` once somebody agreed: a kind and who, "gauge ams3, gauge ams7"."""

from collections.abc import Iterable
from typing import Literal, get_args

Kind = Literal["gauge", "level", "official", "person"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def joined(witnesses: Iterable[tuple[Kind, str]]) -> str:
    """Witnesses as an event carries them."""
    return ", ".join(f"{kind} {who}" for kind, who in witnesses)


def counted(words: str) -> dict[Kind, int]:
    """How many of each kind agreed: without names, for those who need not know them."""
    kinds = [each.split(" ", 1)[0] for each in words.split(", ")]
    return {kind: kinds.count(kind) for kind in KINDS if kind in kinds}
