"""The command line: `stadtfunk COMMAND`. Exit codes: 0 fine, 1 a fault was found, 2 wrong usage."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from stadtfunk import (
    backtest,
    cap,
    catalogue_commands,
    check,
    codecs_commands,
    demo,
    drill,
    kostra_commands,
    logs,
    neighbours,
    openapi,
    replay,
    reprocess_command,
    routing,
    serve,
    texts_command,
    tokens,
    web_push,
)
from stadtfunk.errors import StadtfunkError

Command = Callable[[argparse.Namespace], int]


def parser() -> argparse.ArgumentParser:
    """Every command with its arguments."""
    root = argparse.ArgumentParser(
        prog="stadtfunk", description="Hears a city's sensors and warns its people."
    )
    root.add_argument("--version", action="version", version=f"stadtfunk {version('stadtfunk')}")
    root.add_argument("--log", choices=("debug", "info", "warning"), default="info", help="least log level")
    commands = root.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, summary: str, run: Command) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(run=run)
        return sub

    demo.add_arguments(command("demo", "a whole simulated city in one process", demo.run))
    _config(command("serve", "run the service", serve.run))
    check.add_arguments(command("check", "validate everything the configuration names", check.run))
    _config(
        command(
            "neighbours", "ask the public gauges and warnings once, and show what they give", neighbours.run
        )
    )
    catalogue_commands.add_devices_arguments(
        command("devices", "list the device types", catalogue_commands.devices)
    )
    catalogue_commands.add_decode_arguments(
        command("decode", "decode one payload", catalogue_commands.decode)
    )
    codecs_commands.add_arguments(commands.add_parser("codecs", help="JavaScript codecs"))
    kostra_commands.add_arguments(
        commands.add_parser("kostra", help="tables of how much rain falls how rarely, from DWD's KOSTRA")
    )
    cap.add_arguments(commands.add_parser("cap", help="CAP 1.2 documents"))
    texts_command.add_arguments(
        commands.add_parser("texts", help="what people read: preview, check, sign, copy")
    )
    replay.add_arguments(command("replay", "publish recorded MQTT messages", replay.run))
    reprocess_command.add_arguments(
        command("reprocess", "decode the recorded uplinks again and correct the store", reprocess_command.run)
    )
    backtest.add_arguments(
        command(
            "backtest", "judge a history by the rules and report how they would have warned", backtest.run
        )
    )
    drill.add_arguments(
        command("drill", "play a recorded event as an exercise in a running service", drill.run)
    )
    routing.add_arguments(command("routes", "who of the staff hears of what, when", routing.run))
    web_push.add_arguments(commands.add_parser("webpush", help="messages to browsers"))
    command("openapi", "print the OpenAPI document", openapi.run)
    tokens.add_arguments(
        command("token", "make a bearer token and the hash for the configuration", tokens.run)
    )
    return root


def _config(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--config", type=Path, required=True, metavar="city.toml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    args = parser().parse_args(arguments)
    logs.configure(args.log)
    try:
        code: int = args.run(args)
    except StadtfunkError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # `stadtfunk devices | head`
        sys.stderr.close()
        return 0
    return code
