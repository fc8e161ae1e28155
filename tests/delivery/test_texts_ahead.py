"""Texts of what is still to come: within which minutes, from where, with which curve."""

from dataclasses import replace

import pytest
from alert_events import make_event

from alerts.texts.texts import Texts
from alerts.warning import fold

NAMES = {"pegel-oben": "Strunde Herrenstrunden", "pegel": "Strunde Gierath"}


def said(language, measure, kind="raise", **changes):
    raised = replace(make_event("e.1", "raise", measure=measure, level=2), station="pegel", **changes)
    warning = fold(None, raised)
    if kind == "clear":
        warning = fold(warning, make_event("e.2", "clear", measure=measure, level=0))
    texts = Texts(lambda station: NAMES.get(station, station), "Europe/Berlin")
    return texts.render(warning, language)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("de", "Erwartet in 12 bis 20 Minuten (Welle von Strunde Herrenstrunden)."),
        ("en", "Expected in 12 to 20 minutes (wave from Strunde Herrenstrunden)."),
    ],
)
def test_a_wave_names_its_minutes_and_where_it_comes_from(language, expected):
    text = said(language, "water_level_expected", value=None, expected_min=(12.2, 19.8), cause="pegel-oben")
    assert expected in text.body
    assert "Strunde Gierath" in text.title


def test_a_rise_of_its_own_names_its_minutes():
    text = said("de", "water_level_expected", value=44.0, expected_min=(14.0, 22.0))
    assert "Erwartet in 14 bis 22 Minuten." in text.body
    assert "Hochrechnung" in text.body


def test_the_end_says_that_the_mark_has_its_own_notice():
    assert (
        "wird eigens gemeldet, oder der Anstieg ist vorbei"
        in said("de", "water_level_expected", "clear").body
    )
    assert "has a notice of its own" in said("en", "water_level_expected", "clear").body


def test_a_basin_names_its_spillway_and_its_curve():
    reference = "Kippemühle (fiktive Kennlinie / fictitious curve)"
    text = said("de", "basin", value=154.0, expected_min=(24, 31), cause="Notüberlauf", reference=reference)
    assert "Erwartet in 24 bis 31 Minuten (Notüberlauf)." in text.body
    assert "fiktive Kennlinie" in text.body
    assert "Notüberlauf." in said("de", "basin", value=181.0, cause="Notüberlauf", reference=reference).body
