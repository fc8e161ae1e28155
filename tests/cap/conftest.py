"""A publisher over a list of warnings that the test changes, keys of its own, and endpoints on loopback."""

import datetime as dt
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from warned_city import BASIS, T0

from alerts.board import WarningBoard
from alerts.cap.archive import CapArchive
from alerts.cap.publisher import CapPublisher
from alerts.texts.texts import Texts


@dataclass
class Desk:
    """A publisher and what it follows; `open()` again is a restart."""

    folder: object
    warnings: list = field(default_factory=list)
    now_us: int = T0
    basis: object = BASIS
    archives: list = field(default_factory=list)

    def __post_init__(self):
        self.board = WarningBoard(lambda: self.now_us)
        self.texts = Texts(lambda id_: id_, "Europe/Berlin", "Bergisch Gladbach")

    def open(self, **options):
        self.archives.append(CapArchive(self.folder / "cap.db"))
        return CapPublisher(
            self.archives[-1],
            lambda: self.basis,
            lambda: self.warnings,
            self.board,
            self.texts,
            clock=lambda: self.now_us,
            **({"public_stations": lambda: frozenset({"strunde-gierath", "regen-gierath"})} | options),
        )


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    yield desk
    for each in desk.archives:
        each.close()


@pytest.fixture
def make_key(tmp_path):
    def make(name, kind="rsa", bits=2048):
        key = (
            rsa.generate_private_key(65537, bits)
            if kind == "rsa"
            else ec.generate_private_key(ec.SECP256R1())
        )
        who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(who)
            .issuer_name(who)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=30))
            .sign(key, hashes.SHA256())
        )
        files = tmp_path / f"{name}.key", tmp_path / f"{name}.pem"
        files[0].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        files[1].write_bytes(certificate.public_bytes(Encoding.PEM))
        return files

    return make


@dataclass
class Hook:
    """A real HTTP server. `refuse`: how many requests are answered with 503 before they are taken; `never`:
    the Idempotency-Key that is always answered with 422."""

    port: int = 0
    never: str = ""
    refuse: int = 0
    taken: list = field(default_factory=list)
    keys: list = field(default_factory=list)
    requests: int = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/lage"


@pytest.fixture
def hook():
    found = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.requests += 1
            never = self.headers["Idempotency-Key"] == found.never
            refused = never or found.requests <= found.refuse
            if not refused:
                found.taken.append(body)
                found.keys.append(self.headers["Idempotency-Key"])
            self.send_response(422 if never else 503 if refused else 202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()
