"""`stadtfunk codecs`: JavaScript codecs on the command line."""

import argparse

from stadtfunk import codecs_activation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The commands of the group."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    codecs_activation.add_arguments(commands)
