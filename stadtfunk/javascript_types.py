"""A city's device types, with those that JavaScript codecs read, as its configuration names them."""

from pathlib import Path
from typing import TYPE_CHECKING

from devices.catalogue import Catalogue, load_catalogue
from devices.javascript.sandbox import Sandbox
from devices.javascript.shelf import Shelf
from devices.javascript.type_files import CodecRepository, JavascriptTypes
from devices.repository.repository import Repository
from ingest.sqlite_file import sqlite_path

if TYPE_CHECKING:
    from stadtfunk.settings import Settings

FOLDER = "codecs"
"""Beside the journal: the codecs in force."""
_REMAPPED = (
    "its map has changed and is in force with the next start or reload; "
    "`stadtfunk codecs compare` shows what differs"
)


def shelf_of(settings: "Settings") -> Shelf:
    """The codecs in force of a city."""
    return Shelf(sqlite_path(settings.journal.url).with_name(FOLDER))


def javascript_types_of(settings: "Settings", sandbox: Sandbox) -> JavascriptTypes:
    """What loads a city's JavaScript types. Raises DevicesError for a repository that is none."""
    devices = settings.devices
    repository = devices.repository and settings.path(devices.repository)
    return JavascriptTypes(
        sandbox,
        shelf=shelf_of(settings),
        repository=None if repository is None else open_repository(repository),
        required_missing=devices.required_missing,
    )


def open_repository(folder: Path) -> CodecRepository:
    """The device repository in a folder. Raises DevicesError."""
    return Repository(folder)


def city_catalogue(settings: "Settings", scripts: JavascriptTypes) -> Catalogue:
    """Our own types and the city's. Raises DevicesError with every fault."""
    folders = map(settings.path, (*settings.devices.types, *settings.devices.maps))
    return load_catalogue(*folders, scripts=scripts)


def examined_types(settings: "Settings") -> tuple[Catalogue, list[str]]:
    """As named_types, and in words which types wait to be activated or have another map than before."""
    scripts = javascript_types_of(settings, Sandbox())
    catalogue = city_catalogue(settings, scripts)
    said = scripts.held | dict.fromkeys(scripts.remapped, _REMAPPED)
    return catalogue, [f"codec of {type_id}: {why}" for type_id, why in sorted(said.items())]


def named_types(settings: "Settings") -> Catalogue:
    """The same for whoever decodes nothing: no sandbox is started. Raises DevicesError with every fault."""
    return examined_types(settings)[0]


def keep(scripts: JavascriptTypes) -> str:
    """Put on the shelf what is in force; say why that cannot be, "" where it is done."""
    try:
        scripts.keep()
    except OSError as error:
        return f"the codecs in force cannot be kept: {error}: give the service's user that folder"
    return ""
