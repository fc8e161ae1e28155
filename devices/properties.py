"""Observed properties: one vocabulary, with UCUM units and names, for every part of the service."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

Kind = Literal["gauge", "counter", "state", "count"]
"""gauge: a value at a moment; counter: runs up and wraps; state: 0/1, or a small code where `coded`; count:
how much there was in the interval that ends at the reading's time."""

Theme = Literal[
    "rain", "level", "weather", "climate", "traffic", "parking", "air", "soil", "waste", "lighting", "device",
]  # fmt: skip
THEMES: tuple[str, ...] = get_args(Theme)


class ObservedProperty(BaseModel):
    """One thing a sensor can observe. `unit` is UCUM; `decimals` is how many a person gets to see."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
    unit: Annotated[str, StringConstraints(min_length=1)]
    kind: Kind
    theme: Theme
    name_de: str = Field(alias="de", min_length=1)
    name_en: str = Field(alias="en", min_length=1)
    internal: bool = False
    coded: bool = False
    decimals: int = Field(ge=0, le=6)


@cache
def observed_properties() -> Mapping[str, ObservedProperty]:
    """Every observed property by name, read once from properties.toml."""
    raw = tomllib.loads(Path(__file__).with_name("properties.toml").read_text(encoding="utf-8"))
    rows = [{"name": name, **row} for name, row in raw.items()]
    properties = TypeAdapter(list[ObservedProperty]).validate_python(rows)
    return MappingProxyType({each.name: each for each in properties})
