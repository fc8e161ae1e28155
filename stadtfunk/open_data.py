"""What the public sees of each observed property, as the configuration has it; what `check` says about it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from api.public_readings import FEWEST
from api.public_rule import PublicRule
from devices.catalogue import DeviceType
from devices.properties import ObservedProperty, observed_properties
from devices.registry import InstalledDevice, Registry
from stadtfunk.settings import Settings
from stadtfunk.settings.publishing import PropertyTable, PublicTable, ThemeTable, seconds

_PEOPLE = ("people_count", "people_count_interval")
_WARNED_OF = ("precipitation", "precipitation_total", "water_level")


def public_rules(settings: Settings) -> dict[str, PublicRule]:
    """The rule of every observed property: what its own table says, else its theme's, else nothing.

    What counts people, and how many of them are too few to be told, says [traffic].
    """
    rules = {name: _rule(each, settings) for name, each in observed_properties().items()}
    below = settings.traffic.suppress_below
    return rules | {name: replace(rules[name], suppress_below=below) for name in _PEOPLE}


def advice(settings: Settings, registry: Registry, catalogue: Mapping[str, DeviceType]) -> Iterator[str]:
    """What is configured and does not do what it looks like."""
    rules = public_rules(settings)
    for name, table in settings.property.items():
        if name in rules and not rules[name].public and table.model_fields_set - {"public"}:
            yield f"property.{name}: it is not public, so nothing else there has an effect: set public = true"
    held = {
        name: each
        for name, each in observed_properties().items()
        if rules[name].shifted or not (rules[name].public or each.internal)
    }
    for name in _WARNED_OF:
        if name in held:
            yield f"{name}: warnings still name its values at once, see docs/data-protection.md"
    said: dict[str, None] = {}
    for device in registry.devices.values():
        type_, station = catalogue.get(device.type), registry.stations.get(device.station)
        if type_ is not None and station is not None and station.public:
            said |= dict.fromkeys(_too_short(device, type_, rules))
            said |= dict.fromkeys(_left_open(type_, rules, held))
    yield from said


def _too_short(device: InstalledDevice, type_: DeviceType, rules: Mapping[str, PublicRule]) -> Iterator[str]:
    interval_s = device.interval_s or type_.interval_s
    for name in _given(type_):
        rule = rules.get(name)
        if rule is not None and rule.public and 0 < rule.coarsen_us < FEWEST * interval_s * 1e6:
            yield (
                f"{device.station}: the public sees no {name}: one comes every {interval_s:g} s, and what is "
                f"coarsened needs {FEWEST} in an interval: make coarsen longer"
            )


def _given(type_: DeviceType) -> tuple[str, ...]:
    """What a device gives; a level follows from a distance or depth (devices/registry.py)."""
    level = not {"water_distance", "water_depth"}.isdisjoint(type_.properties)
    return (*type_.properties, "water_level") if level else type_.properties


def _left_open(
    type_: DeviceType, rules: Mapping[str, PublicRule], held: Mapping[str, ObservedProperty]
) -> Iterator[str]:
    """The same thing measured under another name, such as a count by its running counter."""
    known = observed_properties()
    for name in _given(type_):
        if name in held:
            for other in type_.properties:
                if other in known and known[other].theme == held[name].theme and rules[other].live:
                    yield (
                        f"{name} is held back, but {type_.id} also gives {other}, which is public at once: "
                        f"say the same of it, or of all with [theme.{held[name].theme}]"
                    )


def _rule(property_: ObservedProperty, settings: Settings) -> PublicRule:
    own = settings.property.get(property_.name, PropertyTable())
    theme = settings.theme.get(property_.theme, ThemeTable())
    tables: tuple[PublicTable, ...] = (own, theme)
    delay = next((each.delay for each in tables if each.delay is not None), None)
    coarsen = next((each.coarsen for each in tables if each.coarsen is not None), None)
    public = not property_.internal and theme.public is not False
    return PublicRule(
        public=public if own.public is None else own.public,
        delay_us=0 if delay is None else seconds(delay) * 1_000_000,
        coarsen_us=0 if coarsen is None else seconds(coarsen) * 1_000_000,
        round_to=next((each.round for each in tables if each.round is not None), 0.0),
        license=next((each.license for each in tables if each.license is not None), ""),
        attribution=next((each.attribution for each in tables if each.attribution is not None), ""),
    )
