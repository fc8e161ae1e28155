"""What channels read about a warning of the city: whose it is, what became of it, and its own texts.

The words around a warning come from the section [city] of a language's file, what it says from its steps.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol, get_args

from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict

from alerts.city.city_warning import CityWarning, Decided
from alerts.city.register import DEFAULTS, rule_of
from alerts.city.short_texts import beginning
from alerts.event import CityAction, CityStep, CityText, Severity
from alerts.one_line import printable, shortened
from alerts.scale import ReadIn, rank

Telling = CityAction | Literal["propose_update", "decline_update", "lapse"]
"""What a step is to people: an update proposed, or declined, while the warning is in force; a proposal
that nobody decided in time."""
TELLINGS: tuple[Telling, ...] = (*get_args(CityAction), "propose_update", "decline_update", "lapse")
PUBLIC: tuple[Telling, ...] = ("release", "update", "all_clear", "cancel", "expire")
"""Of which the public hears."""
PROPOSES: tuple[Telling, ...] = ("propose", "propose_update")
WARNS: tuple[Telling, ...] = (*PROPOSES, "release", "update")
ENDS: tuple[Telling, ...] = ("decline", "lapse", "all_clear", "cancel", "expire")
"""Of which nobody is told who was told of no step before."""

_OWN_NAME = "Stadt "
_BY_LIMIT = 60
_REASON_LIMIT = 120
_FIRST_LIMIT = 40
_ID_LIMIT = 120
_LEAST_DESCRIPTION = 20


class _Templates(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    lead: str


class CityFile(BaseModel):
    """The section [city] of a language's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    whole_city: str
    decided: str
    decide: str
    standby: str
    by_rule: str
    by_default: str
    foot: str
    propose: _Templates
    propose_update: _Templates
    release: _Templates
    update: _Templates
    decline: _Templates
    decline_update: _Templates
    lapse: _Templates
    all_clear: _Templates
    cancel: _Templates
    expire: _Templates


@dataclass(frozen=True, slots=True)
class StandIn:
    """We are the stand-by of the instance with this name; `residents`: the channels of the public hear us."""

    of: str
    residents: bool = False


class Words(Protocol):
    """How a language says things."""

    def severity(self, severity: Severity) -> str:
        """Its name."""

    def time(self, time_us: int) -> str:
        """A moment."""

    def area(self, id_: str) -> str:
        """An area's name."""

    def more(self, count: int) -> str:
        """That there are more."""


@dataclass(frozen=True, slots=True)
class Message:
    """The parts of a message, each on one line; where room is short the description goes first.

    `decide`: where to decide, and on a stand-by what that means; "" when there is nothing to.
    """

    title: str
    lead: str
    description: str
    instruction: str
    decided: str
    decide: str
    foot: str


class CityMessages:
    """The templates of one language. Raises jinja2.TemplateError for one that is none."""

    def __init__(
        self,
        file: CityFile,
        environment: ImmutableSandboxedEnvironment,
        language: ReadIn,
        console: str,
        stand_in: StandIn | None = None,
    ) -> None:
        self._file = file
        self._language = language
        self._console = console
        self._stand_in = stand_in
        self._templates = {
            action: (environment.from_string(words.title), environment.from_string(words.lead))
            for action in TELLINGS
            for words in (getattr(file, action),)
        }
        self._foot = environment.from_string(file.foot)
        self._decided = environment.from_string(file.decided)
        self._standby = environment.from_string(file.standby)

    def render(self, warning: CityWarning, city: str, words: Words, *, staff: bool) -> Message:
        """The message about a warning's latest step; who decided and why is for staff."""
        action = told_as(warning)
        about = _about(warning)
        text = _text(about.texts, self._language)
        values = self._values(warning, city, words) | {"headline": printable(text.headline)}
        said = text if action in WARNS else self._of_its_end(warning)
        title, lead = (" ".join(each.render(values).split()) for each in self._templates[action])
        return Message(
            title,
            lead,
            printable(said.description),
            printable(said.instruction),
            " ".join(self._decided.render(values).split()) if staff else "",
            self._decide(values) if staff and action in PROPOSES else "",
            " ".join(self._foot.render(values).split()),
        )

    def _decide(self, values: Mapping[str, str]) -> str:
        one = self._stand_in or StandIn("")
        first = shortened(printable(one.of), _FIRST_LIMIT)
        # rendered in any case, so that a template that fails is found when it is read
        note = " ".join(self._standby.render(values, first=first, residents=one.residents).split())
        link = self._file.decide.format(self._console) if self._console else ""
        return "\n".join(filter(None, (note if self._stand_in else "", link)))

    def _values(self, warning: CityWarning, city: str, words: Words) -> dict[str, str]:
        latest, about = warning.steps[-1], _about(warning)
        areas = [words.area(each) for each in about.areas[:3]]
        rest = len(about.areas) - len(areas)
        return {
            "city": city.removeprefix(_OWN_NAME),
            "severity": words.severity(about.severity),
            "areas": ", ".join(areas) + (f" {words.more(rest)}" if rest else "")
            if areas
            else self._file.whole_city,
            "time": words.time(latest.time_us),
            "until": words.time(about.valid_until_us),
            "released": "" if warning.released_us is None else words.time(warning.released_us),
            "by": shortened(printable(self._by(latest.step.by)), _BY_LIMIT),
            "reason": shortened(printable(latest.step.reason), _REASON_LIMIT),
            "warning": shortened(printable(warning.id), _ID_LIMIT),
            "step": shortened(printable(latest.event), _ID_LIMIT),
        }

    def _by(self, by: str) -> str:
        rule = rule_of(by)
        if not rule:
            return by
        return self._file.by_default if rule in DEFAULTS else self._file.by_rule.format(rule)

    def _of_its_end(self, warning: CityWarning) -> CityText:
        """What the last step says itself: "leave the cellar" must not stand in an all-clear."""
        *before, latest = warning.steps
        own = latest.step.texts
        if not own or any(own == each.step.texts for each in before):
            return CityText("", "", "")
        return _text(own, self._language)


