"""`stadtfunk serve`: the service until somebody stops it."""

import argparse
import gc
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog
import uvicorn
from fastapi import FastAPI

from api.app import close_streams
from stadtfunk.errors import StartError
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings

_log = structlog.get_logger(__name__)
_GRACE_S = 5


class Server(uvicorn.Server):
    """uvicorn that ends the live streams before it waits for open answers.

    `trusted_proxies`: whose X-Forwarded-For and -Proto are believed, IP addresses and networks.
    """

    def __init__(
        self, app: FastAPI, host: str, port: int, trusted_proxies: Sequence[str] = ("127.0.0.1", "::1")
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=_GRACE_S,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=list(trusted_proxies),
            )
        )
        self._streaming = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then as usual."""
        close_streams(self._streaming)
        await super().shutdown(sockets)


def bind(host: str, port: int) -> socket.socket:
    """A listening address, taken before anything starts. Raises StartError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # asyncio sends small answers without delay (TCP_NODELAY) only where a socket says that it is TCP;
        # with Nagle's algorithm an answer in two parts waits 40 ms for the client's delayed acknowledgement
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:  # the second: a host name that no name server can be asked for
        problem = getattr(error, "strerror", None) or error
        raise StartError(f"[api] host and port: {host}:{port}: {problem}: choose another") from error
    return listener


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Ctrl-C and SIGTERM end what is inside, quietly; a second one does not disturb the stopping.

    Gives a function to call before each longer step: Python loses an exception that a signal raises while an
    object is being finalised, and nobody would stop.
    uvicorn repeats a signal when it has shut down: with the default handler the process would die there.
    """
    signals = (signal.SIGINT, signal.SIGTERM)

    asked = threading.Event()

    def interrupt(_number: int, _frame: object) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        asked.set()
        raise KeyboardInterrupt

    def look() -> None:
        if asked.is_set():
            raise KeyboardInterrupt

    before = [signal.signal(each, interrupt) for each in signals]
    try:
        yield look
    except KeyboardInterrupt:
        return
    for each, handler in zip(signals, before, strict=True):
        signal.signal(each, handler)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which configuration."""
    parser.add_argument("--config", type=Path, required=True, metavar="city.toml")


def run(args: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM."""
    with interruptible() as look:
        _serve(args, look)
    return 0


def _serve(args: argparse.Namespace, look: Callable[[], None]) -> None:
    settings = load_settings(args.config)
    service = Service(settings)
    with bind(settings.api.host, settings.api.port) as listener:
        server = Server(service.app(), settings.api.host, settings.api.port, settings.api.trusted_proxies)
        # what is there before the first uplink stays: the collector need not walk it again and again
        gc.collect()
        gc.freeze()
        try:
            look()
            service.start()
            look()
            host, port = listener.getsockname()[:2]
            _log.info("serving", url=f"http://{host}:{port}/")
            server.run(sockets=[listener])
        finally:
            service.stop()
