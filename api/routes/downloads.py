"""How many long answers run at once."""

from collections.abc import AsyncIterator, Mapping

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.problems import Problem


class Downloads:
    """How many long answers run at once; each holds a thread and the store's file while it reads."""

    def __init__(self, most: int = 4) -> None:
        self._most = most
        self._running = 0

    def answer(
        self, parts: AsyncIterator[bytes], *, headers: Mapping[str, str], media_type: str
    ) -> StreamingResponse:
        """The parts as an answer that takes a place while it is sent: Problem 503 where there is none."""
        return _Download(self, parts, headers=headers, media_type=media_type)

    def __enter__(self) -> None:
        """Take a place. Raises Problem 503 when there is none."""
        if self._running >= self._most:
            raise Problem(
                503, "too many long downloads at once", "try again in a minute", {"Retry-After": "60"}
            )
        self._running += 1

    def __exit__(self, *_: object) -> None:
        self._running -= 1


class _Download(StreamingResponse):
    def __init__(
        self,
        downloads: Downloads,
        parts: AsyncIterator[bytes],
        *,
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        super().__init__(parts, headers=headers, media_type=media_type)
        self._downloads = downloads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counted from before the first byte: requests of one moment must not all find a place free."""
        with self._downloads:
            await super().__call__(scope, receive, send)
