"""The documents: what they say, that everybody who judges accepts them, and how they hang together."""

import itertools
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from validators import SCHEMA, faults, others_accept
from warned_city import (
    AREAS,
    ARS,
    BASIS,
    ISSUER,
    MINUTE,
    T0,
    TEXTS,
    documents,
    notice,
    step,
    warned,
)

from alerts.cap.document import NAMESPACE, city_document, heard, identifier, notice_document, safe_id, stamp
from alerts.cap.polygon import MOST_CORNERS, polygons
from alerts.cap.rules import check
from alerts.city.city_warning import fold
from alerts.event import CityText
from alerts.scale import SEVERITIES

ACTIONS = ("propose", "release", "update", "decline", "all_clear", "cancel", "expire")
NS = {"c": NAMESPACE}


def read(document):
    return ET.fromstring(document.xml)


def text(root, path):
    return [each.text for each in root.findall("/".join(f"c:{each}" for each in path.split("/")), NS)]


def test_a_release_is_an_alert_of_the_city_in_both_languages():
    (alert,) = documents(warned("propose", "release"), [notice(), notice("dwd_starkregen", "regen-gierath")])
    root = read(alert)
    assert text(root, "identifier") == [f"stadtfunk.{ARS}.w1.2"]
    assert text(root, "sender") == ["warnung@stadt.example"]
    assert text(root, "sent") == ["2026-07-14T18:32:00-00:00"]
    assert (text(root, "status"), text(root, "msgType"), text(root, "scope")) == (
        ["Actual"],
        ["Alert"],
        ["Public"],
    )
    assert text(root, "references") == []
    assert text(root, "incidents") == [safe_id("vorfall:1")]
    assert text(root, "info/language") == ["de-DE", "en-GB"]
    assert text(root, "info/category") == ["Met", "Met"]
    assert text(root, "info/event") == ["Starkregen und Hochwasser", "Heavy rain and flood"]
    assert text(root, "info/severity") == ["Severe", "Severe"]
    assert text(root, "info/urgency") == ["Immediate", "Immediate"]
    assert text(root, "info/certainty") == ["Observed", "Observed"]
    assert text(root, "info/headline") == [TEXTS["de"].headline, TEXTS["en"].headline]
    assert text(root, "info/instruction") == [TEXTS["de"].instruction, TEXTS["en"].instruction]
    assert text(root, "info/expires") == ["2026-07-14T21:32:00-00:00"] * 2
    assert text(root, "info/web") == [ISSUER.web] * 2
    assert text(root, "info/area/areaDesc") == [
        "Bergisch Gladbach: Gierath",
        "Bergisch Gladbach: Gierath village",
    ]
    assert "50.97500,7.09500" in text(root, "info/area/polygon")[0].split()
    assert text(root, "info/area/geocode/value") == [ARS, ARS]
    assert text(root, "info/parameter/valueName")[0] == "freigegeben von"
    name, *values = text(root, "info/parameter/value")
    assert name == "A. Beispiel"
    assert values[0].startswith("Pegel Gierath: 152 cm (")
    assert "Schwelle nach DWD-Kriterium, eigene Messung" in values
    assert check(alert.xml) == []


def test_what_was_only_proposed_or_declined_has_no_document():
    assert documents(warned("propose")) == []
    assert documents(warned("propose", "decline")) == []


def test_an_update_names_every_document_that_is_still_in_force():
    alert, first, second = documents(warned("release", "update", "update"))
    assert text(read(first), "references") == [
        f"warnung@stadt.example,{alert.identifier},{stamp(T0 + MINUTE)}"
    ]
    assert text(read(second), "references")[0].split() == [alert.reference, first.reference]
    assert [each.message for each in (alert, first, second)] == ["Alert", "Update", "Update"]


def test_an_update_after_everything_expired_still_names_the_last_one():
    warning = None
    for each in (
        step(1, "release", valid_min=10),
        step(2, "update", valid_min=10),
        step(3, "update", minute=60),
    ):
        warning = fold(warning, each)
    _, second, third = documents(warning)
    assert text(read(third), "references") == [second.reference]


def test_an_all_clear_is_an_update_that_ends_soon_and_says_so():
    *_, end = documents(warned("release", "update", "all_clear"))
    root = read(end)
    assert (end.message, end.ends) == ("Update", True)
    assert text(root, "info/responseType") == ["AllClear", "AllClear"]
    assert text(root, "info/urgency") == ["Past", "Past"]
    assert text(root, "info/severity") == ["Minor", "Minor"]
    assert text(root, "info/headline")[0] == f"Entwarnung: {TEXTS['de'].headline}"
    assert end.expires_us == end.sent_us + 30 * MINUTE
    # the all-clear is for whoever was warned, whatever its step says
    assert text(root, "info/area/areaDesc")[0] == "Bergisch Gladbach: Gierath"


