"""An MQTT broker: its address, its TLS, and what to do when it says no."""

import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from paho.mqtt.reasoncodes import ReasonCode

from ingest.errors import BrokerError

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_LET_IN = "correct user and password in the url, or let this user in at the broker"
_REMEDIES = {
    0x84: "the broker does not speak this version of MQTT: update it",
    0x85: "the broker does not like the client id: choose another client_id",
    0x86: _LET_IN,
    0x87: _LET_IN,  # what mosquitto says to a wrong password, too
    0x8A: "the broker has banned this client: lift that there",
    0x8E: "another client has the same client_id: stop the second Stadtfunk, or give it another client_id",
}


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is and who we are there. `str` shows no password."""

    host: str
    port: int
    tls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def read_broker_url(url: str) -> Broker:
    """mqtt://user:password@host:1883 or mqtts:// (TLS, 8883). Raises BrokerError, without the password."""
    wanted = "write mqtt://user:password@host:1883 or mqtts://user:password@host:8883"
    scheme = url.partition("://")[0]
    if scheme not in _PORTS:
        raise BrokerError(f"url: no MQTT broker: {wanted}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        port = -1  # the error's own text can hold a piece of the password
    if port == -1 or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise BrokerError(
            f"url: host or port cannot be read: {wanted}; a password's / ? # @ as %2F %3F %23 %40"
        )
    return Broker(
        host=parts.hostname,
        port=_PORTS[parts.scheme] if port is None else port,
        tls=parts.scheme == "mqtts",
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def client_id(name: str, given: str = "") -> str:
    """Who a network server's consumer is at its broker: what is given, else by the network server's name."""
    return given or f"stadtfunk-{name}"


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """TLS that checks certificate and host name, with the system's authorities or the given one.

    Raises BrokerError.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as fault:
        raise BrokerError(f"ca_file {ca_file}: {fault}: give a readable PEM file") from fault


def why_no_connection(broker: Broker, fault: Exception) -> str:
    """What went wrong while connecting, and the remedy."""
    match fault:
        case BrokerError():
            return str(fault)
        case ssl.SSLCertVerificationError():
            remedy = "give the certificate's authority as ca_file, or use the host name it was made for"
            what = f"certificate not trusted: {fault.verify_message}: {remedy}"
        case ssl.SSLError():
            what = f"TLS failed ({fault.reason}): does this port speak TLS? mqtt:// goes without"
        case socket.gaierror():
            what = "host name not found: correct the url, or check the name server"
        case ConnectionRefusedError():
            what = "nothing listens there: start the broker, or correct host and port in the url"
        case ConnectionResetError():
            what = "closed before it answered: is this an MQTT port, and mqtts:// one with TLS?"
        case TimeoutError():
            what = "no answer: is the broker up, does a firewall let us through?"
        case _:
            what = str(fault)
    return f"{broker}: {what}"


def why_refused(broker: Broker, reason: ReasonCode) -> str:
    """What the broker's reason code means for the operator."""
    remedy = _REMEDIES.get(reason.value)
    return f"{broker}: {reason}{f': {remedy}' if remedy else ''}"
