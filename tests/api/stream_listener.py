"""A listener of /api/v1/stream."""

import asyncio
import json


def parse(piece):
    events = []
    for block in piece.decode().strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        if "event" in fields:
            events.append((fields["event"], json.loads(fields["data"]), fields.get("id")))
    return events


class Listener:
    """Reads a hub's events in the background; `until` waits for one of a kind."""

    def __init__(self, hub, operator=None, last=None):
        self.events = []
        self._came = asyncio.Event()
        self._source = hub.listen(operator, last)
        self._task = asyncio.create_task(self._read())

    async def _read(self):
        async for piece in self._source:
            self.events += parse(piece)
            self._came.set()

    async def until(self, kind, seconds=30.0, count=1):
        async with asyncio.timeout(seconds):
            while self.kinds.count(kind) < count:
                await self._came.wait()
                self._came.clear()
        return next(event for event in self.events if event[0] == kind)

    @property
    def kinds(self):
        return [event[0] for event in self.events]

    async def leave(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._source.aclose()
