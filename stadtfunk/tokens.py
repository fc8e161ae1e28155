"""`stadtfunk token`: a bearer token for an operator or a network server, and its hash for city.toml."""

import argparse
import hashlib
import json
import secrets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `stadtfunk token`."""
    parser.add_argument(
        "name", help="whose token it is: a person's, or the network server's that sends by HTTP"
    )


def new_token() -> tuple[str, str]:
    """A random token and its SHA-256 in hex."""
    token = secrets.token_urlsafe(32)
    return token, hashlib.sha256(token.encode()).hexdigest()


def run(args: argparse.Namespace) -> int:
    """Print a new token once, and what lets it in: the operator's table or the network server's line."""
    token, digest = new_token()
    print(f"token (keep it, it is not stored): {token}\n")
    name = json.dumps(args.name, ensure_ascii=False)
    print(f'[[api.token]]\nname = {name}\nhash = "sha256:{digest}"\n')
    print("# or, for a network server that sends by HTTP: in its [[network_server]], in place of url")
    print(f'push_token = "sha256:{digest}"')
    return 0
