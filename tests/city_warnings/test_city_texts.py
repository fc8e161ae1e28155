import functools
import itertools
import re
import shutil
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from situations import (
    AREAS,
    MEASURES,
    MINUTE,
    NOW,
    STATIONS,
    basin,
    incident,
    outlook,
    situation,
    stood,
    wave,
)
from warned_city import BASIS, step

from alerts.cap.cell_broadcast import LIMIT as CELL_LIMIT
from alerts.cap.cell_broadcast import broadcast_text
from alerts.cap.document import city_document, heard
from alerts.city.city_warning import fold
from alerts.city.short_texts import (
    DISPLAY_LIMIT,
    HEADLINE_LIMIT,
    PUSH_LIMIT,
    SMS_SEGMENTS,
    sentences,
    sms_segments,
    told,
)
from alerts.city.subject import Places, kind_of
from alerts.city.texts import FILES, SHIPPED, CityTexts
from alerts.city.warning_file import FORMS, TEXT_KINDS
from alerts.errors import AlertsConfigError
from alerts.scale import READ_IN, SEVERITIES
from alerts.text_files import sign

ACTIONS = ["propose", "release", "update", "all_clear", "cancel", "expire"]
EVERY = list(itertools.product(TEXT_KINDS, SEVERITIES, ACTIONS))
SENDER = "Warnung der Stadt Bergisch Gladbach"
LONG = {
    "city": "Mustergroßstadt am Hochwasserrückhaltebecken",
    "area": "Nördliche Innenstadt mit Hafenviertel und Uferpromenade {}",
    "station": "Hochwasserrückhaltebecken Kippemühle, Einlauf der Strunde, linkes Ufer",
}


def places(**changes):
    known = {
        "city": "Bergisch Gladbach",
        "timezone": "Europe/Berlin",
        "station_name": lambda id_: STATIONS.get(id_, id_),
        "area_names": lambda ids, _language: [AREAS.get(id_, id_) for id_ in ids],
    }
    return Places(**(known | changes))


@functools.cache
def shipped():
    return CityTexts(places())


@functools.cache
def of_long_names():
    def areas(ids, _language):
        return [LONG["area"].format(id_) for id_ in ids]

    return CityTexts(places(city=LONG["city"], station_name=lambda _: LONG["station"], area_names=areas))


def german(kind="level", action="release", texts=None, **changes):
    return (texts or shipped()).write(situation(kind, **changes), action).texts["de"]


@pytest.mark.parametrize(("kind", "severity", "action"), EVERY)
def test_every_text_says_what_it_must_and_what_it_is_not(kind, severity, action):
    written = shipped().write(situation(kind, severity, by="Anna Meier"), action)
    assert set(written.texts) == set(READ_IN)
    for language, text in written.texts.items():
        whole = f"{text.headline} {text.description} {text.instruction}"
        assert not re.search(r"[{}]|None|Undefined|\b[a-z]+_[a-z]+\b|  |\n", whole), whole
        assert len(text.headline) <= HEADLINE_LIMIT
        assert "Bergisch Gladbach" in text.description
        assert "Gierath" in text.headline
        assert "Gierath" in text.description
        assert "112" in text.instruction
        assert re.search("Deutschen Wetter-?[Dd]ienst|German weather service", text.description)
        if action in {"propose", "release", "update"}:
            assert "23:30" in text.description, "until when"
            assert "Anna Meier" not in whole, "it is released as read: who shows it names who released it"
            assert (MEASURES.get(kind) is None) or "19:30" in text.description, "since when"
            assert re.search(r"[Ww]arn(ung|ing) .*(Stadt|city)", whole)
            assert language != "de" or "keine amtliche Warnung" in text.description


