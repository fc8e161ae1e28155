"""`stadtfunk token`: a bearer token for an operator, and the hash for the configuration."""

import argparse
import hashlib
import secrets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `stadtfunk token`."""
    parser.add_argument("name", help="whose token it is")


def new_token() -> tuple[str, str]:
    """A random token and its SHA-256 in hex."""
    token = secrets.token_urlsafe(32)
    return token, hashlib.sha256(token.encode()).hexdigest()


def run(args: argparse.Namespace) -> int:
    """Print a new token once, and the table that lets it in."""
    token, digest = new_token()
    print(f"token (keep it, it is not stored): {token}\n")
    print(f'[[api.token]]\nname = "{args.name}"\nhash = "sha256:{digest}"')
    return 0
