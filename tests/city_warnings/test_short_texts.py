import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.city.short_texts import (
    DISPLAY_LIMIT,
    MEDIA,
    PUSH_LIMIT,
    SMS_SEGMENTS,
    headline,
    sentences,
    sms_segments,
    told,
)
from alerts.event import CityText

TEXT = CityText(
    "Warnung der Stadt",
    "Das Wasser steigt. Die Warnung gilt bis 14. Juli, 20:30 Uhr.",
    "Gehen Sie nach oben. Meiden Sie Keller. Notruf 112. Kommt Wasser? Dann gehen Sie weg.",
)


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("ä" * 306, "GSM-7", 306, 2),
        ("ß" * 307, "GSM-7", 307, 3),
        # the extension table: two septets each
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        # 152 septets, then one of two that does not fit into the first part's 153
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),
        ("ł" * 70, "UCS-2", 70, 1),
        ("ł" * 71, "UCS-2", 71, 2),
        ("„a“", "UCS-2", 3, 1),
        ("\U0001f30a" * 35, "UCS-2", 70, 1),
        # of 67 units 66 hold whole pairs
        ("\U0001f30a" * 67, "UCS-2", 134, 3),
    ],
)
def test_what_an_sms_costs(text, encoding, units, segments):
    found = sms_segments(text)
    assert (found.encoding, found.units, found.segments) == (encoding, units, segments)


@given(st.text(max_size=600))
def test_sms_are_counted_as_their_encoding_has_it(text):
    found = sms_segments(text)
    if found.encoding == "UCS-2":
        assert found.units == len(text.encode("utf-16-le", "surrogatepass")) // 2
    alone, each = (160, 153) if found.encoding == "GSM-7" else (70, 67)
    assert (found.segments == 1) == (found.units <= alone)
    assert found.segments * max(each, alone if found.segments == 1 else 0) >= found.units


def test_sentences_end_where_they_end():
    assert sentences("Es regnet. Gilt bis 14. Juli, 20:30 Uhr. Notruf 112. Ende!") == [
        "Es regnet.",
        "Gilt bis 14. Juli, 20:30 Uhr.",
        "Notruf 112.",
        "Ende!",
    ]
    assert sentences("Bei St. Josef und z. B. an der Str. Nr. 5 bleiben.") == [
        "Bei St. Josef und z. B. an der Str. Nr. 5 bleiben."
    ]
    assert sentences("Kommt Wasser? Dann gehen Sie. Helfen Sie. Aber nicht allein.\nNeu.") == [
        "Kommt Wasser? Dann gehen Sie.",
        "Helfen Sie. Aber nicht allein.",
        "Neu.",
    ]


def test_mail_says_everything_and_lists_what_to_do():
    assert told(TEXT, "mail", tail="Kennung w1") == (
        "Warnung der Stadt\n\nDas Wasser steigt. Die Warnung gilt bis 14. Juli, 20:30 Uhr.\n\n"
        "Gehen Sie nach oben.\nMeiden Sie Keller.\nNotruf 112.\nKommt Wasser? Dann gehen Sie weg."
        "\n\nKennung w1"
    )


def test_what_to_do_comes_before_what_happens_and_the_tail_stays():
    said = told(TEXT, "sms", tail="w1")
    assert said.index("Notruf 112") < said.index("Das Wasser steigt")
    assert said.endswith("\nw1")


def test_letters_that_no_sms_holds_are_written_otherwise():
    text = CityText("„Łódź“", "Słup", "Geh.")
    assert sms_segments(told(text, "sms")).encoding == "GSM-7"


def test_a_headline_is_cut_at_a_word():
    assert headline("eins zwei drei vier", 14) == "eins zwei…"
    assert headline("kurz\nund gut") == "kurz und gut"


part = st.text(max_size=1500)


@given(part, part, part, st.text(max_size=60), st.sampled_from(MEDIA))
def test_whatever_a_person_writes_fits(head, description, instruction, tail, medium):
    said = told(CityText(head, description, instruction), medium, tail=tail)
    if medium == "sms":
        assert sms_segments(said).segments <= SMS_SEGMENTS
    elif medium != "mail":
        assert len(said) <= {"push": PUSH_LIMIT, "display": DISPLAY_LIMIT}[medium]
