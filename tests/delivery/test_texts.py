import functools
import itertools
import re
import shutil
from dataclasses import replace

import pytest
from alert_events import NOW_US, make_event
from hypothesis import given
from hypothesis import strategies as st

from alerts.errors import AlertsConfigError
from alerts.event import BY_PERSON
from alerts.scale import LANGUAGES, LEVELS, READ_IN
from alerts.texts.text import BODY_LIMIT, TITLE_LIMIT, plain
from alerts.texts.texts import SHIPPED, Texts
from alerts.warning import STEPS, fold

LONG_NAME = "Hochwasserrückhaltebecken Kippemühle, Einlauf der Strunde, linkes Ufer"
# as the engine makes them, for a station whose id has 40 characters
EPISODE = f"{'s' * 40}.dwd_starkregen.20051022T165320Z"
EVENT = f"{EPISODE}.12.step_down.3"


def warned(kind, **changes):
    opening = {**changes, "level": min(LEVELS.get(changes.get("measure"), (2,)))}
    warning = (
        None if kind == "raise" else fold(None, make_event("first", "raise", episode=EPISODE, **opening))
    )
    return fold(warning, make_event(EVENT, kind, episode=EPISODE, **changes))


COMBINATIONS = [
    (measure, kind, level)
    for measure, levels in {**LEVELS, "something_new": (1,)}.items()
    for kind, level in itertools.product(STEPS, levels)
]


@functools.cache
def of_long_names():
    return Texts(lambda _: LONG_NAME, "Europe/Berlin", "Stadt Bergisch Gladbach")


@pytest.mark.parametrize("language", READ_IN)
@pytest.mark.parametrize(("measure", "kind", "level"), COMBINATIONS)
@pytest.mark.parametrize(("value", "window_min"), [(1234.56, 2880), (None, None)])
def test_every_text(  # noqa: PLR0913, PLR0917 - the combination
    language, measure, kind, level, value, window_min
):
    texts = of_long_names()
    warning = warned(kind, measure=measure, level=level, value=value, window_min=window_min)
    for repeat in (False, True):
        text = texts.render(warning, language, repeat=repeat)
        whole = f"{text.title}\n{text.body}"
        assert 0 < len(text.title) <= TITLE_LIMIT
        assert len(text.body) <= BODY_LIMIT
        assert "\n" not in text.title
        assert "  " not in whole
        assert not re.search(r"[{}]|None|Undefined|\b[a-z]+_[a-z]+\b", whole.replace(EVENT, "")), whole
        # only the long name was cut, never what happened
        assert whole.count("…") == 2
        assert LONG_NAME[:30] in text.title
        assert LONG_NAME[:30] in text.body
        assert EVENT in text.body
        assert EPISODE in text.body
        never_official = {
            "de": "Automatische Messwertmeldung, keine amtliche Warnung.",
            "en": "Automatic measurement notice, not an official warning.",
            "einfach": "Das ist keine Warnung von einem Amt.",
        }[language]
        assert never_official in text.body
        assert bool(re.search("Wiederholung|repetition|zweimal", text.body)) == repeat


def test_an_id_of_another_make_is_told_beside_its_episode(texts):
    text = texts.render(fold(None, make_event("e1", episode="ep1")), "de")
    assert text.body.endswith("Stadt Bergisch Gladbach, Ereignis ep1, Meldung e1")


def test_says_what_where_when_and_with_which_window(texts):
    text = texts.render(warned("raise", value=27.44, window_min=360), "de")
    assert text.title == "Starkregen, Stufe 3: Pegel Kippemühle"
    assert "27,4 l/m² in 6 Stunden" in text.body
    assert "gemessen 22.10.2005, 18:53 Uhr" in text.body
    assert "Schwelle nach DWD-Kriterium, eigene Messung" in text.body
    assert (
        "27.4 l/m² in 6 hours, measured 22 Oct 2005, 18:53"
        in texts.render(warned("raise", value=27.44, window_min=360), "en").body
    )


def test_the_end_says_since_when_and_how_high(texts):
    warning = fold(None, make_event("a", level=2, value=105.0, measure="water_level", window_min=None))
    later = NOW_US + 2 * 3_600_000_000
    warning = fold(
        warning, make_event("b", "clear", time_us=later, value=40.0, measure="water_level", window_min=None)
    )
    text = texts.render(warning, "de")
    assert text.title == "Wasserstand, Meldung beendet: Pegel Kippemühle"
    assert "vom 22.10.2005, 18:53 Uhr ist seit 22.10.2005, 20:53 Uhr beendet" in text.body
    assert "Höchster gemeldeter Wert: 105 cm" in text.body
    assert "keine Entwarnung" in text.body


