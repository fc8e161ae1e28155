"""What people read: titles and bodies of notices, from data files per language."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alerts.catchments import CITY
from alerts.city.city_warning import CityWarning
from alerts.delivery import city_messages
from alerts.delivery.city_messages import CityFile, CityMessages, composed
from alerts.delivery.grouping import News
from alerts.errors import AlertsConfigError, TextError
from alerts.event import Event, Severity
from alerts.incident import Member
from alerts.incident_texts import IncidentFile, IncidentTexts, trials
from alerts.one_line import printable, shortened
from alerts.scale import LEVELS, OTHER, READ_IN, Language, ReadIn, Scale, shipped_scale, tongue
from alerts.text_files import TextFile, read_texts
from alerts.warning import (  # the field's word, see there
    OF_INCIDENTS,
    TOLD,
    Told,
    Update,
    Warning,  # noqa: A004 - the field's word, see there
    fold,
    opened,
)
from alerts.witnesses.words import KINDS, Kind, counted, joined
from devices.errors import Fault

TITLE_LIMIT = 80
BODY_LIMIT = 600

_ALONE = tuple(each for each in TOLD if each not in OF_INCIDENTS)
SHIPPED = Path(__file__).parent / "texts"
FILES: Mapping[ReadIn, str] = {each: f"{each}.toml" for each in READ_IN}
_WATCHED = ("gateway", "catchment")
_NAME_LIMIT = 40
_ID_LIMIT = 160
_MOST_AREAS = 4
_AREA_LIMIT = 32


@dataclass(frozen=True, slots=True)
class Text:
    """One message: for people a title of at most 80 and a body of at most 600 characters."""

    title: str
    body: str


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Templates(_Table):
    title: str
    body: str


class _Measure(_Table):
    name: str
    unit: str
    decimals: int = Field(ge=0, le=3)
    stage: str
    basis: str
    cause: str = "{}"
    clear: _Templates | None = None


class _Witness(_Table):
    """How it is said who agreed; of each kind of witness one and several."""

    confirmed: str
    unconfirmed: str
    and_: str = Field(alias="and")
    kinds: dict[Kind, tuple[str, str]]


class _File(_Table):
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
    raise_: _Templates = Field(alias="raise")
    escalate: _Templates
    step_down: _Templates
    clear: _Templates
    unverified: _Templates
    sensor_lost: _Templates
    gateway_lost: _Templates
    gateway_back: _Templates
    blind: _Templates
    sighted: _Templates
    partner_silent: _Templates
    partner_back: _Templates
    later: _Templates
    witness: _Witness
    incident: IncidentFile
    city: CityFile
    measure: dict[str, _Measure]

    def templates(self, step: Told) -> _Templates:
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
            "partner_silent": self.partner_silent,
            "partner_back": self.partner_back,
        }[step]


class Texts:
    """Renders warnings. `station_name` turns a station's id into its name, `timezone` is the city's.

    `areas` gives the names of the warning areas that a station warns; `scale` has the words for levels and
    severities, the shipped one's when None; `console`: where staff decide. `own`: the city's folder, whose
    files stand over those of `folder`. Everything a file says is tried out here: raises AlertsConfigError
    with every fault.
    """

    def __init__(  # noqa: PLR0913 - what a text is made from
        self,
        station_name: Callable[[str], str],
        timezone: str,
        city: str = "",
        areas: Callable[[str, Language], Sequence[str]] = lambda _station, _language: (),
        *,
        folder: Path = SHIPPED,
        own: Path | None = None,
        scale: Scale | None = None,
        catchment_name: Callable[[str], str] = str,
        area_name: Callable[[str, Language], str] = lambda id_, _language: id_,
        console: str = "",
    ) -> None:
        about = _City(
            station_name,
            ZoneInfo(timezone),
            printable(city),
            areas,
            scale or shipped_scale(),
            catchment_name,
            area_name,
            console,
        )
        faults: list[Fault] = []
        self.files: dict[ReadIn, TextFile] = {}
        self._languages: dict[ReadIn, _Language] = {}
        for code in READ_IN:
            base = [folder / FILES["de"]] if code == "einfach" else []
            try:
                file = read_texts(FILES[code], folder, own, base)
                language = _Language(code, _valid(file), about)
            except AlertsConfigError as error:
                faults += error.faults
                continue
            except TextError as error:
                faults.append(Fault(str(file.path), "-", str(error), "correct the template"))
                continue
            self.files[code], self._languages[code] = file, language
            faults += _tried(str(file.path), language)
        if faults:
            raise AlertsConfigError(*faults)

    def render(self, warning: Warning, language: ReadIn, *, repeat: bool = False) -> Text:
        """Text of a warning's latest step; `repeat` says that it may have been delivered before.

        Raises TextError.
        """
        return self._languages[language].render(warning, repeat=repeat)

    def render_incident(self, news: News, language: ReadIn, *, repeat: bool = False) -> Text:
        """Text of a message about an incident, for staff; otherwise as render()."""
        return self._languages[language].render_incident(news, repeat=repeat)

    def render_city(
        self, warning: CityWarning, language: ReadIn, *, staff: bool, repeat: bool = False
    ) -> Text:
        """Text of the latest step of a warning of the city; otherwise as render()."""
        return self._languages[language].render_city(warning, staff=staff, repeat=repeat)


@dataclass(frozen=True, slots=True)
class _City:
    station_name: Callable[[str], str]
    zone: ZoneInfo
    name: str
    areas: Callable[[str, Language], Sequence[str]]
    scale: Scale
    catchment_name: Callable[[str], str]
    area_name: Callable[[str, Language], str]
    console: str


class _Language:
    def __init__(self, code: ReadIn, file: _File, city: _City) -> None:
        self._code: Language = tongue(code)
        self._file = file
        self._city = city
        environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)
        try:
            self._titles = {step: environment.from_string(file.templates(step).title) for step in _ALONE}
            self._bodies = {step: environment.from_string(file.templates(step).body) for step in _ALONE}
            self._incidents = IncidentTexts(file.incident, environment)
            self._of_city = CityMessages(file.city, environment, code, city.console)
            self._ends = {
                name: (environment.from_string(own.clear.title), environment.from_string(own.clear.body))
                for name, own in file.measure.items()
                if own.clear
            }
            self._later_title = environment.from_string(file.later.title)
            self._later_body = environment.from_string(file.later.body)
            self._sender = environment.from_string(file.sender)
        except jinja2.TemplateError as error:
            raise TextError(f"not a Jinja2 template: {error}") from error

    def render(self, warning: Warning, *, repeat: bool = False) -> Text:
        step = warning.history[-1].kind
        measure = self._file.measure.get(warning.measure) or self._file.measure[OTHER]
        try:
            values = self._values(warning, measure)
            words = (self._titles[step], self._bodies[step])
            if step == "clear":
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
        return shortened(printable(self._city.area_name(id_, self._code)), _AREA_LIMIT)

    def station(self, id_: str) -> str:
        return shortened(printable(self._name(id_)), _NAME_LIMIT)

    def catchment(self, id_: str) -> str:
        return "" if id_ == CITY else shortened(printable(self._city.catchment_name(id_)), _NAME_LIMIT)

    def member(self, member: Member) -> Mapping[str, str]:
        measure = self._file.measure.get(member.measure) or self._file.measure[OTHER]
        return {
            "measure": measure.name,
            "stage": measure.stage.format(member.level),
            "value": self._value(member.value, measure),
            "window": self._window(member.window_min),
        }

    def severity(self, severity: Severity) -> str:
        return self._city.scale.word(severity, self._code)

    def time(self, time_us: int) -> str:
        return self._time(time_us)

    def more(self, count: int) -> str:
        return self._file.more.format(count)

    def _ahead_of(self, warning: Warning, measure: _Measure) -> Iterator[str]:
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

    def _values(self, warning: Warning, measure: _Measure) -> Mapping[str, str]:
        latest = warning.history[-1]
        scale = self._city.scale
        return {
            "measure": measure.name,
            "station": shortened(printable(self._name(warning.station)), _NAME_LIMIT),
            "stage": measure.stage.format(latest.level),
            "meaning": scale.text(warning.measure, latest.level, self._code),
            "severity": scale.word(latest.severity, self._code),
            "value": self._value(latest.value, measure),
            "window": self._window(latest.window_min),
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

    def _value(self, value: float | None, measure: _Measure) -> str:
        if value is None:
            return ""
        number = f"{value:.{measure.decimals}f}".replace(".", self._file.decimal)
        return f"{number} {measure.unit}".rstrip()

    def _window(self, minutes: int | None) -> str:
        if minutes is None:
            return ""
        if minutes % 60:
            return self._file.minutes.format(minutes)
        return self._file.hour if minutes == 60 else self._file.hours.format(minutes // 60)  # noqa: PLR2004 - minutes of an hour

    def _time(self, time_us: int) -> str:
        local = datetime.fromtimestamp(time_us // 1_000_000, UTC).astimezone(self._city.zone)
        text = self._file.when.format(
            day=local.day,
            month=local.month,
            month_name=self._file.months[local.month - 1],
            year=local.year,
            hour=local.hour,
            minute=local.minute,
        )
        # the hour that a clock change repeats is said twice a year: only there the offset helps
        if local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset():
            text += f" (UTC{local:%z})"
        return text


def plain(warning: Warning) -> Text:
    """Text without templates, in both languages, for when those fail: an alert goes out regardless."""
    latest = warning.history[-1]
    value = "" if latest.value is None else f", {latest.value:g}"
    when = datetime.fromtimestamp(latest.time_us // 1_000_000, UTC)
    body = (
        f"{printable(warning.station)}: {warning.measure} {latest.kind} {latest.level}{value}, "
        f"{when:%Y-%m-%d %H:%M} UTC. Automatische Messwertmeldung, keine amtliche Warnung. "
        "Automatic measurement notice, not an official warning. "
        f"{printable(warning.id)} {printable(latest.event)}"
    )
    title = f"{warning.measure} {latest.kind} {latest.level}: {printable(warning.station)}"
    if warning.exercise:
        title, body = f"ÜBUNG / EXERCISE: {title}", f"ÜBUNG / EXERCISE. {body}"
    return Text(shortened(title, TITLE_LIMIT), shortened(body, BODY_LIMIT))


def _valid(read: TextFile) -> _File:
    path = str(read.path)
    try:
        file = _File.model_validate(read.data)
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


def _tried(path: str, language: _Language) -> Iterator[Fault]:
    """Render every measure and step, with everything known and with as little as there can be."""
    for measure in LEVELS:
        for step in _ALONE:
            for value, window in ((12.5, 60), (None, None)):
                event = Event(
                    "event", "episode", 0, "station", step, measure, 2, window, value, "rule", "reason"
                )
                warning = opened(event)
                if step == "clear":
                    warning = fold(opened(replace(event, id="first", kind="raise")), event) or warning
                later = replace(
                    event,
                    id="event.public",
                    kind="escalate",
                    confirmation="confirmed",
                    witness=joined((kind, "one") for kind in KINDS),
                )
                for each in (warning, fold(warning, later)) if step in {"raise", "escalate"} else (warning,):
                    try:
                        language.render(each or warning)
                    except TextError as error:
                        yield Fault(path, step, str(error), "use the names that the file's head lists")
    yield from _others_tried(path, language)


def _others_tried(path: str, language: _Language) -> Iterator[Fault]:
    for news in trials():
        try:
            language.render_incident(news)
        except TextError as error:
            yield Fault(path, f"incident.{news.step}", str(error), "compare with the shipped file")
    for of_city in city_messages.trials():
        try:
            language.render_city(of_city, staff=True)
        except TextError as error:
            action = of_city.steps[-1].step.action
            yield Fault(path, f"city.{action}", str(error), "compare with the shipped file")
