"""What the apps' parsers ask of a value: numbers that stay, local times, text that is none of HTML."""

from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b
from html import escape
from zoneinfo import ZoneInfo

_MOST = 2**31 - 1


def numbers(kind: str, keys: Iterable[str]) -> dict[str, int]:
    """A positive 32-bit number for each key, the same wherever and whenever it is asked for.

    The first 31 bits of BLAKE2b over kind and key. Of two keys that meet, the later in the alphabet takes the
    next free number (a thousand stations meet once in four thousand cities).
    """
    given: dict[str, int] = {}
    taken: set[int] = set()
    for key in sorted(set(keys)):
        digest = blake2b(f"{kind}:{key}".encode(), digest_size=4).digest()
        number = int.from_bytes(digest) >> 1 or 1
        while number in taken:
            number = number % _MOST + 1
        given[key] = number
        taken.add(number)
    return given


def local_time(time_us: int, zone: ZoneInfo) -> str:
    """`YYYY-MM-DD HH:MM:SS` by the city's clocks."""
    return datetime.fromtimestamp(time_us // 1_000_000, zone).strftime("%Y-%m-%d %H:%M:%S")


def plain(text: str) -> str:
    """Text for a field that one app shows as it is and the other loads as a page: angle quotes, so no tag."""
    return text.replace("<", "\u2039").replace(">", "\u203a")


def paragraphs(*texts: str) -> str:
    """HTML of the lines of some texts, one paragraph each."""
    lines = (line.strip() for text in texts for line in text.splitlines())
    return "".join(f"<p>{escape(line)}</p>" for line in lines if line)


def decimal(value: float, decimals: int) -> str:
    """A number as Germans write it; no more decimals than a person gets to see."""
    text = f"{value:.{decimals}f}"
    return (text.removeprefix("-") if float(text) == 0 else text).replace(".", ",")
