"""The documentation, held against what it describes."""

import argparse
import csv
import re
import runpy
import shlex
import tomllib
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts.catchments import parse_catchments
from alerts.city.subject import Places
from alerts.city.texts import CityTexts
from alerts.routing.routes_file import parse_routes
from alerts.rules import parse_rules
from alerts.scale import load_scale
from devices.catalogue import load_catalogue
from devices.device_list import DeviceRow
from devices.registry import load_registry
from stadtfunk.cli import main, parser
from stadtfunk.settings import Settings
from stadtfunk.settings_file import load_settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [
    pytest.param(page, match[1], match[2], id=f"{page.relative_to(ROOT)}-{number}-{match[1]}")
    for page in PAGES
    for number, match in enumerate(
        re.finditer(r"^ *```(\w+)\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
    )
]


def blocks(*languages):
    return [each for each in BLOCKS if each.values[1] in languages]


def anchors(page):
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_the_index_lists_every_page():
    index = (ROOT / "docs/README.md").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        if page.name != "README.md":
            assert f"({page.relative_to(ROOT / 'docs')})" in index, page


@pytest.mark.parametrize(("page", "language", "text"), blocks("sh"))
def test_every_command_exists(page, language, text):
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] == "./run":
            assert words[1] in run_commands(), line
            words = ["stadtfunk", *words[1:]] if words[1] == "demo" else words[:1]
        if Path(words[0]).name == "stadtfunk":
            understood(words[1:], line)
        for word in words:
            if word.startswith(("deploy/", "docs/", "tests/", "bench/")):
                assert (ROOT / word).exists(), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_the_text_exists(page):
    for command in re.findall(r"`(?:\.venv/bin/)?stadtfunk (\w+)", page.read_text()):
        assert command in subcommands(), command
    for command in re.findall(r"`\./run (\w+)", page.read_text()):
        assert command in run_commands(), command


@pytest.mark.parametrize(("page", "language", "text"), blocks("toml"))
def test_every_configuration_is_accepted(page, language, text, tmp_path):
    tables = tomllib.loads(text)
    if "measure" in tables:
        (tmp_path / "scale.toml").write_text(text)
        assert load_scale(tmp_path / "scale.toml").measures
        return
    if "route" in tables:
        assert parse_routes(tables, page.name, ZoneInfo("Europe/Berlin")).routes
        return
    if "rule" in tables or "release" in tables:
        shipped = tomllib.loads((ROOT / "alerts/rules.toml").read_text())
        assert parse_rules(shipped | tables, page.name).rules
        return
    if "catchment" in tables:
        assert parse_catchments(tables, page.name).catchments
        return
    if "alarm" in tables:
        (tmp_path / "warning_de.toml").write_text(text)
        assert CityTexts(Places("City", "Europe/Berlin"), tmp_path).files["de"].state == "unsigned"
        return
    if "integration" in tables:
        shipped = tomllib.loads((ROOT / "deploy/chirpstack/chirpstack.toml").read_text())
        assert tables["integration"]["mqtt"].items() <= shipped["integration"]["mqtt"].items()
        return
    head = "" if "city" in tables else '[city]\nname = "City"\n[devices]\nfile = "devices.csv"\n'
    load(tmp_path, f"{head}{text}")


@pytest.mark.parametrize(("page", "language", "text"), blocks("csv"))
def test_every_device_list_is_accepted(page, language, text, tmp_path):
    file = tmp_path / "devices.csv"
    file.write_text("".join(f"{line.strip()}\n" for line in text.splitlines()))
    accepted(file)


def test_the_deployment_s_configuration_and_device_list_are_accepted(tmp_path):
    settings = load(tmp_path, (ROOT / "deploy/city/city.toml").read_text())
    assert settings.store.url == "influxdb://influxdb:8086/stadtfunk?org=stadtfunk&token=" + "a" * 64
    accepted(ROOT / "deploy/city/devices.csv")


def test_every_key_of_the_configuration_is_documented():
    page = (ROOT / "docs/operations.md").read_text()
    table = page[page.index("## The configuration") : page.index("## The device list")]
    for name, field in Settings.model_fields.items():
        if name in {"source", "device", "sta"}:
            continue
        assert re.search(rf"`\[+{name}[.\]]", table), name
        for key in keys_of(field.annotation):
            assert f"`{key}`" in table or f"[{name}.{key}]" in table, (name, key)


def test_every_column_of_the_device_list_is_documented():
    page = (ROOT / "docs/operations.md").read_text()
    documented = set(re.findall(r"`(\w+)`", page[page.index("| column") : page.index("## Watch it")]))
    assert set(DeviceRow.model_fields) - {"note"} <= documented


def test_the_decode_example_decodes(capsys):
    page = (ROOT / "docs/operations.md").read_text()
    (line,) = re.findall(r"^stadtfunk (decode .*)$", page, re.MULTILINE)
    assert main(shlex.split(line)) == 0
    assert '"precipitation"' in capsys.readouterr().out


def test_every_plot_shows_what_the_kernels_do():
    """Run the script in docs/plots to draw it anew."""
    drawn = {}
    for script in sorted((ROOT / "docs/plots").glob("*.py")):
        made = runpy.run_path(str(script))
        drawn |= {name: draw() for name, draw in made.get("PLOTS", {script.stem: made.get("draw")}).items()}
    for name, plot in drawn.items():
        assert plot == (ROOT / f"docs/plots/{name}.svg").read_text(encoding="utf-8"), name
    assert drawn.keys() == {plot.stem for plot in (ROOT / "docs/plots").glob("*.svg")}


def test_every_criterion_has_its_page_with_a_plot():
    index = (ROOT / "docs/criteria.md").read_text()
    pages = sorted((ROOT / "docs/criteria").glob("*.md"))
    assert len(pages) >= 4
    for page in pages:
        text = page.read_text()
        assert f"(criteria/{page.name})" in index
        assert re.search(r"!\[.+\]\(\.\./plots/\w+\.svg\)", text), page
        for part in ("**Formula.**", "**Source.**", "**Convention"):
            assert part in text, (page, part)


def accepted(file):
    registry, catalogue = load_registry(file), load_catalogue()
    assert registry.devices
    with file.open() as rows:
        assert len(registry.devices) == sum(1 for _ in csv.DictReader(rows))
    for device in registry.devices.values():
        assert device.type in catalogue


def load(folder, text):
    file = folder / "city.toml"
    file.write_text(text)
    names = re.findall(r"\$\{(\w+)\}", text)
    return load_settings(file, dict.fromkeys(names, "a" * 64))


def keys_of(annotation):
    for model in (annotation, *getattr(annotation, "__args__", ())):
        yield from getattr(model, "model_fields", ())


def subcommands():
    (action,) = [each for each in parser()._actions if isinstance(each, argparse._SubParsersAction)]
    return action.choices


def run_commands():
    cases = (ROOT / "run").read_text().split("esac")[0]
    return set(re.findall(r"\w+", " ".join(re.findall(r"^    ([a-z |]+)\) need", cases, re.MULTILINE))))


def understood(words, line):
    words = [word for word in words if word != "..."]
    try:
        parser().parse_args(words)
    except SystemExit as fault:
        pytest.fail(f"{line}: {fault}")
