"""A request that was read, as the body it is answered with."""

from dataclasses import dataclass, replace
from typing import Any

import orjson

from api.sta.conformance import root
from api.sta.csv_table import csv_table
from api.sta.data_array import data_array, with_datastream
from api.sta.deadline import bounded
from api.sta.errors import BadRequestError, NotFoundError
from api.sta.geojson import feature_collection
from api.sta.json_texts import quote
from api.sta.layout import ID, SELF_LINK, property_columns, rendered
from api.sta.links import next_of_request
from api.sta.options import Options, ResourcePath, ResultFormat, Tail
from api.sta.reading import Page, Reading
from api.sta.source import EntitySource
from api.sta.sql import parameter, separated, sql
from api.sta.target import ALIAS, Target, find

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
CSV = "text/csv; charset=utf-8"
GEOJSON = "application/geo+json"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `base`: the service root's address without a slash at its end.

    `address`: its own, and `query` as it came, both percent-encoded.
    """

    base: str
    address: str
    query: str
    path: ResourcePath
    options: Options


@dataclass(frozen=True, slots=True)
class Answer:
    """A body; None where there is nothing to say. `next_link`: the next page's address."""

    body: bytes | None
    media_type: str = JSON
    next_link: str | None = None


def answer(source: EntitySource, asked: Asked, settings: dict[str, Any]) -> Answer:
    """What is answered. `settings`: more members for the root document's serverSettings. Raises StaError."""
    if not asked.path.steps:
        return Answer(orjson.dumps(root(asked.base, settings, writable=source.writable)))
    with source.read() as connection, bounded(connection) as deadline:
        reading = Reading(connection, source, asked.base, deadline)
        target = find(connection, source, asked.path.steps)
        if asked.path.property:
            return _property(reading, target, asked)
        if asked.path.tail is Tail.REF:
            asked = replace(asked, options=replace(asked.options, select=((SELF_LINK,),), expand=()))
        if target.id is not None:
            return _entity(reading, target, asked)
        return _collection(reading, target, asked)


def _entity(reading: Reading, target: Target, asked: Asked) -> Answer:
    text = reading.entity(target, asked.options)
    match asked.options.result_format:
        case ResultFormat.GEOJSON:
            return Answer(feature_collection(target.entity_set, [orjson.loads(text)]), GEOJSON)
        case ResultFormat.CSV:
            return Answer(csv_table(target.entity_set, asked.options, [orjson.loads(text)]), CSV)
        case ResultFormat.DATA_ARRAY:
            raise BadRequestError(
                "one entity is no data array", "leave $resultFormat out", option="$resultFormat"
            )
    return Answer(text.encode())


def _collection(reading: Reading, target: Target, asked: Asked) -> Answer:
    options = asked.options
    if options.result_format is ResultFormat.DATA_ARRAY:
        page = reading.page(target, with_datastream(target.entity_set, options))
        return Answer(_enveloped(page, asked, data_array(page.selection.shown, page.rows, reading.base)))
    page = reading.page(target, options)
    made = reading.objects(target.entity_set, options, page).joined()
    match options.result_format:
        case ResultFormat.GEOJSON:
            entities = orjson.loads(f"[{made}]")
            next_link = _next_link(page, asked)
            return Answer(
                feature_collection(target.entity_set, entities, count=page.count, next_link=next_link),
                GEOJSON,
            )
        case ResultFormat.CSV:
            body = csv_table(target.entity_set, options, orjson.loads(f"[{made}]"))
            return Answer(body, CSV, _next_link(page, asked))
    return Answer(_enveloped(page, asked, made))


def _enveloped(page: Page, asked: Asked, values: str) -> bytes:
    count = "" if page.count is None else f'"@iot.count":{page.count},'
    link = _next_link(page, asked)
    next_ = "" if link is None else f'"@iot.nextLink":{quote(link)},'
    return f'{{{count}{next_}"value":[{values}]}}'.encode()


def _next_link(page: Page, asked: Asked) -> str | None:
    return None if page.place is None else next_of_request(asked.address, asked.query, page.place)


def _property(reading: Reading, target: Target, asked: Asked) -> Answer:
    name, *keys = asked.path.property
    if name in {ID, SELF_LINK}:
        own = f"{reading.base}/{target.entity_set.name}({target.id})"
        text: str | None = str(target.id) if name == ID else quote(own)
    else:
        text = _text_of(reading, target, name)
    if text is None and not keys:
        return Answer(None)
    value = orjson.loads(text or "null")
    for key in keys:
        if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            raise NotFoundError(f"{name} of {target.path} has no {'/'.join(keys)[:200]}")
    if value is None:
        return Answer(None)
    if asked.path.tail is Tail.VALUE:
        return Answer(value.encode() if isinstance(value, str) else orjson.dumps(value), TEXT)
    return Answer(orjson.dumps({keys[-1] if keys else name: value}))


def _text_of(reading: Reading, target: Target, name: str) -> str | None:
    property_ = target.entity_set.properties.get(name)
    if property_ is None:
        raise NotFoundError(f"{target.entity_set.name} have no {name[:100]!r}")
    statements = reading.statements
    columns = separated(", ", property_columns(property_, statements.source, ALIAS))
    from_ = statements.table(target.entity_set, target.scope)
    id_ = parameter(target.id)
    rows = statements.rows(sql("SELECT ", columns, " FROM ", from_, f" AS {ALIAS} WHERE {ALIAS}.id = ", id_))
    if not rows:
        raise NotFoundError(f"there is no {target.path}")
    return rendered(property_, [(each,) for each in rows[0]])[0]