@pytest.mark.parametrize("language", READ_IN)
def test_no_two_severities_and_no_two_actions_say_the_same(language):
    for kind in TEXT_KINDS:
        said = [
            shipped().write(situation(kind, severity), "release").texts[language] for severity in SEVERITIES
        ]
        assert (
            len({text.headline for text in said})
            == len({text.instruction for text in said})
            == len(SEVERITIES)
        )
        acted = [shipped().write(situation(kind), action).texts[language] for action in ACTIONS[1:]]
        assert len({text.headline for text in acted}) == len(acted) - 1, "an update is headed as a release"
        assert len({text.description for text in acted}) == len(acted)


def test_dangerous_water_is_told_as_the_federal_advice_has_it():
    todo = german().instruction
    for said in (
        "höhere Stockwerke",
        "Keller und Tiefgaragen",
        "nicht durch Wasser",
        "weg von Bächen",
        "Notruf 112",
    ):
        assert said in todo
    assert "Strom nur ab, wenn Sie dabei trocken stehen" in todo
    assert "Nachbarn" in todo
    assert "Lebensgefahr" in german().headline
    assert "Lebensgefahr" not in german(severity="Severe").headline


def test_the_end_the_mistake_and_the_expiry_do_not_say_the_same():
    assert german(action="all_clear").headline.startswith("Entwarnung")
    assert "aufgehoben" in german(action="all_clear").description
    assert "war falsch" in german(action="cancel").description
    assert "entschuld" in german(action="cancel").description.lower()
    assert "Das ist keine Entwarnung" in german(action="expire").description
    for action in ("all_clear", "cancel", "expire"):
        assert "Gehen Sie sofort" not in german(action=action).instruction


# --- what it is about


@pytest.mark.parametrize(
    ("measures", "kind"),
    [
        (["dwd_starkregen"], "rain"),
        (["dwd_dauerregen", "sri"], "rain"),
        (["water_level"], "level"),
        (["water_level", "water_level_expected"], "level"),
        (["water_level_expected"], "expected"),
        (["basin", "water_level"], "basin"),
        (["dwd_starkregen", "water_level_expected"], "several"),
        (["something_new"], "hand"),
    ],
)
def test_what_it_is_about_follows_from_what_is_serious(measures, kind):
    found = incident(*((measure, "pegel", None, 1.0) for measure in measures))
    assert kind_of(situation(incident=found)) == kind
    assert kind_of(situation(incident=found, kind="blind")) == "blind", "a person's word"


def test_a_minor_sign_does_not_change_what_it_is_about():
    found = incident(("dwd_starkregen", "regen", 60, 44.1), ("water_level", "pegel", None, 60.0))
    found.members["water_level"].severity = "Moderate"
    assert kind_of(situation(incident=found)) == "rain"
    assert kind_of(situation(incident=None)) == "hand"


def test_values_where_and_how_fast():
    texts = CityTexts(places(outlook=lambda id_: outlook(station=id_)))
    assert (
        "Strunde Gierath wurden 118 Zentimeter gemessen, 14. Juli, 20:30 Uhr"
        in german(texts=texts).description
    )
    assert "steigt um etwa 24 Zentimeter pro Stunde" in german(texts=texts).description
    assert "44,1 Liter Regen pro Quadratmeter in einer Stunde" in german("rain", texts=texts).description
    assert "steigt um" not in german("rain", texts=texts).description
    assert "24 centimetres an hour" in texts.write(situation(), "release").texts["en"].description


@pytest.mark.parametrize(
    ("kind", "seen", "said"),
    [
        ("expected", {}, "etwa 20:44 bis 20:52 Uhr"),
        ("expected", {"wave": wave(8, 15)}, "etwa 20:38 bis 20:45 Uhr"),
        ("basin", {"basin": basin((5.0, 9.0), (20.0, 30.0))}, "etwa 20:35 bis 20:39 Uhr"),
        ("basin", {"basin": basin((0.0, 0.0), (20.0, 30.0))}, "etwa 20:50 bis 21:00 Uhr"),
    ],
)
def test_when_it_may_come_is_said_on_the_clock(kind, seen, said):
    texts = CityTexts(places(outlook=lambda _: outlook(**seen)))
    found = incident(*MEASURES[kind], level=3)
    assert said in german(kind, texts=texts, incident=found).description
    old = CityTexts(places(outlook=lambda _: outlook(time_us=NOW - 50 * MINUTE, **seen)))
    assert "20:" not in german(kind, texts=old, incident=found).description.split("Betroffen")[0]


