"""What sources said of their stations, kept in a file: a start must not depend on them."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from ingest.neighbours.observed import Place

_log = structlog.get_logger(__name__)
Places = dict[tuple[str, str], Place]
"""By kind and foreign id."""


def load_places(file: Path) -> Places:
    """What the file holds; nothing where there is none or it is damaged: the sources say it again."""
    try:
        rows = msgspec.json.decode(file.read_bytes(), type=list[tuple[str, Place]])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as fault:
        _log.warning("neighbours_file_unusable", file=str(file), fault=str(fault))
        return {}
    return {(kind, place.foreign): place for kind, place in rows}


def save_places(file: Path, places: Mapping[tuple[str, str], Place]) -> None:
    """Write the file anew, whole or not at all."""
    draft = file.with_suffix(".part")
    try:
        draft.write_bytes(msgspec.json.encode([(kind, place) for (kind, _), place in places.items()]))
        os.replace(draft, file)  # noqa: PTH105 - atomic
    except OSError as fault:
        _log.warning("neighbours_file_not_written", file=str(file), fault=str(fault))
