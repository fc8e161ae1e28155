"""A fast SMTP server on loopback (RFC 5321, PIPELINING) that counts thousands of mails."""

import asyncio
import random
import sys
import threading
from collections import Counter


class MailServer:
    """`answers(address, stage)`: what to say to "rcpt" or "data" instead of 250; "" for 250.

    `taken`: how often each address was handed a mail; `mails`: the last one of each. With `pipelining` False
    it does not offer that. `delay_s` before every answer to a mail; `most`: how many it takes, None for any
    number, further ones wait until it is more.
    """

    def __init__(
        self, answers=lambda _address, _stage: "", *, pipelining=True, delay_s=0.0, port=0, keep=True
    ):
        self.answers = answers
        self.pipelining = pipelining
        self.delay_s = delay_s
        self.keep = keep
        self.most = None
        self.taken = Counter()
        self.order = []
        self.mails = {}
        self.connections = 0
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._tasks = set()
        self._server = None
        self.start()

    def start(self):
        opened = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", self.port), self._loop
        )
        self._server = opened.result(60)
        self.port = self._server.sockets[0].getsockname()[1]

    def away(self):
        """Nobody answers on the port, and whoever is connected is cut off."""

        async def close():
            self._server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(60)

    def stop(self):
        self.away()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _talk(  # noqa: C901 - a case for each verb
        self, reader, writer
    ):
        self.connections += 1
        address = ""
        writer.write(b"220 test ESMTP\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                writer.write(
                    b"250-test\r\n250-PIPELINING\r\n250 8BITMIME\r\n" if self.pipelining else b"250 test\r\n"
                )
            elif verb == b"RCPT":
                address = line[line.index(b"<") + 1 : line.index(b">")].decode()
                said = self.answers(address, "rcpt")
                writer.write(f"{said or '250 2.1.5 ok'}\r\n".encode())
                address = "" if said else address
            elif verb == b"DATA" and not address:
                writer.write(b"503 5.5.1 no valid recipients\r\n")
            elif verb == b"DATA":
                writer.write(b"354 go ahead\r\n")
                mail = await reader.readuntil(b"\r\n.\r\n")
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                while self.most is not None and self.taken.total() >= self.most:  # noqa: ASYNC110 - a test's thread sets it
                    await asyncio.sleep(0.01)
                said = self.answers(address, "data")
                if not said:
                    self.taken[address] += 1
                    if self.keep:
                        self.order.append(address)
                        # RFC 5321, 4.5.2
                        self.mails[address] = mail[:-3].replace(b"\r\n..", b"\r\n.")
                writer.write(f"{said or '250 2.0.0 queued'}\r\n".encode())
                address = ""
                if said.startswith("421"):
                    return
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                return
            else:
                writer.write(b"250 2.0.0 ok\r\n")


def half(seed):
    """Says 451 to half of all mails, at random."""
    chance = random.Random(seed)
    return lambda _address, stage: "451 4.3.0 not now" if stage == "data" and chance.random() < 0.5 else ""


if __name__ == "__main__":
    server = MailServer(port=int(sys.argv[1]), keep=False)
    sys.stdout.write("started\n")
    sys.stdout.flush()
    threading.Event().wait()
