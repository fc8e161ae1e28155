"""`stadtfunk codecs check`: each example of a device repository in the sandbox, beside what is expected."""

import json
import shutil
from pathlib import Path

import pytest

from stadtfunk.cli import main

OURS = Path(__file__).parent.parent / "makers_repository"

WIND = """
uplinkDecoder:
  fileName: wind.js
  examples:
    - description: {description}
      input: {{fPort: 1, bytes: {bytes}}}
      output: {output}
"""


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(OURS, tmp_path / "repository")


@pytest.fixture
def wind(folder):
    def write(script, output="{data: {a: 1}}", bytes_="[1]", description="one"):
        home = folder / "vendor/wetterwerk"
        (home / "wind.js").write_text(script)
        text = WIND.format(description=description, bytes=bytes_, output=output)
        (home / "wind-2-codec.yaml").write_text(text)
        return folder

    return write


def checked(folder, capsys):
    code = main(["codecs", "check", str(folder), "--json"])
    *rows, summary = map(json.loads, capsys.readouterr().out.splitlines())
    return code, rows, summary


def failures(folder, capsys):
    code, rows, summary = checked(folder, capsys)
    assert code == 1
    found = [
        failure
        for row in rows
        if row.get("codec") == "wetterwerk/wind-2-codec"
        for failure in row["failures"]
    ]
    assert summary["total"] - summary["passed"] == len(found)
    return found


def test_all_pass(folder, capsys):
    code, rows, summary = checked(folder, capsys)
    assert code == 0
    assert (summary["total"], summary["passed"]) == (6, 6)
    assert (summary["normalized_total"], summary["normalized_passed"]) == (1, 1)
    assert summary["warm_differs"] == []
    assert {row["codec"]: (row["passed"], row["total"]) for row in rows} == {
        "pegelbau/tiefe-1-alt-codec": (1, 1),
        "pegelbau/tiefe-1-codec": (4, 4),
        "pegelbau/tiefe-1-us-codec": (0, 0),
        "wetterwerk/wind-2-codec": (1, 1),
    }


def test_a_person_reads_where_the_two_differ(wind, capsys):
    code = main(["codecs", "check", str(wind("decodeUplink = i => ({data: {a: 2, b: 'Süd'}})"))])
    told = capsys.readouterr().out
    assert code == 1
    assert "ok   pegelbau/tiefe-1-codec: 4 of 4\n" in told
    assert "FAIL wetterwerk/wind-2-codec: 0 of 1\n     one, fPort 1, 01\n" in told
    lines = [line.split() for line in told.splitlines()]
    assert ["where", "expected", "got"] in lines
    assert ["data.a", "1", "2"] in lines
    assert ["data.b", "(missing)", '"Süd"'] in lines
    assert "5 of 6 examples pass" in told


def test_a_machine_reads_it_too(wind, capsys):
    (failure,) = failures(wind("decodeUplink = i => ({data: {a: 2, b: [1]}})"), capsys)
    assert failure == {
        "description": "one",
        "fPort": 1,
        "bytes": "01",
        "reason": "2 values differ in data",
        "differences": [{"path": "data.a", "expected": 1, "got": 2}, {"path": "data.b", "got": [1]}],
    }


@pytest.mark.parametrize(
    ("script", "output"),
    [
        ("decodeUplink = i => ({data: {a: 1.0000001}})", "{data: {a: 1}}"),
        ("decodeUplink = i => ({data: {a: 1, b: null, c: undefined}})", "{data: {a: 1}}"),
        ("decodeUplink = i => ({errors: ['bad']})", "{errors: [bad]}"),
        (
            "decodeUplink = i => ({data: {a: 1}, warnings: ['w'], errors: []})",
            "{data: {a: 1}, warnings: [w]}",
        ),
        ("function Decoder(bytes, port) { return {a: bytes[0]} }", "{data: {a: 1}}"),
    ],
)
def test_passes(wind, capsys, script, output):
    code, _, summary = checked(wind(script, output), capsys)
    assert (code, summary["total"], summary["passed"]) == (0, 6, 6)


