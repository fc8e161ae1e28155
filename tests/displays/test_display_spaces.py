"""What signs say of free spaces."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.displays.spaces import Sign, SignRules, Spaces, guidance, line, words
from alerts.mobility.states import CarPark

NOW = 1_784_053_800_000_000
MINUTE = 60_000_000
LOEWE = CarPark("p-loewe", "counters", 120, 33, 87, NOW, NOW, 2, 2)
NAMES = {"p-loewe": "Bergischer Löwe", "p-markt": "Markt"}


def spaces(*parks, shown=lambda _: True, advances=lambda: True, **rules):
    return Spaces(SignRules(**rules), lambda: parks, NAMES.get, shown, advances, ZoneInfo("Europe/Berlin"))


def lines(*parks, **options):
    said = spaces(*parks, **options).messages("stadtfunk", NOW)
    return {topic.removeprefix("stadtfunk/"): text for topic, text in said.items() if topic.endswith("text")}


@pytest.mark.parametrize(
    ("changes", "rules", "said"),
    [
        ({}, {}, "87 frei"),
        ({"free": 0}, {}, "besetzt"),
        ({"free": 3}, {"full_at": 3}, "besetzt"),
        ({"free": 4}, {"full_at": 3}, "4 frei"),
        ({"confidence": 0.59}, {}, "---"),
        ({"confidence": 0.59}, {"sure": 0.5}, "87 frei"),
        ({"confidence": 0.1}, {"unsure": "words"}, "frei"),
        ({"confidence": 0.1, "free": 0}, {"unsure": "words"}, "besetzt"),
        ({"newest_us": NOW - 91 * MINUTE}, {}, "---"),
        ({"newest_us": NOW - 91 * MINUTE}, {"unsure": "words"}, "---"),
        ({"newest_us": NOW - 89 * MINUTE}, {}, "87 frei"),
        ({"newest_us": None}, {"unsure": "words"}, "---"),
    ],
)
def test_a_number_stands_only_where_it_can_be_trusted(changes, rules, said):
    assert words(replace(LOEWE, **changes), SignRules(**rules), NOW) == said


def test_every_public_car_park_has_a_line_and_all_have_one_together():
    markt = replace(LOEWE, station="p-markt", free=0)
    assert lines(LOEWE, markt) == {
        "parking/p-loewe/text": "P Bergischer Löwe 87 frei",
        "parking/p-markt/text": "P Markt besetzt",
        "guidance/text": "Bergischer Löwe 87 frei | Markt besetzt",
    }
    assert lines(LOEWE, markt, shown=lambda park: park.station == "p-markt") == {
        "parking/p-markt/text": "P Markt besetzt",
        "guidance/text": "Markt besetzt",
    }


def test_a_city_chooses_signs_their_order_and_names():
    signs = (Sign("p-markt", "P2"), Sign("p-loewe", "P1 Löwe"), Sign("p-weg", "P3"))
    assert lines(LOEWE, signs=signs, guidance_width=0) == {
        "parking/p-markt/text": "P2 ---",
        "parking/p-loewe/text": "P1 Löwe 87 frei",
        "parking/p-weg/text": "P3 ---",
    }


def test_nothing_is_claimed_while_the_numbers_follow_nothing():
    said = spaces(LOEWE, advances=lambda: False).messages("s", NOW)
    assert said["s/parking/p-loewe/text"] == "P Bergischer Löwe ---"
    assert said["s/parking/p-loewe"]["free"] is None
    assert said["s/parking/p-loewe"]["sure"] is False


def test_a_screen_gets_the_same_as_an_object():
    assert spaces(LOEWE).messages("s", NOW)["s/parking/p-loewe"] == {
        "station": "p-loewe",
        "name": "P Bergischer Löwe",
        "says": "87 frei",
        "free": 87,
        "capacity": 120,
        "sure": True,
        "time": "2026-07-14T20:30:00+02:00",
    }


@given(st.text(max_size=60), st.sampled_from(["---", "besetzt", "frei", "12345 frei"]), st.integers(12, 60))
def test_a_line_fits_and_never_loses_its_number(name, said, width):
    text = line(name, said, width)
    assert len(text) <= width
    assert text.endswith(said)
    text.encode("latin-1")


PARTS = st.tuples(
    st.text(st.characters(exclude_characters="|"), max_size=30),
    st.sampled_from(["---", "besetzt", "873 frei"]),
)


@given(st.lists(PARTS, max_size=12), st.integers(20, 200))
def test_the_line_of_all_fits_and_says_each_whole(parts, width):
    text = guidance(parts, width)
    assert len(text) <= width
    assert bool(text) == bool(parts)
    said = text.split(" | ") if text else []
    for part, (_, words_) in zip(said, parts, strict=False):
        assert part.endswith(words_)


def test_names_are_cut_where_the_line_is_short():
    assert line("P Bergischer Löwe", "87 frei", 20) == "P Bergische. 87 frei"
    assert (
        guidance([("Bergischer Löwe", "87 frei"), ("Buchmühle", "besetzt")], 32)
        == "Bergi. 87 frei | Buchm. besetzt"
    )
