from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from warned_city import TEXTS, documents, warned

from alerts.cap.cell_broadcast import LIMIT, broadcast_text, gsm
from alerts.event import CityText

BASIC = set("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡§¿äöñüàÄÖÑÜ") | set(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)


def said(texts):
    (alert,) = documents(warned("release", texts=texts))
    return broadcast_text(alert.xml)


def test_it_says_who_what_where_and_what_to_do_in_both_languages():
    text = said(TEXTS)
    assert text.startswith(
        "Stadt Bergisch Gladbach: Hochwasser der Strunde in Gierath\nBergisch Gladbach: Gierath\nKeller"
    )
    assert TEXTS["en"].instruction in text
    assert "https://stadt.example/warnung" in text


def test_a_long_description_is_cut_before_the_instruction_and_the_address_stays():
    long = replace(TEXTS["de"], description="Sehr lange Lage. " * 200)
    text = said({"de": long, "en": TEXTS["en"]})
    assert LIMIT - 20 < len(text) <= LIMIT
    assert long.instruction in text
    assert text.endswith("...\nhttps://stadt.example/warnung")
    assert "Leave cellars" not in text


def test_letters_that_phones_do_not_have_are_written_otherwise():
    assert gsm("„Straße“ \N{EN DASH} 5 € [Łódź]\u00a0Ağaç ş") == '"Straße" - 5 EUR (?odz) Agac s'


@given(st.text(max_size=2000), st.text(max_size=3000), st.text(max_size=3000))
def test_whatever_a_person_writes_fits_into_one_text(headline, description, instruction):
    own = CityText(f"A{headline}", description, instruction)
    text = said({"de": own, "en": own})
    assert len(text) <= LIMIT
    assert set(text) <= BASIC
