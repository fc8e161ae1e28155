"""Hands messages to the push services of the browsers (RFC 8030)."""

import time
from email.utils import parsedate_to_datetime

import urllib3

from alerts.errors import ContactError, MailError
from alerts.web_push.browser import PushServices, read_browser
from alerts.web_push.encryption import encrypt
from alerts.web_push.public_https import PublicHttps
from alerts.web_push.push_message import PushMessage
from alerts.web_push.vapid import Vapid

_TAKEN = {200, 201, 202, 204}
_GONE = {404, 410}  # RFC 8030, 5 and 7.3
_NEVER = {400, 413}
_KEY = {401, 403}
_MOST_WAIT_S = 3600.0
_MOST_ANSWER = 65_536


class PushSender:
    """Sends to one browser at a time; safe to use from several threads."""

    def __init__(self, vapid: Vapid, services: PushServices, https: PublicHttps | None = None) -> None:
        self._vapid = vapid
        self._services = services
        self._https = https or PublicHttps()

    def send(self, address: str, message: PushMessage) -> None:
        """Returns when the push service has taken it. `address`: a browser's text. Raises MailError.

        Neither the address nor what the service answers is in the error: both may name the browser.
        """
        try:
            browser = read_browser(address)
        except ContactError as error:
            raise MailError("no push subscription", for_good=True) from error
        if browser.host not in self._services:
            raise MailError("this push service is not allowed any more", for_good=True)
        headers = {
            **message.headers,
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "Authorization": self._vapid.authorization(browser.host),
        }
        try:
            answer = self._https.post(browser.endpoint, encrypt(message.payload, browser), headers)
            if len(answer.read(_MOST_ANSWER, decode_content=False)) == _MOST_ANSWER:
                answer.close()  # nobody knows how much more there is
            answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as fault:
            raise MailError(f"{browser.host} cannot be reached: {type(fault).__name__}") from fault
        _judge(browser.host, answer)

    def close(self) -> None:
        """Release the connections."""
        self._https.close()


def _judge(host: str, answer: urllib3.BaseHTTPResponse) -> None:
    status = answer.status
    if status in _TAKEN:
        return
    if status in _GONE:
        raise MailError(f"{host}: this browser wants no more messages", gone=True)
    if status in _NEVER or 300 <= status < 400:  # noqa: PLR2004 - redirects (RFC 9110, 15.4)
        raise MailError(f"{host} answered {status}", for_good=True)
    if status in _KEY:
        raise MailError(f"{host} answered {status}: see private_key and contact of [web_push]")
    wait_s = _retry_after(answer.headers.get("Retry-After", ""))
    raise MailError(f"{host} answered {status}", retry_after_s=wait_s)


def _retry_after(text: str) -> float:
    """Seconds or a date (RFC 9110, 10.2.3), at most an hour; 0 for none."""
    try:
        wait_s = float(text) if text.isdigit() else parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError):
        return 0.0
    return min(max(wait_s, 0.0), _MOST_WAIT_S)
