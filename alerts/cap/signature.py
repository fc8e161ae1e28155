"""Enveloped XML signatures of CAP documents (W3C XML Signature), verified against a certificate one knows.

A certificate that a document brings along proves nothing: whoever forges one brings his own.
"""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from lxml import etree
from signxml.algorithms import SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from alerts.errors import AlertsConfigError, CapError
from devices.errors import Fault

_LEAST_RSA = 2048
_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
    }
)


class Signer:
    """Signs with the city's key. Raises AlertsConfigError when key and certificate cannot be used."""

    def __init__(self, key: Path, certificate: Path) -> None:
        self._certificate = certificate_of(certificate)
        try:
            loaded = load_pem_private_key(key.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as fault:
            remedy = "give a PEM file with the key, without a password, readable for the service alone"
            raise AlertsConfigError(Fault("[cap]", "key", f"cannot be read: {fault}", remedy)) from fault
        if not isinstance(loaded, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) or (
            isinstance(loaded, rsa.RSAPrivateKey) and loaded.key_size < _LEAST_RSA
        ):
            raise AlertsConfigError(
                Fault("[cap]", "key", "is too weak or of another kind", "use RSA of 2048 bits or more, or EC")
            )
        if _public(loaded.public_key()) != _public(self._certificate.public_key()):
            problem, remedy = "is not the key of the certificate", "give the two that belong together"
            raise AlertsConfigError(Fault("[cap]", "key", problem, remedy))
        self._key = loaded
        method = SignatureMethod.RSA_SHA256
        if isinstance(loaded, ec.EllipticCurvePrivateKey):
            method = SignatureMethod.ECDSA_SHA256
        self._method = method

    def expired(self, now_us: int) -> bool:
        """Whether the certificate has ended; readers may then doubt what it signs."""
        return self._certificate.not_valid_after_utc.timestamp() * 1_000_000 < now_us

    def sign(self, xml: bytes) -> bytes:
        """The document with its signature as the last element. Raises CapError."""
        try:
            root = etree.fromstring(xml, _parser())
            signed = XMLSigner(signature_algorithm=self._method).sign(
                root, key=self._key, cert=[self._certificate]
            )
        except (SignXMLException, etree.LxmlError, ValueError) as fault:
            raise CapError(f"cannot be signed: {fault}") from fault
        return etree.tostring(signed, xml_declaration=True, encoding="utf-8")


def certificate_of(file: Path) -> x509.Certificate:
    """A certificate from a PEM file. Raises AlertsConfigError."""
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError) as fault:
        remedy = "give a PEM file with the certificate"
        raise AlertsConfigError(Fault("[cap]", "certificate", f"cannot be read: {fault}", remedy)) from fault


def verify(xml: bytes, pinned: x509.Certificate) -> bytes:
    """What the pinned certificate's owner signed: read that, not the document. Raises CapError.

    The dates of the certificate are not asked: what was signed stays so.
    """
    own = pinned.fingerprint(hashes.SHA256())
    try:
        root = etree.fromstring(xml, _parser())
        within = pinned.not_valid_after_utc
        result = XMLVerifier().verify(
            root,
            x509_cert=pinned,
            expect_config=SignatureConfiguration(
                location="./", signature_methods=_METHODS, verification_time=within
            ),
        )
    except (SignXMLException, etree.LxmlError, ValueError) as fault:
        raise CapError(f"the signature does not hold: {fault}") from fault
    if isinstance(result, list) or result.signed_xml is None:
        raise CapError("the signature does not cover the document as a whole")
    if result.signed_xml.tag != root.tag:
        raise CapError(f"the signature covers {result.signed_xml.tag}, not the document ({own.hex()[:16]})")
    return etree.tostring(result.signed_xml, xml_declaration=True, encoding="utf-8")


def _public(key: object) -> bytes:
    form: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]  # every public key has it
    return form


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