def test_a_basin_that_overflows_is_told_otherwise_than_one_that_may():
    assert "läuft über" in german("basin").headline
    assert "kann überlaufen" in german("basin", incident=incident(*MEASURES["basin"], level=3)).headline


def test_a_lost_gauge_is_told():
    assert "Messgerät ist ausgefallen" in german(incident=incident(*MEASURES["level"], lost=True)).description
    assert "Messgerät ist ausgefallen" not in german().description


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (stood("Severe"), "Die Gefahr ist größer geworden: jetzt sehr hoch, vorher hoch."),
        (stood("Extreme"), "Die Warnung gilt weiter."),
        (
            stood("Extreme", ("gronau",)),
            "Neu betroffen: Gierath. Nicht mehr betroffen: Gronau und Kippemühle.",
        ),
        (stood("Extreme", ()), "Nicht mehr betroffen: ganzes Stadtgebiet."),
        (stood("Extreme", valid_min=60), "Die Warnung gilt länger als bisher."),
        (stood("Extreme", valid_min=600), "Die Warnung gilt kürzer als bisher."),
        (None, "Die Warnung gilt weiter."),
    ],
)
def test_an_update_says_what_changed(before, said):
    assert german(action="update", before=before).description.startswith(f"{said} Das Wasser")


def test_an_exercise_says_so_first_in_every_language():
    for text in shipped().write(situation(exercise=True), "release").texts.values():
        assert text.headline.startswith(("ÜBUNG: ", "EXERCISE: "))
        assert re.match("ÜBUNG|EXERCISE|Das ist nur eine Übung", text.description)


# --- Einfache Sprache


@functools.cache
def of_short_names():
    return CityTexts(
        places(
            city="Ort",
            station_name=lambda _: "Ort",
            area_names=lambda ids, _: ["Ort"] * len(ids),
            outlook=lambda _: outlook(wave=wave(8, 15), basin=basin((5.0, 9.0))),
        )
    )


@pytest.mark.parametrize(("kind", "severity", "action"), EVERY)
def test_plain_language_is_plain(kind, severity, action):
    """At most 12 words a sentence; no word of more than 18 letters without a hyphen."""
    for lost in (False, True):
        measured = incident(*MEASURES.get(kind, ()), severity=severity, level=3, lost=lost)
        now = situation(
            kind,
            severity,
            incident=measured if kind in MEASURES else None,
            by="Name",
            before=stood("Moderate", ("gronau",), 60),
        )
        text = of_short_names().write(now, action).texts["einfach"]
        for part in (text.headline, text.description, text.instruction):
            for said in re.split(r"(?<=[.!?])\s+(?!Juli)", part):
                words = [word for word in said.split() if re.search(r"\w", word)]
                assert len(words) <= 12, said
                for word in words:
                    assert all(len(each) <= 18 for each in re.split(r"[-\u00b7]", word.strip(".,:!?"))), word


# --- lengths


def lengths_hold(texts, now, action):
    for language, text in texts.write(now, action).texts.items():
        assert 0 < len(text.headline) <= HEADLINE_LIMIT
        todo = sentences(text.instruction)
        for medium, tail in (("sms", "W-123"), ("push", ""), ("display", "")):
            said = told(text, medium, sender=SENDER, tail=tail)
            whole = " ".join(said.split())
            if medium == "sms":
                assert sms_segments(said).segments <= SMS_SEGMENTS
                assert sms_segments(said).encoding == "GSM-7"
                assert said.endswith(tail)
            else:
                assert len(said) <= (PUSH_LIMIT if medium == "push" else DISPLAY_LIMIT)
            # of what to do there are whole pieces, the first ones, and nothing of the others
            kept = [each for each in todo if each in whole]
            assert kept == todo[: len(kept)]
            for left in todo[len(kept) :]:
                assert left[:20] not in whole or any(each.startswith(left[:20]) for each in kept)
            if medium == "sms" and action in {"release", "update"}:
                assert "112" in whole, (language, whole)
            if medium == "push":
                assert kept, whole


