"""What residents read about their subscription, from a data file per language."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from alerts.areas import Areas
from alerts.errors import SubscriptionsError
from alerts.scale import READ_IN, Language, ReadIn, Scale
from alerts.subscriptions.records import Mail, MailKind, Subscription
from alerts.subscriptions.subscription import Choices, Place, QuietHours, Told
from alerts.texts.text import Text

_FOLDER = Path(__file__).with_name("texts")
_NAME_LIMIT = 80


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: str
    body: str
    known: str = ""
    sms: str
    sms_known: str = ""
    push: str = ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    consent: str
    consent_push: str
    notice: str
    foot: str
    area: str
    gauge: str
    point: str
    radius: str
    unknown: str
    told: dict[Told, str]
    least: str
    quiet: str
    awake: str
    confirm: _Message
    link: _Message
    welcome: _Message
    changed: _Message

    def message(self, kind: MailKind) -> _Message:
        return {"confirm": self.confirm, "link": self.link, "welcome": self.welcome, "changed": self.changed}[
            kind
        ]


def _read(language: ReadIn) -> _File:
    text = (_FOLDER / f"{language}.toml").read_text(encoding="utf-8")
    return _File.model_validate(tomllib.loads(text))


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses in messages, below the one that residents open."""

    base: str

    def subscription(self, token: str) -> str:
        """The page to confirm, to look after or to leave a subscription."""
        return f"{self.base.rstrip('/')}/subscriptions/{token}"

    @property
    def subscribe(self) -> str:
        """The page with the form."""
        return f"{self.base.rstrip('/')}/subscribe"


@dataclass(frozen=True, slots=True)
class Words:
    """Says choices and messages in a resident's language. `station_name` of an id, "" for no such."""

    city: str
    areas: Areas
    scale: Scale
    station_name: Callable[[str], str]
    links: Links
    _files: Mapping[ReadIn, _File] = field(default_factory=lambda: {each: _read(each) for each in READ_IN})

    @property
    def version(self) -> str:
        """Of the words that people consent to; logged with each consent."""
        return "/".join(f"{name}-{file.version}" for name, file in self._files.items())

    def consent(self, language: ReadIn, *, push: bool = False) -> str:
        """What somebody agrees to, by mail or telephone or in a browser."""
        file = self._files[language]
        return (file.consent_push if push else file.consent).format(city=self._city)

    def notice(self, language: ReadIn) -> str:
        """What a message is not."""
        return self._files[language].notice

    def told(self, what: Told, language: ReadIn) -> str:
        """A kind of message."""
        return self._files[language].told[what]

    def place(self, place: Place, language: ReadIn) -> str:
        """One place, by the city's names."""
        file = self._files[language]
        if place.kind == "point":
            where = file.point.format(lat=_number(place.lat, language), lon=_number(place.lon, language))
            return where + (file.radius.format(km=place.radius_km) if place.radius_km else "")
        if place.kind == "gauge":
            name = self.station_name(place.ref)
        else:
            names = [each.names() for each in self.areas.areas if each.id == place.ref]
            name = names[0][_tongue(language)] if names else ""
        known = _line(name) if name else file.unknown.format(name=_line(place.ref))
        return (file.gauge if place.kind == "gauge" else file.area).format(name=known)

    def summary(self, choices: Choices, language: ReadIn) -> list[str]:
        """All choices, a line each."""
        file = self._files[language]
        quiet = choices.quiet
        severity, severe, extreme = (
            self.scale.word(each, _tongue(language)) for each in (choices.least, "Severe", "Extreme")
        )
        loud = {"severe": severe, "extreme": extreme}
        return [
            *(self.place(each, language) for each in choices.places),
            ", ".join(file.told[each] for each in choices.told),
            file.least.format(severity=severity),
            file.awake if quiet is None else file.quiet.format(**_clock(quiet), **loud),
        ]

    def foot(self, language: ReadIn) -> str:
        """The last lines of every message, with {manage} and {leave} still to be filled in."""
        return self._files[language].foot.replace("{city}", self._city)

    def mail(self, mail: Mail, known: Subscription | None) -> Text:
        """A message to an address; `known`: the subscription that it has. Raises SubscriptionsError."""
        file = self._files[mail.language]
        message = file.message(mail.kind)
        choices = mail.choices or (known.choices if known else Choices(()))
        values = {
            "city": self._city,
            "summary": "\n".join(f"- {line}" for line in self.summary(choices, mail.language)),
            "link": self.links.subscription(mail.token),
            "subscribe": self.links.subscribe,
            "manage": self.links.subscription(known.secrets.manage) if known else "",
            "leave": self.links.subscription(known.secrets.leave) if known else "",
            "consent": self.consent(mail.language),
            "notice": file.notice,
        }
        values["foot"] = file.foot.format(**values)
        if mail.contact.channel == "email":
            body = message.known if known and message.known else message.body
        elif mail.contact.channel == "push":
            body = message.push
        else:
            body = message.sms_known if known and message.sms_known else message.sms
        try:
            # values are filled in once: what they contain is text, whatever it looks like
            return Text(message.subject.format(**values), body.strip().format(**values))
        except (LookupError, ValueError) as error:
            raise SubscriptionsError(f"text {mail.kind} in {mail.language}: {error}") from error

    @property
    def _city(self) -> str:
        return _line(self.city)


def _tongue(language: ReadIn) -> Language:
    return "en" if language == "en" else "de"


def _number(value: float, language: ReadIn) -> str:
    text = f"{value:.3f}"
    return text if language == "en" else text.replace(".", ",")


def _clock(quiet: QuietHours) -> Mapping[str, str]:
    return {
        name: f"{minute // 60:02}:{minute % 60:02}"
        for name, minute in (("start", quiet.start_min), ("end", quiet.end_min))
    }


def _line(text: str) -> str:
    """One line of a name from a file: it must not start a mail header."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_NAME_LIMIT]
