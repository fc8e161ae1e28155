"""Whether an order can be carried out as it stands: names, reasons, texts, areas, durations."""

import re
from collections.abc import Mapping
from math import isfinite

from alerts.areas import Areas
from alerts.city.order import ORDERS, Order, OrderRefusedError
from alerts.city.register import RULE
from alerts.city.release import VALID_MIN
from alerts.event import CityText
from alerts.scale import SEVERITIES

NAME_LIMIT = 100
REASON_LIMIT = 500
HEADLINE_LIMIT = 160
TEXT_LIMIT = 2000

_AHEAD_US = 10 * 60_000_000
_LANGUAGE = re.compile(r"einfach|[a-z]{2,3}(-[A-Za-z0-9]{1,8})*")
# with what turns the direction of writing, and what XML cannot hold
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_MARKUP = re.compile(r"<[A-Za-z/!]")


def check(order: Order, areas: Areas, now_us: int) -> None:
    """Raises OrderRefusedError for what is faulty whatever the warning's state is."""
    if order.action not in ORDERS:
        raise _faulty(f"unknown action {str(order.action)[:40]!r}: one of {', '.join(ORDERS)}")
    _line("by (the person's name)", order.by, NAME_LIMIT)
    if order.by.strip().lower().startswith(RULE):
        raise _faulty(f"by begins with {RULE!r}: only rules sign like that, give the person's name")
    _line("reason", order.reason, REASON_LIMIT)
    if order.time_us > now_us + _AHEAD_US:
        raise _faulty("its time lies in the future: set the clock")
    if order.severity is not None and order.severity not in SEVERITIES:
        raise _faulty(f"unknown severity {str(order.severity)[:40]!r}: one of {', '.join(SEVERITIES)}")
    known = {area.id for area in areas.areas}
    unknown = [each for each in order.areas or () if each not in known]
    if unknown:
        raise _faulty(
            f"unknown area {unknown[0][:80]!r}: use an id of the areas file, none is the whole city"
        )
    shortest, longest = VALID_MIN
    if order.valid_min is not None and not (
        isfinite(order.valid_min) and shortest <= order.valid_min <= longest
    ):
        raise _faulty(f"valid_min is {order.valid_min:g}: from {shortest:g} to {longest:g} minutes")
    if order.texts is not None:
        _texts(order.texts, ends=order.action in {"all_clear", "cancel"})


def _texts(texts: Mapping[str, CityText], *, ends: bool) -> None:
    if "de" not in texts:
        raise _faulty("texts: German (de) is missing")
    for language, text in texts.items():
        if not _LANGUAGE.fullmatch(language):
            raise _faulty(f"texts: {language[:20]!r} is no language: de, en, einfach, fr ...")
        for name, said, limit in (
            ("headline", text.headline, HEADLINE_LIMIT),
            ("description", text.description, TEXT_LIMIT),
            ("instruction", text.instruction, TEXT_LIMIT),
        ):
            key = f"texts.{language}.{name}"
            if not said.strip() and not (ends and name == "instruction"):
                raise _faulty(f"{key} is empty: say it")
            if len(said) > limit:
                raise _faulty(f"{key} has {len(said)} characters: at most {limit}")
            plain = said if name == "headline" else said.replace("\n", " ").replace("\r", " ")
            if _CONTROL.search(plain) or _MARKUP.search(plain):
                raise _faulty(f"{key} is no plain text: no markup, no control characters")


def _line(key: str, text: str, limit: int) -> None:
    if not text.strip():
        raise _faulty(f"{key} is empty: a decision carries a name and a reason")
    if len(text) > limit:
        raise _faulty(f"{key} has {len(text)} characters: at most {limit}")
    if _CONTROL.search(text):
        raise _faulty(f"{key} holds control characters: write it on one line")


def _faulty(text: str) -> OrderRefusedError:
    return OrderRefusedError("faulty", text)
