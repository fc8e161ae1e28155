"""What a city judges by: rules, scale, catchments, areas, KOSTRA, each checked against its devices."""

from collections.abc import Mapping
from dataclasses import dataclass

from alerts.areas import Areas, load_areas
from alerts.catchments import Catchments, load_catchments
from alerts.kostra.kostra import Kostra
from alerts.rules import Rules, load_rules
from alerts.scale import Scale, load_scale
from devices.catalogue import DeviceType
from devices.registry import Registry
from stadtfunk.errors import ConfigError
from stadtfunk.kostra_commands import advice, city_kostra
from stadtfunk.settings import Settings


@dataclass(frozen=True, slots=True)
class Criteria:
    """Whatever the files of [alerts] say that warnings follow from."""

    scale: Scale
    rules: Rules
    catchments: Catchments
    areas: Areas
    kostra: Kostra
    advice: tuple[str, ...] = ()
    """What the rain index lacks, for the log of `stadtfunk serve`."""


def criteria_of(settings: Settings, registry: Registry, catalogue: Mapping[str, DeviceType]) -> Criteria:
    """Read from the files that the configuration names, else the shipped ones.

    Raises AlertsConfigError for what cannot be read, ConfigError for what does not fit the devices.
    """
    table = settings.alerts
    scale = load_scale(table.scale and settings.path(table.scale))
    rules = load_rules(table.rules and settings.path(table.rules), scale)
    catchments = load_catchments(table.catchments and settings.path(table.catchments))
    areas = load_areas(table.areas and settings.path(table.areas))
    for each in (rules, catchments, areas):
        if faults := each.check(registry):
            raise ConfigError(*faults)
    kostra = city_kostra(settings)
    lacks = tuple(advice(kostra, rules, registry, catalogue))
    return Criteria(scale, rules, catchments, areas, kostra, lacks)
