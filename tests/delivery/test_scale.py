import itertools
import re

import pytest
from alert_events import make_event
from hypothesis import given
from hypothesis import strategies as st

from alerts.errors import AlertsConfigError
from alerts.scale import (
    LEAST_CONTRAST,
    LEVELS,
    SEVERITIES,
    contrast,
    load_scale,
    rank,
    shipped_scale,
)
from alerts.warning import fold

PAIR = '{ severity = "Minor", audience = "staff", de = "d", en = "e" }'
MARKS = """[measure.water_level]
1 = { severity = "Minor", audience = "nobody", de = "Mulde nass", en = "hollow wet" }
2 = { severity = "Minor", audience = "staff", de = "b", en = "b" }
3 = { severity = "Severe", audience = "staff", de = "c", en = "c" }
4 = { severity = "Extreme", audience = "public", de = "d", en = "d" }
"""


def scale_of(folder, text):
    file = folder / "scale.toml"
    file.write_text(text, encoding="utf-8")
    return load_scale(file)


def faults_of(folder, text):
    with pytest.raises(AlertsConfigError) as caught:
        scale_of(folder, text)
    assert all(fault.file and fault.remedy for fault in caught.value.faults)
    return {fault.key: fault.problem for fault in caught.value.faults}


def test_the_shipped_scale_follows_the_names_of_its_sources():
    scale = shipped_scale()
    assert [scale.severity("sri", level) for level in range(1, 13)] == (
        ["Minor"] * 2 + ["Moderate"] * 3 + ["Severe"] * 2 + ["Extreme"] * 5
    )
    for measure in ("dwd_starkregen", "dwd_dauerregen"):
        assert [scale.severity(measure, level) for level in (2, 3, 4)] == ["Moderate", "Severe", "Extreme"]
        assert scale.audiences(measure) == {2: "staff", 3: "public", 4: "public"}
    for measure in ("water_level", "basin"):
        assert [scale.severity(measure, level) for level in (1, 2, 3, 4)] == list(SEVERITIES)
    assert scale.audiences("water_level") == {1: "staff", 2: "staff", 3: "public", 4: "public"}
    assert set(scale.audiences("sri").values()) == {"staff"}


@pytest.mark.parametrize("level", [2, 3, 4])
def test_a_mark_that_is_only_expected_counts_one_step_less(level):
    scale = shipped_scale()
    expected = rank(scale.severity("water_level_expected", level))
    assert expected == rank(scale.severity("water_level", level)) - 1


@given(st.sampled_from([*LEVELS, "something_new"]), st.integers(-5, 99), st.integers(0, 99))
def test_severity_and_audience_never_fall_with_the_level(measure, level, more):
    scale = shipped_scale()
    low, high = scale.grade(measure, level), scale.grade(measure, level + more)
    assert rank(low.severity) <= rank(high.severity)
    assert not (low.audience == "public" and high.audience != "public")
    assert scale.text(measure, level, "de") != scale.text(measure, level, "en")


def test_an_unknown_measure_is_taken_seriously():
    assert shipped_scale().severity("something_new", 1) == "Severe"
    assert shipped_scale().audience("something_new", 1) == "staff"


def test_every_colour_can_be_read_and_told_from_the_others():
    scale = shipped_scale()
    for severity in SEVERITIES:
        assert contrast(scale.colour(severity), scale.ink(severity)) >= LEAST_CONTRAST
    for one, other in itertools.combinations(SEVERITIES, 2):
        # by brightness alone as well, for those who do not see red
        assert contrast(scale.colour(one), scale.colour(other)) >= 1.5


def test_contrast_is_the_one_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def test_a_city_writes_what_it_changes_and_keeps_the_rest(tmp_path):
    scale = scale_of(
        tmp_path,
        MARKS + '[severity.Severe]\ncolour = "#aa0000"\nink = "#FFFFFF"\nde = "ernst"\nen = "grave"\n',
    )
    assert scale.audiences("water_level") == {2: "staff", 3: "staff", 4: "public"}
    assert scale.audience("water_level", 1) is None
    assert (scale.severity("water_level", 2), scale.text("water_level", 1, "de")) == ("Minor", "Mulde nass")
    assert (scale.colour("Severe"), scale.word("Severe", "en")) == ("#aa0000", "grave")
    assert scale.colour("Minor") == shipped_scale().colour("Minor")
    assert scale.measures["sri"] == shipped_scale().measures["sri"]


def test_every_fault_is_found_in_one_run(tmp_path):
    found = faults_of(
        tmp_path,
        f"""colours = 1
[severity.Severe]
colour = "red"
ink = "#ffffff"
de = "hoch"
en = "high"
[severity.Moderate]
colour = "#fb8c00"
ink = "#ffffff"
de = "  "
en = "medium"
[severity.Worse]
[measure.water_levle]
1 = {PAIR}
[measure.basin]
1 = {{ severity = "Severe", audience = "public", de = "a", en = "a" }}
2 = {{ severity = "Moderate", audience = "public", de = "a", en = "a" }}
3 = {{ severity = "Severe", audience = "staff", de = "a", en = "a" }}
4 = {{ severity = "grave", audience = "all", de = "a" }}
[measure.dwd_starkregen]
1 = {PAIR}
2 = {PAIR}
3 = {PAIR}
""",
    )
    assert {
        "colours",
        "severity.Severe.colour",
        "severity.Moderate.de",
        "severity.Worse",
        "measure.water_levle",
        "measure.basin.2.severity",
        "measure.basin.3.audience",
        "measure.basin.4.severity",
        "measure.basin.4.audience",
        "measure.basin.4.en",
        "measure.dwd_starkregen.1",
        "measure.dwd_starkregen.4",
    } == found.keys()


@pytest.mark.parametrize(
    ("look", "key"),
    [
        ('colour = "#fb8c00"\nink = "#ffffff"', "severity.Moderate.ink"),
        ('colour = "#FFEB3B"\nink = "#000000"', "severity.Moderate.colour"),
    ],
)
def test_colours_that_cannot_be_read_or_told_apart_are_faults(tmp_path, look, key):
    found = faults_of(tmp_path, f'[severity.Moderate]\n{look}\nde = "mittel"\nen = "medium"\n')
    assert found.keys() == {key}


@pytest.mark.parametrize("text", ["[measure", "measure = 1\n", "[measure]\nbasin = 3\n"])
def test_what_is_no_table_is_a_fault(tmp_path, text):
    assert faults_of(tmp_path, text)


def test_a_file_that_is_not_there_is_a_fault(tmp_path):
    with pytest.raises(AlertsConfigError, match=re.escape("[alerts] scale")):
        load_scale(tmp_path / "none.toml")


def test_a_warning_keeps_the_severity_that_its_events_were_stamped_with(tmp_path):
    scale = scale_of(tmp_path, MARKS)
    steps = [
        make_event("a", measure="water_level", window_min=None, level=2),
        make_event("b", "clear", measure="water_level", window_min=None, level=0),
    ]
    stamped = scale.stamp(steps)
    assert [event.severity for event in stamped] == ["Minor", ""]
    assert scale.stamp(stamped) == stamped
    warning = fold(fold(None, stamped[0]), stamped[1])
    assert [update.severity for update in warning.history] == ["Minor", "Minor"]
    # from before events carried one
    assert fold(None, steps[0]).severity == "Moderate"


def test_only_levels_of_a_criterion_are_stamped():
    scale = shipped_scale()
    silent = make_event("a", "sensor_lost", measure="sensor", level=0)
    low = make_event("b", "unverified", measure="water_level", level=0)
    assert [event.severity for event in scale.stamp([silent, low])] == ["", ""]
