import re
import shutil
from pathlib import Path

import pytest

import stadtfunk
from alerts.city.short_texts import sms_segments
from alerts.city.warning_file import TEXT_KINDS
from stadtfunk.cli import main
from stadtfunk.texts import KNOWN


@pytest.fixture
def city(tmp_path, monkeypatch):
    """The demo's city, with a folder of texts of its own."""
    shutil.copytree(Path(stadtfunk.__file__).parent / "demo_city", tmp_path / "city")
    for name, value in {
        "DEMO_CHIRPSTACK": "mqtt://127.0.0.1",
        "DEMO_TTS": "mqtt://127.0.0.1",
        "DEMO_FOLDER": str(tmp_path),
        "DEMO_PORT": "8080",
        "DEMO_TOKEN_SHA256": "0" * 64,
    }.items():
        monkeypatch.setenv(name, value)
    config = tmp_path / "city" / "city.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[alerts]\n", '[alerts]\ntexts = "texts"\n'), encoding="utf-8")
    (tmp_path / "city" / "texts").mkdir()
    return config


def run(capsys, *arguments):
    code = main([*map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_shipped_texts_fit_the_demos_city(city, capsys):
    code, out, err = run(capsys, "texts", "check", "--config", city)
    assert (code, err) == (0, "")
    assert len(re.findall(r": shipped v\d+, Stadtfunk", out)) == len(KNOWN)


@pytest.mark.parametrize("kind", TEXT_KINDS)
@pytest.mark.parametrize("action", ["warn", "update", "all_clear", "cancel", "expire"])
def test_preview_prints_what_people_would_read(city, capsys, kind, action):
    code, out, _ = run(
        capsys,
        "texts",
        "preview",
        "--config",
        city,
        "--kind",
        kind,
        "--severity",
        "Extreme",
        "--action",
        action,
    )
    assert code == 0
    blocks = dict(re.findall(r"^\[(\w+(?:, \w+)?)[^\]]*\]\n(.*?)(?=^\[|\Z)", out, re.MULTILINE | re.DOTALL))
    assert (
        set(blocks)
        == {
            *(
                f"{medium}, {language}"
                for medium in ("mail", "sms", "push", "display")
                for language in ("de", "en", "einfach")
            ),
            "cell broadcast, German",
        }
        or "cell broadcast" in out
    )
    sms = blocks["sms, de"].strip()
    cost = sms_segments(sms)
    assert f"[sms, de: {cost.units} units of GSM-7, {cost.segments} SMS]" in out
    assert "Herrenstrunden" in blocks["mail, de"]
    assert "Kippemühle" in blocks["mail, de"]
    assert len(blocks["display, de"].strip()) <= 160


def test_preview_of_one_language_and_channel(city, capsys):
    arguments = ("--kind", "rain", "--language", "einfach", "--channel", "push")
    code, out, _ = run(capsys, "texts", "preview", "--config", city, *arguments)
    assert code == 0
    assert out.count("\n[") == 1
    assert "[push, einfach: " in out


def test_a_changed_text_is_used_and_said(city, capsys):
    own = city.parent / "texts" / "warning_de.toml"
    own.write_text('[alarm]\nSevere = "Ernste Gefahr"\n', encoding="utf-8")
    code, out, _ = run(capsys, "check", "--config", city)
    assert code == 0
    assert f"advice: {own}: nobody has signed it" in out

    code, out, _ = run(capsys, "texts", "sign", own, "--by", "Anna  Meier")
    assert (code, f"{own}: version 1, signed by Anna Meier on" in out) == (0, True)
    assert "warning_de.toml" not in run(capsys, "check", "--config", city)[1]

    own.write_text(own.read_text(encoding="utf-8").replace("Ernste", "Große"), encoding="utf-8")
    assert "changed since Anna Meier signed version 1" in run(capsys, "check", "--config", city)[1]
    code, out, _ = run(capsys, "texts", "preview", "--config", city, "--language", "de", "--channel", "mail")
    assert "de v1 changed" in out
    assert "Große Gefahr: Hochwasser" in out


@pytest.mark.parametrize("command", [("check",), ("texts", "check"), ("texts", "preview")])
def test_faulty_texts_are_a_fault_of_every_command(city, capsys, command):
    texts = city.parent / "texts"
    (texts / "warning_de.toml").write_text('[kind.level]\nwhat = "{{ waht }}"\n', encoding="utf-8")
    (texts / "de.toml").write_text('[raise]\ntitle = "{{ statoin }}"\n', encoding="utf-8")
    (texts / "warnung.toml").touch()
    code, _, err = run(capsys, *command, "--config", city)
    assert code == 1
    for said in ("waht", "statoin", "warnung.toml"):
        assert said in err


def test_a_text_that_leaves_no_room_for_112_is_found(city, capsys):
    own = city.parent / "texts" / "warning_de.toml"
    severities = ("Minor", "Moderate", "Severe", "Extreme")
    advice = "\n".join(f'{each} = ["{"Sehr viel ist zu tun " * 20}.", "Notruf 112."]' for each in severities)
    own.write_text(f"[advice.water]\n{advice}\n", encoding="utf-8")
    code, _, err = run(capsys, "texts", "check", "--config", city)
    assert code == 1
    assert "level, Severe, warn, de: no room for 112 in an SMS" in err
    assert "rain, Severe, warn, de" not in err


def test_copied_texts_are_the_shipped_ones_to_edit(city, capsys):
    texts = city.parent / "texts"
    (texts / "de.toml").write_text('notice = "Nur eine Messung."\n', encoding="utf-8")
    code, out, _ = run(capsys, "texts", "copy", texts)
    assert code == 0
    assert {each.name for each in texts.iterdir()} == set(KNOWN)
    assert "left as it is" in out
    assert (texts / "de.toml").read_text(encoding="utf-8") == 'notice = "Nur eine Messung."\n'
    assert run(capsys, "texts", "check", "--config", city)[0] == 0


def test_what_cannot_be_signed_is_said(tmp_path, capsys):
    code, _, err = run(capsys, "texts", "sign", tmp_path / "none.toml", "--by", "A")
    assert (code, "cannot be read" in err) == (1, True)
