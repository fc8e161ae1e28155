"""$resultFormat=dataArray: Observations without their names, one array for each Datastream.

OGC 18-088, section 12.2.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from api.sta.errors import BadRequestError
from api.sta.json_texts import numbers
from api.sta.layout import Layout, Piece, assemble
from api.sta.model import EntitySet
from api.sta.options import Expansion, Options


def with_datastream(entity_set: EntitySet, options: Options) -> Options:
    """Options that select the Datastream of each row too; raises for what is no data array."""
    if entity_set.name != "Observations":
        raise BadRequestError(
            f"{entity_set.name} are no data array: only Observations are",
            "leave $resultFormat out, or choose CSV",
            option="$resultFormat",
        )
    if options.expand:
        raise BadRequestError(
            "a data array expands nothing: it has no names for what is expanded",
            "leave $expand out, or choose CSV or GeoJSON",
            option="$expand",
        )
    return replace(options, expand=(Expansion("Datastream"),))


def data_array(shown: Layout, rows: Sequence[tuple[Any, ...]], base: str) -> str:
    """The members of `value`: for each Datastream, in the order they come, its rows in their order."""
    at = shown.to_one["Datastream"]
    datastreams = [row[at] for row in rows]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(shown.columns)
    components = ["id"] if shown.shows_id else []
    pieces: list[Piece] = [",["]
    if shown.shows_id:
        pieces.append(numbers(columns[0]))
    for field in shown.fields:
        values = field.render(*columns[field.at : field.at + field.width])
        if components:
            pieces.append(",")
        pieces.append(["null" if each is None else each for each in values])
        components.append(field.name)
    made = assemble([*pieces, "]"], len(rows))
    names = orjson.dumps(components).decode()

    def group(datastream: int, count: int, values: str) -> str:
        link = f'"Datastream@iot.navigationLink":"{base}/Datastreams({datastream})"'
        return f'{{{link},"components":{names},"dataArray@iot.count":{count},"dataArray":[{values}]}}'

    if len(set(datastreams)) == 1:
        return group(datastreams[0], len(rows), made.joined())
    groups: dict[int, list[str]] = {}
    for datastream, text in zip(datastreams, made, strict=True):
        groups.setdefault(datastream, []).append(text)
    return ",".join(group(each, len(texts), ",".join(texts)) for each, texts in groups.items())
