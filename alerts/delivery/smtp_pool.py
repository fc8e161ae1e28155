"""E-mail to thousands: a few connections to the city's mail server, many messages over each.

RFC 5321; with PIPELINING (RFC 2920) the next message's envelope goes out together with the last one's text,
so that a message costs one round trip instead of four.
"""

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from alerts.delivery.bulk import Bulletin, Handed, Report
from alerts.delivery.mail_form import MailForm
from alerts.delivery.smtp import SmtpServer, connected, mail_error
from alerts.subscriptions.audiences import Recipient

DEFAULT_CONNECTIONS = 4
IN_FLIGHT = 64
"""Messages that a crash can have sent without a receipt, over all connections."""
_MOST_PER_CONNECTION = 500
_IDLE_S = 20.0
_FORMS = 16
_OK, _READY, _CLOSING, _TEMPORARY, _PERMANENT = 250, 354, 421, 400, 500
_POLICY: Final = b"5.7."
"""Enhanced status codes (RFC 3463) that say something about us, not about the address."""

MakeForm = Callable[[Bulletin], MailForm]


@dataclass(slots=True)
class SmtpPool:
    """`lines` connections at most; each belongs to the thread that opened it. `context`: for tests."""

    server: SmtpServer
    sender: str
    form: MakeForm
    stopping: threading.Event
    lines: int = DEFAULT_CONNECTIONS
    context: ssl.SSLContext | None = None
    batch: int = field(init=False)

    def __post_init__(self) -> None:
        self.batch = max(1, IN_FLIGHT // self.lines)

    def connect(self) -> "SmtpLine":
        """Connects at the first message: a line that is not used holds no connection."""
        return SmtpLine(self)


class SmtpLine:
    """One connection, opened again after an error, many messages or a while without any."""

    def __init__(self, pool: SmtpPool) -> None:
        self._pool = pool
        self._smtp: smtplib.SMTP | None = None
        self._count = 0
        self._used_s = 0.0
        self._forms: dict[tuple[str, str], MailForm] = {}

    def send(self, bulletin: Bulletin, to: Sequence[Recipient], report: Report) -> None:
        """As BulkLine."""
        form = self._form(bulletin)
        smtp = self._connection()
        try:
            self._send(smtp, form, to, report)
        except (OSError, smtplib.SMTPException) as fault:
            self.close()
            raise mail_error(fault) from fault
        except BaseException:
            self.close()
            raise
        self._used_s = time.monotonic()

    def close(self) -> None:
        """As BulkLine."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            if (sock := smtp.sock) is not None:
                # wakes a thread that waits for an answer, which closing alone does not
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            with suppress(OSError, smtplib.SMTPException):
                smtp.close()

    def _connection(self) -> smtplib.SMTP:
        old = self._count >= _MOST_PER_CONNECTION or time.monotonic() - self._used_s > _IDLE_S
        if self._smtp is not None and old:
            with suppress(OSError, smtplib.SMTPException):
                self._smtp.quit()
            self.close()
        if self._smtp is None:
            try:
                self._smtp = connected(self._pool.server, self._pool.context)
                self._smtp.ehlo_or_helo_if_needed()
            except (OSError, smtplib.SMTPException) as fault:
                self.close()
                raise mail_error(fault) from fault
            self._count = 0
        return self._smtp

    def _form(self, bulletin: Bulletin) -> MailForm:
        key = (bulletin.event, bulletin.language)
        if key not in self._forms:
            if len(self._forms) >= _FORMS:
                self._forms.clear()
            self._forms[key] = self._pool.form(bulletin)
        return self._forms[key]

    def _send(self, smtp: smtplib.SMTP, form: MailForm, to: Sequence[Recipient], report: Report) -> None:
        pipelining = smtp.has_extn("pipelining")
        ahead = False
        for i, each in enumerate(to):
            if self._pool.stopping.is_set():
                # an envelope without a message: nothing was sent, the connection is not used again
                self.close()
                return
            if not ahead and pipelining:
                smtp.send(self._envelope(each))
            codes = self._replies(smtp, each, asked=ahead or pipelining)
            ahead = False
            if codes[-1][0] != _READY:
                report(each.id, _verdict(codes))
                self._reset(smtp)
                continue
            if any(code >= _TEMPORARY for code, _ in codes):
                # pipelined, and the server wants a message for nobody
                smtp.send(b".\r\n")
                _reply(smtp)
                report(each.id, _verdict(codes))
                continue
            data = form.fill(each)
            following = to[i + 1] if i + 1 < len(to) else None
            if pipelining and following is not None:
                ahead = True
                data += self._envelope(following)
            self._count += 1
            try:
                smtp.send(data)
                code, text = _reply(smtp)
            except (OSError, smtplib.SMTPException):
                report(each.id, "unknown")
                raise
            # a text that is refused may be taken once somebody has put the server right
            report(each.id, "sent" if code // 100 == _OK // 100 else "later")
            if code == _CLOSING:
                raise smtplib.SMTPResponseException(code, text)

    def _envelope(self, to: Recipient) -> bytes:
        return (f"MAIL FROM:<{self._pool.sender}>\r\nRCPT TO:<{to.contact.address}>\r\nDATA\r\n").encode(
            "ascii"
        )

    def _replies(self, smtp: smtplib.SMTP, to: Recipient, *, asked: bool) -> list[tuple[int, bytes]]:
        """To MAIL, RCPT and DATA; the first that is bad is the last one where they are asked one by one.

        Raises SMTPResponseException where the sender, thus every message, is refused.
        """
        codes: list[tuple[int, bytes]] = []
        for line in self._envelope(to).splitlines(keepends=True):
            if not asked:
                smtp.send(line)
            code, text = _reply(smtp)
            codes.append((code, text))
            if len(codes) == 1 and code >= _TEMPORARY:
                raise smtplib.SMTPResponseException(code, text)
            if code >= _TEMPORARY and not asked:
                break
        return codes

    @staticmethod
    def _reset(smtp: smtplib.SMTP) -> None:
        smtp.send(b"RSET\r\n")
        _reply(smtp)


def _reply(smtp: smtplib.SMTP) -> tuple[int, bytes]:
    """The next one. Raises SMTPResponseException for 421: the server hangs up."""
    code, text = smtp.getreply()
    if code in {_CLOSING, -1}:
        raise smtplib.SMTPResponseException(code, text)
    return code, text


def _verdict(codes: Sequence[tuple[int, bytes]]) -> Handed:
    """Of a message that was not sent: by the reply to its address."""
    code, text = codes[1]
    return "refused" if code >= _PERMANENT and not text.startswith(_POLICY) else "later"
