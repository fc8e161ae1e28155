"""Connections to public addresses only, whatever a name resolves to."""

import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence

import urllib3
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError

CONNECT_S = 5.0
READ_S = 10.0
_PORT = 443
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Resolve = Callable[[str], Sequence[tuple[str, int]]]
"""IP addresses and ports of a host, in the order to try. Raises OSError."""


def public(address: str) -> bool:
    """Whether an IP address is one of the public internet; for one within another both are."""
    ip = ipaddress.ip_address(address)
    if not ip.is_global or ip.is_multicast:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return True
    inner = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
    if ip in _NAT64:
        inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF))
    return all(public(str(each)) for each in inner if each is not None)


def public_addresses(host: str) -> Sequence[tuple[str, int]]:
    """What the name servers say, without what is not public. Raises OSError when nothing is left."""
    found = [entry[4] for entry in socket.getaddrinfo(host, _PORT, type=socket.SOCK_STREAM)]
    addresses = [(str(each[0]), _PORT) for each in found if public(str(each[0]))]
    if not addresses:
        raise OSError("the name leads to no public address")
    return addresses


class PublicHttps:
    """HTTPS over kept connections, safe to use from several threads."""

    def __init__(
        self,
        resolve: Resolve = public_addresses,
        context: ssl.SSLContext | None = None,
        connections: int = 8,
    ) -> None:
        class Connection(HTTPSConnection):
            """Connects to an address that was looked at; the certificate is the name's."""

            def _new_conn(self) -> socket.socket:
                try:
                    addresses = resolve(self.host)
                except socket.gaierror as fault:
                    raise NameResolutionError(self.host, self, fault) from fault
                except OSError as fault:
                    raise NewConnectionError(self, str(fault)) from fault
                last: OSError = OSError("no address")
                for address in addresses:
                    try:
                        made = socket.create_connection(address, CONNECT_S)
                    except OSError as fault:
                        last = fault
                        continue
                    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    return made
                raise NewConnectionError(self, type(last).__name__) from last

        class Pool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Connection

        self._manager = urllib3.PoolManager(
            maxsize=connections,
            ssl_context=context or ssl.create_default_context(),
            timeout=urllib3.Timeout(CONNECT_S, READ_S),
        )
        self._manager.pool_classes_by_scheme = {"https": Pool}

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        """The answer, whatever its status; no redirect is followed. Raises urllib3's HTTPError."""
        return self._manager.request(
            "POST", url, body=body, headers=headers, redirect=False, retries=False, preload_content=False
        )

    def close(self) -> None:
        """Release the connections."""
        self._manager.clear()
