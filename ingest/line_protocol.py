"""Readings as InfluxDB line protocol, and names in InfluxQL.

One reading is one point: measurement = observed property, tags channel, device, station (an empty one is left
out), fields `value` (float, absent where the sensor had none) and `quality` (integer, the QARTOD flag),
timestamp in microseconds. A field keeps its type for ever in InfluxDB: these two never change.

Escaping: https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/.
Line protocol cannot carry a backslash before a delimiter, a line break in a tag, or a measurement that begins
with "#". Those characters are written percent-encoded, as is a "%" that would read as one of them; `unescape`
undoes it.
"""

import re
from collections.abc import Sequence

from devices.measurement import Quality
from ingest.reading import Readings, Series
from ingest.store import missing

_CODES = "5C|23|25|7F|0[0-9A-F]|1[0-9A-F]"
_UNSAFE = re.compile(rf"[\\\x00-\x1f\x7f]|^#|%(?={_CODES})")
_SAFE = re.compile(f"%({_CODES})")
_DELIMITER = re.compile(r"([,= ])")


def lines(series: Sequence[Series], readings: Readings, heads: dict[Series, str]) -> list[str]:
    """One line per reading; `heads` keeps measurement and tags from call to call."""
    prefixes: dict[int, str] = {}
    for number in set(readings["series"].tolist()):
        row = series[number]
        head = heads.get(row)
        if head is None:
            head = heads[row] = _head(row)
        prefixes[number] = head
    without = missing(readings)
    absent = f"quality={int(Quality.MISSING)}i"
    return [
        f"{prefixes[number]} {absent} {time_us}"
        if nothing
        else f"{prefixes[number]} value={value!r},quality={quality}i {time_us}"
        for number, time_us, value, quality, nothing in zip(
            readings["series"].tolist(),
            readings["time_us"].tolist(),
            readings["value"].tolist(),
            readings["quality"].tolist(),
            without.tolist(),
            strict=True,
        )
    ]


def escape(text: str) -> str:
    """A name as InfluxDB stores it."""
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", text)


def unescape(text: str) -> str:
    """The name that `escape` was given."""
    return _SAFE.sub(lambda found: chr(int(found[1], 16)), text)


def identifier(name: str) -> str:
    """A measurement in InfluxQL."""
    return '"' + escape(name).replace('"', '\\"') + '"'


def literal(text: str) -> str:
    """A tag's value in InfluxQL."""
    return "'" + escape(text).replace("'", "\\'") + "'"


def of_series(series: Series, *, channel: bool = True) -> str:
    """A condition of InfluxQL that holds for one series of a measurement, or for all channels of it."""
    tags = [("station", series.station), ("device", series.dev_eui)]
    if channel:
        tags.append(("channel", series.channel))
    return " AND ".join(f'"{key}" = {literal(value)}' for key, value in tags)


def predicate(series: Series) -> str:
    """What 2.x's delete API wants to hear for one series; a tag that is not there cannot be said."""
    tags = {
        "_measurement": series.property,
        "station": series.station,
        "channel": series.channel,
        "device": series.dev_eui,
    }
    return " AND ".join(f"{key}={_quoted(value)}" for key, value in tags.items() if value)


def _quoted(text: str) -> str:
    return '"' + escape(text).replace('"', '\\"') + '"'


def _head(series: Series) -> str:
    # tags in the order of their keys: InfluxDB need not sort them
    tags = (("channel", series.channel), ("device", series.dev_eui), ("station", series.station))
    parts = [_delimited(series.property).replace("\\=", "=")]
    parts += [f"{key}={_delimited(value)}" for key, value in tags if value]
    return ",".join(parts)


def _delimited(text: str) -> str:
    return _DELIMITER.sub(r"\\\1", escape(text))
