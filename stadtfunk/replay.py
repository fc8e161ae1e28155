"""`stadtfunk replay FILE.jsonl --broker URL`: publishes recorded MQTT messages in their rhythm."""

import argparse
import base64
import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from devices.errors import Fault
from stadtfunk.errors import ConfigError
from stadtfunk.publisher import Publisher

_MOST_QOS = 2
_LONGEST_TOPIC = 65_535


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded message; `time_s` seconds since the epoch, None where the recording does not say."""

    time_s: float | None
    topic: str
    payload: bytes
    qos: int
    retain: bool


class _Line(msgspec.Struct):
    topic: str
    payload: msgspec.Raw
    time: str | None = None
    qos: int = 1
    retain: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `stadtfunk replay`."""
    parser.add_argument(
        "file", type=Path, metavar="FILE.jsonl", help="one message a line; - is standard input"
    )
    parser.add_argument("--broker", required=True, metavar="URL", help="mqtt(s)://user:password@host:port")
    parser.add_argument(
        "--speed", type=float, default=1.0, metavar="N", help="times as fast as recorded; 0: without pauses"
    )


def run(args: argparse.Namespace) -> int:
    """Publish every line that can be read; 1 when one could not, or when the broker stopped answering."""
    try:
        return _publish(args)
    except (TimeoutError, ConnectionError) as error:
        print(f"broken off: {error}", file=sys.stderr)
        return 1


def _publish(args: argparse.Namespace) -> int:
    sent = faults = 0
    with Publisher(args.broker) as publisher:
        for number, message in enumerate(paced(read(_lines(args.file)), args.speed), 1):
            if isinstance(message, str):
                print(f"{args.file}: {message}", file=sys.stderr)
                faults += 1
                continue
            publisher.publish(message.topic, message.payload, qos=message.qos, retain=message.retain)
            sent = number - faults
        publisher.flush()
    print(f"{sent} messages published" + (f", {faults} lines skipped" if faults else ""))
    return 1 if faults else 0


def read(lines: Iterable[bytes | str]) -> Iterator[Recorded | str]:
    """The messages of a recording; a line that cannot be read comes as a sentence that names it."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _recorded(line)
        except (ValueError, TypeError, OverflowError, RecursionError, msgspec.DecodeError) as error:
            yield f"line {number} skipped: {error}"


def paced(messages: Iterable[Recorded | str], speed: float) -> Iterator[Recorded | str]:
    """The same messages, each not before its time; the first one, and any without a time, at once."""
    began_s = time.monotonic()
    first_s: float | None = None
    for message in messages:
        if isinstance(message, Recorded) and message.time_s is not None and speed > 0:
            first_s = message.time_s if first_s is None else first_s
            time.sleep(max(0.0, began_s + (message.time_s - first_s) / speed - time.monotonic()))
        yield message


def _recorded(line: bytes | str) -> Recorded:
    value = msgspec.json.decode(line, type=_Line)
    if not 0 <= value.qos <= _MOST_QOS:
        raise ValueError(f"qos {value.qos} is none of 0, 1, 2")
    if not 0 < len(value.topic.encode()) <= _LONGEST_TOPIC or any(
        sign in "+#" or sign < " " for sign in value.topic
    ):
        raise ValueError(f"{value.topic[:80]!r} is no topic to publish to")
    moment = None if value.time is None else datetime.fromisoformat(value.time)
    if moment is not None and moment.tzinfo is None:
        raise ValueError(f"time {value.time!r} has no offset, such as +01:00 or Z")
    return Recorded(
        time_s=moment.timestamp() if moment else None,
        topic=value.topic,
        payload=_payload(value.payload),
        qos=value.qos,
        retain=value.retain,
    )


def _payload(raw: msgspec.Raw) -> bytes:
    """A string is UTF-8 text, {"base64": "..."} bytes, anything else JSON as it stands."""
    value: Any = json.loads(bytes(raw))
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and value.keys() == {"base64"} and isinstance(value["base64"], str):
        return base64.b64decode(value["base64"], validate=True)
    return bytes(raw)


def _lines(file: Path) -> Iterator[bytes]:
    if str(file) == "-":
        yield from sys.stdin.buffer
        return
    try:
        with file.open("rb") as lines:
            yield from lines
    except OSError as error:
        raise ConfigError(Fault(str(file), "file", str(error), "give a readable JSON-lines file")) from error
