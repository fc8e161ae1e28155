"""`stadtfunk drill FILE.csv --url URL`: plays a recorded event as an exercise in a running service."""

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

_PATH = "/api/v1/admin/drill"
_TIMEOUT_S = 30.0
_POLL_S = 1.0
_TOKEN = "STADTFUNK_TOKEN"  # noqa: S105 - the name of a variable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `stadtfunk drill`."""
    parser.add_argument("file", type=Path, metavar="FILE.csv", help="time,station,property,value")
    parser.add_argument("--url", required=True, help="of the service, such as http://127.0.0.1:8080")
    parser.add_argument("--token", help=f"an operator's token; better in the environment as {_TOKEN}")
    parser.add_argument("--speed", type=float, default=60.0, help="times as fast as recorded (default 60)")
    parser.add_argument(
        "--release-public",
        default="",
        metavar="NAME",
        help="show it to residents as well, marked as an exercise; NAME is who decided that",
    )


def run(args: argparse.Namespace) -> int:
    """Start it and follow it; Ctrl-C ends it. 1 when it could not start or a real alarm ended it."""
    token = args.token or os.environ.get(_TOKEN, "")
    if not args.url.startswith(("http://", "https://")) or not token:
        print(f"--url starts with http:// or https://; --token or {_TOKEN} is needed", file=sys.stderr)
        return 2
    query = {"speed": f"{args.speed:g}", "release_public": args.release_public}
    address = args.url.rstrip("/") + _PATH
    try:
        recording = args.file.read_bytes()
        begun = _ask("POST", f"{address}?{urllib.parse.urlencode(query)}", token, recording)
        return _follow(address, token, begun)
    except OSError as error:
        print(f"drill: {_said(error)}", file=sys.stderr)
        return 1


def _follow(address: str, token: str, drill: dict[str, Any]) -> int:
    whom = f"RELEASED TO THE PUBLIC by {drill['released_by']}" if drill["released_by"] else "staff only"
    print(f"exercise {drill['id']}, {whom}; until {drill['until']}; Ctrl-C ends it", flush=True)
    for complaint in drill["complaints"]:
        print(f"skipped: {complaint}", file=sys.stderr)
    shown = None
    try:
        while drill["running"]:
            time.sleep(_POLL_S)
            drill = _ask("GET", address, token)
            line = f"{drill['played']} of {drill['readings']} readings, {drill['events']} events"
            if line != shown:
                print(line, flush=True)
            shown = line
    except KeyboardInterrupt:
        drill = _ask("DELETE", address, token)
    print(drill["reason"] or "it does not end: look at the service's log")
    return 1 if drill["running"] or "real alarm" in drill["reason"] else 0


def _ask(method: str, address: str, token: str, body: bytes | None = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/csv"}
    request = urllib.request.Request(address, body, headers, method=method)  # noqa: S310 - http(s), see run()
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - http(s), see run()
        found: dict[str, Any] = json.load(answer)
        return found


def _said(error: OSError) -> str:
    """The service's own words, where it answered."""
    if isinstance(error, urllib.error.HTTPError):
        try:
            problem = json.load(error)
            return f"{problem['detail']} ({problem.get('hint', '')})"
        except (ValueError, KeyError, TypeError):
            return f"{error.code} {error.reason}"
    return str(error)
