"""How many long answers run at once."""

from collections.abc import AsyncIterator

from api.problems import Problem


class Downloads:
    """How many long answers run at once; each holds a thread and the store's file while it reads."""

    def __init__(self, most: int = 4) -> None:
        self._most = most
        self._running = 0

    def admit(self) -> None:
        """Raises Problem 503 when there are enough."""
        if self._running >= self._most:
            raise Problem(
                503, "too many long downloads at once", "try again in a minute", {"Retry-After": "60"}
            )

    async def held(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The parts of an answer that counts while it is sent."""
        with self:
            async for part in parts:
                yield part

    def __enter__(self) -> None:
        self._running += 1

    def __exit__(self, *_: object) -> None:
        self._running -= 1
