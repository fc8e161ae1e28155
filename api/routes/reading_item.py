"""A reading as the API writes it."""

from collections.abc import Iterable
from typing import Any

from api.formats import Layout
from api.rfc3339 import format_all_us
from api.visibility import View
from ingest.store import Point

_SIGNIFICANT = ".12g"


def reading_items(view: View, points: Iterable[Point]) -> list[dict[str, Any]]:
    """Readings as JSON objects; the device is named to operators only.

    Values are written with 12 significant digits: what float arithmetic adds behind them was never measured.
    """
    properties = view.services.properties
    for_operator = view.operator is not None
    items = []
    points = list(points)
    for point, time in zip(points, format_all_us([each.time_us for each in points]), strict=True):
        series = point.series
        item: dict[str, Any] = {"station": series.station, "property": series.property}
        if series.channel:
            item["channel"] = series.channel
        item["time"] = time
        item["value"] = None if point.value is None else float(format(point.value, _SIGNIFICANT))
        known = properties.get(series.property)
        item["unit"] = known.unit if known else ""
        item["quality"] = point.quality
        if for_operator:
            item["device"] = series.dev_eui
        items.append(item)
    return items


def reading_layout(view: View) -> Layout:
    """Readings as CSV and on the map: where their station is."""
    columns = ("station", "property", "channel", "time", "value", "unit", "quality")
    return Layout(columns if view.operator is None else (*columns, "device"), view.locate)
