"""Every error of this package.

StadtfunkError
 ├── ConfigError   the configuration cannot be used; lists every fault found
 └── StartError    a file or server that the service cannot do without is not usable
"""

from devices.errors import Fault


class StadtfunkError(Exception):
    """Base of this package's errors."""


class ConfigError(StadtfunkError):
    """The configuration cannot be used. `faults` lists everything found in one pass."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class StartError(StadtfunkError):
    """A file or server that the service cannot do without is not usable."""
