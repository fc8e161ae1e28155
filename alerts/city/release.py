"""[[release]] in rules.toml: who releases a warning of the city, by severity, and who calls it off."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from alerts.event import Severity
from devices.errors import Fault

SEVERE: frozenset[Severity] = frozenset({"Severe", "Extreme"})
VALID_MIN = (15.0, 1440.0)
"""A warning is in force for at least and at most so many minutes, unless it is issued again."""

_AFTER = re.compile(r"\s*(\d{1,3})\s*(min|h)\s*")
_MINUTE_US = 60_000_000
_LONGEST_MIN = 720
_REMEDY = "see docs/city-warnings.md, Who releases"


class ReleaseRule(BaseModel):
    """What happens at some severities. `release`: by a person, or nothing is proposed; with `auto_after`
    (minutes) this rule releases what nobody has decided by then. `valid_min`: for how long it is in force."""  # noqa: D205, D209 - one thought

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=60)]
    severity: tuple[Severity, ...]
    audience: Literal["public"] = "public"
    release: Literal["manual", "none"] | None = None
    auto_after: float | None = None
    all_clear: Literal["manual", "auto"] = "manual"
    valid_min: Annotated[float, Field(ge=VALID_MIN[0], le=VALID_MIN[1], allow_inf_nan=False)] = 180

    @field_validator("severity", mode="before")
    @classmethod
    def _one_or_many(cls, severity: Any) -> Any:
        if severity == []:
            raise ValueError("is empty: name at least one severity")
        return [severity] if isinstance(severity, str) else severity

    @field_validator("auto_after", mode="before")
    @classmethod
    def _minutes(cls, value: Any) -> Any:
        match = _AFTER.fullmatch(value) if isinstance(value, str) else None
        minutes = int(match[1]) * (60 if match[2] == "h" else 1) if match else 0
        if not 1 <= minutes <= _LONGEST_MIN:
            raise ValueError('write it as "10 min" or "2 h", from 1 min to 12 h')
        return minutes

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.release is not None and self.auto_after is not None:
            raise ValueError("release and auto_after exclude each other: give one of them")
        severe = [each for each in self.severity if each in SEVERE]
        if self.all_clear == "auto" and severe:
            raise ValueError(
                f'all_clear = "auto" is not for {severe[0]}: falling values send nobody back into a cellar'
            )
        return self

    @property
    def proposes(self) -> bool:
        """Whether a warning is proposed at all."""
        return self.release != "none"

    @property
    def auto_us(self) -> int | None:
        """After how many µs without a decision this rule releases; None: never."""
        return None if self.auto_after is None else round(self.auto_after * _MINUTE_US)

    @property
    def valid_us(self) -> int:
        """For how many µs a warning is in force."""
        return round(self.valid_min * _MINUTE_US)


SHIPPED = (
    ReleaseRule(id="release-severe", severity=("Severe", "Extreme"), release="manual"),
    ReleaseRule(id="release-none", severity=("Minor", "Moderate"), release="none"),
)


@dataclass(frozen=True, slots=True)
class Releases:
    """A city's rules, before the shipped ones."""

    rules: tuple[ReleaseRule, ...] = ()

    def of(self, severity: Severity) -> ReleaseRule:
        """The rule for a severity: the first that names it."""
        return next(rule for rule in (*self.rules, *SHIPPED) if severity in rule.severity)

    def by_persons(self) -> "Releases":
        """The same, but no rule releases: for an instance that does not hear what people decide."""
        rules = (
            rule
            if rule.auto_after is None
            else rule.model_copy(update={"auto_after": None, "release": "manual"})
            for rule in self.rules
        )
        return Releases(tuple(rules))

    def advice(self) -> Iterator[str]:
        """What a city should know that it has chosen."""
        for rule, severities in self.in_effect():
            if not rule.proposes:
                for each in severities:
                    if each in {"Severe", "Extreme"}:
                        yield f"release {rule.id}: no warning of the city is ever proposed at {each}"
            if rule.auto_after is not None and "Extreme" in severities:
                wait = f"{rule.auto_after:g} min without a decision"
                yield f"release {rule.id}: {wait}, and the rule alone warns the public of Extreme"

    def in_effect(self) -> Iterator[tuple[ReleaseRule, tuple[Severity, ...]]]:
        """Every rule that is the one for a severity, and for which."""
        taken: set[Severity] = set()
        for rule in (*self.rules, *SHIPPED):
            mine = tuple(each for each in rule.severity if each not in taken)
            taken.update(mine)
            if mine:
                yield rule, mine


def parse_releases(tables: Any, file: str, faults: list[Fault]) -> Releases:
    """The rules of a parsed document; what is wrong is added to the faults."""
    if not isinstance(tables, list):
        faults.append(Fault(file, "release", "is no list of tables", "write [[release]] above each"))
        return Releases()
    rules: list[ReleaseRule] = []
    for number, table in enumerate(tables, 1):
        named = isinstance(table, dict) and "id" in table
        key = f"release {number}" + (f" ({table['id']})" if named else "")
        try:
            rule = ReleaseRule.model_validate(table)
        except pydantic.ValidationError as fault:
            faults += [_fault(file, key, error) for error in fault.errors()]
            continue
        faults += _taken(file, key, rule, rules)
        rules.append(rule)
    return Releases(tuple(rules))


def _taken(file: str, key: str, rule: ReleaseRule, before: Sequence[ReleaseRule]) -> Iterator[Fault]:
    ids = {each.id for each in (*before, *SHIPPED)}
    if rule.id in ids:
        yield Fault(file, f"{key}.id", f"there is another {rule.id!r}", "give every rule its own id")
    twice = [each for each in rule.severity if any(each in other.severity for other in before)]
    if twice:
        problem = f"{', '.join(twice)} has a rule above"
        yield Fault(file, f"{key}.severity", problem, "name each severity in one [[release]] only")


def _fault(file: str, key: str, error: Any) -> Fault:
    place = [str(part) for part in error["loc"]]
    where = ".".join([key, *place])
    if error["type"] == "extra_forbidden":
        known = list(ReleaseRule.model_fields)
        close = difflib.get_close_matches(place[-1], known, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"keys: {', '.join(known)}"
        return Fault(file, where, "unknown key", remedy)
    if error["type"] == "missing":
        return Fault(file, where, "is missing", "every [[release]] needs id and severity")
    given = error["input"]
    said = "" if isinstance(given, Mapping) else f" (it is {given!r})"
    return Fault(file, where, f"{error['msg'].removeprefix('Value error, ')}{said}", _REMEDY)
