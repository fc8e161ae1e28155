"""Traffic and parking as a part of the service."""

from typing import TYPE_CHECKING

from alerts.mobility.engine import Mobility
from stadtfunk.parts import Group

if TYPE_CHECKING:
    from stadtfunk.service import Service


def mobility_of(service: "Service") -> Mobility:
    """The reader that counts."""
    return Mobility(
        service.journal,
        service.criteria.rules,
        lambda: service.registry.current,
        service.clock,
        catalogue=service.catalogue,
    )


def mobility_group(mobility: Mobility) -> Group:
    """It as a group of the service."""
    return Group((mobility,), lambda: {"mobility": mobility.health})
