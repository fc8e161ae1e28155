"""One language's templates, filled in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from alerts.catchments import CITY
from alerts.city.city_warning import CityWarning
from alerts.delivery.city_messages import CityMessages, StandIn, composed
from alerts.delivery.grouping import News
from alerts.errors import TextError
from alerts.event import Severity
from alerts.incidents.incident import Member
from alerts.incidents.texts import IncidentTexts
from alerts.one_line import printable, shortened
from alerts.scale import OTHER, Language, ReadIn, Scale, tongue
from alerts.spoken import duration, moment
from alerts.texts.notice_file import ALONE, MeasureWords, NoticeFile
from alerts.texts.text import BODY_LIMIT, TITLE_LIMIT, Text
from alerts.warning import (  # the field's word, see there
    Update,
    Warning,  # noqa: A004 - the field's word, see there
)
from alerts.witnesses.words import counted

_NAME_LIMIT = 40
_ID_LIMIT = 160
_MOST_AREAS = 4
_AREA_LIMIT = 32


@dataclass(frozen=True, slots=True)
class Naming:
    """What of the city a text is made from."""

    station_name: Callable[[str], str]
    zone: ZoneInfo
    name: str
    areas: Callable[[str, Language], Sequence[str]]
    scale: Scale
    catchment_name: Callable[[str], str]
    area_name: Callable[[str, Language], str]
    console: str
    stand_in: StandIn | None = None


class OneLanguage:
    """The texts of one language; raises TextError for what is no template."""

    def __init__(self, code: ReadIn, file: NoticeFile, city: Naming) -> None:
        self._code: Language = tongue(code)
        self._file = file
        self._city = city
        environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)
        try:
            self._titles = {step: environment.from_string(file.templates(step).title) for step in ALONE}
            self._bodies = {step: environment.from_string(file.templates(step).body) for step in ALONE}
            self._incidents = IncidentTexts(file.incident, environment)
            self._of_city = CityMessages(file.city, environment, code, city.console, city.stand_in)
            self._ends = {
                name: (environment.from_string(own.clear.title), environment.from_string(own.clear.body))
                for name, own in file.measure.items()
                if own.clear
            }
            self._by_person = (
                environment.from_string(file.by_person.title),
                environment.from_string(file.by_person.body),
            )
            self._later_title = environment.from_string(file.later.title)
            self._later_body = environment.from_string(file.later.body)
            self._sender = environment.from_string(file.sender)
        except jinja2.TemplateError as error:
            raise TextError(f"not a Jinja2 template: {error}") from error

    def render(self, warning: Warning, *, repeat: bool = False) -> Text:
        """As Texts.render."""
        step = warning.history[-1].kind
        measure = self._file.measure.get(warning.measure) or self._file.measure[OTHER]
        try:
            values = self._values(warning, measure)
            words = (self._titles[step], self._bodies[step])
            if warning.history[-1].by_person:
                words = self._by_person
            elif step == "clear":
                words = self._ends.get(warning.measure, words)
            elif warning.history[-1].later:
                words = (self._later_title, self._later_body)
            title, body = (each.render(values) for each in words)
            sender = self._sender.render(values)
        except (jinja2.TemplateError, LookupError, ValueError, TypeError, ArithmeticError) as error:
            raise TextError(f"{warning.measure}, {step}: {error}") from error
        head = [self._file.repeat] if repeat else []
        if warning.exercise:
            title, head = f"{self._file.exercise_title} {title}", [self._file.exercise, *head]
        basis = measure.basis.format(reference=values["reference"] or self._file.unknown)
        foot = f"{basis} {self._file.notice}\n{sender}"
        said = " ".join((*head, *body.split(), *self._ahead_of(warning, measure)))
        room = BODY_LIMIT - len(foot) - 1
        areas = next((each for each in self._areas_of(warning.station) if len(said + each) <= room), "")
        return Text(
            title=shortened(" ".join(title.split()), TITLE_LIMIT),
            body=shortened(said, room) + areas + "\n" + foot,
        )

    def render_incident(self, news: News, *, repeat: bool = False) -> Text:
        """As Texts.render_incident."""
        file, incident = self._file, news.incident
        try:
            title, body, more = self._incidents.render(news, self)
            sender = self._sender.render(
                city=shortened(self._city.name, _NAME_LIMIT),
                episode=shortened(printable(incident.id), _ID_LIMIT),
                event=shortened(printable(news.event), _ID_LIMIT),
            )
        except (jinja2.TemplateError, LookupError, ValueError, TypeError, ArithmeticError) as error:
            raise TextError(f"incident.{news.step}: {error}") from error
        head = [file.repeat] if repeat else []
        if incident.exercise:
            title, head = f"{file.exercise_title} {title}", [file.exercise, *head]
        foot = f"{file.notice}\n{sender}"
        room = BODY_LIMIT - len(foot) - 1
        said = shortened(" ".join((*head, *body.split())), room)
        for each in more:
            if len(said) + 1 + len(each) <= room:
                said += f" {each}"
        return Text(shortened(" ".join(title.split()), TITLE_LIMIT), f"{said}\n{foot}")

    def render_city(self, warning: CityWarning, *, staff: bool, repeat: bool = False) -> Text:
        """As Texts.render_city."""
        city = shortened(self._city.name, _NAME_LIMIT)
        try:
            message = self._of_city.render(warning, city, self, staff=staff)
        except (jinja2.TemplateError, LookupError, ValueError, TypeError, ArithmeticError) as error:
            raise TextError(f"city.{warning.steps[-1].step.action}: {error}") from error
        title, head = message.title, self._file.repeat if repeat else ""
        if warning.exercise:
            title, head = f"{self._file.exercise_title} {title}", f"{self._file.exercise} {head}".strip()
        return Text(shortened(title, TITLE_LIMIT), composed(message, head, BODY_LIMIT))

    def area(self, id_: str) -> str:
        """An area's name, shortened."""
        return shortened(printable(self._city.area_name(id_, self._code)), _AREA_LIMIT)

    def station(self, id_: str) -> str:
        """A station's name, shortened."""
        return shortened(printable(self._name(id_)), _NAME_LIMIT)

    def catchment(self, id_: str) -> str:
        """A catchment's name, shortened; empty for the whole city."""
        return "" if id_ == CITY else shortened(printable(self._city.catchment_name(id_)), _NAME_LIMIT)

    def member(self, member: Member) -> Mapping[str, str]:
        """What is said of one warning of an incident."""
        measure = self._file.measure.get(member.measure) or self._file.measure[OTHER]
        return {
            "measure": measure.name,
            "stage": measure.stage.format(member.level),
            "value": self._value(member.value, measure),
            "window": duration(member.window_min, self._file),
        }

    def severity(self, severity: Severity) -> str:
        """The scale's word for a severity."""
        return self._city.scale.word(severity, self._code)

    def time(self, time_us: int) -> str:
        """A time in the city's zone."""
        return self._time(time_us)

    def more(self, count: int) -> str:
        """How it is said that there are more."""
        return self._file.more.format(count)

    def _ahead_of(self, warning: Warning, measure: MeasureWords) -> Iterator[str]:
        """Within which minutes, and where it comes from."""
        latest = warning.history[-1]
        cause = shortened(printable(self._name(latest.cause)), _NAME_LIMIT) if latest.cause else ""
        if cause:
            cause = measure.cause.format(cause)
        if latest.expected_min is not None:
            first, last = (f"{minutes:.0f}" for minutes in latest.expected_min)
            yield self._file.ahead.format(first=first, last=last, cause=f" ({cause})" if cause else "")
        elif cause:
            yield f"{cause}."

    def _areas_of(self, station: str) -> Iterator[str]:
        """Which areas it warns, with a space before: the longest sentence first, then shorter ones."""
        names = [shortened(printable(name), _AREA_LIMIT) for name in self._city.areas(station, self._code)]
        for count in range(min(len(names), _MOST_AREAS), 0, -1):
            rest = len(names) - count
            said = ", ".join(names[:count]) + (" " + self._file.more.format(rest) if rest else "")
            yield " " + self._file.areas.format(said)

    def _values(self, warning: Warning, measure: MeasureWords) -> Mapping[str, str]:
        latest = warning.history[-1]
        scale = self._city.scale
        return {
            "measure": measure.name,
            "station": shortened(printable(self._name(warning.station)), _NAME_LIMIT),
            "stage": measure.stage.format(latest.level),
            "meaning": scale.text(warning.measure, latest.level, self._code),
            "severity": scale.word(latest.severity, self._code),
            "value": self._value(latest.value, measure),
            "window": duration(latest.window_min, self._file),
            "time": self._time(latest.time_us),
            "since": self._time(warning.raised_us),
            "peak": self._value(warning.peak_value, measure),
            "reference": printable(latest.reference),
            "city": shortened(self._city.name, _NAME_LIMIT),
            "episode": shortened(printable(warning.id), _ID_LIMIT),
            "event": shortened(printable(latest.event), _ID_LIMIT),
            "confirmation": self._confirmation(latest),
        }

    def _confirmation(self, latest: Update) -> str:
        """Who agreed, without names."""
        words = self._file.witness
        if latest.confirmation != "confirmed":
            return words.unconfirmed if latest.confirmation else ""
        who = [
            words.kinds[kind][0 if count == 1 else 1].format(count)
            for kind, count in counted(latest.witness).items()
        ]
        return words.confirmed.format(words.and_.join(who) or self._file.unknown)

    def _name(self, station: str) -> str:
        try:
            return self._city.station_name(station) or station
        except LookupError:
            return station

    def _value(self, value: float | None, measure: MeasureWords) -> str:
        if value is None:
            return ""
        number = f"{value:.{measure.decimals}f}".replace(".", self._file.decimal)
        return f"{number} {measure.unit}".rstrip()

    def _time(self, time_us: int) -> str:
        return moment(time_us, self._city.zone, self._file.when, self._file.months)
