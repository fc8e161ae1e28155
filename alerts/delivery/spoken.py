"""Texts for the ear: short sentences, nothing that can only be read, all of it twice."""

import re

from alerts.city.short_texts import sentences

SPOKEN_LIMIT = 600
"""Characters of a message said once: about 45 seconds."""
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_MARKS = re.compile(r"[()\[\]{}<>*_#|„“”\"…]")
_PAUSE = re.compile(r"[:;,]?\s+[-\u2013\u2014]\s+|[:;]\s+|\n+")
_REPEATED = re.compile(r"([.!?])[.,;:\s]*\.")


def spoken(hello: str, parts: list[str], again: str) -> str:
    """The parts as sentences, introduced and then repeated; what does not fit is left out from the end on."""
    said = _within(" ".join(filter(None, map(_aloud, parts))))
    return " ".join(filter(None, (_aloud(hello), said, _aloud(again), said)))


def _aloud(text: str) -> str:
    text = _MARKS.sub(" ", _LINK.sub("", text))
    text = "".join(c if c.isprintable() else "\n" for c in text).strip()
    text = " ".join(_PAUSE.sub(". ", text).split()).replace(" .", ".").replace(" ,", ",")
    if not any(c.isalnum() for c in text):
        return ""
    text = text.strip(" .,:;-") if not text.endswith(("!", "?")) else text
    return _REPEATED.sub(r"\1", text if text.endswith(("!", "?")) else f"{text}.")


def _within(text: str) -> str:
    """Whole sentences up to the limit; at least the beginning of the first one."""
    kept = ""
    for sentence in sentences(text):
        if len(kept) + len(sentence) + 1 > SPOKEN_LIMIT:
            break
        kept = f"{kept} {sentence}".strip()
    return kept or text[:SPOKEN_LIMIT]
