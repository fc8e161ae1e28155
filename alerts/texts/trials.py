"""Every text of a file is tried out when it is read."""

from collections.abc import Iterator
from dataclasses import replace

from alerts.delivery import city_messages
from alerts.errors import TextError
from alerts.event import BY_PERSON, Event
from alerts.incidents.texts import trials
from alerts.scale import LEVELS
from alerts.texts.notice_file import ALONE
from alerts.texts.one_language import OneLanguage
from alerts.warning import (  # the field's word, see there
    fold,
    opened,
)
from alerts.witnesses.words import KINDS, joined
from devices.errors import Fault


def tried(path: str, language: OneLanguage) -> Iterator[Fault]:
    """Render every measure and step, with everything known and with as little as there can be."""
    for measure in LEVELS:
        for step in ALONE:
            for value, window in ((12.5, 60), (None, None)):
                event = Event(
                    "event", "episode", 0, "station", step, measure, 2, window, value, "rule", "reason"
                )
                warning = opened(event)
                if step == "clear":
                    warning = fold(opened(replace(event, id="first", kind="raise")), event) or warning
                later = replace(
                    event,
                    id="event.public",
                    kind="escalate",
                    confirmation="confirmed",
                    witness=joined((kind, "one") for kind in KINDS),
                )
                tried = [warning]
                if step in {"raise", "escalate"}:
                    tried.append(fold(warning, later) or warning)
                if step == "clear":
                    given_up = replace(event, reason=f"{BY_PERSON}name")
                    tried.append(fold(opened(replace(event, id="first", kind="raise")), given_up) or warning)
                for each in tried:
                    try:
                        language.render(each)
                    except TextError as error:
                        yield Fault(path, step, str(error), "use the names that the file's head lists")
    yield from _others_tried(path, language)


def _others_tried(path: str, language: OneLanguage) -> Iterator[Fault]:
    for news in trials():
        try:
            language.render_incident(news)
        except TextError as error:
            yield Fault(path, f"incident.{news.step}", str(error), "compare with the shipped file")
    for of_city in city_messages.trials():
        try:
            language.render_city(of_city, staff=True)
        except TextError as error:
            action = of_city.steps[-1].step.action
            yield Fault(path, f"city.{action}", str(error), "compare with the shipped file")