def test_an_all_clear_with_texts_of_its_own_says_those():
    warning = warned("release")
    own = {"de": CityText("Entwarnung für Gierath", "Das Wasser ist gefallen.", "Keller prüfen.")}
    warning = fold(warning, step(2, "all_clear", texts=own, areas=()))
    *_, end = documents(warning)
    assert text(read(end), "info/headline") == [
        "Entwarnung für Gierath",
        f"All clear: {TEXTS['en'].headline}",
    ]


def test_a_cancellation_says_that_it_was_wrong():
    *_, end = documents(warned("release", "cancel"))
    assert (end.message, text(read(end), "info/responseType")) == ("Cancel", ["None", "None"])
    assert text(read(end), "info/headline")[0].startswith("Zurückgezogen")


def test_an_expiry_needs_no_document():
    assert len(documents(warned("release", "expire"))) == 1


def test_an_exercise_and_a_draft_are_marked():
    (alert,) = documents(warned("release", exercise=True))
    assert (alert.status, alert.scope) == ("Exercise", "Public")
    assert text(read(alert), "info/headline")[0].startswith("ÜBUNG: ")
    assert "w1" in text(read(alert), "note")[0]
    first, second = documents(warned("release", "update"), draft=True)
    assert (first.status, first.scope) == ("Draft", "Restricted")
    assert first.identifier.endswith(".draft")
    assert text(read(second), "references") == [first.reference]
    assert check(second.xml) == []


def test_a_warning_for_the_whole_city_has_its_ars():
    (alert,) = documents(warned("release", areas=()))
    assert text(read(alert), "info/area/areaDesc") == ["Bergisch Gladbach"] * 2
    assert text(read(alert), "info/area/polygon") == []
    assert check(alert.xml) == []
    # without any notice behind it nobody knows what kind of event it is
    assert text(read(alert), "info/category") == ["Safety", "Safety"]


def test_an_area_that_is_gone_from_the_file_is_still_named():
    (alert,) = documents(warned("release", areas=("gierath", "abgerissen")))
    assert text(read(alert), "info/area/areaDesc")[:2] == [
        "Bergisch Gladbach: Gierath",
        "Bergisch Gladbach: abgerissen",
    ]
    assert check(alert.xml) == []


def test_a_warning_in_one_language_only_is_published_in_it():
    (alert,) = documents(warned("release", texts={"de": TEXTS["de"]}))
    assert text(read(alert), "info/language") == ["de-DE"]
    (alert,) = documents(warned("release", texts={"tr": TEXTS["de"]}))
    assert text(read(alert), "info/language") == ["tr"]


def test_what_xml_cannot_hold_is_left_out_and_markup_is_text():
    texts = {"de": CityText("<b>Flut\x00</b> & \ud800\x1b", "a\nb", "]]>")}
    (alert,) = documents(warned("release", texts=texts))
    assert text(read(alert), "info/headline") == ["<b>Flut</b> &"]
    assert check(alert.xml) == []


def test_the_kind_of_event_stays_when_the_notices_are_over():
    warning = warned("release", "all_clear")
    alert = city_document(warning, 1, [], BASIS, [notice()])
    end = city_document(warning, 2, [alert], BASIS)
    assert text(read(end), "info/event")[0] == "Hochwasser"


def test_a_rise_that_is_expected_is_no_observation():
    (alert,) = documents(warned("release"), [notice("water_level_expected")])
    assert text(read(alert), "info/certainty") == ["Likely", "Likely"]
    assert text(read(alert), "info/urgency") == ["Expected", "Expected"]


def test_a_notice_is_a_test_for_few_unless_the_city_publishes_observations():
    plain = {"de": CityText("Pegel", "152 cm", "")}
    kept = notice_document(notice(), [], BASIS, texts=plain, sent_us=T0)
    assert (kept.status, kept.scope, text(read(kept), "info/urgency")) == ("Test", "Restricted", ["Unknown"])
    assert check(kept.xml) == []
    shown = notice_document(notice(), [], BASIS, texts=plain, sent_us=T0, public=True)
    assert (shown.status, shown.scope) == ("Actual", "Public")
    assert "keine amtliche Warnung" in text(read(shown), "note")[0]
    over = replace(notice(), status="ended", ended_us=T0 + MINUTE)
    assert notice_document(over, [], BASIS, texts=plain, sent_us=T0 + MINUTE) is None
    end = notice_document(over, [shown], BASIS, texts=plain, sent_us=T0 + MINUTE, public=True)
    # falling values are no all-clear
    assert text(read(end), "info/responseType") == ["None"]
    assert text(read(end), "references") == [shown.reference]
    assert check(end.xml) == []


