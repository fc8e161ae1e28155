"""`stadtfunk kostra import`, and what check and serve say of the table a city runs on."""

import pytest
from structlog.testing import capture_logs

from alerts.kostra.kostra import DURATIONS_MIN, RETURN_PERIODS_A, shipped_table
from stadtfunk.check import examine
from stadtfunk.cli import main
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings

CENTRE = (50.992, 7.128)
BERLIN = (52.52, 13.4)
CONFIG = """
[city]
name = "Teststadt"
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "sqlite:///{folder}/readings.db"
[[device]]
dev_eui = "0000000000000001"
type = "decentlab-dl-tbrg"
station = "regen-1"
public = true
lat = {lat}
lon = {lon}
[alerts]
{alerts}
"""


@pytest.fixture
def city(tmp_path):
    def write(place=CENTRE, alerts=""):
        file = tmp_path / "city.toml"
        file.write_text(CONFIG.format(folder=tmp_path, lat=place[0], lon=place[1], alerts=alerts))
        return file

    return write


@pytest.fixture
def download(tmp_path):
    """One CSV table for each duration, as DWD cuts them."""
    folder = tmp_path / "download"
    folder.mkdir()
    for duration in DURATIONS_MIN:
        columns = ";".join(f"HN_{years:03d}A" for years in RETURN_PERIODS_A)
        depths = ";".join(str(shipped_table().depths[duration][years]) for years in RETURN_PERIODS_A)
        rows = "".join(f"{cell};{depths}\n" for cell in (139103, 140104))
        (folder / f"KOSTRA-DWD-2020_D{duration:05d}.csv").write_text(f"INDEX_RC;{columns}\n{rows}")
    return folder


def advice(file):
    faults, said = examine(load_settings(file))
    assert faults == []
    return [line for line in said if "KOSTRA" in line]


def test_a_city_imports_its_cells_and_runs_on_them(city, download, tmp_path, capsys):
    out = tmp_path / "kostra.csv"
    config = city()
    assert main(["kostra", "import", str(download), "--config", str(config), "--out", str(out)]) == 0
    assert "KOSTRA-DWD-2020, cells 139103" in capsys.readouterr().out
    assert "Deutscher Wetterdienst" in out.read_text()
    assert advice(city(alerts='kostra = "kostra.csv"')) == []


def test_without_a_cell_or_with_a_wrong_source_nothing_is_written(download, tmp_path, capsys):
    out = tmp_path / "kostra.csv"
    assert main(["kostra", "import", str(download), "--out", str(out)]) == 2
    assert main(["kostra", "import", str(download), "--cell", "1", "--out", str(out)]) == 1
    assert "cell 1: has no depths" in capsys.readouterr().err
    assert not out.exists()


def test_check_names_stations_without_a_table_and_an_old_one(city):
    (line,) = advice(city(BERLIN))
    assert line.startswith("regen-1: no KOSTRA table")
    (line,) = advice(city())
    assert "superseded in 2023" in line


def test_a_broken_table_is_a_fault(city, tmp_path, capsys):
    (tmp_path / "kostra.csv").write_text("D_min,HN_001A\n")
    assert main(["check", "--config", str(city(alerts='kostra = "kostra.csv"'))]) == 1
    assert "no column HN_002A" in capsys.readouterr().err


def test_the_service_warns_that_it_runs_on_the_old_table(city):
    with capture_logs() as logged:
        Service(load_settings(city())).stop()
    (warning,) = [each for each in logged if each["log_level"] == "warning"]
    assert "superseded in 2023" in warning["advice"]
