import re
import tomllib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.city.texts import FILES, SHIPPED
from alerts.errors import AlertsConfigError
from alerts.text_files import digest, read_texts, sign, strangers
from alerts.texts.texts import FILES as NOTICE_FILES
from alerts.texts.texts import SHIPPED as SHIPPED_NOTICES
from alerts.texts.texts import Texts

TODAY = date(2026, 7, 1)


@pytest.mark.parametrize(
    "path",
    [
        *(SHIPPED_NOTICES / name for name in NOTICE_FILES.values()),
        *(SHIPPED / name for name in FILES.values()),
    ],
)
def test_shipped_texts_change_only_with_their_version(path):
    """Raise it by `stadtfunk texts sign FILE --by Stadtfunk`."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    assert data["signed"]["sha256"] == digest(data)


def shipped(tmp_path):
    folder = tmp_path / "shipped"
    folder.mkdir(exist_ok=True)
    (folder / "de.toml").write_text('a = "1"\nlist = ["x", "y"]\n[t]\nb = "2"\nc = "3"\n', encoding="utf-8")
    return folder


def test_a_citys_file_stands_over_the_shipped_one_key_by_key(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "de.toml").write_text('list = ["z"]\n[t]\nc = "4"\n', encoding="utf-8")
    found = read_texts("de.toml", shipped(tmp_path), own)
    assert found.data == {"a": "1", "list": ["z"], "t": {"b": "2", "c": "4"}}
    assert (found.state, found.label, found.path) == ("unsigned", "unsigned", own / "de.toml")
    assert "nobody has signed it" in found.advice
    without = read_texts("de.toml", shipped(tmp_path), tmp_path)
    assert (without.state, without.advice) == ("shipped", "")


def test_a_text_changed_after_its_sign_off_is_found_and_used(tmp_path):
    path = tmp_path / "de.toml"
    path.write_text('# words\na = "5"\n', encoding="utf-8")
    assert sign(path, "Anna Meier", TODAY).version == 1
    found = read_texts("de.toml", shipped(tmp_path), tmp_path)
    assert (found.state, found.label, found.advice) == ("signed", "v1", "")
    assert path.read_text(encoding="utf-8").startswith('# words\na = "5"\n')

    path.write_text("# other words\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert read_texts("de.toml", shipped(tmp_path), tmp_path).state == "signed", "comments say nothing"

    path.write_text(path.read_text(encoding="utf-8").replace('"5"', '"6"'), encoding="utf-8")
    found = read_texts("de.toml", shipped(tmp_path), tmp_path)
    assert (found.label, found.data["a"]) == ("v1 changed", "6")
    assert "changed since Anna Meier signed version 1" in found.advice

    assert sign(path, "Jörg „der Chef“ O'Neil", TODAY).version == 2
    assert sign(path, "Jörg „der Chef“ O'Neil", TODAY).version == 2, "nothing has changed"
    assert sign(path, "Anna Meier", TODAY).version == 3, "another person"
    assert path.read_text(encoding="utf-8").count("[signed]") == 1


def test_a_signature_in_the_middle_moves_to_the_end(tmp_path):
    path = tmp_path / "de.toml"
    path.write_text(
        'a = "1"\n\n[signed]\nversion = 4\nby = "A"\non = 2026-01-01\n\n[t]\nb = "2"\n', encoding="utf-8"
    )
    assert read_texts("de.toml", shipped(tmp_path), tmp_path).state == "changed", "no hash proves nothing"
    assert sign(path, "B", TODAY).version == 5
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    assert (data["a"], data["t"], data["signed"]["by"]) == ("1", {"b": "2"}, "B")


@pytest.mark.parametrize(
    ("content", "by", "problem"),
    [
        ('signed.version = 1\nsigned.by = "A"\nsigned.on = 2026-01-01\n', "B", "not where it can be renewed"),
        ('a = """\n[signed]\nkeep\n"""\n', "B", "not where it can be renewed"),
        ('a = "1"\n', "", "no name"),
        ('a = "1"\n', "B\nversion = 9", "no name"),
        ("a = \n", "B", "cannot be read"),
        ('[signed]\nversion = "x"\n', "B", "version"),
    ],
)
def test_what_cannot_be_signed_stays_as_it_is(tmp_path, content, by, problem):
    path = tmp_path / "de.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(AlertsConfigError, match=problem):
        sign(path, by, TODAY)
    assert path.read_text(encoding="utf-8") == content
    assert [each.name for each in tmp_path.iterdir()] == ["de.toml"]


name = st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable() and text.strip())


@given(name, st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), name, max_size=5))
def test_signing_changes_nothing_that_is_said(tmp_path_factory, by, words):
    path = tmp_path_factory.mktemp("texts") / "de.toml"
    lines = [f"{key} = '''{value}'''" for key, value in words.items() if "'" not in value and key != "signed"]
    path.write_text("\n".join(lines), encoding="utf-8")
    before = tomllib.loads(path.read_text(encoding="utf-8"))
    sign(path, by, TODAY)
    after = tomllib.loads(path.read_text(encoding="utf-8"))
    assert after.pop("signed")["by"] == by
    assert after == before


def test_a_misspelt_file_is_a_fault(tmp_path):
    for each in ("de.toml", "warnung_de.toml", "README.md"):
        (tmp_path / each).touch()
    (fault,) = strangers(tmp_path, ["de.toml", "warning_de.toml"])
    assert fault.file.endswith("warnung_de.toml")
    assert strangers(tmp_path / "nowhere", [])[0].key == "folder"


def test_a_citys_notice_texts_stand_over_the_shipped_ones(tmp_path):
    (tmp_path / "de.toml").write_text('notice = "Nur eine Messung."\n', encoding="utf-8")
    texts = Texts(str, "Europe/Berlin", own=tmp_path)
    assert texts.files["de"].label == "unsigned"
    assert re.match(r"shipped v\d+$", texts.files["en"].label)
    (tmp_path / "de.toml").write_text('[measure.waterlevel]\nname = "Pegel"\n', encoding="utf-8")
    with pytest.raises(AlertsConfigError, match="waterlevel"):
        Texts(str, "Europe/Berlin", own=tmp_path)
