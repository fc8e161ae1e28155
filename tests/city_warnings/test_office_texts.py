"""The office with the texts that a city reads: each step says what holds then."""

import pytest
from city_hall import GAUGE, Hall
from warned_city import AREAS

from alerts.city.subject import Places
from alerts.city.texts import CityTexts
from alerts.event import CityText


@pytest.fixture
def hall(tmp_path):
    names = {area.id: area.name for area in AREAS.areas}
    places = Places(
        "Bergisch Gladbach",
        "Europe/Berlin",
        {GAUGE: "Pegel Gierath"}.get,
        lambda ids, _language: [names[id_] for id_ in ids],
    )
    hall = Hall(tmp_path, write=CityTexts(places).write)
    yield hall
    hall.close()


def test_a_proposal_says_what_was_measured_where_and_until_when(hall):
    hall.notice("raise")
    said = hall.one.texts["de"]
    assert said.headline == "Gefahr: Hochwasser, Gierath"
    assert "Messstelle Pegel Gierath wurden 100 Zentimeter gemessen" in said.description
    assert "freigegeben von" not in said.description
    assert hall.one.steps[-1].step.template.startswith("level: shipped v")
    assert set(hall.one.texts) == {"de", "en", "einfach"}


def test_what_a_person_releases_is_what_stood_there(hall):
    hall.notice("raise")
    seen = hall.one.texts
    hall.order("release", hall.one.id)
    assert hall.one.texts == seen


def test_a_longer_validity_is_said(hall):
    hall.notice("raise")
    hall.order("release", hall.one.id)
    before = hall.one.texts["de"].description
    hall.order("update", hall.one.id, valid_min=600)
    after = hall.one.texts["de"].description
    assert after.startswith("Die Warnung gilt länger als bisher.")
    until = [text.split("gilt bis ")[1].split(" Uhr")[0] for text in (before, after)]
    assert until[0] != until[1]


def test_a_warning_that_is_issued_again_says_its_new_end(hall):
    hall.notice("raise")
    hall.order("release", hall.one.id)
    first = hall.one
    while hall.one.valid_until_us == first.valid_until_us:
        hall.later(10)
    said = hall.one.texts["de"].description
    assert hall.one.in_force
    assert said != first.texts["de"].description
    assert said.startswith("Die Warnung gilt länger als bisher.")
    assert "rule" not in said


def test_a_persons_own_words_stay_theirs(hall):
    hall.notice("raise")
    own = {"de": CityText("Die Strunde kommt", "Sie steigt.", "Nach oben gehen.")}
    hall.order("release", hall.one.id, texts=own)
    hall.order("update", hall.one.id, valid_min=600)
    assert dict(hall.one.texts) == own
    assert hall.one.steps[-1].step.template == ""


def test_each_end_says_what_it_is(hall):
    hall.notice("raise")
    hall.order("release", hall.one.id)
    hall.notice("clear", 0)
    hall.order("all_clear", hall.one.id)
    said = hall.one.steps[-1].step.texts["de"]
    assert said.headline == "Entwarnung: Hochwasser, Gierath"
    assert "Keller und Tiefgaragen und gehen" not in said.instruction


def test_a_warning_by_hand_that_was_wrong(hall):
    hall.order("release", severity="Extreme", areas=("gierath",))
    assert hall.one.texts["de"].headline == "Lebensgefahr: Überflutung, Gierath"
    hall.order("cancel", hall.one.id)
    assert "war falsch" in hall.one.steps[-1].step.texts["de"].description
