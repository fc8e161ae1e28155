import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.errors import ContactError
from alerts.subscriptions.contact import contact


@pytest.mark.parametrize(
    "text",
    [
        "json://10.0.0.1/hook",
        "http://169.254.169.254/latest/meta-data",
        "mailto://user:pass@10.0.0.1",
        "a@[10.0.0.1]",
        "a@[IPv6:::1]",
        "a@localhost",
        "root@intranet",
        "a@example.org\r\nBcc: all@example.org",
        "a@example.org\nBcc: all@example.org",
        "a@example.org,b@example.org",
        "a@example.org b@example.org",
        "Anna <a@example.org>",
        '"a b"@example.org',
        "a@example.org?subject=x",
        "a" * 250 + "@example.org",
        "a\0@example.org",
        "",
        "@",
    ],
)
def test_only_an_e_mail_address_is_one(text):
    with pytest.raises(ContactError) as caught:
        contact("email", text)
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize(
    ("channel", "text"),
    [
        ("sms", "110"),
        ("sms", "0900 1234567"),
        ("sms", "02202 141234"),
        ("sms", "+882 16 12345678"),
        ("sms", "+43 664 1234567"),
        ("sms", "0171 1234567;ext=5"),
        ("sms", "https://10.0.0.1/"),
        ("sms", "+49171{{7*7}}"),
        ("voice", "0900 1234567"),
        ("voice", "0137 7123456"),
        ("sms", "anna@example.org"),
    ],
)
def test_no_expensive_or_foreign_number_and_no_address_as_a_number(channel, text):
    with pytest.raises(ContactError):
        contact(channel, text)


def test_one_identity_for_every_way_of_writing():
    same = {contact("email", each).identity for each in ("Anna@Example.org", " anna@example.org ")}
    assert len(same) == 1
    numbers = {contact("sms", each) for each in ("0171 1234567", "+49 (171) 123-4567", "0049 171 1234567")}
    assert {each.address for each in numbers} == {"+491711234567"}
    assert contact("voice", "02202 14-1234").address == "+492202141234"
    assert contact("sms", "0171 1234567").identity != contact("voice", "0171 1234567").identity
    assert contact("email", "anna@münchen.de").address == "anna@xn--mnchen-3ya.de"


def test_staff_may_enter_a_foreign_number_but_no_expensive_one():
    assert contact("sms", "+43 664 1234567", anywhere=True).address == "+436641234567"
    with pytest.raises(ContactError):
        contact("voice", "0900 1234567", anywhere=True)


def test_neither_shows_itself():
    anna = contact("email", "anna@example.org")
    assert "anna" not in repr(anna)
    assert anna.masked == "a…@example.org"
    assert contact("sms", "0171 1234567").masked == "+49…567"


@given(st.text(max_size=300), st.sampled_from(["email", "sms", "voice"]))
def test_whatever_somebody_types_is_a_contact_or_an_error(text, channel):
    try:
        found = contact(channel, text)
    except ContactError:
        return
    assert found.address.isascii()
    assert found.address.isprintable()
    assert " " not in found.address
    assert "://" not in found.address
    assert contact(channel, found.address).identity == found.identity
