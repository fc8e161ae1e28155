"""What a service is put together from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ingest.health import Health


class Part(Protocol):
    """Something with a life of its own."""

    def start(self) -> None:
        """Begin; returns soon."""

    def stop(self) -> None:
        """End within 2 s."""


@dataclass(frozen=True, slots=True)
class Group:
    """Parts that belong together, such as those of a feature that the configuration asks for.

    Started in their order, after whatever they read; stopped in the opposite one. `health`: each one's own
    word on how it is, by the name that /readyz shows.
    """

    parts: tuple[Part, ...]
    health: Callable[[], Mapping[str, Health]]
