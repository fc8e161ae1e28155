"""Every error of this package.

DevicesError
 ├── DeviceTypeError    a device-type file cannot be used
 ├── RegistryError      the list of installed devices cannot be used
 ├── ClosedListError    nothing can be added to the list of installed devices
 ├── ChangedListError   it is not the list that was checked against any more
 └── RepositoryError    a device repository, or what it says of one device, cannot be used
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in a file a person wrote: where it is, what is wrong, what to do about it."""

    file: str
    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        """One line for a terminal."""
        return f"{self.file}: {self.key}: {self.problem} ({self.remedy})"


class DevicesError(Exception):
    """Base of this package's errors; `faults` lists everything found in one pass."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class DeviceTypeError(DevicesError):
    """A device-type file cannot be used."""


class RegistryError(DevicesError):
    """The list of installed devices cannot be used."""


class ClosedListError(DevicesError):
    """Nothing can be added to the list of installed devices, whatever it is."""


class ChangedListError(DevicesError):
    """The list of installed devices is not the one that was checked against any more."""


class RepositoryError(DevicesError):
    """A device repository, or what it says of one device, cannot be used."""
