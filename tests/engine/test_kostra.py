"""KOSTRA tables: the place's cell, the bounds of the Starkregenindex, DWD's files."""

import csv
import zipfile

import pytest
from engine_city import DEPTH_MM, MIN, T0, events, one_series, readings, shared

from alerts.errors import AlertsConfigError
from alerts.kostra.etrs89_laea import project
from alerts.kostra.kostra import (
    DURATIONS_MIN,
    RETURN_PERIODS_A,
    SRI,
    DepthTable,
    Kostra,
    cell_at,
    cell_of,
    centre_of,
    load_kostra,
    shipped_table,
    write_tables,
)
from alerts.kostra.kostra_import import import_cells

CENTRE, BENSBERG = 139103, 140104


# IOGP 373-7-2's example (50 N 5 E), and GIGS test 5110 of the same publisher
@pytest.mark.parametrize(
    ("lat", "lon", "x", "y"),
    [
        (50, 5, 3962799.45, 2999718.853),
        (60, 5, 4041548.13, 4109791.66),
        (70, 5, 4127824.65822, 5214090.649),
        (52, 10, 4321000, 3210000),
    ],
)
def test_projection_of_published_points(lat, lon, x, y):
    assert project(lat, lon) == pytest.approx((x, y), abs=0.006)


def test_cells_of_bergisch_gladbach():
    assert cell_of(50.992, 7.128) == CENTRE
    assert cell_of(50.964, 7.155) == BENSBERG


@pytest.mark.parametrize("cell", [CENTRE, BENSBERG, 49125, 0])
def test_a_cell_s_centre_lies_in_it(cell):
    assert cell_at(*centre_of(cell)) == cell


def test_the_bounds_are_those_of_the_published_table():
    with shared("kostra/sri_lower_bounds_bergisch_gladbach_2010R.csv").open() as file:
        for row in csv.DictReader(file):
            mine = shipped_table().sri_bounds(int(row["D_min"]))
            # the file is rounded to tenths of a millimetre
            assert [mm / 1000 for mm in mine] == pytest.approx([float(row[f"SRI{n}"]) for n in SRI], abs=0.05)


def test_sri_from_its_bound_on():
    series = [one_series("precipitation")]
    for depth, expected in ((5.099, []), (5.1, [1]), (8.8, [1, 2]), (57.679, SRI[:11]), (57.68, SRI)):
        found = events(series, [readings((0, T0, depth))], kostra=Kostra(everywhere=shipped_table()))
        crossings = [each for each in found if each.measure == "sri" and each.kind == "crossing"]
        assert [each.level for each in crossings] == list(expected)
        assert {(each.window_min, each.value) for each in crossings} <= {(5, depth)}


def test_years_are_the_longest_return_period_reached():
    assert [shipped_table().years(60, depth) for depth in (16.5, 16.6, 30.0, 99)] == [0, 1, 5, 100]


def test_which_table_a_place_has():
    mine = DepthTable("KOSTRA-DWD-2020", shipped_table().depths, BENSBERG)
    imported = Kostra(cells={BENSBERG: mine, 1: mine})
    assert imported.of(50.964, 7.155) is mine
    assert imported.of(50.992, 7.128) is shipped_table()
    assert imported.of(52.5, 13.4) is None
    assert imported.of(None, None) is None
    assert Kostra(everywhere=mine).of(52.5, 13.4) is mine
    assert Kostra().of(None, None) is None
    assert Kostra(ars="053780004004").of(None, None) is shipped_table()


def test_no_table_no_sri():
    found = events([one_series("precipitation")], [readings((0, T0, 60.0))])
    assert {each.measure for each in found} == {"dwd_starkregen", "dwd_dauerregen"}


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("kostra_dwd_2010r_erft_euskirchen_idx59008", "KOSTRA-DWD-2010R"),
        ("kostra_dwd_2020_sample_cell_049125_kostra_ref", "KOSTRA-DWD-2020"),
    ],
)
def test_tables_as_others_publish_them(name, version):
    table = load_kostra(shared(f"kostra/{name}.csv")).everywhere
    assert table.version == version
    assert tuple(table.depths) == DURATIONS_MIN


def test_all_faults_of_a_table_in_one_pass(tmp_path):
    head = "D_min," + ",".join(f"HN_{years:03d}A" for years in RETURN_PERIODS_A)
    file = tmp_path / "table.csv"
    file.write_text(
        f"{head}\n5,1,2,3,4,5,6,7,8,9\n10,1,2,3,4,5,6,7,8,x\n15,9,8,7,6,5,4,3,2,1\n20,.5,1,2,3,4,5,6,7,8\n"
    )
    with pytest.raises(AlertsConfigError) as caught:
        load_kostra(file)
    keys = [fault.key for fault in caught.value.faults]
    assert keys[:2] == ["line 3", "15 min"]
    assert "20 min" in keys
    file.write_text("D_min,HN_001A\n5,1\n")
    with pytest.raises(AlertsConfigError, match="HN_100A"):
        load_kostra(file)


