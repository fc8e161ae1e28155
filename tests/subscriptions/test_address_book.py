import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.errors import AlertsConfigError
from alerts.subscriptions.address_book import Address, AddressBook, load_addresses

BOOK = AddressBook((Address("Straße des 17. Juni", "5", 51, 7), Address("Bergstr.", "5 b", 51, 7)))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("strasse des 17 juni", 1),
        ("STR DES 17", 1),
        ("juni 5", 1),
        ("bergstraße 5", 1),
        ("berg 5b", 1),
        ("berg 6", 0),
    ],
)
def test_however_somebody_writes_it(text, count):
    assert len(BOOK.find(text)) == count


@given(st.text(max_size=100))
def test_whatever_is_typed_is_searched_for(text):
    assert len(BOOK.find(text)) <= 2


def test_every_bad_line_is_named(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("street;number;lat;lon\nA;1;51;7\nB;2;7;51\n;3;51;7\nC;4;x;7\nD;5\n")
    with pytest.raises(AlertsConfigError) as caught:
        load_addresses(file)
    assert [fault.key for fault in caught.value.faults] == ["line 3", "line 4", "line 5", "line 6"]
    file.write_text("\ufeffstreet;number;lat;lon;more\nA;1;51,5;7\n", encoding="utf-8")
    assert load_addresses(file).find("aaa 1") == []
    assert len(load_addresses(file)) == 1
    assert len(load_addresses(None)) == 0