def test_ids_are_safe_and_different():
    assert safe_id("a.b-c_1") == "a.b-c_1"
    assert len({safe_id(each) for each in ("a:b", "a-b", "a b", "a,b", "a<b")}) == 5
    assert "," not in identifier(replace(ISSUER, ars=""), "x y", 1)


@pytest.mark.skipif(not SCHEMA.exists(), reason=f"no {SCHEMA}")
@given(
    st.lists(st.sampled_from(("release", "update", "release", "update", *ACTIONS)), max_size=9),
    st.fixed_dictionaries(
        {
            "exercise": st.booleans(),
            "areas": st.sampled_from([(), ("gierath",), ("gierath", "oben"), ("weg",)]),
            "valid_min": st.integers(1, 8),
            "severity": st.sampled_from(SEVERITIES),
        }
    ),
    st.booleans(),
    st.lists(st.sampled_from(["water_level", "dwd_dauerregen", "sri", "basin", "other"]), max_size=3),
)
def test_whatever_happens_every_document_is_valid_and_what_it_names_exists(actions, said, draft, measures):
    warning = warned(*actions, **said)
    if warning is None:
        return
    issued = documents(warning, [notice(each) for each in measures], draft=draft)
    assert bool(issued) == warning.public
    known = set()
    for each in issued:
        assert check(each.xml) == []
        assert faults(each.xml) == []
        assert others_accept(each.xml) == each.identifier
        references = (text(read(each), "references") or [""])[0].split()
        assert set(references) <= known
        assert bool(references) == (each.message != "Alert")
        assert bool(references) or not each.ends
        known.add(each.reference)
    assert [each.message for each in issued[:1]] == ["Alert"] * bool(issued)
    assert all(
        each.ends == (each is issued[-1] and warning.steps[-1].step.action in {"all_clear", "cancel"})
        for each in issued
    )


@given(
    st.sets(st.integers(0, 8)),
    st.sampled_from(["all_clear", "cancel"]),
)
def test_documents_that_failed_are_never_named_and_never_ended(failed, end):
    warning = warned("release", *["update"] * 6, end)
    issued = []
    for number, _ in heard(warning):
        made = city_document(warning, number, issued, BASIS)
        if made is not None and number not in failed:
            issued.append(made)
    for each, before in itertools.pairwise([None, *issued]):
        references = (text(read(before), "references") or [""])[0].split()
        assert set(references) <= {one.reference for one in issued[: issued.index(before)]}
        assert check(before.xml) == [], each
    assert not (issued and issued[0].ends)


@settings(max_examples=30)
@given(st.integers(3, 800), st.floats(0.001, 0.05), st.integers(0, 999))
def test_a_detailed_area_is_made_simple_and_nobody_drops_out_of_it(corners, radius, seed):
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    length = radius * np.random.default_rng(seed).uniform(0.2, 1.0, corners)
    form = shapely.Polygon(np.column_stack([7.1 + length * np.cos(angle), 50.9 + length * np.sin(angle)]))
    rings = [[tuple(map(float, pair.split(","))) for pair in ring.split()] for ring in polygons(form)]
    assert sum(map(len, rings)) <= MOST_CORNERS
    assert all(ring[0] == ring[-1] for ring in rings)
    drawn = shapely.union_all(
        [shapely.Polygon([(lon, lat) for lat, lon in ring]).buffer(0) for ring in rings]
    )
    assert drawn.buffer(2e-5).covers(form)
    assert drawn.area < max(3 * form.area, 4 * radius * radius)


def test_holes_are_warned_with_the_rest():
    ring = shapely.Point(7.1, 50.9).buffer(0.01, quad_segs=4)
    holed = ring.difference(shapely.Point(7.1, 50.9).buffer(0.005))
    (text_,) = polygons(holed)
    lat_lon = [tuple(map(float, pair.split(","))) for pair in text_.split()]
    assert shapely.Polygon([(lon, lat) for lat, lon in lat_lon]).covers(shapely.Point(7.1, 50.9))


def test_both_parts_of_an_area_have_their_ring():
    assert len(polygons(AREAS.areas[1].form)) == 2
