"""A real SMTP server on loopback that keeps what it is given."""

import datetime as dt
import ssl
from email import message_from_bytes
from email.policy import default
from ipaddress import ip_address

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from servers import free_port, wait_for


class PostOffice:
    """`answer`: what it says to every message's body, "" takes it; `refuse`: to every recipient.

    `tls`: from the start on; `starttls`: nothing is taken before it, nor without `login` (user, password).
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, starttls=None, login=None):
        self.mails = []
        self.raw = []
        self.answer = ""
        self.refuse = ""
        self.sessions = []
        self._login = login
        self._transports = []
        self._controller = Controller(
            self,
            "127.0.0.1",
            free_port(),
            ssl_context=tls,
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=self._knows,
            auth_required=login is not None,
        )
        self._controller.start()

    @property
    def port(self):
        return self._controller.port

    def stop(self):
        # a handshake that fails leaves its socket open
        for transport in self._transports:
            self._controller.loop.call_soon_threadsafe(transport.abort)
        self._controller.stop()

    def _knows(self, _server, session, _envelope, _mechanism, given):
        self.sessions.append(session)
        known = (given.login.decode(), given.password.decode()) == self._login
        return AuthResult(success=known, handled=False)

    async def handle_EHLO(self, server, session, _envelope, hostname, responses):  # noqa: N802 - aiosmtpd's name
        session.host_name = hostname
        self._transports.append(server.transport)
        return responses

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - aiosmtpd's name
        if self.refuse:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
        if self.answer:
            return self.answer
        self.raw.append(envelope.content)
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=default)))
        return "250 OK"

    def mail(self, count, to=None):
        """The mail of this number, counted from 1; waits for it."""

        def found():
            return [mail for recipients, mail in list(self.mails) if to is None or to in recipients]

        wait_for(lambda: len(found()) >= count, what=f"mail {count} to {to}")
        return found()[count - 1]


def certificate(folder):
    """Contexts of a server with its own authority, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    client = ssl.create_default_context(cadata=made.public_bytes(serialization.Encoding.PEM).decode())
    return server, client
