"""What a warning of the city is about: the kind of event, what was measured, what places are called."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from alerts.city.situation import Situation
from alerts.city.warning_file import TEXT_KINDS, TextKind
from alerts.incidents.incident import SEVERE, Member
from alerts.outlook import LevelOutlook
from alerts.scale import Language, Scale, rank, shipped_scale

RAIN = frozenset({"dwd_starkregen", "dwd_dauerregen", "sri", "precipitation"})
WATER: Mapping[str, TextKind] = {"basin": "basin", "water_level": "level", "water_level_expected": "expected"}


def _nothing_ahead(_station: str) -> LevelOutlook | None:
    return None


@dataclass(frozen=True, slots=True)
class Places:
    """What a city calls things. `station_name`: of an id; `area_names`: of areas' ids, in a language;
    `outlook`: what a station's level is heading for, None unknown. `timezone` as IANA names it."""  # noqa: D205, D209 - one thought

    city: str
    timezone: str
    station_name: Callable[[str], str] = str
    area_names: Callable[[Sequence[str], Language], Sequence[str]] = lambda ids, _language: ids
    outlook: Callable[[str], LevelOutlook | None] = _nothing_ahead
    scale: Scale = field(default_factory=shipped_scale)


def kind_of(situation: Situation) -> TextKind:
    """Which kind of event a warning is about: by what in its incident is serious, or what a person said."""
    given = next((each for each in TEXT_KINDS if each == situation.kind), None)
    if given is not None:
        return given
    measures = {each.measure for each in serious(situation)}
    water = next((kind for measure, kind in WATER.items() if measure in measures), None)
    if measures & RAIN:
        return "several" if water else "rain"
    return water or "hand"


def serious(situation: Situation) -> list[Member]:
    """The members that the warning is about, the highest first: Severe or more, or else the highest.

    Once everything has ended, those that were.
    """
    if situation.incident is None:
        return []
    members = situation.incident.in_force or list(situation.incident.members.values())
    if situation.stations:
        members = [each for each in members if each.station in situation.stations] or members
    least = min(SEVERE, max((rank(each.severity) for each in members), default=0))
    found = [each for each in members if rank(each.severity) >= least]
    return sorted(found, key=lambda m: (-rank(m.severity), -m.changed_us, m.episode))
