"""What the catalogue says of each dataset, read from datasets.toml."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

WARNINGS, OFFICIAL = "warnings", "official-warnings"
"""The datasets that are no theme of measurements."""


class DatasetText(BaseModel):
    """Title, description and the words a dataset is found by; see the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title_de: str
    title_en: str
    description_de: str
    description_en: str
    keywords: tuple[str, ...] = Field(min_length=1)
    themes: tuple[str, ...] = Field(min_length=1)
    high_value: str = ""
    service: str = ""


@cache
def dataset_texts() -> Mapping[str, DatasetText]:
    """By theme (or WARNINGS, OFFICIAL), in the file's order; `device` has none: it is never open data."""
    raw = tomllib.loads(Path(__file__).with_name("datasets.toml").read_text(encoding="utf-8"))
    return MappingProxyType(TypeAdapter(dict[str, DatasetText]).validate_python(raw))