@pytest.mark.parametrize(
    ("script", "output", "reason"),
    [
        ("decodeUplink = i => ({errors: ['bad']})", "{data: {a: 1}}", "gives an error: bad"),
        ("decodeUplink = i => ({data: {a: 1}})", "{errors: [bad]}", "gives no error where one is expected"),
        ("decodeUplink = i => ({errors: ['worse']})", "{errors: [bad]}", "1 value differs in errors"),
        (
            "decodeUplink = i => ({data: {a: 1}, warnings: ['w']})",
            "{data: {a: 1}}",
            "1 value differs in warnings",
        ),
        ("decodeUplink = i => { for (;;); }", "{data: {a: 1}}", "the call was ended: timeout:"),
        ("decodeUplink = i => { throw new Error('no luck') }", "{data: {a: 1}}", "gives an error: "),
        ("function (", "{data: {a: 1}}", "gives an error: "),
        ("var nothing", "{data: {a: 1}}", "gives an error: "),
    ],
)
def test_fails_with_a_reason(wind, capsys, script, output, reason):
    (failure,) = failures(wind(script, output), capsys)
    assert failure["reason"].startswith(reason)


def test_a_script_that_is_missing_fails_its_examples(folder, capsys):
    (folder / "vendor/wetterwerk/wind.js").unlink()
    (failure,) = failures(folder, capsys)
    assert failure["reason"] == "wind.js: No such file or directory"


def test_an_example_that_cannot_be_used_fails(wind, capsys):
    (failure,) = failures(wind("decodeUplink = i => ({data: {a: 1}})", bytes_="[300]"), capsys)
    assert failure["bytes"] is None
    assert failure["reason"].startswith("the example cannot be used: input.bytes.0")


def test_a_file_that_cannot_be_read_is_told_and_the_rest_is_checked(folder, capsys):
    (folder / "vendor/wetterwerk/wind-2-codec.yaml").write_text("uplinkDecoder: [")
    code, rows, summary = checked(folder, capsys)
    assert (code, summary["total"], summary["passed"], summary["unreadable_files"]) == (1, 5, 5, 1)
    assert rows[0]["file"].endswith("wind-2-codec.yaml")
    assert main(["codecs", "check", str(folder)]) == 1
    assert "1 files cannot be read" in capsys.readouterr().out


def test_an_index_is_not_needed(folder, capsys):
    (folder / "vendor/index.yaml").unlink()
    (folder / "vendor/pegelbau/index.yaml").write_text("endDevices: [")
    code, _, summary = checked(folder, capsys)
    assert (code, summary["total"], summary["passed"], summary["unreadable_files"]) == (0, 6, 6, 0)


def test_a_wrong_normalized_output_fails_apart_from_the_total(folder, capsys):
    script = folder / "vendor/pegelbau/scripts/tiefe.js"
    script.write_text(script.read_text().replace("/ 100", "/ 10"))
    code, rows, summary = checked(folder, capsys)
    assert (code, summary["passed"], summary["normalized_passed"]) == (1, 6, 0)
    (failure,) = next(row for row in rows if row["normalized_failures"])["normalized_failures"]
    assert failure["differences"] == [{"path": "data[0].water.depth", "expected": 3, "got": 30}]


def test_a_codec_that_remembers_is_named_and_judged_fresh(wind, capsys):
    script = "var n = 0; function decodeUplink(i) { n += 1; return {data: {a: n}} }"
    code, _, summary = checked(wind(script), capsys)
    assert (code, summary["passed"]) == (0, 6)
    assert summary["warm_differs"] == ["wetterwerk/wind-2-codec"]
    assert main(["codecs", "check", str(wind(script))]) == 0
    assert "1 of 1, its answers depend on the payloads before" in capsys.readouterr().out


def test_nothing_a_maker_writes_reaches_the_terminal_as_a_command(wind, capsys):
    script = r"decodeUplink = i => ({data: {'\x1b[2J': '\u009b2J\u202e\ud800'}})"
    main(["codecs", "check", str(wind(script, description=r'"\e[31mred\u202e"'))])
    told = capsys.readouterr().out
    assert "red" in told
    assert all(each.isprintable() or each == "\n" for each in told)


@pytest.mark.parametrize("arguments", [["check"], ["check", "DIR", "--yaml"], []])
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["codecs", *arguments])
    assert ended.value.code == 2


def test_a_folder_that_is_no_repository_is_wrong_usage(tmp_path, capsys):
    assert main(["codecs", "check", str(tmp_path), "--json"]) == 2
    assert main(["codecs", "check", str(tmp_path / "none")]) == 2
    assert "no device repository" in capsys.readouterr().err
