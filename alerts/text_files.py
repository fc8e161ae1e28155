"""Files of texts: the shipped ones, a city's own over them, and who signed which version of them.

A city's file may leave out what it does not change. `[signed]` in it says who has read and approved which
version; its hash covers everything else that the file says (comments and spacing may change), so that a text
changed afterwards is found. It is used all the same: a warning with an unsigned text beats none.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alerts.errors import AlertsConfigError
from devices.errors import Fault

SIGNED = "signed"
State = Literal["shipped", "signed", "changed", "unsigned"]
"""shipped: the city has no file of its own; the others are of the city's file."""

_BLOCK = re.compile(r"(?m)^\[signed\][^\n]*\n(?:(?!\[)[^\n]*(?:\n|\Z))*")
_NAME_LIMIT = 80


class Signature(BaseModel):
    """Who approved which version, and when; `sha256` of the rest of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(ge=1)
    by: Annotated[
        str, Field(min_length=1, max_length=_NAME_LIMIT, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")
    ]
    on: date
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")


@dataclass(frozen=True, slots=True)
class TextFile:
    """One file as it is used: `data` without the signature, completed by the shipped files; `path`: the
    city's own where it has one."""  # noqa: D205, D209 - one thought

    path: Path
    data: Mapping[str, Any]
    state: State
    signature: Signature | None

    @property
    def label(self) -> str:
        """Version and state in short, such as "v3", "v3 changed", "shipped v1", "unsigned"."""
        version = f"v{self.signature.version}" if self.signature else ""
        said = {"signed": (version,), "shipped": ("shipped", version), "changed": (version, "changed")}
        return " ".join(each for each in said.get(self.state, (self.state,)) if each)

    @property
    def advice(self) -> str:
        """What somebody should look at, "" when nothing is to be."""
        remedy = f"read it and run `stadtfunk texts sign {self.path} --by NAME`"
        if self.state == "changed" and self.signature:
            by, version = self.signature.by, self.signature.version
            return f"{self.path}: changed since {by} signed version {version}; it is used as it is: {remedy}"
        return (
            f"{self.path}: nobody has signed it; it is used as it is: {remedy}"
            if self.state == "unsigned"
            else ""
        )


def read_texts(name: str, shipped: Path, own: Path | None = None, base: Sequence[Path] = ()) -> TextFile:
    """The file `name` of the folder `shipped`, under that of the city's folder `own`, over the files `base`.

    Raises AlertsConfigError with all faults.
    """
    data: dict[str, Any] = {}
    for path in base:
        data = _over(data, _split(path)[0])
    mine, signature = _split(shipped / name)
    data = _over(data, mine)
    if own is None or not (own / name).exists():
        return TextFile(shipped / name, data, "shipped", signature)
    mine, signature = _split(own / name)
    state: State = "unsigned"
    if signature:
        state = "signed" if signature.sha256 == digest(mine) else "changed"
    return TextFile(own / name, _over(data, mine), state, signature)


def strangers(own: Path, known: Sequence[str]) -> list[Fault]:
    """Files of the city's folder that nothing reads: a misspelt name would change nothing, unnoticed."""
    try:
        found = sorted(path.name for path in own.iterdir() if path.suffix == ".toml")
    except OSError as error:
        return [Fault(str(own), "folder", f"cannot be read: {error}", "give a folder in [alerts] texts")]
    remedy = f"one of {', '.join(sorted(known))}"
    return [
        Fault(str(own / name), "file", "is read by nothing", remedy) for name in found if name not in known
    ]


def digest(data: Mapping[str, Any]) -> str:
    """SHA-256 of what a file says, without its signature: of its values as JSON with sorted keys."""
    said = {key: value for key, value in data.items() if key != SIGNED}
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def sign(path: Path, by: str, on: date) -> Signature:
    """Write into a file that somebody approved it as it is: the next version, at its end.

    Raises AlertsConfigError for a file that is none, or a name that cannot stand in it.
    """
    data, before = _split(path)
    version = before.version + 1 if before else 1
    if before and before.sha256 == digest(data) and before.by == by:
        version = before.version  # the same text by the same person is no new version
    try:
        signature = Signature(version=version, by=by, on=on, sha256=digest(data))
    except ValidationError as error:
        raise AlertsConfigError(Fault(str(path), "by", "no name", "give --by NAME in one line")) from error
    text = path.read_text(encoding="utf-8")
    rest = _BLOCK.sub("", text).rstrip("\n")
    block = (
        f"[signed]\nversion = {version}\nby = {json.dumps(by, ensure_ascii=False)}\n"
        f'on = {on.isoformat()}\nsha256 = "{signature.sha256}"\n'
    )
    signed = f"{rest}\n\n{block}"
    try:
        after = tomllib.loads(signed)
    except tomllib.TOMLDecodeError:
        after = {}
    if after.get(SIGNED, {}).get("sha256") != signature.sha256 or digest(after) != signature.sha256:
        remedy = "write it as a table [signed] at the end of the file"
        raise AlertsConfigError(Fault(str(path), SIGNED, "is not where it can be renewed", remedy))
    new = path.with_name(path.name + ".new")
    new.write_text(signed, encoding="utf-8")
    new.replace(path)
    return signature


def _split(path: Path) -> tuple[dict[str, Any], Signature | None]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        fault = Fault(str(path), "-", f"cannot be read: {error}", "give a readable TOML file in UTF-8")
        raise AlertsConfigError(fault) from error
    if SIGNED not in data:
        return data, None
    try:
        return data, Signature.model_validate(data.pop(SIGNED))
    except ValidationError as error:
        remedy = f"`stadtfunk texts sign {path} --by NAME` writes it"
        raise AlertsConfigError(
            *(
                Fault(str(path), ".".join([SIGNED, *map(str, item["loc"])]), item["msg"], remedy)
                for item in error.errors(include_url=False)
            )
        ) from error


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables key by key, anything else as a whole."""
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        merged[key] = (
            _over(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
        )
    return merged
