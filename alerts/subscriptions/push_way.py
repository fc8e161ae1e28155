"""Messages about a subscription to a browser: welcome, changed."""

from collections.abc import Callable

from alerts.texts.text import Text
from alerts.web_push.push_message import PushMessage
from alerts.web_push.push_sender import PushSender

TTL_S = 86_400
_TAG = "subscription"


class PushWay:
    """Notifications. `url`: the page with the form, which knows what this browser has subscribed to."""

    def __init__(self, sender: PushSender, url: str, clock: Callable[[], int]) -> None:
        self._sender = sender
        self._url = url
        self._clock = clock

    def send(self, address: str, text: Text, leave: str) -> None:  # noqa: ARG002 - the page has it
        """Raises MailError."""
        message = PushMessage(text.title, text.body, _TAG, self._url, self._clock(), TTL_S)
        self._sender.send(address, message)
