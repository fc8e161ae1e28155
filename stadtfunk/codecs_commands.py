"""`stadtfunk codecs`: JavaScript codecs on the command line."""

import argparse

from stadtfunk import codecs_activation, codecs_check


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The commands of the group."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    codecs_check.add_arguments(commands)
    codecs_activation.add_arguments(commands)
