"""Reading a history: every way to write a row, every way to spoil one."""

import csv
import gzip
import io
import math
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest import readings_csv
from ingest.errors import HistoryError
from ingest.readings_csv import read_csv, read_time

HEAD = b"time,station,property,value\n"


def read(folder, body, block=None):
    """(series, time, value, line) of every reading, and the complaints."""
    file = folder / "r.csv"
    file.write_bytes(HEAD + body)
    known, faults = [], []

    def resolve(station, name):
        if station == "nobody":
            return "not here"
        if (station, name) not in known:
            known.append((station, name))
        return known.index((station, name))

    before = readings_csv._BLOCK
    readings_csv._BLOCK = block or before
    try:
        parts = list(read_csv(file, resolve, lambda line, problem: faults.append((line, problem))))
    finally:
        readings_csv._BLOCK = before
    rows = [
        (*known[r["series"]], int(r["time_us"]), float(r["value"]), int(r["seq"]))
        for part in parts
        for r in part
    ]
    return rows, faults


ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=ZONES)  # noqa: DTZ001 - zones are drawn
VALUES = st.one_of(
    st.decimals(-10_000, 10_000, places=3).map(str),
    st.floats(-1e11, 1e11).map(repr),
    st.integers(-(10**11), 10**11).map(str),
)
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\n\r\0", exclude_categories=("Z", "C")), min_size=1
)


@given(st.lists(st.tuples(TIMES, NAMES, VALUES, st.booleans()), max_size=30), st.integers(40, 4000))
@example([(datetime.fromisoformat("2024-02-29T23:59:59+00:00"), "ä,b", "1e3", True)], 100)
def test_rows_are_read_as_the_standard_library_reads_them(tmp_path_factory, rows, block):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    expected = []
    for line, (time, name, value, whole) in enumerate(rows, 2):
        moment = time.replace(microsecond=0) if whole else time
        writer.writerow([moment.isoformat(), name, "water_level", value])
        since = moment - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
        expected.append((name, "water_level", since // timedelta(microseconds=1), float(value), line))
    found, faults = read(tmp_path_factory.mktemp("csv"), text.getvalue().encode(), block)
    assert faults == []
    assert found == expected


BAD = {
    "": None,
    "2026-07-14T18:05:00Z,a,precipitation": "columns",
    "2026-07-14T18:05:00Z,a,precipitation,1,2": "columns",
    "2026-07-14T18:05:00,a,precipitation,1": "no offset",
    "14.07.2026 18:05,a,precipitation,1": "not RFC 3339",
    "2026-02-30T18:05:00Z,a,precipitation,1": "not RFC 3339",
    "2026-07-14T24:05:00Z,a,precipitation,1": "not RFC 3339",
    "2026-07-14T18:05:00+25:00,a,precipitation,1": "not RFC 3339",
    "1969-12-31T23:00:00Z,a,precipitation,1": "before 1970",
    "2026-07-14T18:05:00Z,a,precipitation,": "no value",
    "2026-07-14T18:05:00Z,a,precipitation,nan": "no number",
    "2026-07-14T18:05:00Z,a,precipitation,inf": "no number",
    "2026-07-14T18:05:00Z,a,precipitation,1e300": "no number",
    "2026-07-14T18:05:00Z,a,precipitation,--1": "no number",
    "2026-07-14T18:05:00Z,a,precipitation,1.2.3": "no number",
    "2026-07-14T18:05:00Z,a,precipitation,.": "no number",
    '2026-07-14T18:05:00Z,"a,precipitation,1': "no line",
    "2026-07-14T18:05:00Z,nobody,precipitation,1": "not here",
    "\N{REPLACEMENT CHARACTER}\0garbage": "columns",
}


@pytest.mark.parametrize(("row", "problem"), BAD.items())
def test_a_bad_row_is_named_and_the_others_count(tmp_path, row, problem):
    good = "2026-07-14T18:00:00Z,a,precipitation,0.5\n"
    found, faults = read(tmp_path, (good * 2 + row + "\n" + good).encode())
    assert [each[4] for each in found] == [2, 3, 5]
    assert [line for line, _ in faults] == ([] if problem is None else [4])
    assert problem is None or problem in faults[0][1]


def test_bytes_that_are_no_text(tmp_path):
    found, faults = read(tmp_path, b"\xff\xfe\x00,\xff\n2026-07-14T18:00:00Z,a,precipitation,0.5")
    assert len(found) == len(faults) == 1


def test_keys_that_share_all_but_their_length(tmp_path):
    rows = b"".join(b"2026-07-14T18:00:00Z,%s,p,1\n" % (b"a" * n) for n in range(1, 90))
    found, faults = read(tmp_path, rows, 300)
    assert [each[0] for each in found] == ["a" * n for n in range(1, 90)]
    assert faults == []


def test_gzip_is_recognised_whatever_the_name(tmp_path):
    file = tmp_path / "r.csv"
    file.write_bytes(gzip.compress(HEAD + b"2026-07-14T18:00:00Z,a,precipitation,0.5\n"))
    (part,) = read_csv(file, lambda *_: 0, lambda *_: None)
    assert part["value"].tolist() == [0.5]
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(HistoryError, match="cannot be read"):
        list(read_csv(file, lambda *_: 0, lambda *_: None))


@pytest.mark.parametrize("head", [b"", b"a,b\n", b"time;station;property;value\n", b"\x89PNG\r\n\x1a\n"])
def test_no_such_table(tmp_path, head):
    (tmp_path / "r.csv").write_bytes(head)
    with pytest.raises(HistoryError, match="header"):
        list(read_csv(tmp_path / "r.csv", lambda *_: 0, lambda *_: None))


def test_a_time_is_what_the_standard_library_says():
    for text in ("2026-03-29T02:30:00+01:00", "2024-12-31 23:59:59.25Z", "1970-01-01T00:00:00Z"):
        assert read_time(text) == round(datetime.fromisoformat(text).timestamp() * 1e6)
    assert math.isclose(read_time("2262-01-01T00:00:00Z"), 9.2145e15, rel_tol=1e-3)
    assert np.int64(read_time("9998-12-31T23:59:59Z")) > 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-07-14T18:30:00", "has no offset"),
        ("2026-07-14", "is not RFC 3339"),
        ("yesterday", "is not RFC 3339"),
        ("2026-02-30T00:00:00Z", "is not RFC 3339"),
        ("1969-12-31T23:59:59Z", "is before 1970"),
        ("0001-01-01T00:00:00+14:00", "is before 1970"),
        ("", "is not RFC 3339"),
    ],
)
def test_what_is_no_time_says_why(text, said):
    with pytest.raises(ValueError, match=said):
        read_time(text)
