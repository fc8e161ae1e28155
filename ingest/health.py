"""What a running part says about itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a part does its work, and in words what is wrong and what to do about it."""

    ok: bool
    detail: str = ""