def grids(folder, *, left=3_600_000, skip=()):
    """Grids of 150 x 120 cells; two of them have depths, the others none."""
    rows, columns = 150, 120
    bottom = 3_800_000 - rows * 5000
    for duration in DURATIONS_MIN:
        for years in RETURN_PERIODS_A:
            if (duration, years) in skip:
                continue
            values = [["-9999"] * columns for _ in range(rows)]
            for cell, factor in ((CENTRE, 1.0), (BENSBERG, 2.0)):
                values[cell // 1000][cell % 1000] = f"{DEPTH_MM[duration, years] * factor:.1f}"
            lines = [
                *(f"ncols {columns}", f"nrows {rows}", f"xllcorner {left}", f"yllcorner {bottom}"),
                *("cellsize 5000", "NODATA_value -9999", *(" ".join(row) for row in values)),
            ]
            name = f"Hn_KOSTRA-DWD-2020_D{duration:05d}_T{years:03d}.asc"
            (folder / name).write_text("\n".join(lines) + "\n")
    (folder / "Uc_KOSTRA-DWD-2020_D00060_T100.asc").write_text("no depths\n")
    (folder / "readme.pdf").write_bytes(b"\xff")


def test_grids_become_a_table_of_the_city_s_cells(tmp_path):
    folder = tmp_path / "asc"
    folder.mkdir()
    grids(folder)
    packed = tmp_path / "all.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    tables = import_cells([folder], [CENTRE, BENSBERG])
    assert tables == import_cells([packed], [CENTRE, BENSBERG])
    assert [table.version for table in tables] == ["KOSTRA-DWD-2020"] * 2
    written = tmp_path / "kostra.csv"
    written.write_text(write_tables(tables, tables[0].version))
    kostra = load_kostra(written)
    assert kostra.of(50.992, 7.128).depths == shipped_table().depths
    assert kostra.of(50.964, 7.155).depths[60][100] == 106.0
    assert kostra.of(50.992, 7.128).version == "KOSTRA-DWD-2020"


def test_tables_by_duration_become_a_table_of_the_city_s_cells(tmp_path):
    for duration in DURATIONS_MIN:
        columns = ";".join(f"HN_{years:03d}A_" for years in RETURN_PERIODS_A)
        depths = ";".join(f"{DEPTH_MM[duration, years]}".replace(".", ",") for years in RETURN_PERIODS_A)
        text = f"INDEX_RC;{columns}\n139102;{depths}\n{CENTRE};{depths}\n"
        (tmp_path / f"KOSTRA-DWD-2020_D{duration:05d}.csv").write_text(text)
    (table,) = import_cells([tmp_path], [CENTRE])
    assert (table.cell, table.depths) == (CENTRE, shipped_table().depths)


def import_faults(*args):
    with pytest.raises(AlertsConfigError) as caught:
        import_cells(*args)
    return str(caught.value)


def test_what_cannot_be_imported_is_said(tmp_path):
    grids(tmp_path, skip={(60, 100), (5, 1)})
    said = import_faults([tmp_path], [CENTRE, 5])
    assert "cell 139103" in said
    assert "lacks 5 min, 1 a; 60 min, 100 a" in said
    assert "cell 5: has no depths" in said
    assert "no such file" in import_faults([tmp_path / "nothing"], [CENTRE])


def test_a_grid_of_other_cells_is_refused(tmp_path):
    grids(tmp_path, left=3_601_000)
    assert "its cells are not those of 5 km" in import_faults([tmp_path], [CENTRE])


def test_the_predecessor_s_files_are_refused(tmp_path):
    (tmp_path / "Hn_KOSTRA-DWD-2010R_D00060_T100.asc").write_text("ncols 1\n")
    assert "another grid" in import_faults([tmp_path], [CENTRE])


def test_a_gauge_that_reports_every_minute_is_judged_at_the_marks():
    # 9 mm in a minute: interpolated between the marks, five minutes would hold more than fell in them
    series = [one_series("precipitation")]
    batch = readings(*((0, T0 + i * MIN, 4.0 if i == 6 else 0.6) for i in range(1, 16)))
    found = events(series, [batch], interval_s=60, kostra=Kostra(everywhere=shipped_table()))
    times = {each.time_us for each in found if each.measure == "sri" and each.kind == "crossing"}
    first = int(batch["time_us"][0])
    assert times
    assert all((time - first) % (5 * MIN) == 0 for time in times)


def test_rain_over_a_gap_says_so():
    series = [one_series("precipitation_total")]
    batch = readings((0, T0, 100.0), (0, T0 + 60 * MIN, 140.0))
    found = events(series, [batch], kostra=Kostra(everywhere=shipped_table()))
    reasons = {each.measure: each.reason for each in found if each.kind == "crossing"}
    assert all("60 min of it are a gap" in reason for reason in reasons.values())
    assert set(reasons) >= {"sri", "dwd_starkregen"}
