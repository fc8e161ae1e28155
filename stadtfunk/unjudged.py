"""What rules of one's own leave out: stations that the shipped rules would judge and nobody does now."""

from collections.abc import Iterator, Mapping, Sequence

from alerts.catchments import Catchments
from alerts.explain import City
from alerts.rule_kinds import Counts, DwdRain, Parking, Sri, StationRule, WaterLevel
from alerts.rules import Rules, load_rules
from devices.catalogue import DeviceType
from devices.registry import Registry

_JUDGED: Sequence[tuple[str, tuple[type[StationRule], ...]]] = (
    ("rain", (DwdRain, Sri)),
    ("water levels", (WaterLevel,)),
    ("car parks", (Parking,)),
    ("counts", (Counts,)),
)
_MOST_NAMED = 3


def unjudged_advice(
    rules: Rules, registry: Registry, catalogue: Mapping[str, DeviceType], catchments: Catchments
) -> Iterator[str]:
    """A line for everything that no rule judges at some stations where a shipped one would."""
    shipped = City(load_rules(), registry, catalogue, catchments)
    for what, kinds in _JUDGED:
        could = [
            station.id
            for rule in shipped.rules.rules
            if isinstance(rule, kinds)
            for station in shipped.stations(rule)
        ]
        left = [id_ for id_ in dict.fromkeys(could) if all(rules.of(kind, id_) is None for kind in kinds)]
        if left:
            more = len(left) - _MOST_NAMED
            named = ", ".join(left[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
            yield (
                f"{rules.file}: no rule judges {what} at {named}: a file of your own replaces the shipped "
                "rules, so begin with a copy of alerts/rules.toml (docs/rules.md)"
            )