@pytest.mark.parametrize(("kind", "severity", "action"), EVERY)
def test_every_text_fits_every_medium_with_the_longest_names(kind, severity, action):
    every = ("a", "b", "c", "d", "e", "f", "g", "h")
    for exercise in (False, True):
        now = situation(
            kind, severity, areas=every, exercise=exercise, by="B" * 60, before=stood(areas=("x", "y"))
        )
        lengths_hold(of_long_names(), now, action)


STRANGE = {"station": ""}


@functools.cache
def of_strange_names():
    return CityTexts(places(station_name=lambda _: STRANGE["station"], area_names=lambda ids, _: ids))


names = st.text(min_size=1, max_size=90).filter(lambda text: text.strip())


@given(
    station=names,
    areas=st.lists(names, max_size=12, unique=True),
    by=st.text(max_size=200),
    kind=st.sampled_from(TEXT_KINDS),
    severity=st.sampled_from(SEVERITIES),
    action=st.sampled_from(ACTIONS),
)
def test_whatever_places_are_called_nothing_else_changes(  # noqa: PLR0913, PLR0917 - the combination
    station, areas, by, kind, severity, action
):
    now = situation(kind, severity, areas=tuple(areas), by=by, reason=by)
    texts = of_strange_names()
    STRANGE["station"] = station
    plain = shipped().write(replace(now, areas=("gierath",), by=""), action)
    written = texts.write(now, action)
    for language, text in written.texts.items():
        whole = text.headline + text.description + text.instruction
        assert all(letter.isprintable() for letter in whole)
        assert len(text.headline) <= HEADLINE_LIMIT
        assert text.instruction == plain.texts[language].instruction
        assert sms_segments(told(text, "sms", sender=SENDER)).segments <= SMS_SEGMENTS
        assert len(told(text, "push", sender=SENDER)) <= PUSH_LIMIT
        assert len(told(text, "display", sender=SENDER)) <= DISPLAY_LIMIT


@pytest.mark.parametrize(
    "name",
    [
        "{{ 7 * 7 }}",
        "{% for x in range(9999999) %}x{% endfor %}",
        "{{ ''.__class__.__mro__ }}",
        "{city} {0} %s",
        "Ort\r\nBcc: everyone@example.org",
        "Ort\u202egnunraW",
        "Ort\x00\x1b[31m",
    ],
)
def test_a_name_is_text_never_template_header_or_control(name):
    texts = CityTexts(places(city=name, station_name=lambda _: name, area_names=lambda *_: [name]))
    shown = " ".join("".join(c if c.isprintable() else " " for c in name).split())[:30]
    for text in texts.write(situation(by=name), "release").texts.values():
        assert text.headline.isprintable()
        for part in (text.headline, text.description):
            assert shown in part
            assert "49" not in part
            assert part.isprintable()


def test_cell_broadcast_holds_all_there_is_to_do():
    for kind, severity in itertools.product(TEXT_KINDS, SEVERITIES):
        texts = of_long_names().write(situation(kind, severity, areas=tuple("abcdefgh")), "release").texts
        warning = fold(None, step(0, "release", texts=texts, severity=severity, areas=("gierath", "oben")))
        ((number, _),) = heard(warning)
        said = broadcast_text(city_document(warning, number, (), BASIS).xml)
        assert len(said) <= CELL_LIMIT
        assert texts["de"].instruction in said


# --- a city's own


