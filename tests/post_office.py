"""A real SMTP server on loopback that keeps what it is given."""

import ssl
from email import message_from_bytes
from email.policy import default

from aiosmtpd.controller import Controller
from servers import free_port, wait_for


class PostOffice:
    """`answer`: what it says to every message's body, "" takes it; `refuse`: to every recipient."""

    def __init__(self, tls: ssl.SSLContext | None = None):
        self.mails = []
        self.raw = []
        self.answer = ""
        self.refuse = ""
        self._controller = Controller(self, "127.0.0.1", free_port(), ssl_context=tls)
        self._controller.start()

    @property
    def port(self):
        return self._controller.port

    def stop(self):
        self._controller.stop()

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
