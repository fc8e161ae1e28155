"""A mail to many: made once for a mailing and language, filled in for each recipient."""

import binascii
import hashlib
import re
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from alerts.delivery.bulk import Bulletin
from alerts.one_line import header
from alerts.subscriptions.audiences import Recipient
from alerts.subscriptions.words import Links

_LINE_START = re.compile(rb"^\.", re.MULTILINE)


class MailForm:
    """`foot`: the last lines, with {manage} and {leave} for the personal links.

    The headers end all messages by one click (RFC 2369, RFC 8058). A repetition has the same Message-ID, so
    that mail programs can tell it is one.
    """

    def __init__(self, bulletin: Bulletin, sender: Address, links: Links, foot: str, now_us: int) -> None:
        mail = EmailMessage(SMTP)
        mail["From"] = sender
        mail["Subject"] = header(bulletin.text.title)
        mail["Date"] = format_datetime(datetime.fromtimestamp(now_us // 1_000_000, UTC))
        mail["Auto-Submitted"] = "auto-generated"
        mail["MIME-Version"] = "1.0"
        mail["Content-Type"] = 'text/plain; charset="utf-8"'
        mail["Content-Transfer-Encoding"] = "quoted-printable"
        self._head = mail.as_bytes().removesuffix(b"\r\n")
        self._body = _encoded(bulletin.text.body.rstrip() + "\n\n")
        self._foot = foot.rstrip() + "\n"
        self._links = links
        self._event = bulletin.event
        self._domain = sender.domain

    def fill(self, to: Recipient) -> bytes:
        """The message as it goes over the wire, with the line that ends it."""
        manage, leave = self._links.subscription(to.manage), self._links.subscription(to.leave)
        known = hashlib.sha256(f"{self._event} {to.leave}".encode()).hexdigest()[:32]
        personal = (
            f"To: {to.contact.address}\r\n"
            f"Message-ID: <{known}@{self._domain}>\r\n"
            f"List-Unsubscribe: <{leave}>\r\n"
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\n"
        ).encode("ascii")
        foot = self._foot.replace("{manage}", manage).replace("{leave}", leave)
        return self._head + personal + self._body + _encoded(foot) + b".\r\n"


def _encoded(text: str) -> bytes:
    """Quoted-printable, lines that begin with a dot as RFC 5321, 4.5.2 wants them; ends with a line end."""
    plain = "\n".join(text.splitlines()) + "\n"
    encoded = binascii.b2a_qp(plain.encode(), istext=True)
    return _LINE_START.sub(b"..", encoded).replace(b"\n", b"\r\n")
