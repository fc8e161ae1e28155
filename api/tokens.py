"""Bearer tokens of operators (RFC 6750), kept as hashes."""

import hashlib
import hmac
from collections.abc import Sequence

from api.problems import Problem
from api.services import TokenHash

_REALM = 'Bearer realm="stadtfunk"'


def hash_token(token: str) -> str:
    """SHA-256 of the token's UTF-8 text, 64 hex digits.

    A plain hash is enough for a random token of 256 bits: nobody can try them out.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def operator(authorization: str | None, tokens: Sequence[TokenHash]) -> str | None:
    """Name of the operator that an Authorization header stands for; None for the public.

    Raises Problem 401 for a wrong token: an operator never silently becomes the public.
    """
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() == "bearer":
        given = hash_token(token.strip()).encode()
        names = [known.name for known in tokens if hmac.compare_digest(given, known.sha256.lower().encode())]
        if names:
            return names[0]
    raise Problem(
        401,
        "this bearer token is not known",
        "send `Authorization: Bearer TOKEN` with a token whose hash is in the configuration",
        {"WWW-Authenticate": f'{_REALM}, error="invalid_token"'},
    )


def demand_operator(authorization: str | None, tokens: Sequence[TokenHash]) -> str:
    """Name of the operator; raises Problem 403 where no token is configured, 401 without a good one."""
    if not tokens:
        raise Problem(
            403,
            "no operator's token is configured, so nobody may see this",
            "`stadtfunk token` makes one; put its hash under [[api.token]]",
        )
    name = operator(authorization, tokens)
    if name is None:
        raise Problem(
            401,
            "this is for operators",
            "send `Authorization: Bearer TOKEN`",
            {"WWW-Authenticate": _REALM},
        )
    return name
