"""What every table of the configuration has in common."""

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """Unknown keys are faults; spaces around a text are not part of it."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
