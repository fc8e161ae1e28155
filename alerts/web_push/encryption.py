"""Encrypts one message for one browser: RFC 8291 over RFC 8188, one record.

Own code over `cryptography`, which is here anyway: the libraries for it bring two HTTP clients of their own
and leave open where they connect to. The tests decrypt with an independent implementation.
"""

import os
import struct

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from alerts.web_push.browser import Browser

RECORD_BYTES = 4096
"""Every push service takes a body of that size (RFC 8030, 7.2)."""
MOST_BYTES = 3993
"""Of a message: 4096 less header (86), tag (16) and the delimiter (RFC 8291, 4)."""
_SALT_BYTES = 16
_LAST = b"\x02"
"""Delimiter of the last record (RFC 8188, 2)."""


def encrypt(
    message: bytes, browser: Browser, *, key: ec.EllipticCurvePrivateKey | None = None, salt: bytes = b""
) -> bytes:
    """The body of a push message, Content-Encoding aes128gcm. Raises ValueError for more than MOST_BYTES.

    `key` and `salt` are made anew for each message; given ones are for the RFC's own example only.
    """
    if len(message) > MOST_BYTES:
        raise ValueError(f"a push message has at most {MOST_BYTES} bytes, not {len(message)}")
    own = key or ec.generate_private_key(ec.SECP256R1())
    salt = salt or os.urandom(_SALT_BYTES)
    public = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = own.exchange(
        ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), browser.p256dh)
    )
    secret = _hkdf(browser.auth, shared, b"WebPush: info\x00" + browser.p256dh + public, 32)
    cipher = AESGCM(_hkdf(salt, secret, b"Content-Encoding: aes128gcm\x00", 16))
    nonce = _hkdf(salt, secret, b"Content-Encoding: nonce\x00", 12)
    header = salt + struct.pack(">IB", RECORD_BYTES, len(public)) + public
    return header + cipher.encrypt(nonce, message + _LAST, None)


def _hkdf(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)