def test_a_city_changes_one_word_and_keeps_the_rest(tmp_path):
    (tmp_path / FILES["de"]).write_text('[alarm]\nExtreme = "Höchste Gefahr"\n', encoding="utf-8")
    texts = CityTexts(places(), tmp_path)
    assert "Höchste Gefahr: Hochwasser" in german(texts=texts).headline
    assert "Gefahr: Hochwasser" in german(texts=texts, severity="Severe").headline
    written = texts.write(situation(), "release")
    assert re.fullmatch(r"level: de unsigned, en shipped v\d+, einfach shipped v\d+", written.template)


def test_a_city_says_something_else_at_one_severity(tmp_path):
    own = '[kind.level.Extreme]\nwhat = "Die Strunde ist über die Ufer getreten."\nadvice = "rain"\n'
    (tmp_path / FILES["de"]).write_text(own, encoding="utf-8")
    texts = CityTexts(places(), tmp_path)
    assert "über die Ufer getreten" in german(texts=texts).description
    assert "Unterführungen" in german(texts=texts).instruction
    assert "über die Ufer getreten" not in german(texts=texts, severity="Severe").description


def test_the_template_names_who_signed_what_state_it_is_in(tmp_path):
    path = tmp_path / FILES["de"]
    path.write_text('[alarm]\nExtreme = "Höchste Gefahr"\n', encoding="utf-8")
    sign(path, "Anna Meier", date(2026, 7, 1))
    assert "de v1," in CityTexts(places(), tmp_path).write(situation(), "release").template
    path.write_text(path.read_text(encoding="utf-8").replace("Höchste", "Größte"), encoding="utf-8")
    changed = CityTexts(places(), tmp_path)
    assert "de v1 changed," in changed.write(situation(), "release").template
    assert "Größte Gefahr" in german(texts=changed).headline, "used all the same"


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        ('[kind.level]\nwhat = "{{ waht }}"\n', "'waht' is undefined"),
        ('[kind.level]\nwhat = "{{ what"\n', "unexpected|expected token"),
        ('[kind.lewel]\nwhat = "x"\n', "kind.lewel"),
        ('[kind.level]\nadvice = "watr"\n', r"no table \[advice.watr\]"),
        ('[advice.water]\nSevre = ["x"]\n', "advice.water: needs Minor"),
        ('when = "{tag}"\n', "tag"),
        ('[changed]\nhigher = "{vorher}"\n', "vorher"),
        ("[description]\nwarn = []\n", "description.warn"),
        ("[alarm\n", "cannot be read"),
        ('[kind.level]\nwhat = "{{ city.__class__.__mro__ }}"\n', "unsafe"),
    ],
)
def test_a_faulty_file_is_found_at_the_start(tmp_path, own, problem):
    (tmp_path / FILES["de"]).write_text(own, encoding="utf-8")
    with pytest.raises(AlertsConfigError) as caught:
        CityTexts(places(), tmp_path)
    (fault,) = caught.value.faults
    assert re.search(problem, str(fault)), fault
    assert fault.file == str(tmp_path / FILES["de"])


def test_a_template_that_fails_all_the_same_leaves_a_plain_text(tmp_path):
    shutil.copytree(SHIPPED, tmp_path / "shipped")
    # fine with every value that is tried out, and not with this one
    own = "[kind.level]\nwhat = \"{{ 1 // (0 if value.startswith('118') else 1) }}\"\n"
    (tmp_path / FILES["de"]).write_text(own, encoding="utf-8")
    text = german(texts=CityTexts(places(), tmp_path, shipped=tmp_path / "shipped"))
    assert text.headline == "Warnung der Stadt: Schwere sehr hoch"
    assert "Keller" in text.instruction


def test_forms_and_actions_fit_together():
    assert set(FORMS) == {"warn", "update", "all_clear", "cancel", "expire"}
    assert shipped().write(situation(), "propose").texts == shipped().write(situation(), "release").texts
