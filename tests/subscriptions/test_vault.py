import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.errors import SubscriptionsError
from alerts.subscriptions.vault import Vault, read_key

ONE, OTHER = "ab" * 32, base64.b64encode(b"k" * 32).decode()


@given(st.binary(max_size=200))
def test_what_is_sealed_opens_and_nothing_of_it_shows(data):
    vault = Vault(ONE)
    sealed = vault.seal(data, b"x")
    assert vault.open(sealed, b"x") == data
    assert len(data) < 4 or data not in sealed
    assert vault.seal(data, b"x") != sealed


@given(st.binary(min_size=1, max_size=50), st.integers(0), st.integers(1, 255))
def test_a_changed_byte_is_noticed(data, place, change):
    vault = Vault(ONE)
    sealed = bytearray(vault.seal(data, b"x"))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(SubscriptionsError):
        vault.open(bytes(sealed), b"x")


def test_nothing_opens_for_another_purpose_or_with_another_key():
    sealed = Vault(ONE).seal(b"anna", b"x")
    with pytest.raises(SubscriptionsError, match="changed"):
        Vault(ONE).open(sealed, b"y")
    with pytest.raises(SubscriptionsError, match="old_keys"):
        Vault(OTHER).open(sealed, b"x")
    assert Vault(OTHER, [ONE]).open(sealed, b"x") == b"anna"
    assert not Vault(OTHER, [ONE]).is_current(sealed)


def test_the_digest_needs_the_key():
    assert Vault(ONE).digest("anna") == Vault(ONE).digest("anna")
    assert Vault(ONE).digest("anna") != Vault(OTHER).digest("anna")
    assert Vault(OTHER, [ONE]).digests("anna") == (Vault(OTHER).digest("anna"), Vault(ONE).digest("anna"))


@pytest.mark.parametrize("text", ["", "secret", "ab" * 31, base64.b64encode(b"k" * 31).decode(), "ä" * 64])
def test_a_short_key_is_refused(text):
    with pytest.raises(ValueError, match="32 random bytes"):
        read_key(text)
