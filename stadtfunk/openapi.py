"""`stadtfunk openapi`: the API's description, without a running service."""

import argparse
import json

from api.app import openapi


def run(_: argparse.Namespace) -> int:
    """Print the OpenAPI document."""
    print(json.dumps(openapi(), ensure_ascii=False, indent=2))
    return 0
