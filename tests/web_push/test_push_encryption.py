"""A browser can read what we send, and knows who sent it."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from push_service import CONTACT, FakeBrowser, b64, claims, unb64

from alerts.web_push.browser import Browser, PushServices
from alerts.web_push.encryption import MOST_BYTES, RECORD_BYTES, encrypt
from alerts.web_push.vapid import Vapid, new_private_key, read_private_key

BROWSER = FakeBrowser("fcm.googleapis.com")
TARGET = BROWSER.contact(PushServices())


def test_the_example_of_rfc_8291():
    key = ec.derive_private_key(
        int.from_bytes(unb64("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big"), ec.SECP256R1()
    )
    browser = Browser(
        "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV",
        unb64("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
        unb64("BTBZMqHH6r4Tts7J_aSIgg"),
    )
    body = encrypt(
        b"When I grow up, I want to be a watermelon", browser, key=key, salt=unb64("DGv6ra1nlYgDCS1FRnbzlw")
    )
    assert b64(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8w"
        "EqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@given(st.binary(max_size=MOST_BYTES))
def test_another_implementation_reads_every_message(message):
    body = encrypt(message, TARGET)
    assert BROWSER.read(body) == message
    assert len(body) <= RECORD_BYTES
    assert encrypt(message, TARGET) != body


def test_what_is_too_long_is_refused():
    assert len(encrypt(bytes(MOST_BYTES), TARGET)) == RECORD_BYTES
    with pytest.raises(ValueError, match="3993"):
        encrypt(bytes(MOST_BYTES + 1), TARGET)


def test_a_push_service_can_tell_that_the_city_sent_it():
    now = [1_000_000.0]
    vapid = Vapid(new_private_key(), CONTACT, lambda: now[0])
    first = vapid.authorization("fcm.googleapis.com")
    said = claims(first)
    assert said["aud"] == "https://fcm.googleapis.com"
    assert said["sub"] == CONTACT
    assert now[0] < said["exp"] <= now[0] + 86_400
    assert said["k"] == vapid.public_key
    assert vapid.authorization("fcm.googleapis.com") == first
    assert claims(vapid.authorization("web.push.apple.com"))["aud"] == "https://web.push.apple.com"
    now[0] += 7 * 3600
    later = claims(vapid.authorization("fcm.googleapis.com"))
    assert later["exp"] == said["exp"] + 7 * 3600
    now[0] -= 30 * 86_400  # somebody set the clock back: what was signed in the future is no use
    assert claims(vapid.authorization("fcm.googleapis.com"))["exp"] <= now[0] + 86_400


def test_a_key_is_kept_and_a_bad_one_refused():
    text = new_private_key()
    assert len(text) == 43
    assert Vapid(text, CONTACT).public_key == Vapid(text, CONTACT).public_key
    for bad in ("", "x", text[:-1], text + "A", b64(bytes(32)), b64(b"\xff" * 32), "ä" * 43):
        with pytest.raises(ValueError, match="webpush key"):
            read_private_key(bad)
