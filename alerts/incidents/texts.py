"""What staff read about an incident: the catchment, the highest measure, and the others in short."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field

from alerts.delivery.grouping import NEWS, News, NewsStep, told_members
from alerts.event import Severity
from alerts.incidents.incident import Incident, Member, begun

_MOST_NAMED = 4
_REASON_LIMIT = 120


class Templates(BaseModel):
    """Title and body."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    body: str


class IncidentFile(BaseModel):
    """The section [incident] of a language's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    member: str
    unconfirmed: str
    others: str
    lost: str
    notices: str
    whole_city: str
    one: str
    many: str
    action: dict[str, str] = Field(min_length=4)
    first: Templates
    rise: Templates
    update: Templates
    falling: Templates
    reminder: Templates
    decision: Templates
    end: Templates

    def templates(self, step: NewsStep) -> Templates:
        """Title and body of one kind of message."""
        found: Templates = getattr(self, step)
        return found


class Words(Protocol):
    """How a language says things."""

    def station(self, id_: str) -> str:
        """A station's name."""

    def catchment(self, id_: str) -> str:
        """A catchment's name, "" for the city as one."""

    def member(self, member: Member) -> Mapping[str, str]:
        """measure, stage, value, window of a member."""

    def severity(self, severity: Severity) -> str:
        """Its name."""

    def time(self, time_us: int) -> str:
        """A moment."""

    def more(self, count: int) -> str:
        """That there are more."""


class IncidentTexts:
    """The templates of one language. Raises jinja2.TemplateError for one that is none."""

    def __init__(self, file: IncidentFile, environment: ImmutableSandboxedEnvironment) -> None:
        self._file = file
        self._templates = {
            step: (
                environment.from_string(file.templates(step).title),
                environment.from_string(file.templates(step).body),
            )
            for step in NEWS
        }

    def render(self, news: News, words: Words) -> tuple[str, str, Sequence[str]]:
        """Title, body, and sentences that follow where there is room, the most important first."""
        values = self._values(news.incident, words)
        title, body = (each.render(values) for each in self._templates[news.step])
        return title, body, list(self._more(news, words))

    def _values(self, incident: Incident, words: Words) -> Mapping[str, str]:
        told = told_members(incident)
        # at its end what was last in force is what there is to tell of
        last = max(incident.members.values(), key=lambda m: (m.changed_us, m.episode), default=None)
        highest = told[0] if told else last
        decision = incident.decisions[-1] if incident.decisions else None
        values = {
            "catchment": words.catchment(incident.catchment) or self._file.whole_city,
            "severity": words.severity(highest.severity) if highest else "",
            "peak": words.severity(incident.peak) if incident.peak else "",
            "station": words.station(highest.station) if highest else "",
            "notices": self._file.one if len(told) == 1 else self._file.many.format(len(told)),
            "time": words.time(incident.changed_us),
            "since": words.time(incident.began_us),
            "action": self._file.action.get(decision.action, decision.action) if decision else "",
            "by": _cut(decision.by) if decision else "",
            "reason": _cut(decision.reason) if decision else "",
            "awaits": "yes" if incident.awaits else "",
        }
        nothing = dict.fromkeys(("measure", "stage", "value", "window", "measured"), "")
        return {**values, **(nothing if highest is None else self._member(highest, words))}

    def _member(self, member: Member, words: Words) -> Mapping[str, str]:
        return {**words.member(member), "measured": words.time(member.changed_us)}

    def _more(self, news: News, words: Words) -> Iterator[str]:
        incident = news.incident
        if incident.lost:
            names = [
                f"{words.station(each.station)} ({words.time(each.since_us)})"
                for each in incident.lost.values()
            ]
            yield self._file.lost.format(_listed(names, words))
        if news.step != "end" and (others := told_members(incident)[1:]):
            yield self._file.others.format(_listed([self._short(each, words) for each in others], words))
        if incident.notices and news.step != "end":
            names = sorted({words.station(each.station) for each in incident.notices})
            yield self._file.notices.format(_listed(names, words))

    def _short(self, member: Member, words: Words) -> str:
        said = self._file.member.format(station=words.station(member.station), **words.member(member))
        return f"{said}, {self._file.unconfirmed}" if member.confirmation == "unconfirmed" else said


def trials() -> Iterator[News]:
    """Every kind of message, about a full incident and about one of which nothing is known."""
    for step in NEWS:
        yield News(step, "event", begun("city.20260714T181000Z", 0))
        full = begun("strunde.20260714T181000Z", 0)
        for number in range(6):
            full.members[str(number)] = Member(
                f"s{number}.water_level", f"s{number}", "water_level", 3, "Severe", None, 120.0, 0, 0, 0, "r"
            )
            full.members[str(number)].audience = "staff"
        full.live, full.peak = 6, "Severe"
        yield News(step, "event", full)


def _listed(names: Sequence[str], words: Words) -> str:
    rest = len(names) - _MOST_NAMED
    return "; ".join(names[:_MOST_NAMED]) + (f" {words.more(rest)}" if rest > 0 else "")


def _cut(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _REASON_LIMIT else line[: _REASON_LIMIT - 1] + "…"