def test_an_end_that_no_measurement_says_names_none(texts):
    gone = {"level": 2, "measure": "water_level", "window_min": None, "value": None}
    opened = fold(None, make_event("a", **(gone | {"value": 105.0})))
    ended = replace(
        make_event("b", "clear", **gone), reason=f"{BY_PERSON}Anna Meier: dry; the sensor is lost"
    )
    for language, word, never in (
        ("de", "ein Mensch bei der Stadt", "Nach den Messwerten"),
        ("en", "a person at the city", "by the measurements"),
        ("einfach", "Ein Mensch von der Stadt", "Es waren"),
    ):
        body = texts.render(fold(opened, ended), language).body
        assert word in body
        assert never not in body
        assert "Anna Meier" not in body, "who decides is for staff"


def test_the_repeated_hour_of_the_clock_change_is_told_apart(texts):
    summer = 1_130_632_200_000_000  # 2005-10-30 00:30 UTC, 02:30 in summer time
    first = texts.render(warned("raise", time_us=summer), "de").body
    second = texts.render(warned("raise", time_us=summer + 3_600_000_000), "de").body
    assert "02:30 Uhr (UTC+0200)" in first
    assert "02:30 Uhr (UTC+0100)" in second


@given(st.text(max_size=200))
def test_a_name_cannot_break_a_text(name):
    texts = Texts(lambda _: name, "Europe/Berlin", "Stadt\r\nBcc: x@example.org")
    text = texts.render(warned("raise"), "de")
    assert text.title.isprintable()
    assert len(text.title) <= TITLE_LIMIT
    assert len(text.body) <= BODY_LIMIT
    assert "\r" not in text.body
    assert text.body.count("\n") == 2


def test_a_name_is_no_template():
    texts = Texts(lambda _: "{{ 7 * 7 }}{% raw %}", "Europe/Berlin")
    assert "{{ 7 * 7 }}" in texts.render(warned("raise"), "de").title


def test_an_unknown_station_is_named_by_its_id():
    texts = Texts({}.__getitem__, "Europe/Berlin")
    assert texts.render(warned("raise"), "de").title.endswith(": s1")


@pytest.mark.parametrize("kind", STEPS)
def test_plain_text_needs_no_templates(kind):
    text = plain(warned(kind))
    assert EVENT in text.body
    assert EPISODE in text.body
    assert "keine amtliche Warnung" in text.body
    assert len(text.title) <= TITLE_LIMIT


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("{{ station }}: Der Wert steigt", "{{ statoin }}: Der Wert steigt", "escalate"),
        ("{{ station }}: Der Wert steigt", "{{ station: Der Wert steigt", "-"),
        ("[measure.water_level]", "[measure.waterlevel]", "measure.water_level"),
        ('decimal = ","', 'decimal = ";"', "decimal"),
        ('name = "Dauerregen"', "", "measure.dwd_dauerregen.name"),
        ("{day:02d}", "{tag:02d}", "raise"),
        ("decimal =", "decimal", "-"),
    ],
)
def test_a_faulty_file_is_found_at_the_start(tmp_path, old, new, key):
    folder = tmp_path / "texts"
    shutil.copytree(SHIPPED, folder)
    file = folder / "de.toml"
    content = file.read_text(encoding="utf-8")
    assert old in content
    file.write_text(content.replace(old, new), encoding="utf-8")
    with pytest.raises(AlertsConfigError) as caught:
        Texts(str, "Europe/Berlin", folder=folder)
    fault = caught.value.faults[0]
    assert fault.file == str(file)
    assert fault.key == key
    assert fault.remedy


def test_a_template_cannot_reach_into_the_program(tmp_path):
    folder = tmp_path / "texts"
    shutil.copytree(SHIPPED, folder)
    file = folder / "en.toml"
    content = file.read_text(encoding="utf-8")
    file.write_text(content.replace("rising, ", "{{ station.__class__.__mro__ }}"), encoding="utf-8")
    with pytest.raises(AlertsConfigError, match="escalate"):
        Texts(str, "Europe/Berlin", folder=folder)


@pytest.mark.parametrize("kind", STEPS)
def test_a_text_names_the_areas_of_its_station(kind):
    names = ["Gronau\r\nBcc: x", "Gierath", "L" * 50, "D", "E", "F"]
    texts = Texts(str, "Europe/Berlin", "Stadt", areas=lambda station, _: names if station == "s1" else [])
    warning = warned(kind, measure="water_level", level=1, value=52.0, window_min=None)
    german, english = (texts.render(warning, language, repeat=True).body for language in LANGUAGES)
    # where room is short there are fewer names, and the message stays whole
    assert re.search(rf" Warngebiet: Gronau Bcc: x(, Gierath(, {'L' * 31}…, D)?)? und \d weitere\.\n", german)
    assert kind != "raise" or "D und 2 weitere." in german
    assert "Warning area: Gronau Bcc: x" in english
    assert len(german) <= BODY_LIMIT
    assert german.count("…") == ("LLL" in german)
    elsewhere = Texts(str, "Europe/Berlin", "Stadt", areas=lambda _station, _language: [])
    assert "Warngebiet" not in elsewhere.render(warning, "de").body
