"""Addresses in the configuration, tried as they are read: each raises ValueError with what is expected."""

from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from ingest.broker import read_broker_url
from ingest.errors import IngestError
from ingest.influx_http import parse_address
from ingest.sqlite_file import sqlite_path


def mqtt_url(url: str) -> str:
    """A broker's address."""
    try:
        read_broker_url(url)
    except IngestError as error:
        raise ValueError(str(error)) from None
    return url


def topic_filter(topic: str) -> str:
    """What one subscribes to: + and # are allowed."""
    *before, last = topic.split("/")
    lone = all(
        level == "+" or not {"+", "#"} & set(level) for level in (*before, "+" if last == "#" else last)
    )
    if not topic or "\0" in topic or not lone:
        raise ValueError(
            f"{topic!r} is no MQTT topic filter; + and # stand alone in a level, # in the last one"
        )
    return topic


def topic_name(topic: str) -> str:
    """What one publishes to: no + and no #."""
    if not topic or set("+#\0") & set(topic) or "" in topic.split("/") or topic.startswith("$"):
        raise ValueError(f"{topic!r} is no MQTT topic: no + and #, no empty level, no $ at its beginning")
    return topic


def store_url(url: str) -> str:
    """Where readings are kept."""
    if url.startswith("influxdb"):
        try:
            parse_address(url)
        except IngestError as error:
            raise ValueError(str(error)) from None
    elif url.startswith("sqlite:"):
        sqlite_path(url)
    else:
        message = (
            "expected sqlite:///path, influxdb://host:8086/bucket?org=... or influxdb1://host:8086/database"
        )
        raise ValueError(message)
    return url


def journal_url(url: str) -> str:
    """Where raw uplinks are kept."""
    if not url.startswith("sqlite:"):
        message = "expected sqlite:///path/to/journal.db"
        raise ValueError(message)
    sqlite_path(url)
    return url


def network(text: str) -> str:
    """An IP address or a network."""
    try:
        return str(ip_network(text)) if "/" in text else str(ip_address(text))
    except ValueError as error:
        raise ValueError("expected an IP address, or a network such as 172.16.0.0/12") from error


def with_valid_port(url: str) -> str:
    """Any address: only its host and port are tried."""
    try:
        port = urlsplit(url).port
    except ValueError:
        port = 0  # the error's own text can hold a piece of a password
    if port == 0:
        raise ValueError("host or port cannot be read: a port is 1 to 65535")
    return url


def public_url(url: str) -> str:
    """Where residents open a page, without a slash at its end."""
    parts = urlsplit(with_valid_port(url))
    here = parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if not (parts.scheme == "https" or (parts.scheme == "http" and here)) or not parts.hostname:
        raise ValueError("expected the address that residents open, https://...")
    if parts.query or parts.fragment or parts.username or not url.isascii() or not url.isprintable():
        raise ValueError("nothing behind the path, nobody before the host, no spaces")
    return url.rstrip("/")


def optional_url(url: str) -> str:
    """As public_url; may be empty."""
    return public_url(url) if url else ""
