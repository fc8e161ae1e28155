"""The key pair by which push services know the city (VAPID, RFC 8292)."""

import re
import threading
import time
from collections.abc import Callable

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from alerts.errors import ContactError
from alerts.web_push.browser import decoded, encoded

_KEY_BYTES = 32
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_VALID_S = 12 * 3600  # at most 24 hours (RFC 8292, 2)
_RENEW_S = _VALID_S // 2
_EXPECTED = "expected a key made by `stadtfunk webpush key`"


def new_private_key() -> str:
    """A new private key as 43 characters."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return encoded(number.to_bytes(_KEY_BYTES, "big"))


def read_private_key(text: str) -> ec.EllipticCurvePrivateKey:
    """P-256 private key from 32 bytes, Base64 for addresses or 64 hex digits. Raises ValueError."""
    text = text.strip()
    try:
        secret = bytes.fromhex(text) if _HEX.fullmatch(text) else decoded(text.rstrip("="))
        if len(secret) == _KEY_BYTES:
            return ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())
    except (ContactError, ValueError) as error:
        raise ValueError(_EXPECTED) from error
    raise ValueError(_EXPECTED)


class Vapid:
    """Signs for each push service. `contact`: mailto: or https:, for whoever runs one. Thread-safe.

    `now_s` is real time whatever clock the service runs by: push services compare it with theirs.
    """

    def __init__(self, private_key: str, contact: str, now_s: Callable[[], float] = time.time) -> None:
        self._key = read_private_key(private_key)
        self._contact = contact
        self._now_s = now_s
        self._lock = threading.Lock()
        self._signed: dict[str, tuple[float, str]] = {}
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public_key = encoded(point)
        """For the browser's `applicationServerKey`."""

    def authorization(self, host: str) -> str:
        """The Authorization header for a push service; one signature serves it for hours."""
        now_s = self._now_s()
        with self._lock:
            made_s, header = self._signed.get(host, (float("-inf"), ""))
            if not 0 <= now_s - made_s < _RENEW_S:
                header = f"vapid t={self._token(host, now_s)}, k={self.public_key}"
                self._signed[host] = (now_s, header)
                for old in [each for each, (at, _) in self._signed.items() if now_s - at >= _RENEW_S]:
                    del self._signed[old]
            return header

    def _token(self, host: str, now_s: float) -> str:
        claims = {"aud": f"https://{host}", "exp": int(now_s) + _VALID_S, "sub": self._contact}
        parts = [encoded(orjson.dumps(each)) for each in ({"typ": "JWT", "alg": "ES256"}, claims)]
        r, s = decode_dss_signature(self._key.sign(".".join(parts).encode(), ec.ECDSA(SHA256())))
        return ".".join((*parts, encoded(r.to_bytes(_KEY_BYTES, "big") + s.to_bytes(_KEY_BYTES, "big"))))
