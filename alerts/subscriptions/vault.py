"""Contact data at rest: encrypted with the city's key, found again by a keyed hash."""

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from alerts.errors import SubscriptionsError

KEY_BYTES = 32
_ID_BYTES = 4
_NONCE_BYTES = 12  # of AES-GCM (NIST SP 800-38D)
_HEX = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class _Key:
    id: bytes
    cipher: AESGCM = field(repr=False)
    mac: bytes = field(repr=False)


class Vault:
    """Seals with AES-256-GCM under the newest key and opens under every one it has.

    Keys are texts of 32 random bytes, 64 hex digits or Base64. Raises ValueError for one that is not.
    """

    def __init__(self, key: str, old: Sequence[str] = ()) -> None:
        self._keys = [_key(read_key(each)) for each in (key, *old)]

    def seal(self, data: bytes, purpose: bytes) -> bytes:
        """Encrypted; can only be opened for the same purpose."""
        key = self._keys[0]
        nonce = os.urandom(_NONCE_BYTES)
        return key.id + nonce + key.cipher.encrypt(nonce, data, purpose)

    def open(self, sealed: bytes, purpose: bytes) -> bytes:
        """What was sealed. Raises SubscriptionsError when its key is not there, or it was changed."""
        id_, nonce, rest = sealed[:_ID_BYTES], sealed[_ID_BYTES:][:_NONCE_BYTES], sealed[_ID_BYTES + 12 :]
        for key in self._keys:
            if key.id == id_:
                try:
                    return key.cipher.decrypt(nonce, rest, purpose)
                except InvalidTag as fault:
                    raise SubscriptionsError("contact data was changed from outside: use a backup") from fault
        raise SubscriptionsError(
            f"contact data is encrypted with key {id_.hex()}, which is not configured: "
            "put that key into [subscriptions] old_keys"
        )

    def is_current(self, sealed: bytes) -> bool:
        """Whether the newest key sealed it."""
        return sealed[:_ID_BYTES] == self._keys[0].id

    def digest(self, text: str) -> bytes:
        """HMAC-SHA-256 under the newest key."""
        return self.digests(text)[0]

    def digests(self, text: str) -> tuple[bytes, ...]:
        """The same under every key, the newest first."""
        return tuple(hmac.digest(each.mac, text.encode(), "sha256") for each in self._keys)


def read_key(text: str) -> bytes:
    """The 32 bytes that a text stands for. Raises ValueError."""
    text = text.strip()
    try:
        key = bytes.fromhex(text) if _HEX.fullmatch(text) else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise ValueError("expected 32 random bytes: `openssl rand -base64 32`") from error
    if len(key) != KEY_BYTES:
        raise ValueError("expected 32 random bytes: `openssl rand -base64 32`")
    return key


def _key(secret: bytes) -> _Key:
    def derived(what: bytes) -> bytes:
        return HKDF(SHA256(), KEY_BYTES, None, b"stadtfunk subscriptions " + what).derive(secret)

    return _Key(
        hashlib.sha256(derived(b"id")).digest()[:_ID_BYTES], AESGCM(derived(b"seal")), derived(b"mac")
    )
