"""What the public sees of each observed property, as the configuration has it; what `check` says about it."""

from collections.abc import Iterator, Mapping

from api.public_readings import FEWEST
from api.public_rule import PublicRule
from devices.catalogue import DeviceType
from devices.properties import ObservedProperty, observed_properties
from devices.registry import Registry
from stadtfunk.settings import Settings
from stadtfunk.settings.publishing import PropertyTable, PublicTable, ThemeTable, seconds

_WARNED_OF = ("precipitation", "precipitation_total", "water_level")


def public_rules(settings: Settings) -> dict[str, PublicRule]:
    """The rule of every observed property: what its own table says, else its theme's, else nothing."""
    return {name: _rule(each, settings) for name, each in observed_properties().items()}


def advice(settings: Settings, registry: Registry, catalogue: Mapping[str, DeviceType]) -> Iterator[str]:
    """What is configured and does not do what it looks like."""
    rules = public_rules(settings)
    for name, table in settings.property.items():
        if name in rules and not rules[name].public and table.model_fields_set - {"public"}:
            yield f"property.{name}: it is not public, so nothing else there has an effect: set public = true"
    closed = [name for name in _WARNED_OF if rules[name].shifted or not rules[name].public]
    for name in closed:
        yield f"property.{name}: warnings still name its values at once, see docs/data-protection.md"
    for device in registry.devices.values():
        type_ = catalogue.get(device.type)
        station = registry.stations.get(device.station)
        if type_ is None or station is None or not station.public:
            continue
        interval_s = device.interval_s or type_.interval_s
        for name in type_.properties:
            rule = rules.get(name)
            if rule is not None and rule.public and 0 < rule.coarsen_us < FEWEST * interval_s * 1e6:
                yield (
                    f"{device.station}: the public sees no {name}: one comes every {interval_s:g} s, and an "
                    f"interval needs {FEWEST}: make [property.{name}] coarsen longer"
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
