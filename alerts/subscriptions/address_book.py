"""Addresses of the city from a file of its own: nobody else is asked where somebody lives."""

import csv
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from alerts.areas import LAT, LON
from alerts.errors import AlertsConfigError
from devices.errors import Fault

COLUMNS = ("street", "number", "lat", "lon")
_MOST_FAULTS = 20
_WORD = re.compile(r"[a-z]+|\d+")
_STREET = re.compile(r"str(asse)?\b")


@dataclass(frozen=True, slots=True)
class Address:
    """One house, WGS 84."""

    street: str
    number: str
    lat: float
    lon: float


class AddressBook:
    """Finds houses by the beginning of what somebody types."""

    def __init__(self, addresses: tuple[Address, ...] = ()) -> None:
        self._known = [(_plain(f"{each.street} {each.number}"), each) for each in addresses]

    def __len__(self) -> int:
        return len(self._known)

    def find(self, text: str, limit: int = 10) -> list[Address]:
        """Houses whose words begin with those typed, the last word of a number exactly first."""
        asked = _plain(text)
        if not asked or len("".join(asked)) < 3:  # noqa: PLR2004 - fewer letters say nothing
            return []
        found: list[tuple[tuple[str, ...], Address]] = []
        for words, address in self._known:
            rest = iter(words)
            # a number means itself, or people would look at 12 and be warned at 120
            if all(any(_means(typed, word) for word in rest) for typed in asked):
                found.append((words, address))
        found.sort(key=lambda each: [(int(word), "") if word.isdigit() else (0, word) for word in each[0]])
        return [address for _, address in found[:limit]]


def load_addresses(file: Path | None) -> AddressBook:
    """The addresses of a CSV file `street;number;lat;lon`. Raises AlertsConfigError."""
    if file is None:
        return AddressBook()
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        remedy = "give a readable CSV file in UTF-8"
        raise AlertsConfigError(Fault(str(file), "file", f"cannot be read: {fault}", remedy)) from fault
    rows = csv.DictReader(lines, delimiter=";")
    if rows.fieldnames is None or not set(COLUMNS) <= set(rows.fieldnames):
        head = ";".join(COLUMNS)
        raise AlertsConfigError(Fault(str(file), "line 1", "columns are missing", f"begin it with {head}"))
    addresses: list[Address] = []
    faults: list[Fault] = []
    for number, row in enumerate(rows, 2):
        try:
            lat, lon = (float(str(row[key]).replace(",", ".")) for key in ("lat", "lon"))
        except ValueError:
            lat = lon = 0.0
        if not (LAT[0] <= lat <= LAT[1] and LON[0] <= lon <= LON[1]):
            remedy = "WGS 84 degrees, lat such as 50.98 and lon such as 7.13"
            faults.append(Fault(str(file), f"line {number}", "lat and lon are no place in Germany", remedy))
        elif not (row["street"] or "").strip():
            faults.append(Fault(str(file), f"line {number}", "the street is missing", "add it"))
        else:
            addresses.append(Address(row["street"].strip(), (row["number"] or "").strip(), lat, lon))
    if faults:
        raise AlertsConfigError(*faults[:_MOST_FAULTS])
    return AddressBook(tuple(addresses))


def _means(typed: str, word: str) -> bool:
    return word == typed if typed.isdigit() else word.startswith(typed)


def _plain(text: str) -> tuple[str, ...]:
    """Words without accents and umlauts; Straße and Str. are the same."""
    text = text.casefold().replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return tuple(_WORD.findall(_STREET.sub("str", text)))
