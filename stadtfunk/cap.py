"""CAP and the control centre: what a configuration makes of them, and `stadtfunk cap check FILE`."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from alerts.areas import Areas
from alerts.board import WarningBoard
from alerts.cap.archive import CapArchive
from alerts.cap.document import Basis, Issuer
from alerts.cap.leitstelle import Folder, Leitstelle, Mail, Place, Post
from alerts.cap.publisher import CapPublisher
from alerts.cap.rules import check as problems_of
from alerts.cap.signature import Signer, certificate_of, verify
from alerts.city.city_warning import CityWarning
from alerts.errors import AlertsConfigError, CapError
from alerts.scale import Scale
from alerts.texts.texts import Texts
from devices.errors import Fault
from devices.registry import Registry
from ingest.health import Health
from ingest.sqlite_file import sqlite_path
from stadtfunk.parts import Group
from stadtfunk.settings import Settings

if TYPE_CHECKING:
    from stadtfunk.service import Service

FILE = "cap.db"
"""Beside the journal."""


def issuer_of(settings: Settings) -> Issuer:
    """Who issues, by the configuration."""
    cap, city = settings.cap, settings.city
    return Issuer(
        sender=cap.sender,
        name=cap.sender_name or city.name,
        city=city.name,
        ars=city.ars or "",
        contact=cap.contact,
        web=cap.web,
        languages=cap.languages,
    )


def open_cap(service: "Service", opened: ExitStack) -> tuple[CapPublisher, Group]:
    """The publisher, whose archive `opened` closes, and what the service starts: nothing without a sender.

    Raises CapError for the archive, AlertsConfigError for keys and addresses.
    """
    settings = service.settings
    archive = CapArchive(sqlite_path(settings.journal.url).with_name(FILE))
    opened.callback(archive.close)
    cap = publisher_of(
        settings,
        archive,
        service.office.warnings,
        service.board,
        service.texts,
        registry=lambda: service.registry.current,
        areas=service.areas,
        scale=service.scale,
        clock=service.clock,
    )
    leitstelle = leitstelle_of(settings, cap, service.office.warnings)
    if not settings.cap.sender:
        return cap, Group((), dict)

    def health() -> Mapping[str, Health]:
        return {"cap": cap.health, **{f"leitstelle {name}": each for name, each in leitstelle.health.items()}}

    return cap, Group((cap, leitstelle), health)


def publisher_of(  # noqa: PLR0913 - what documents are made from
    settings: Settings,
    archive: CapArchive,
    city_warnings: Callable[[], Sequence[CityWarning]],
    board: WarningBoard,
    texts: Texts,
    *,
    registry: Callable[[], Registry],
    areas: Areas,
    scale: Scale,
    clock: Callable[[], int],
) -> CapPublisher:
    """What issues the documents. Raises AlertsConfigError for key and certificate."""
    issuer = issuer_of(settings)

    def basis() -> Basis:
        return Basis(issuer, areas, scale, {id_: each.name for id_, each in registry().stations.items()})

    return CapPublisher(
        archive,
        basis,
        city_warnings,
        board,
        texts,
        clock=clock,
        public_stations=lambda: frozenset(
            id_ for id_, station in registry().stations.items() if station.public
        ),
        signer=_signer(settings),
        notices=settings.cap.notices,
        drafts=bool(_places(settings)),
    )


def leitstelle_of(
    settings: Settings, publisher: CapPublisher, city_warnings: Callable[[], Sequence[CityWarning]]
) -> Leitstelle:
    """What hands over to the control centre. Raises AlertsConfigError for its addresses."""
    return Leitstelle(
        publisher,
        publisher.basis,
        city_warnings,
        _places(settings),
        clock=publisher.clock,
        timezone=settings.city.timezone,
    )


def faults(settings: Settings) -> Iterator[Fault]:
    """What is wrong with [cap] and [leitstelle]."""
    try:
        _signer(settings)
    except AlertsConfigError as error:
        yield from error.faults
    try:
        places = _places(settings)
    except AlertsConfigError as error:
        yield from error.faults
        return
    folder = settings.leitstelle.folder and settings.path(settings.leitstelle.folder)
    if folder is not None and any(each.is_file() for each in (folder, *folder.parents)):
        yield Fault(str(settings.source), "leitstelle.folder", "is a file, or lies in one", "name a folder")
    if places and not settings.cap.sender:
        file, remedy = str(settings.source), "name the city in [cap] sender, such as warnung@stadt.example"
        yield Fault(file, "cap.sender", "is missing, and [leitstelle] hands over CAP drafts", remedy)


def advice(settings: Settings) -> Iterator[str]:
    """What does not work as hoped."""
    if not settings.cap.sender:
        yield "no [cap] sender: warnings of the city are not published as CAP"
    elif not settings.city.ars:
        yield "no [city] ars: CAP documents say no official area, and /compat/nina has no dashboard"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`cap check FILE [--certificate FILE]`."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    summary = "what is wrong with a CAP 1.2 document: rules that the schema misses, and its signature"
    sub = commands.add_parser("check", help=summary, description=summary)
    sub.add_argument("file", type=Path, metavar="FILE", help="a CAP document; - reads standard input")
    sub.add_argument("--certificate", type=Path, metavar="PEM", help="verify its signature against this one")
    sub.set_defaults(run=check)


def check(args: argparse.Namespace) -> int:
    """Print every problem; 0 when there is none, 1 for a problem, 2 for a file that cannot be read."""
    try:
        xml = sys.stdin.buffer.read() if str(args.file) == "-" else args.file.read_bytes()
    except OSError as fault:
        print(f"{args.file}: {fault.strerror or fault}", file=sys.stderr)
        return 2
    problems = problems_of(xml)
    if args.certificate:
        try:
            verify(xml, certificate_of(args.certificate))
        except (CapError, AlertsConfigError) as fault:
            problems.append(str(fault))
    for problem in problems:
        print(f"problem: {problem}", file=sys.stderr)
    if problems:
        return 1
    print("no problem found" + ("" if args.certificate else "; signature not checked: give --certificate"))
    return 0


def _signer(settings: Settings) -> Signer | None:
    cap = settings.cap
    if cap.key is None or cap.certificate is None:
        return None
    return Signer(settings.path(cap.key), settings.path(cap.certificate))


def _places(settings: Settings) -> list[Place]:
    table, places = settings.leitstelle, list[Place]()
    if table.folder is not None:
        places.append(Folder(settings.path(table.folder)))
    if table.mail:
        places.append(Mail(table.mail))
    if table.url:
        places.append(Post(table.url, table.token))
    return places
