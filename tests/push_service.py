"""A real push service on loopback over TLS, and browsers that read what it was given.

What was posted is decrypted by http_ece, an implementation of RFC 8188 and 8291 that is not ours.
"""

import base64
import datetime as dt
import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import http_ece
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from alerts.web_push.browser import PushServices
from alerts.web_push.public_https import PublicHttps
from alerts.web_push.push_sender import PushSender
from alerts.web_push.vapid import Vapid, new_private_key

HOST = "push.example"
CONTACT = "mailto:warnungen@stadt.example"
_numbers = count(1)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class FakeBrowser:
    """What a browser keeps of a subscription, and what it gives away of it."""

    def __init__(self, host=HOST, path=None):
        self.path = path or f"/wpush/v2/Anna-{next(_numbers)}"
        self.endpoint = f"https://{host}{self.path}"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.auth = bytes(range(16))
        self.p256dh = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )

    @property
    def json(self):
        return {
            "endpoint": self.endpoint,
            "expirationTime": None,
            "keys": {"p256dh": b64(self.p256dh), "auth": b64(self.auth)},
        }

    def contact(self, services):
        return services.browser(self.endpoint, b64(self.p256dh), b64(self.auth))

    def read(self, body):
        return http_ece.decrypt(body, private_key=self._key, auth_secret=self.auth, version="aes128gcm")


@dataclass
class Posted:
    path: str
    headers: dict
    body: bytes


@dataclass
class PushService:
    """`answer`: status and headers of its answers, by path or for all."""

    folder: object
    answer: tuple = (201, {})
    answers: dict = field(default_factory=dict)
    posted: list = field(default_factory=list)

    def __post_init__(self):
        certificate, key = _certificate(self.folder)
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.posted.append(Posted(self.path, dict(self.headers), body))
                status, headers = service.answers.get(self.path, service.answer)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"Anna!")

            def log_message(self, *_):
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.context = ssl.create_default_context(cafile=str(certificate))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.vapid = Vapid(new_private_key(), CONTACT)
        self.services = PushServices([HOST])
        self.https = self.reached()
        self.sender = PushSender(self.vapid, self.services, self.https)

    @property
    def port(self):
        return self._server.server_address[1]

    def reached(self):
        """HTTPS that reaches this service by its name; only a test can make one."""
        return PublicHttps(lambda _: [("127.0.0.1", self.port)], self.context)

    def said(self, browser):
        """The messages to a browser, as it reads them."""
        return [json.loads(browser.read(each.body)) for each in self.posted if each.path == browser.path]

    def stop(self):
        self.sender.close()
        self._server.shutdown()
        self._thread.join(60)
        self._server.server_close()


def claims(authorization):
    """Of a VAPID header whose signature holds; the signature is checked here, not by our code."""
    scheme, _, rest = authorization.partition(" ")
    assert scheme == "vapid"
    parts = dict(each.strip().split("=", 1) for each in rest.split(","))
    signed, _, signature = parts["t"].rpartition(".")
    raw = unb64(signature)
    assert len(raw) == 64
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(parts["k"]))
    key.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
    header, body = (json.loads(unb64(each)) for each in signed.split("."))
    assert header == {"typ": "JWT", "alg": "ES256"}
    return body | {"k": parts["k"]}


def _certificate(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "push.pem", folder / "push.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, secret