def told_as(warning: CityWarning) -> Telling:
    """What the latest step is to people."""
    action = warning.steps[-1].step.action
    if action == "release" and any(each.step.action == "release" for each in warning.steps[:-1]):
        return "update"
    if action == "expire" and warning.released_us is None:
        return "lapse"
    if warning.in_force and action == "propose":
        return "propose_update"
    return "decline_update" if warning.in_force and action == "decline" else action


def _about(warning: CityWarning) -> CityWarning | CityStep:
    """What the latest step speaks of: a proposed update, else what stands."""
    return warning if warning.pending is None else warning.pending


def peak(warning: CityWarning, *, staff: bool) -> int:
    """The highest rank that a warning had; for the public of what was released."""
    seen = [each for each in warning.steps if staff or each.step.action in {"release", "update"}]
    return max((rank(each.step.severity) for each in seen), default=rank(warning.severity))


def composed(message: Message, head: str, limit: int) -> str:
    """The body within so many characters; who sends it and where to decide are never cut."""
    foot = "\n".join(filter(None, (message.decide, message.foot)))
    room = limit - len(foot) - 1
    said = shortened(" ".join(filter(None, (head, message.lead))), room)
    instruction = _fitting(message.instruction, room - len(said) - 1)
    rest = room - len(said) - 1 - (len(instruction) + 1 if instruction else 0)
    said = " ".join(filter(None, (said, _fitting(message.description, rest), instruction)))
    if message.decided and len(said) + 1 + len(message.decided) <= room:
        said += f" {message.decided}"
    return f"{said}\n{foot}"


def plain_city(warning: CityWarning) -> tuple[str, str]:
    """Title and body without templates, in both languages, for when those fail."""
    latest = warning.steps[-1]
    headline = printable(_text(_about(warning).texts, "de").headline)
    exercise = "ÜBUNG / EXERCISE: " if warning.exercise else ""
    foot = shortened(f"{printable(warning.id)} {printable(latest.event)}", 2 * _ID_LIMIT)
    title = f"{exercise}Warnung der Stadt / city warning: {told_as(warning)}"
    body = shortened(f"{title}. {headline}", 300)
    return shortened(title, 80), f"{body}\n{foot}"


def trials() -> Iterator[CityWarning]:
    """Every kind of step, of a warning that says everything and of one that says next to nothing."""
    full = {"de": CityText("headline", "description", "instruction")}
    for action in get_args(CityAction):
        for texts, areas in ((full, ("one", "two", "three", "four")), ({}, ())):
            step = Decided("event", 0, CityStep(action, "Severe", areas, texts, 0, "by", "reason"))
            first = replace(step, event="first", step=replace(step.step, action="release"))
            full_warning = CityWarning(
                *("warning", "", "in_force", "Severe", areas, texts, 0, 0, 0, None, False, (first, step)),
                pending=step.step if action == "propose" else None,
            )
            yield full_warning
            yield replace(full_warning, status="proposed", released_us=None, steps=(step,), pending=None)


def _text(texts: Mapping[str, CityText], language: str) -> CityText:
    """In this language, else in German, else in whichever there is."""
    found = texts.get(language) or texts.get("de") or next(iter(texts.values()), None)
    return found or CityText("", "", "")


def _fitting(text: str, room: int) -> str:
    return beginning(text, room) if room >= min(len(text), _LEAST_DESCRIPTION) else ""
