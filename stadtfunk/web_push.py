"""Messages to browsers as the configuration wants them; `stadtfunk webpush key` makes the key."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from alerts.web_push.browser import PushServices
from alerts.web_push.push_sender import PushSender
from alerts.web_push.vapid import Vapid, new_private_key
from api.services import PushDesk
from devices.errors import Fault
from stadtfunk.settings import Settings

_NEEDED = {
    "private_key": 'the key: private_key = "${STADTFUNK_PUSH_KEY}", made by `stadtfunk webpush key`',
    "contact": 'whom push services write to: contact = "mailto:warnungen@stadt.example"',
}


@dataclass(frozen=True, slots=True)
class OpenPush:
    """What the pages need, and what sends."""

    desk: PushDesk
    sender: PushSender


def open_push(settings: Settings) -> OpenPush | None:
    """None where browsers are not offered."""
    table = settings.web_push
    if table is None:
        return None
    vapid, services = Vapid(table.private_key, table.contact), PushServices(table.services)
    return OpenPush(PushDesk(vapid.public_key, services), PushSender(vapid, services))


def web_push_faults(settings: Settings) -> Iterator[Fault]:
    """What keeps browsers from being told."""
    table = settings.web_push
    for key, remedy in _NEEDED.items() if table else ():
        if not getattr(table, key):
            yield Fault(str(settings.source), f"web_push.{key}", "missing", remedy)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `stadtfunk webpush`."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    summary = "make the key by which push services know the city"
    commands.add_parser("key", help=summary, description=summary).set_defaults(run=make_key)


def make_key(_: argparse.Namespace) -> int:
    """Print a new private key."""
    print(new_private_key())
    print("# keep it: private_key of [web_push], such as ${STADTFUNK_PUSH_KEY}", file=sys.stderr)
    return 0
