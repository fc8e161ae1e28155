"""Mail through the city's own server (SMTP submission, RFC 6409)."""

import ipaddress
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from alerts.errors import ContactError, MailError
from alerts.subscriptions.contact import contact

TIMEOUT_S = 20.0
_PORTS = {"smtps": 465, "smtp": 587}


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """`smtps` speaks TLS from the start, `smtp` after STARTTLS, in the clear to this machine only."""

    tls: bool
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def here(self) -> bool:
        """Whether it runs on this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def read_smtp_url(url: str) -> SmtpServer:
    """`smtps://user:password@host[:port]` or `smtp://...`. Raises ValueError, without the password."""
    expected = (
        "expected smtps://user:password@host:465, or smtp:// for STARTTLS; escape with %.. in passwords"
    )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(expected) from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise ValueError(expected)
    if bool(parts.username) != bool(parts.password):
        raise ValueError("a user without a password, or the other way round")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (user + password).isascii():
        raise ValueError("user and password may have no umlauts: mail servers differ in how they read them")
    return SmtpServer(parts.scheme == "smtps", parts.hostname, port or _PORTS[parts.scheme], user, password)


def read_sender(text: str) -> str:
    """An address that messages come from. Raises ValueError."""
    try:
        return contact("email", text).address
    except ContactError as error:
        raise ValueError("expected an e-mail address such as warnungen@stadt.example") from error


class Mailer:
    """Hands messages to one server, each over a connection of its own. `context` for tests' certificates."""

    def __init__(self, server: SmtpServer, context: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._context = context or ssl.create_default_context()

    def send(self, message: EmailMessage) -> None:
        """Returns when the server has taken it. Raises MailError; `for_good` when it never will."""
        try:
            with connected(self._server, self._context) as smtp:
                smtp.send_message(message)
        except smtplib.SMTPRecipientsRefused as fault:
            codes = [code for code, _ in fault.recipients.values()]
            raise MailError(f"address refused ({codes})", for_good=all(c >= 500 for c in codes)) from fault  # noqa: PLR2004 - RFC 5321, 4.2.1
        except (OSError, smtplib.SMTPException) as fault:
            raise mail_error(fault) from fault


def mail_error(fault: OSError | smtplib.SMTPException) -> MailError:
    """What went wrong, without what the server said: that may repeat an address."""
    if isinstance(fault, smtplib.SMTPAuthenticationError):
        return MailError(f"the mail server refuses user and password ({fault.smtp_code})")
    if isinstance(fault, smtplib.SMTPResponseException):
        return MailError(f"the mail server answered {fault.smtp_code}")
    if isinstance(fault, ssl.SSLCertVerificationError):
        return MailError(f"the mail server's certificate is not valid: {fault.verify_message}")
    return MailError(f"the mail server cannot be used: {type(fault).__name__}")


def connected(server: SmtpServer, context: ssl.SSLContext | None = None) -> smtplib.SMTP:
    """A connection, encrypted and logged in as the server wants. Raises OSError, SMTPException."""
    context = context or ssl.create_default_context()
    smtp: smtplib.SMTP
    if server.tls:
        smtp = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=context)
    else:
        smtp = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
    try:
        if not server.tls and not server.here:
            smtp.starttls(context=context)
        if server.user:
            smtp.login(server.user, server.password)
    except BaseException:
        smtp.close()
        raise
    return smtp
