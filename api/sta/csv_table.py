"""$resultFormat=CSV: entities as a table (RFC 4180), what is expanded in columns of its own.

JSON values such as properties stand in one column each, except unitOfMeasurement, which has three.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import orjson

from api.sta.layout import ID
from api.sta.model import ENTITY_SETS, EntitySet, ToOne
from api.sta.options import Options

_UNIT = ("name", "symbol", "definition")
_Entity: TypeAlias = Mapping[str, Any]


def csv_table(entity_set: EntitySet, options: Options, entities: Sequence[_Entity]) -> bytes:
    """A header and a row for each entity as it is in JSON.

    A link to many has as many columns as its longest list here needs: `Datastreams/0/name`.
    """
    columns = list(_columns(entity_set, options, entities, ""))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([name for name, _ in columns])
    writer.writerows(zip(*(values for _, values in columns), strict=True))
    return text.getvalue().encode()


def _columns(
    entity_set: EntitySet, options: Options, entities: Sequence[_Entity], prefix: str
) -> Iterator[tuple[str, list[Any]]]:
    selected = {each[0] for each in options.select}
    if not selected or selected & {ID, "id"}:
        yield f"{prefix}id", [each.get(ID) for each in entities]
    for name in entity_set.properties:
        if selected and name not in selected:
            continue
        values = [each.get(name) for each in entities]
        if name == "unitOfMeasurement":
            for part in _UNIT:
                yield (
                    f"{prefix}{name}/{part}",
                    [_cell(each.get(part)) if isinstance(each, dict) else "" for each in values],
                )
        else:
            yield f"{prefix}{name}", [_cell(each) for each in values]
    for expansion in options.expand:
        link = entity_set.links[expansion.link]
        target, inner = ENTITY_SETS[link.target], expansion.options
        values = [each.get(link.name) for each in entities]
        if isinstance(link, ToOne):
            yield from _columns(target, inner, [each or {} for each in values], f"{prefix}{link.name}/")
            continue
        if inner.count:
            yield f"{prefix}{link.name}@iot.count", [each.get(f"{link.name}@iot.count") for each in entities]
        for place in range(max((len(each or ()) for each in values), default=0)):
            rows = [each[place] if each and place < len(each) else {} for each in values]
            yield from _columns(target, inner, rows, f"{prefix}{link.name}/{place}/")


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
