"""What is in force, and what ended in the last 24 hours, as news of the city and as messages."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from api.citykey.forms import local_time, numbers, paragraphs, plain
from api.rfc3339 import parse_us
from api.routes.city_warning_item import city_warning_item, warnings_heard
from api.routes.warning_item import NOTICE, warning_item, warnings_seen
from api.visibility import View

_ENDS = {"all_clear": "Entwarnung", "cancel": "Zurückgezogen", "expire": "Beendet"}
_ICON = "help.png"
"""A name on Citykey's own picture server."""
_BUTTON = "Zur Seite der Stadt"


@dataclass(frozen=True, slots=True)
class Message:
    """One warning in German. `key` stays through its updates; `changed_us`: when it last changed."""

    key: str
    headline: str
    kind: str
    lead: str
    more: tuple[str, ...]
    changed_us: int
    in_force: bool


def messages(view: View) -> list[Message]:
    """Warnings of the city and measurement notices, as this view sees them: in force first, newest first."""
    found = [*_city(view), *_notices(view)]
    return sorted(found, key=lambda each: (not each.in_force, -each.changed_us, each.key))


def content(view: View, city_id: int, address: str, picture: str) -> list[dict[str, Any]]:
    """The messages as items of the city's news; those in force stay on top."""
    zone, found = ZoneInfo(view.services.city.timezone), messages(view)
    ids = numbers("message", [each.key for each in found])
    return [
        {
            "contentId": ids[each.key],
            "uid": ids[each.key],
            "contentCreationDate": local_time(each.changed_us, zone),
            "contentTeaser": each.headline,
            "contentSubtitle": each.kind,
            "contentDetails": plain("\n\n".join((each.lead, *each.more))),
            "contentSource": address,
            "contentImage": picture,
            "imageCredit": view.services.city.name,
            "thumbnail": picture,
            "thumbnailCredit": view.services.city.name,
            "cityId": city_id,
            "language": "de",
            "sticky": each.in_force,
        }
        for each in found
    ]


def infobox(view: View, address: str) -> list[dict[str, Any]]:
    """The messages as they stand in the apps' inbox; nobody's reading is remembered."""
    zone, found = ZoneInfo(view.services.city.timezone), messages(view)
    ids = numbers("message", [each.key for each in found])
    return [
        {
            "userInfoId": ids[each.key],
            "messageId": ids[each.key],
            "headline": each.headline,
            "description": each.lead,
            "details": paragraphs(each.lead, *each.more),
            "isRead": False,
            "creationDate": local_time(each.changed_us, zone),
            "category": {"categoryIcon": _ICON, "categoryName": each.kind},
            "buttonText": _BUTTON,
            "buttonAction": address,
            "attachments": [],
        }
        for each in found
    ]


def _notices(view: View) -> Iterable[Message]:
    for warning in warnings_seen(view, view.services.board.snapshot().warnings):
        item = warning_item(view, warning)
        lead, _, more = item["text"]["de"].partition("\n")
        yield Message(
            key=item["id"],
            headline=item["headline"]["de"],
            kind="Messwertmeldung",
            lead=lead,
            more=(more, *(() if NOTICE["de"] in item["text"]["de"] else (NOTICE["de"],))),
            changed_us=warning.changed_us,
            in_force=warning.in_force,
        )


def _city(view: View) -> Iterable[Message]:
    for warning in warnings_heard(view.services.city_warnings()):
        item = city_warning_item(view, warning)
        ended = "" if item["status"] == "in_force" else f"{_ENDS.get(item['end'] or '', 'Beendet')}: "
        exercise = "ÜBUNG: " if item["exercise"] and "ÜBUNG" not in item["headline"]["de"].upper() else ""
        yield Message(
            key=f"city:{item['id']}",
            headline=f"{exercise}{ended}{item['headline']['de']}",
            kind="Warnung der Stadt",
            lead=item["description"]["de"],
            more=(item["instruction"]["de"],) if not ended else (),
            changed_us=parse_us(item["changed"]),
            in_force=not ended,
        )
