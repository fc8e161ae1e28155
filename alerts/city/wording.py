"""One language of the warnings of the city: its templates, and the values that they are filled with."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import ValidationError

from alerts.city.short_texts import HEADLINE_LIMIT, headline
from alerts.city.situation import Situation
from alerts.city.subject import RAIN, WATER, Places, serious
from alerts.city.warning_file import AFTER, ENDS, FORMS, TEXT_KINDS, Form, TextKind, WarningFile
from alerts.errors import AlertsConfigError
from alerts.event import CityText
from alerts.incidents.incident import Member
from alerts.one_line import printable, shortened
from alerts.outlook import LevelOutlook
from alerts.scale import SEVERITIES, ReadIn, rank, tongue
from alerts.spoken import duration, moment
from alerts.text_files import TextFile
from devices.errors import Fault

FAULTS = (jinja2.TemplateError, LookupError, ValueError, TypeError, ArithmeticError)
"""What a template can fail with."""

_NAME_LIMIT = 40
_REASON_LIMIT = 120
_MOST_AREAS = 6
_HEADLINE_AIM = 80
_AHEAD_MIN = 240
_OLD_US = 45 * 60_000_000
_MINUTE_US = 60_000_000
_OVERFLOWS = 4
_ALWAYS = ("city", "areas", "thing", "name", "alarm", "severity", "time", "until")
_OPTIONAL = (
    *("since", "place", "value", "window", "measured", "rise", "ahead", "overflows", "lost"),
    *("changed", "by", "reason"),
)


class Wording:
    """Writes one language. Raises AlertsConfigError for a file that is not as it should be."""

    def __init__(self, code: ReadIn, file: TextFile, places: Places) -> None:
        self._code, self._path, self._places = code, str(file.path), places
        self._zone = ZoneInfo(places.timezone)
        try:
            self._file = WarningFile.model_validate(file.data)
        except ValidationError as error:
            raise AlertsConfigError(
                *(
                    Fault(
                        self._path,
                        ".".join(map(str, item["loc"])) or "-",
                        item["msg"].removeprefix("Value error, "),
                        "compare with the shipped file",
                    )
                    for item in error.errors(include_url=False)
                )
            ) from error
        self._sandbox = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)
        self._templates: dict[str, jinja2.Template] = {}

    def write(self, situation: Situation, form: Form, kind: TextKind) -> CityText:
        """One text. Raises one of FAULTS where a template fails."""
        file = self._file
        texts = file.kind_of(kind).at(situation.severity)
        values = self._values(situation, form, kind)
        values["what"] = self._said(texts.what, values)
        parts = [self._said(each, values) for each in getattr(file.description, form)]
        todo = file.advice[AFTER][form] if form in ENDS else file.advice[texts.advice][situation.severity]
        description = " ".join(each for each in parts if each)
        return CityText(
            self._headline(situation, form, values),
            f"{file.exercise} {description}" if situation.exercise else description,
            " ".join(each for each in (self._said(each, values) for each in todo) if each),
        )

    def tried(self) -> Iterator[Fault]:
        """What is wrong with any template, found by writing everything once."""
        for key, said in self._everything():
            try:
                for optional in ("1", ""):
                    values = dict.fromkeys((*_ALWAYS, "what"), "1") | dict.fromkeys(_OPTIONAL, optional)
                    self._said(said, values)
            except FAULTS as error:
                yield self._fault(key, error)
                return
        for kind, severity in itertools.product(TEXT_KINDS, SEVERITIES):
            try:
                for form in FORMS:
                    self.write(Situation(0, severity, (), 0, kind=kind), form, kind)
            except FAULTS as error:
                yield self._fault(f"{kind}, {severity}", error)
                return
        for key, said, names in self._file.words():
            try:
                said.format(*(() if names else ("1",)), **dict.fromkeys(names, 1))
            except FAULTS as error:
                yield self._fault(key, error)

    def _everything(self) -> Iterator[tuple[str, str]]:
        """Every template by its key."""
        file = self._file
        for form in FORMS:
            yield f"headline.{form}", getattr(file.headline, form)
            yield from ((f"description.{form}", said) for said in getattr(file.description, form))
        for kind, severity in itertools.product(TEXT_KINDS, SEVERITIES):
            own = file.kind_of(kind).at(severity)
            yield from ((f"kind.{kind}", said) for said in (own.thing, own.name, own.what))
        for group, table in file.advice.items():
            for name, advice in table.items():
                yield from ((f"advice.{group}.{name}", said) for said in advice)

    def _fault(self, key: str, error: Exception) -> Fault:
        problem = f"{type(error).__name__}: {error}"
        return Fault(self._path, key, problem, "use the names that the shipped file's head lists")

    def _headline(self, situation: Situation, form: Form, values: Mapping[str, str]) -> str:
        """With as many names of areas as leave it short; at least one where that fits at all."""
        names = self._area_names(situation.areas)
        several = range(min(len(names), _MOST_AREAS), 1, -1)
        choices = [(self._listed(names, count), _HEADLINE_AIM) for count in several]
        if names:
            choices += [(self._listed(names, 1), HEADLINE_LIMIT)]
        choices += [(self._file.count.format(len(names)) if names else self._file.whole_city, HEADLINE_LIMIT)]
        prefix = self._file.exercise_headline if situation.exercise else ""
        said = ""
        for areas, limit in choices:
            said = prefix + self._said(getattr(self._file.headline, form), {**values, "areas": areas})
            if len(said) <= limit:
                break
        return headline(said)

    def _said(self, template: str, values: Mapping[str, str]) -> str:
        known = self._templates.get(template)
        if known is None:
            known = self._templates[template] = self._sandbox.from_string(template)
        return " ".join(known.render(values).split())

    def _values(self, situation: Situation, form: Form, kind: TextKind) -> dict[str, str]:
        file, texts = self._file, self._file.kind_of(kind).at(situation.severity)
        about = serious(situation)
        incident = situation.incident
        names = self._area_names(situation.areas)
        values = {
            **dict.fromkeys(_OPTIONAL, ""),
            **self._measured(kind, about, situation.time_us),
            "city": self._city_name(),
            "areas": self._listed(names, _MOST_AREAS) if names else file.whole_city,
            "severity": self._places.scale.word(situation.severity, tongue(self._code)),
            "alarm": getattr(file.alarm, situation.severity),
            "time": self._time(situation.time_us),
            "until": self._time(situation.valid_until_us),
            "since": self._time(incident.began_us) if incident else "",
            "lost": "yes" if incident and incident.lost else "",
            "by": shortened(printable(situation.by), _NAME_LIMIT),
            "reason": shortened(printable(situation.reason), _REASON_LIMIT),
            "changed": self._changed(situation) if form == "update" else "",
            "thing": "",
            "name": "",
        }
        values["thing"] = self._said(texts.thing, values)
        values["name"] = self._said(texts.name, values)
        return values

    def _measured(self, kind: TextKind, members: Sequence[Member], now_us: int) -> Mapping[str, str]:
        """The highest value of what the text is about, and where that water is heading."""
        water = [each for each in members if each.measure in WATER]
        fitting = [
            each for each in members if kind not in {"level", "basin"} or WATER.get(each.measure) == kind
        ]
        top = next(iter(fitting or members), None)
        if top is None:
            return {}
        outlook = next((found for each in water if (found := self._outlook(each.station, now_us))), None)
        rising = outlook if outlook and outlook.rising and (outlook.rate or 0) > 0 else None
        return {
            "place": self._station(top.station),
            "value": self._value(top),
            "window": duration(top.window_min, self._file),
            "measured": self._time(top.changed_us),
            "rise": self._file.centimetres.format(f"{rising.rate:.0f}") if rising else "",
            "ahead": self._ahead(kind, outlook, now_us) if outlook else "",
            "overflows": "yes"
            if any(m.measure == "basin" and m.level >= _OVERFLOWS for m in members)
            else "",
        }

    def _outlook(self, station: str, now_us: int) -> LevelOutlook | None:
        found = self._places.outlook(station)
        return found if found is not None and now_us - found.time_us <= _OLD_US else None

    def _ahead(self, kind: TextKind, outlook: LevelOutlook, now_us: int) -> str:
        """When what is expected may come, on the clock: a text is read later than it is written."""
        found: tuple[float, float] | None = None
        if kind == "basin" and outlook.basin is not None:
            ways = [each.minutes for each in outlook.basin.spillways if each.minutes and each.minutes[1] > 0]
            found = min(ways, default=None)
        elif kind == "expected" and outlook.wave is not None:
            first, last = outlook.wave.first_us, outlook.wave.last_us
            found = ((first - outlook.time_us) / _MINUTE_US, (last - outlook.time_us) / _MINUTE_US)
        elif kind == "expected":
            found = next((mark.minutes for mark in outlook.marks if not mark.reached and mark.minutes), None)
        if found is None or found[0] > _AHEAD_MIN:
            return ""
        first_us, last_us = (outlook.time_us + int(each * _MINUTE_US) for each in found)
        if last_us < now_us:
            return ""
        clocks = [self._moment(max(each, now_us), self._file.clock) for each in (first_us, last_us)]
        return self._file.between.format(first=clocks[0], last=clocks[1])

    def _changed(self, situation: Situation) -> str:
        words, before = self._file.changed, situation.before
        if before is None:
            return words.same
        said = []
        now, then = rank(situation.severity), rank(before.severity)
        if now != then:
            names = [
                self._places.scale.word(each, tongue(self._code))
                for each in (situation.severity, before.severity)
            ]
            said.append((words.higher if now > then else words.lower).format(now=names[0], before=names[1]))
        # empty means the whole city: nothing is new in it, nothing is left out of it
        new, old = set(situation.areas), set(before.areas)
        if new and old:
            for template, ids in ((words.more_areas, new - old), (words.fewer_areas, old - new)):
                if ids:
                    names = self._area_names(tuple(sorted(ids)))
                    said.append(template.format(self._listed(names, _MOST_AREAS)))
        elif old:
            said.append(words.more_areas.format(self._file.whole_city))
        elif new:
            said.append(words.fewer_areas.format(self._file.whole_city))
        later = situation.valid_until_us - before.valid_until_us
        if abs(later) > _MINUTE_US:
            said.append(words.longer if later > 0 else words.shorter)
        return " ".join(said) or words.same

    def _city_name(self) -> str:
        name = shortened(printable(self._places.city), _NAME_LIMIT).removeprefix("Stadt ")
        return self._file.city.format(name) if name else self._file.nameless

    def _area_names(self, ids: Sequence[str]) -> list[str]:
        try:
            names = self._places.area_names(ids, tongue(self._code))
        except LookupError:
            names = ids
        return [shortened(printable(each), _NAME_LIMIT) for each in names] if ids else []

    def _listed(self, names: Sequence[str], most: int) -> str:
        said, rest = ", ".join(names[:most]), len(names) - most
        return self._file.more.format(names=said, count=rest) if rest > 0 else said

    def _station(self, id_: str) -> str:
        try:
            return shortened(printable(self._places.station_name(id_) or id_), _NAME_LIMIT)
        except LookupError:
            return shortened(printable(id_), _NAME_LIMIT)

    def _value(self, member: Member) -> str:
        if member.value is None:
            return ""
        if member.measure in RAIN:
            number = f"{member.value:.0f}" if self._code == "einfach" else f"{member.value:.1f}"
            return self._file.millimetres.format(number.replace(".", self._file.decimal))
        return self._file.centimetres.format(f"{member.value:.0f}") if member.measure in WATER else ""

    def _time(self, time_us: int) -> str:
        return self._moment(time_us, self._file.when)

    def _moment(self, time_us: int, template: str) -> str:
        return moment(time_us, self._zone, template, self._file.months)
