"""Ids of a city's entities, without a table of them: the same on every replica, after every reinstall."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

EPOCH_US = 946_684_800_000_000
"""2000-01-01T00:00:00Z: where the times in ids of Observations begin."""
TIME_BITS = 41
FIRST_US = EPOCH_US
LAST_US = EPOCH_US + (1 << TIME_BITS) * 1000 - 1
"""Readings outside these (2000 to September 2069) have no id, and so are no Observations."""
_SERIES_BITS = 63 - TIME_BITS
_MASK = (1 << TIME_BITS) - 1
_ENTITY_BITS = 52


class ObservationId(NamedTuple):
    """What an Observation's id says: the journal's number of its series, and its millisecond."""

    series: int
    first_us: int
    last_us: int


def entity_ids(kind: str, keys: Iterable[Sequence[str]]) -> Mapping[tuple[str, ...], int]:
    """A number of 52 bits, which JavaScript keeps exactly, for each key: what it is called elsewhere.

    The first 52 bits of BLAKE2b over kind and key; of keys that share them the later ones, in their order,
    take the next free number. Never 0.
    """
    found = {tuple(key) for key in keys}
    wanted = sorted((_hashed(kind, key), key) for key in found)
    ids: dict[tuple[str, ...], int] = {}
    taken: set[int] = set()
    for number, key in wanted:
        free = number
        while free in taken or free == 0:
            free = (free + 1) % (1 << _ENTITY_BITS)
        taken.add(free)
        ids[key] = free
    return ids


def observation_id(series: int, time_us: int) -> int:
    """The id of a series' reading: 22 bits for the series, 41 for the milliseconds since 2000.

    Two readings of one series in one millisecond would share it: LoRaWAN has no such pace. Raises ValueError
    for a time or a number that it has no room for.
    """
    if not FIRST_US <= time_us <= LAST_US or not 0 <= series < 1 << _SERIES_BITS:
        raise ValueError(f"series {series} at {time_us} µs has no id")
    return series << TIME_BITS | (time_us - EPOCH_US) // 1000


def read_observation_id(id_: int) -> ObservationId:
    """What an id says; any number from 0 to 2^63 - 1 says something."""
    first_us = (id_ & _MASK) * 1000 + EPOCH_US
    return ObservationId(id_ >> TIME_BITS, first_us, first_us + 999)


def _hashed(kind: str, key: tuple[str, ...]) -> int:
    digest = blake2b("\x1f".join((kind, *key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - _ENTITY_BITS)
