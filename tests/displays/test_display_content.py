"""What the displays say: pure, from warnings to texts."""

from dataclasses import replace

from display_city import SCENE
from hypothesis import given
from hypothesis import strategies as st
from warned_city import MINUTE, T0, notice, step, warned

from alerts.city.city_warning import fold
from alerts.displays.content import CALM, CITY, LINE_LIMIT, Entry, contents, entries, line
from alerts.event import CityText
from alerts.scale import SEVERITIES, rank, shipped_scale

NOW = T0 + 2 * MINUTE


def made(city=(), notices=(), now_us=NOW):
    return contents(entries(city, notices, SCENE, now_us), SCENE, now_us)


def test_calm_is_said_in_words_and_never_by_silence():
    everything = made()
    assert set(everything) == {CITY, "gierath", "oben"}
    for each in everything.values():
        assert each.line == CALM
        assert each.until_us is None
        assert each.body["state"] == "calm"


def test_a_released_warning_is_shown_in_its_areas_and_the_city_only():
    everything = made([warned("propose", "release")])
    assert everything["oben"].line == CALM
    assert everything[CITY].line == everything["gierath"].line
    said = everything["gierath"].line
    assert said.startswith("WARNUNG DER STADT (hoch): Hochwasser der Strunde in Gierath.")
    assert said.endswith("Gilt bis 23:32 Uhr.")
    (item,) = everything["gierath"].body["warnings"]
    assert item["id"] == "w1"
    assert item["headline"]["en"] == "Flood of the Strunde in Gierath"
    assert item["issued"] == "2026-07-14T20:32:00+02:00"
    assert item["valid_until"] == "2026-07-14T23:32:00+02:00"
    assert item["colour"] == shipped_scale().colour("Severe")
    assert everything["gierath"].body["notices"] == []


def test_what_nobody_released_what_was_declined_and_what_ended_is_not_shown():
    for actions in (("propose",), ("propose", "decline"), ("release", "all_clear"), ("release", "cancel")):
        assert made([warned(*actions)])[CITY].line == CALM, actions


def test_a_warning_without_areas_is_the_whole_city_s():
    whole = warned("release", areas=())
    assert all(each.line != CALM for each in made([whole]).values())


def test_what_has_run_out_is_not_shown_though_nobody_ended_it():
    warning = warned("release", valid_min=10)
    assert made([warning], now_us=T0 + 10 * MINUTE)[CITY].line != CALM
    assert made([warning], now_us=T0 + 11 * MINUTE)[CITY].line == CALM


def test_notices_stand_apart_and_say_what_they_are_not():
    everything = made([], [notice()])
    (item,) = everything["gierath"].body["notices"]
    assert everything["gierath"].body["warnings"] == []
    assert item["notice"]["de"].startswith("Automatische Messwertmeldung")
    assert everything["gierath"].line.startswith("Messwertmeldung, keine amtliche Warnung: ")
    assert everything["oben"].line == CALM
    assert not any(
        made([], [notice(audience=audience)])[CITY].body["notices"] for audience in ("staff", None)
    )


def test_a_station_that_is_not_public_is_not_named():
    hidden = replace(SCENE, public=lambda station: station != "strunde-gierath")
    assert entries((), [notice()], hidden, NOW) == []


def test_the_city_s_word_comes_before_any_notice():
    city = [warned("release", severity="Moderate")]
    both = made(city, [notice(severity="Extreme", level=4)])["gierath"]
    assert both.line.startswith("WARNUNG DER STADT (mittel)")
    assert both.line.endswith("(+1 weitere)")
    assert both.body["severity"] == "Extreme"
    # the line holds as long as what it speaks of, the object as long as anything in it
    assert both.line_until_us == city[0].valid_until_us
    assert both.until_us == notice().expires_us


def test_an_update_changes_what_is_shown():
    warning = warned("release")
    longer = fold(warning, step(5, "update", severity="Extreme"))
    assert made([warning])["gierath"] != made([longer])["gierath"]
    assert "(sehr hoch)" in made([longer])["gierath"].line


texts = st.text(max_size=250)


@given(
    st.builds(
        Entry,
        id=st.text(min_size=1, max_size=80),
        city=st.booleans(),
        severity=st.sampled_from(SEVERITIES),
        areas=st.none(),
        headline=st.dictionaries(st.sampled_from(["de", "en"]), texts),
        instruction=st.dictionaries(st.sampled_from(["de", "en"]), texts),
        issued_us=st.just(T0),
        valid_until_us=st.integers(T0, T0 + 3 * 24 * 60 * MINUTE),
        exercise=st.booleans(),
    ),
    st.integers(0, 40),
)
def test_a_line_is_short_plain_and_says_kind_and_end_whatever_people_wrote(entry, more):
    said = line([entry] * (more + 1), SCENE, T0)
    assert len(said) <= LINE_LIMIT
    assert said.isprintable()
    said.encode("latin-1")
    assert said.startswith("ÜBUNG: ") == entry.exercise
    assert ("WARNUNG DER STADT" if entry.city else "keine amtliche Warnung") in said
    assert "Gilt bis " in said
    assert said.endswith("Uhr.") == (more == 0)


def test_sentences_of_the_instruction_are_kept_whole():
    text = CityText("Hochwasser", "", "Keller verlassen. " + "Sehr langer zweiter Satz, " * 10 + "Ende.")
    said = made([warned("release", texts={"de": text})])["gierath"].line
    assert "Hochwasser. Keller verlassen. Gilt bis" in said
    assert "zweiter" not in said


@given(st.lists(st.sampled_from(SEVERITIES), min_size=1, max_size=5))
def test_the_colour_is_that_of_the_highest(severities):
    notices = [replace(notice(severity=each), id=str(n)) for n, each in enumerate(severities)]
    body = made([], notices)["gierath"].body
    assert body["severity"] == max(severities, key=rank)
    assert len(body["notices"]) == len(severities)


def test_an_exercise_that_only_staff_hear_of_is_on_no_display():
    public = warned("release", exercise=True)
    assert entries([public], [], SCENE, NOW)
    assert not entries([replace(public, staff_only=True)], [], SCENE, NOW)
