"""What stands in one language's file of notices."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alerts.delivery.city_messages import CityFile
from alerts.errors import AlertsConfigError
from alerts.incidents.texts import IncidentFile
from alerts.scale import LEVELS
from alerts.text_files import TextFile
from alerts.warning import (  # the field's word, see there
    OF_INCIDENTS,
    TOLD,
    Told,
)
from alerts.witnesses.words import KINDS, Kind
from devices.errors import Fault

ALONE = tuple(each for each in TOLD if each not in OF_INCIDENTS)
_WATCHED = ("gateway", "catchment", "property")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Templates(_Table):
    """Title and body, as Jinja2 templates."""

    title: str
    body: str


class MeasureWords(_Table):
    """How one measure and its values are said."""

    name: str
    unit: str
    decimals: int = Field(ge=0, le=3)
    stage: str
    basis: str
    cause: str = "{}"
    clear: Templates | None = None


class WitnessWords(_Table):
    """How it is said who agreed; of each kind of witness one and several."""

    confirmed: str
    unconfirmed: str
    and_: str = Field(alias="and")
    kinds: dict[Kind, tuple[str, str]]


class NoticeFile(_Table):
    """One language's file."""

    decimal: Literal[",", "."]
    when: str
    months: Annotated[list[str], Field(min_length=12, max_length=12)]
    minutes: str
    hours: str
    hour: str
    repeat: str
    unknown: str
    notice: str
    sender: str
    ahead: str
    areas: str
    more: str
    exercise_title: str
    exercise: str
    raise_: Templates = Field(alias="raise")
    escalate: Templates
    step_down: Templates
    clear: Templates
    unverified: Templates
    sensor_lost: Templates
    gateway_lost: Templates
    gateway_back: Templates
    blind: Templates
    sighted: Templates
    property_missing: Templates
    property_back: Templates
    partner_silent: Templates
    partner_back: Templates
    later: Templates
    by_person: Templates
    witness: WitnessWords
    incident: IncidentFile
    city: CityFile
    measure: dict[str, MeasureWords]

    def templates(self, step: Told) -> Templates:
        """Title and body of one kind of step."""
        return {
            "raise": self.raise_,
            "escalate": self.escalate,
            "step_down": self.step_down,
            "clear": self.clear,
            "unverified": self.unverified,
            "sensor_lost": self.sensor_lost,
            "gateway_lost": self.gateway_lost,
            "gateway_back": self.gateway_back,
            "blind": self.blind,
            "sighted": self.sighted,
            "property_missing": self.property_missing,
            "property_back": self.property_back,
            "partner_silent": self.partner_silent,
            "partner_back": self.partner_back,
        }[step]


def valid(read: TextFile) -> NoticeFile:
    """The file as it was read; raises AlertsConfigError with every fault."""
    path = str(read.path)
    try:
        file = NoticeFile.model_validate(read.data)
    except ValidationError as error:
        faults = [
            Fault(path, ".".join(map(str, item["loc"])), item["msg"], "compare with the shipped file")
            for item in error.errors(include_url=False)
        ]
        raise AlertsConfigError(*faults) from error
    missing = [
        *(f"witness.kinds.{name}" for name in KINDS if name not in file.witness.kinds),
        *(f"measure.{name}" for name in LEVELS if name not in file.measure),
    ]
    faults = [Fault(path, key, "missing", "copy it from the shipped file") for key in missing]
    unknown = [name for name in file.measure if name not in {*LEVELS, *_WATCHED}]
    faults += [
        Fault(path, f"measure.{name}", "unknown measure", "compare with the shipped file") for name in unknown
    ]
    if faults:
        raise AlertsConfigError(*faults)
    return file
