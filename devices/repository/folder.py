"""Reads files of a folder that somebody else filled: only regular files inside it, of bounded size."""

import stat
from pathlib import Path, PurePosixPath
from typing import Any

from devices.errors import DeviceTypeError, Fault, RepositoryError
from devices.yaml12 import parse_yaml

MOST_BYTES = 4 << 20


class Folder:
    """A folder and its vendors' folders. Links are followed as long as they stay inside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._root = path.resolve()

    def vendors(self) -> dict[str, Path]:
        """The vendors' folders by name. Raises RepositoryError where there is no folder `vendor`."""
        try:
            entries = sorted((self.path / "vendor").iterdir())
            return {each.name: each for each in entries if not each.name.startswith(".") and each.is_dir()}
        except OSError as error:
            remedy = "name a checkout of lorawan-devices: vendor/index.yaml, vendor/<vendor>/<device>.yaml"
            raise RepositoryError(
                Fault(str(self.path), "vendor", f"no device repository: {error.strerror or error}", remedy)
            ) from error

    def yaml_files(self, vendor: Path) -> list[Path]:
        """The vendor's YAML files but its index, which adds nothing to them, sorted.

        Raises RepositoryError when its folder cannot be listed.
        """
        try:
            self._inside(vendor)
            files = sorted(each for each in vendor.iterdir() if each.suffix == ".yaml")
            return [each for each in files if each.name != "index.yaml"]
        except OSError as error:
            raise _fault(vendor, error.strerror or str(error), "give a readable folder") from error

    def named(self, vendor: Path, id_: str) -> Path:
        """The vendor's YAML file of that id. Raises RepositoryError when the id is no plain name."""
        if not id_ or id_.startswith(".") or any(each in id_ for each in "/\\\0"):
            raise _fault(vendor, f"{id_!r} is no name of a file", "write the file's name without .yaml")
        return vendor / f"{id_}.yaml"

    def mapping(self, file: Path) -> dict[Any, Any]:
        """The mapping in a YAML file. Raises RepositoryError."""
        try:
            found = parse_yaml(self.text(file), str(file))
        except DeviceTypeError as error:
            raise RepositoryError(*error.faults) from error
        if not isinstance(found, dict):
            raise _fault(file, "is empty or no mapping", "give a file of `key: value` lines")
        return found

    def script(self, vendor: Path, name: str) -> str:
        """The text of the script a codec file of the vendor names. Raises RepositoryError."""
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if not parts or ".." in parts or parts[0] == "/" or "\0" in name:
            raise _fault(vendor, f"fileName {name!r} leaves the vendor's folder", "name a file inside it")
        return self.text(vendor.joinpath(*parts))

    def text(self, file: Path) -> str:
        """The text of a file. Raises RepositoryError when it is missing, outside, too large or no UTF-8."""
        try:
            inside = self._inside(file)
            if not stat.S_ISREG(inside.stat().st_mode):
                raise _fault(file, "is no regular file", "give a file")
            with inside.open("rb") as stream:
                raw = stream.read(MOST_BYTES + 1)
            if len(raw) > MOST_BYTES:
                raise _fault(file, f"has more than {MOST_BYTES >> 20} MiB", "remove it")
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise _fault(file, f"is no UTF-8: {error.reason}", "save it as UTF-8") from error
        except (OSError, RuntimeError) as error:  # RuntimeError: a circle of links, Python before 3.13
            problem = getattr(error, "strerror", None) or str(error)
            raise _fault(file, problem, "give a readable file") from error

    def _inside(self, path: Path) -> Path:
        resolved = path.resolve()
        if not resolved.is_relative_to(self._root):
            raise _fault(path, "is a link that leaves the repository", "copy what it links to")
        return resolved


def _fault(path: Path, problem: str, remedy: str) -> RepositoryError:
    return RepositoryError(Fault(str(path), "folder" if path.is_dir() else "file", problem, remedy))
