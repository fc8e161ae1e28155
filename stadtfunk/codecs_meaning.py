"""What two versions of a field map mean: the compiled readers side by side, in words."""

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass

from devices.catalogue import DeviceType
from devices.field_map import FieldMap, Reader
from devices.properties import observed_properties

UNSEEN = "not in any recorded payload"
_NONE = "none"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the maps of two versions say differently, and what no recorded payload could show.

    `changes`: one line each, whatever the payloads hold. `unseen`: one line for each field that both maps
    read and no recorded payload has.
    """

    changes: tuple[str, ...]
    unseen: tuple[str, ...]


def meaning(
    old: tuple[DeviceType, FieldMap], new: tuple[DeviceType, FieldMap], given: Container[str]
) -> Meaning:
    """Both types with their maps. `given`: the paths that one of the codecs gave for a recorded payload."""
    before, after = old[1], new[1]
    both, gone, added = _partners(before, after)
    changes: list[str] = []
    unseen: list[str] = []
    for one, other in both:
        name = other.path if one.path == other.path else _named(other)
        seen = one.found_in(given) or other.found_in(given)
        facts = zip(_facts(before, one).items(), _facts(after, other).values(), strict=True)
        changes += [f"{name}: {key} {was} -> {now}{_note(seen)}" for (key, was), now in facts if was != now]
        if not seen:
            unseen.append(f"{other.path}: {UNSEEN}, so no value of {_named(other)} was compared")
    alone = [(before, each, "not read any more") for each in gone]
    alone += [(after, each, "read only now") for each in added]
    for field_map, each, change in alone:
        told = {key: said for key, said in _facts(field_map, each).items() if key not in _OF_NAME}
        words = ", ".join(f"{key} {said}" for key, said in told.items() if said != _NONE)
        changes.append(f"{each.path}: {change}: {_named(each)} ({words}){_note(each.found_in(given))}")
    types = zip(_of_type(old[0]).items(), _of_type(new[0]).values(), strict=True)
    changes += [f"{key} {was} -> {now}" for (key, was), now in types if was != now]
    return Meaning(tuple(changes), tuple(unseen))


def _partners(old: FieldMap, new: FieldMap) -> tuple[list[tuple[Reader, Reader]], list[Reader], list[Reader]]:
    """Readers that belong together, by what they give or else by path; those of the old alone; of the new."""
    left, right = list(old.readers), list(new.readers)
    both: list[tuple[Reader, Reader]] = []
    for same in (
        lambda one, other: (one.path, _series(one)) == (other.path, _series(other)),
        lambda one, other: _series(one) == _series(other),
        lambda one, other: one.path == other.path,
    ):
        for one in tuple(left):
            if other := next((each for each in right if same(one, each)), None):
                both.append((one, other))
                left.remove(one)
                right.remove(other)
    return both, left, right


def _series(reader: Reader) -> tuple[str, str]:
    return reader.property, reader.channel


_OF_NAME = {"path", "property", "channel"}


def _facts(field_map: FieldMap, reader: Reader) -> dict[str, str]:
    """All that a reader means, by the key of the map that says it."""
    observed = observed_properties()[reader.property]
    wrap = field_map.wraps.get(reader.property)
    return {
        "path": reader.path,
        "property": reader.property,
        "channel": reader.channel or _NONE,
        "kind": observed.kind,
        "unit": reader.unit,
        "codec_unit": reader.codec_unit or _NONE,
        "scale": _number(reader.scale),
        "sentinels": ", ".join(sorted(map(_value, reader.sentinels))) or _NONE,
        "range": _range(reader, observed.unit),
        "wrap": _NONE if wrap is None else f"{_number(wrap)} {observed.unit}",
        "states": ", ".join(f"{word} = {_number(state)}" for word, state in sorted(reader.states.items()))
        or _NONE,
        "required": "yes" if reader.property in field_map.required else "no",
        "time": reader.time or _NONE,
    }


def _of_type(device_type: DeviceType) -> Mapping[str, str]:
    """What a map says of the whole type and the service acts on."""
    return {
        "theme": device_type.theme,
        "interval_s": _number(device_type.interval_s),
        "f_ports": ", ".join(map(str, sorted(device_type.f_ports))) or "any",
        "required_missing": str(device_type.required_missing),
    }


def _named(reader: Reader) -> str:
    return f"{reader.property}/{reader.channel}" if reader.channel else reader.property


def _note(seen: str | None) -> str:
    return "" if seen else f" ({UNSEEN})"


def _range(reader: Reader, unit: str) -> str:
    if math.isinf(reader.low) and math.isinf(reader.high):
        return _NONE
    return f"{_number(reader.low)} to {_number(reader.high)} {unit}"


def _value(value: float | str) -> str:
    return f'"{value}"' if isinstance(value, str) else _number(value)


def _number(number: float) -> str:
    return f"{number:.15g}"
