"""Signatures: what was signed verifies, what was changed does not, and another's key is another's."""

import capvalidator
import pytest
from validators import faults, others_accept
from warned_city import documents, notice, warned

from alerts.cap.rules import check
from alerts.cap.signature import Signer, certificate_of, verify
from alerts.errors import AlertsConfigError, CapError
from stadtfunk.cli import main

(ALERT,) = documents(warned("release"), [notice()])


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_signed_document_verifies_and_is_valid_for_everybody(make_key, kind):
    key, certificate = make_key("stadt", kind)
    signed = Signer(key, certificate).sign(ALERT.xml)
    assert b"Gierath" in verify(signed, certificate_of(certificate))
    assert check(signed) == []
    assert faults(signed) == []
    assert others_accept(signed) == ALERT.identifier
    assert capvalidator.check_signature(signed).passed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Severe", b"Minor"),
        (b"50.97500,7.09500", b"50.97501,7.09500"),
        (b"sofort", b"nicht"),
        (b"<scope>Public</scope>", b"<scope>Public</scope><code>x</code>"),
    ],
)
def test_a_tampered_document_does_not(make_key, old, new):
    key, certificate = make_key("stadt")
    signed = Signer(key, certificate).sign(ALERT.xml)
    assert old in signed
    with pytest.raises(CapError, match="does not hold"):
        verify(signed.replace(old, new), certificate_of(certificate))


def test_another_key_does_not_whatever_certificate_it_brings(make_key):
    _, pinned = make_key("stadt")
    forged = Signer(*make_key("faelscher")).sign(ALERT.xml)
    assert capvalidator.check_signature(forged).passed  # who trusts what the document brings is deceived
    with pytest.raises(CapError):
        verify(forged, certificate_of(pinned))


def test_a_document_without_a_signature_does_not(make_key):
    _, certificate = make_key("stadt")
    with pytest.raises(CapError):
        verify(ALERT.xml, certificate_of(certificate))


def test_a_signed_part_inside_a_forged_document_is_not_taken_for_the_whole(make_key):
    key, certificate = make_key("stadt")
    signed = Signer(key, certificate).sign(ALERT.xml).partition(b"?>")[2]
    wrapped = ALERT.xml.replace(b"</alert>", signed.strip() + b"</alert>")
    with pytest.raises(CapError):
        verify(wrapped, certificate_of(certificate))


def test_keys_that_cannot_be_used_are_named(make_key, tmp_path):
    key, certificate = make_key("stadt")
    other, _ = make_key("andere")
    weak = make_key("schwach", bits=1024)
    (tmp_path / "none").write_text("nothing")
    for pair, problem in (
        ((other, certificate), "not the key of the certificate"),
        (weak, "too weak"),
        ((tmp_path / "none", certificate), "cannot be read"),
        ((key, tmp_path / "missing"), "cannot be read"),
    ):
        with pytest.raises(AlertsConfigError, match=problem):
            Signer(*pair)


def test_operators_can_check_a_file(make_key, tmp_path, capsys):
    key, certificate = make_key("stadt")
    file = tmp_path / "alert.xml"
    file.write_bytes(Signer(key, certificate).sign(ALERT.xml))
    assert main(["cap", "check", str(file), "--certificate", str(certificate)]) == 0
    assert "no problem found" in capsys.readouterr().out
    file.write_bytes(file.read_bytes().replace(b"-00:00", b"Z"))
    assert main(["cap", "check", str(file), "--certificate", str(certificate)]) == 1
    told = capsys.readouterr().err
    assert "UTC is -00:00" in told
    assert "signature does not hold" in told
    assert main(["cap", "check", str(tmp_path / "missing")]) == 2


def test_what_is_published_is_signed(desk, make_key):
    key, certificate = make_key("stadt")
    desk.warnings = [warned("release")]
    (listed,) = desk.open(signer=Signer(key, certificate)).listed()
    assert verify(listed.latest.xml, certificate_of(certificate))
