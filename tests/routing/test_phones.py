"""The addresses that docs/routing.md gives for phones are such that Apprise can use."""

import re
from pathlib import Path

import apprise
import pytest

from alerts.delivery.channels import AppriseSender, Channel
from alerts.routing.phones import ALARM, SMS, rings

PAGE = Path(__file__).parents[2] / "docs/routing.md"
WORDS = {
    "ACCOUNT_SID": "AC" + "a" * 32,
    "TOKEN": "b" * 32,
    "SECRET": "c" * 20,
    "USER": "stadt",
    "KEY": "d" * 32,
}
ADDRESSES = re.findall(r"^\| .* \| `(\w+://[^`]+)` \|$", PAGE.read_text(), re.MULTILINE)


def test_every_scheme_is_one_of_apprise_s():
    known = {
        scheme
        for each in apprise.Apprise().details()["schemas"]
        for scheme in (*(each["protocols"] or ()), *(each["secure_protocols"] or ()))
    }
    assert known >= SMS | ALARM


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_address_of_the_page_can_be_used(address):
    for word, value in WORDS.items():
        address = address.replace(word, value)
    AppriseSender(Channel("phone", address))
    assert rings(address)


def test_the_page_has_them_and_a_mail_is_no_phone():
    assert len(ADDRESSES) == 7
    assert not rings("mailto://stadt.example?to=anna@stadt.example")
