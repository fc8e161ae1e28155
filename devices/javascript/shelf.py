"""The codecs in force: of each type the last activated text with its map, kept so that none is ever lost.

A folder: texts and maps named by their SHA-256, and TYPE.json that says which two belong to a type. A pair on
the shelf stays in force until somebody activates another one, whatever becomes of the files it came from.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from devices.errors import DeviceTypeError, Fault


@dataclass(frozen=True, slots=True)
class Pair:
    """A codec's text and the text of the field map that belongs to it."""

    codec: str
    map: str

    @property
    def codec_sha256(self) -> str:
        """What the map is pinned to."""
        return sha256(self.codec)


class Shelf:
    """Pairs by type id, in a folder that `activate` makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def activated(self, type_id: str) -> Pair | None:
        """The pair in force, None where the type never had one. Raises DeviceTypeError when it is damaged."""
        pointer = self._pointer(type_id)
        try:
            names = json.loads(pointer.read_bytes())
            codec, map_ = (self._read(names, kind) for kind in ("codec", "map"))
        except FileNotFoundError as error:
            if not pointer.exists():
                return None
            raise self._damaged(pointer, str(error)) from error
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._damaged(pointer, repr(error)) from error
        return Pair(codec, map_)

    def marks(self) -> Mapping[str, tuple[int, int, int]]:
        """Of each type that was ever activated what is another one after each activation. Raises OSError."""
        found = {}
        with suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(".json"):
                    stat = entry.stat()
                    found[entry.name.removesuffix(".json")] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        return found

    def activate(self, type_id: str, pair: Pair) -> None:
        """Put a pair in force. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        names: dict[str, str] = {}
        for kind, text, suffix in (("codec", pair.codec, "js"), ("map", pair.map, "toml")):
            names[kind] = f"{sha256(text)}.{suffix}"
            self._write(self.folder / names[kind], text)
        # last: what it names is there
        self._write(self._pointer(type_id), json.dumps(names))

    def _pointer(self, type_id: str) -> Path:
        return self.folder / f"{type_id}.json"

    def _read(self, names: Mapping[str, str], kind: str) -> str:
        file = self.folder / Path(names[kind]).name
        text = file.read_bytes().decode()
        if sha256(text) != file.stem:
            raise ValueError(f"{file.name} is not what its name says")
        return text

    @staticmethod
    def _damaged(pointer: Path, problem: str) -> DeviceTypeError:
        remedy = "restore the folder from a backup, or remove this file to begin anew with the text at hand"
        return DeviceTypeError(Fault(str(pointer), "file", f"is damaged: {problem}", remedy))

    @staticmethod
    def _write(file: Path, text: str) -> None:
        beside = file.with_name(f".{file.name}.{os.getpid()}")
        with beside.open("w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)


def sha256(text: str) -> str:
    """Hex digest of a text's UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()
