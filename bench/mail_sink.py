"""An SMTP server and webhooks on loopback that note when they took what: the far end of `mail.py`, `warn.py`.

Webhooks: /well takes all, /half every second call, /hangs never answers. Mails to resident...@... are noted
without their text, others with it.
"""

import asyncio
import itertools
import json
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

taken: list[tuple[int, str]] = []
letters: list[tuple[int, str]] = []
called: list[tuple[int, str]] = []
tries = itertools.count()


class Smtp(asyncio.Protocol):
    def __init__(self) -> None:
        self.rest = b""
        self.address = ""
        self.reading = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self.rest += data
        answers = b""
        while True:
            mark = b"\r\n.\r\n" if self.reading else b"\r\n"
            line, found, rest = self.rest.partition(mark)
            if not found:
                break
            self.rest = rest
            answers += self.answer(line)
        self.transport.write(answers)

    def answer(self, line: bytes) -> bytes:
        if self.reading:
            self.reading = False
            now = time.time_ns() // 1000
            if self.address.startswith("resident"):
                taken.append((now, self.address))
            else:
                letters.append((now, line.decode("latin-1")))
            return b"250 2.0.0 queued\r\n"
        verb = line[:4].upper()
        if verb == b"EHLO":
            return b"250-sink\r\n250 PIPELINING\r\n"
        if verb == b"RCPT":
            self.address = line[line.index(b"<") + 1 : line.index(b">")].decode()
        if verb == b"QUIT":
            return b"221 2.0.0 bye\r\n"
        self.reading = verb == b"DATA"
        return b"354 go ahead\r\n" if self.reading else b"250 2.0.0 ok\r\n"


async def webhook(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(each.split(b":")[1]) for each in head.lower().split(b"\r\n") if b"content-length" in each
    )
    body = json.loads(await reader.readexactly(length))
    path = head.split()[1]
    if path.startswith(b"/hangs"):
        with suppress(asyncio.CancelledError):  # the end of the bench
            await reader.read()
        return
    fails = path == b"/half" and next(tries) % 2 == 0
    if path == b"/well":
        called.append((time.time_ns() // 1000, body["message"]))
    status = b"503 Not now" if fails else b"200 OK"
    writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


async def serve() -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    smtp = await loop.create_server(Smtp, "127.0.0.1", 0)
    http = await asyncio.start_server(webhook, "127.0.0.1", 0)
    ports = [each.sockets[0].getsockname()[1] for each in (smtp, http)]
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await stopped.wait()


if __name__ == "__main__":
    asyncio.run(serve())
    Path(sys.argv[1]).write_text(json.dumps({"taken": taken, "letters": letters, "called": called}))
