"""One message as people read it, and the one for when no template can be used."""

from dataclasses import dataclass
from datetime import UTC, datetime

from alerts.one_line import printable, shortened
from alerts.warning import Warning  # noqa: A004 - the field's word, see there

TITLE_LIMIT = 80
BODY_LIMIT = 600


@dataclass(frozen=True, slots=True)
class Text:
    """One message: for people a title of at most 80 and a body of at most 600 characters."""

    title: str
    body: str


def plain(warning: Warning) -> Text:
    """Text without templates, in both languages, for when those fail: an alert goes out regardless."""
    latest = warning.history[-1]
    value = "" if latest.value is None else f", {latest.value:g}"
    when = datetime.fromtimestamp(latest.time_us // 1_000_000, UTC)
    body = (
        f"{printable(warning.station)}: {warning.measure} {latest.kind} {latest.level}{value}, "
        f"{when:%Y-%m-%d %H:%M} UTC. Automatische Messwertmeldung, keine amtliche Warnung. "
        "Automatic measurement notice, not an official warning. "
        f"{printable(warning.id)} {printable(latest.event)}"
    )
    title = f"{warning.measure} {latest.kind} {latest.level}: {printable(warning.station)}"
    if warning.exercise:
        title, body = f"ÜBUNG / EXERCISE: {title}", f"ÜBUNG / EXERCISE. {body}"
    return Text(shortened(title, TITLE_LIMIT), shortened(body, BODY_LIMIT))
