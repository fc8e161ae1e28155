"""`stadtfunk serve`: the service until somebody stops it."""

import argparse
import gc
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue

import structlog
import uvicorn
from fastapi import FastAPI

from api.app import close_streams
from stadtfunk.errors import StartError
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings
from stadtfunk.signals import on_hangup, stop_asked
from stadtfunk.types_in_force import Ask, Asks

_log = structlog.get_logger(__name__)
_GRACE_S = 5


class Server(uvicorn.Server):
    """uvicorn that ends the live streams before it waits for open answers.

    `trusted_proxies`: whose X-Forwarded-For and -Proto are believed, IP addresses and networks. `asked`: ends
    it as a signal does, one that came before uvicorn listened for signals included.
    """

    def __init__(
        self,
        app: FastAPI,
        host: str,
        port: int,
        trusted_proxies: Sequence[str] = ("127.0.0.1", "::1"),
        *,
        asked: threading.Event | None = None,
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
        self._asked = asked or threading.Event()

    async def on_tick(self, counter: int) -> bool:
        """Whether to end."""
        return await super().on_tick(counter) or self._asked.is_set()

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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which configuration."""
    parser.add_argument("--config", type=Path, required=True, metavar="city.toml")


def run(args: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM; at SIGHUP read types and devices again."""
    asks: Asks = SimpleQueue()
    with stop_asked() as asked, on_hangup(lambda: asks.put(Ask.RELOAD)):
        _serve(args, asked, asks)
    return 0


def _serve(args: argparse.Namespace, asked: threading.Event, asks: Asks) -> None:
    settings = load_settings(args.config)
    service = Service(settings, asks=asks)
    with bind(settings.api.host, settings.api.port) as listener:
        api = settings.api
        server = Server(service.app(), api.host, api.port, api.trusted_proxies, asked=asked)
        # what is there before the first uplink stays: the collector need not walk it again and again
        gc.collect()
        gc.freeze()
        try:
            if not asked.is_set():
                service.start()
                host, port = listener.getsockname()[:2]
                _log.info("serving", url=f"http://{host}:{port}/")
                server.run(sockets=[listener])
        finally:
            service.stop()
