"""The command line: `stadtfunk COMMAND`. Exit codes: 0 fine, 1 a fault was found, 2 wrong usage."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version

from stadtfunk import logs
from stadtfunk.errors import StadtfunkError


@dataclass(frozen=True, slots=True)
class Command:
    """A command: the module that is imported when it is named, and there what runs it and adds its arguments.

    `run` is empty where its own commands say what runs.
    """

    summary: str
    module: str
    run: str = "run"
    arguments: str = "add_arguments"


COMMANDS = {
    "demo": Command("a whole simulated city in one process", "stadtfunk.demo"),
    "serve": Command("run the service", "stadtfunk.serve"),
    "check": Command("validate everything the configuration names", "stadtfunk.check"),
    "neighbours": Command(
        "ask the public gauges and warnings once, and show what they give", "stadtfunk.neighbours"
    ),
    "devices": Command(
        "list the device types", "stadtfunk.catalogue_commands", "devices", "add_devices_arguments"
    ),
    "decode": Command("decode one payload", "stadtfunk.catalogue_commands", "decode", "add_decode_arguments"),
    "codecs": Command("JavaScript codecs", "stadtfunk.codecs_commands", ""),
    "kostra": Command(
        "tables of how much rain falls how rarely, from DWD's KOSTRA", "stadtfunk.kostra_commands", ""
    ),
    "cap": Command("CAP 1.2 documents", "stadtfunk.cap", ""),
    "texts": Command("what people read: preview, check, sign, copy", "stadtfunk.texts_command", ""),
    "replay": Command("publish recorded MQTT messages", "stadtfunk.replay"),
    "reprocess": Command(
        "decode the recorded uplinks again and correct the store", "stadtfunk.reprocess_command"
    ),
    "backtest": Command(
        "judge a history by the rules and report how they would have warned", "stadtfunk.backtest"
    ),
    "drill": Command("play a recorded event as an exercise in a running service", "stadtfunk.drill"),
    "routes": Command("who of the staff hears of what, when", "stadtfunk.routing"),
    "webpush": Command("messages to browsers", "stadtfunk.web_push", ""),
    "openapi": Command("print the OpenAPI document", "stadtfunk.openapi", arguments=""),
    "token": Command("make a bearer token and the hash for the configuration", "stadtfunk.tokens"),
}


def parser(only: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """Every command with its arguments; with `only`, those of the first command it names, if any."""
    root = argparse.ArgumentParser(
        prog="stadtfunk", description="Hears a city's sensors and warns its people."
    )
    root.add_argument("--version", action="version", version=f"stadtfunk {version('stadtfunk')}")
    root.add_argument("--log", choices=("debug", "info", "warning"), default="info", help="least log level")
    commands = root.add_subparsers(metavar="COMMAND", required=True)
    named = set(COMMANDS) if only is None else {next((each for each in only if each in COMMANDS), "")}
    for name, command in COMMANDS.items():
        sub = commands.add_parser(name, help=command.summary, description=command.summary)
        if name not in named:
            continue
        module = import_module(command.module)
        if command.arguments:
            getattr(module, command.arguments)(sub)
        if command.run:
            sub.set_defaults(run=getattr(module, command.run))
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    args = parser(given).parse_args(given)
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
