"""A warning's text as each medium can carry it: shortened at a sentence, never within what to do.

How long an SMS is: 3GPP TS 23.038 (the GSM alphabet and its extension, UCS-2) and 3GPP TS 23.040, 9.2.3.24
(140 octets; of a message in several parts six octets of each are its header).
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from alerts.cap.cell_broadcast import gsm
from alerts.event import CityText

Medium = Literal["mail", "sms", "push", "display"]
MEDIA: tuple[Medium, ...] = get_args(Medium)
HEADLINE_LIMIT = 160
"""CAP 1.2, 3.2.2: a headline is best cut to 160 characters."""
PUSH_LIMIT = 240
DISPLAY_LIMIT = 160
SMS_SEGMENTS = 3

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
_ABBREVIATIONS = frozenset(
    ("bzw", "ca", "dr", "etwa", "evtl", "ggf", "inkl", "max", "min", "nr", "prof", "st", "str", "usw", "vgl")
)
_LIMITS = ("Aber ", "But ", "Dann ", "Then ")
_MONTHS = "Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"
_END = re.compile(rf"(?<=[.!?…])\s+(?!(?:{_MONTHS})\b)(?=[^a-zäöüß\s])")


@dataclass(frozen=True, slots=True)
class Sms:
    """How a text travels: `units` are septets of the GSM alphabet or 16 bit units of UCS-2."""

    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    segments: int


def sms_segments(text: str) -> Sms:
    """What a text costs as SMS. No character of two units is split between two parts."""
    if all(letter in _BASIC or letter in _EXTENDED for letter in text):
        sizes = [2 if letter in _EXTENDED else 1 for letter in text]
        return Sms("GSM-7", sum(sizes), _parts(sizes, 160, 153))
    sizes = [len(letter.encode("utf-16-le", "surrogatepass")) // 2 for letter in text]
    return Sms("UCS-2", sum(sizes), _parts(sizes, 70, 67))


def sentences(text: str) -> list[str]:
    """What of a text stands or falls together, in its order: its sentences, a question with its answer.

    A date ("14. Juli") and usual abbreviations end no sentence.
    """
    found: list[str] = []
    for line in text.splitlines():
        start = 0
        for match in _END.finditer(line):
            before = re.search(r"([^\W\d_]+)\.$", line[start : match.start()])
            word = before[1] if before else ""
            if len(word) != 1 and word.lower() not in _ABBREVIATIONS:
                found.append(line[start : match.start()])
                start = match.end()
        found.append(line[start:])
    return _joined(each.strip() for each in found if each.strip())


def _joined(parts: Iterable[str]) -> list[str]:
    """A question stays with its answer, and what begins with "but" with what it limits."""
    whole: list[str] = []
    for part in parts:
        if whole and (whole[-1].endswith("?") or part.startswith(_LIMITS)):
            whole[-1] += f" {part}"
        else:
            whole.append(part)
    return whole


def told(text: CityText, medium: Medium, *, sender: str = "", tail: str = "") -> str:
    """One text for a medium: headline, what to do, what happens. `sender`, such as "Warnung der Stadt X",
    stands before the headline; `tail`, such as the warning's id or the way out of a list, is kept whole.

    Mail carries everything. Elsewhere sentences of what to do are kept in their order as long as they fit,
    then those of the description that fit; a headline longer than the medium is cut at a word. SMS are
    in the GSM alphabet, so that they hold twice as much.
    """  # noqa: D205 - one thought
    if sender:
        text = CityText(f"{sender}: {text.headline}", text.description, text.instruction)
    if medium == "mail":
        parts = (text.headline, text.description, "\n".join(sentences(text.instruction)), tail)
        return "\n\n".join(each.strip() for each in parts if each.strip())
    if medium == "sms":
        plain = CityText(gsm(text.headline), gsm(text.description), gsm(text.instruction))
        return _packed(plain, gsm(tail), "\n", lambda said: sms_segments(said).segments <= SMS_SEGMENTS)
    limit, between = (PUSH_LIMIT, "\n") if medium == "push" else (DISPLAY_LIMIT, " ")
    return _packed(text, tail, between, lambda said: len(said) <= limit)


def beginning(text: str, room: int) -> str:
    """As many sentences from the beginning as fit, whole; of a first one that is too long what fits of it."""
    kept = ""
    for each in sentences(text):
        longer = f"{kept} {each}" if kept else each
        if len(longer) > room:
            break
        kept = longer
    return kept or headline(text, max(room, 1))


def headline(text: str, limit: int = HEADLINE_LIMIT) -> str:
    """A headline in one line, cut at a word where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rsplit(" ", 1)[0].rstrip(" ,;:.-") + "…"


def _packed(text: CityText, tail: str, between: str, fits: Callable[[str], bool]) -> str:
    line = " ".join(text.headline.split())
    head = line
    todo: list[str] = []
    what: list[str] = []

    def whole() -> str:
        parts = (_ended(head) if between == " " else head, " ".join(todo), " ".join(what), tail.strip())
        return between.join(each for each in parts if each)

    limit = len(head)
    while limit > 1 and not fits(whole()):
        limit -= 1
        head = _cut(line, limit)
    for each in sentences(text.instruction):
        todo.append(each)
        if not fits(whole()):
            todo.pop()
            break
    for each in sentences(text.description):
        what.append(each)
        if not fits(whole()):
            what.pop()
    return whole()


def _cut(line: str, limit: int) -> str:
    cut = line[: max(limit - 3, 0)]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut).rstrip(" ,;:.-") + "..."


def _ended(line: str) -> str:
    return line if line.endswith((".", "!", "?", "…")) else f"{line}."


def _parts(sizes: Sequence[int], alone: int, each: int) -> int:
    if sum(sizes) <= alone:
        return 1
    parts, room = 0, 0
    for size in sizes:
        if size > room:
            parts, room = parts + 1, each
        room -= size
    return parts
