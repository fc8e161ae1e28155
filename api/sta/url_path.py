"""Paths below /sta/v1.1: which entity, link or property an address means. OGC 18-088, section 9.2."""

import difflib
import re
from collections.abc import Iterable
from urllib.parse import unquote

from api.sta.errors import BadRequestError, NotFoundError
from api.sta.model import ENTITY_SETS, EntitySet, Kind, ToOne
from api.sta.options import ResourcePath, Step, Tail

MAX_LENGTH = 8192
"""Characters of a path, still percent-encoded."""
MAX_STEPS = 50
"""Segments of a path."""

_STEP = re.compile(r"([^()]*)\((.*)\)", re.DOTALL)
_ID = re.compile(r"[0-9]{1,19}")
_LAST_ID = 2**63 - 1
_HAS_PARTS = (Kind.JSON, Kind.GEOMETRY, Kind.RESULT)
_ID_NAMES = {"id": "@iot.id", "@iot.id": "@iot.id", "@iot.selfLink": "@iot.selfLink"}


def parse_path(path: str) -> ResourcePath:
    """What is behind /sta/v1.1 of an address, still percent-encoded (so a key may hold %2F).

    One / at the start and one at the end change nothing. `id` and `@iot.id` are the property "@iot.id"; keys
    below a property are any text. $ref may follow one entity or many, $value a property. $count is no
    resource of SensorThings, but `$count=true` an option.

    Raises NotFoundError, with close names as hint, for what the model has not, for an id that is no integer
    of 64 bits, and for steps behind many entities; BadRequestError for a path that is too long, deeper than
    MAX_STEPS or no UTF-8.
    """
    if len(path) > MAX_LENGTH:
        raise BadRequestError(f"the path is longer than {MAX_LENGTH} characters")
    path = path.removeprefix("/").removesuffix("/")
    if not path:
        return ResourcePath()
    segments = [_decoded(each) for each in path.split("/")]
    if len(segments) > MAX_STEPS:
        raise BadRequestError(f"the path has more than {MAX_STEPS} parts")
    tail = Tail.NOTHING
    if len(segments) > 1 and segments[-1] in (Tail.REF, Tail.VALUE):
        tail = Tail(segments.pop())
    found = _resource(segments, tail)
    if tail is Tail.VALUE and not found.property:
        raise NotFoundError("only a property has a $value", "name one: Things(1)/name/$value")
    if tail is Tail.REF and found.property:
        raise NotFoundError("only entities have a $ref", "for a property alone write $value")
    return found


def close_names(name: str, names: Iterable[str]) -> str:
    """Hint with the names that `name` may have meant, else with all of them."""
    by_lower = {each.lower(): each for each in names}
    close = difflib.get_close_matches(name[:80].lower(), by_lower, 2, 0.6)
    if close:
        return f"did you mean {' or '.join(by_lower[each] for each in close)}?"
    return f"there are {', '.join(by_lower.values())}"


def _resource(segments: list[str], tail: Tail) -> ResourcePath:
    name, key = _split(segments[0])
    current = ENTITY_SETS.get(name)
    if current is None:
        raise NotFoundError(f"there is no entity set {_short(name)}", close_names(name, ENTITY_SETS))
    steps = [Step(name, key)]
    single = key is not None
    for index, segment in enumerate(segments[1:], 1):
        name, key = _split(segment) if segment not in _ID_NAMES else (segment, None)
        if not single:
            raise _behind_many(steps[-1].name, segment)
        link = current.links.get(name)
        if link is None:
            return ResourcePath(tuple(steps), _property(current, segments[index:]), tail)
        if isinstance(link, ToOne) and key is not None:
            raise NotFoundError(f"{name} is one entity, without an id here", f"leave out ({key})")
        steps.append(Step(name, key))
        single = isinstance(link, ToOne) or key is not None
        current = ENTITY_SETS[link.target]
    return ResourcePath(tuple(steps), (), tail)


def _property(entity_set: EntitySet, segments: list[str]) -> tuple[str, ...]:
    name, *parts = segments
    if name in _ID_NAMES:
        kind = None
    elif name in entity_set.properties:
        kind = entity_set.properties[name].kind
    else:
        raise NotFoundError(
            f"{entity_set.entity} has no {_short(name)}",
            close_names(name, (*entity_set.properties, *entity_set.links)),
        )
    if parts and kind not in _HAS_PARTS:
        raise NotFoundError(f"{name} of {entity_set.entity} has no parts", "end the path with it")
    if "" in parts:
        raise NotFoundError("a part of the path is empty", "take out the double /")
    return (_ID_NAMES.get(name, name), *parts)


def _behind_many(name: str, segment: str) -> NotFoundError:
    if segment == "$count":
        return NotFoundError("$count is no resource", "ask with the option $count=true")
    if segment == Tail.REF:
        return NotFoundError("$ref ends a path", "leave out what stands behind it")
    return NotFoundError(f"{_short(segment)} needs one entity before it", f"choose one of {name}: {name}(1)")


def _split(segment: str) -> tuple[str, int | None]:
    match = _STEP.fullmatch(segment)
    if match is None:
        return segment, None
    name, key = match.groups()
    if not _ID.fullmatch(key) or int(key) > _LAST_ID:
        raise NotFoundError(
            f"{name} has no entity with the id {_short(key)}", "ids are whole numbers: Things(1)"
        )
    return name, int(key)


def _decoded(segment: str) -> str:
    try:
        text = unquote(segment, errors="strict")
        text.encode()
    except UnicodeError as error:
        raise BadRequestError("the path is no UTF-8", "encode it as UTF-8, then with %") from error
    return text


def _short(text: str) -> str:
    longest = 80
    return repr(text if len(text) <= longest else text[:longest] + "...")
