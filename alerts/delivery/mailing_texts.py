"""What residents are told by mail, SMS and push: of notices in the words of their templates, of warnings of
the city in the city's own."""  # noqa: D205, D209 - one thought

import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog
from pydantic import BaseModel, ConfigDict

from alerts.areas import Areas
from alerts.city.city_warning import CityWarning
from alerts.city.register import RULE, signed_by
from alerts.delivery.bulk import Bulletin
from alerts.delivery.mailings import Mailing
from alerts.delivery.spoken import spoken
from alerts.errors import TextError
from alerts.event import CityText
from alerts.one_line import printable
from alerts.scale import READ_IN, ReadIn
from alerts.texts.text import Text, plain
from alerts.warning import Warning  # noqa: A004 - the field's word, see there

_TITLE_LIMIT = 160
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_log = structlog.get_logger(__name__)

RenderNotice = Callable[[Warning, ReadIn], Text]


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    intro: str
    by: str = ""
    without: str = ""


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    when: str
    areas: str
    whole_city: str
    until: str
    by: str
    by_rule: str
    id: str
    sms_notice: str
    spoken_hello: str
    spoken_again: str
    release: _Step
    update: _Step
    all_clear: _Step
    cancel: _Step
    expire: _Step


class MailingTexts:
    """`notice` renders a measurement notice; `city` is the city's name, `timezone` its clock."""

    def __init__(self, notice: RenderNotice, city: str, timezone: str, areas: Areas) -> None:
        self._notice = notice
        self._city = _line(city)
        self._zone = ZoneInfo(timezone)
        self._areas = areas
        data = tomllib.loads(Path(__file__).with_name("mailing_texts.toml").read_text(encoding="utf-8"))
        self._words: Mapping[ReadIn, _Words] = {each: _Words.model_validate(data[each]) for each in READ_IN}

    def bulletin(self, mailing: Mailing, language: ReadIn) -> Bulletin:
        """A mailing's words in one language; never none, whatever is wrong with the templates."""
        what = mailing.what
        if isinstance(what, CityWarning):
            text, sms, parts = self._of_city(what, language)
        else:
            text = self._of_notice(what, language)
            short = self._words[language].sms_notice.format(
                title=_shortened(text.title.rstrip(".") + ".", 160)
            )
            sms, parts = CityText(short, "", ""), [short]
        words = self._words[language]
        hello = words.spoken_hello.format(city=self._city)
        return Bulletin(
            event=mailing.event,
            episode=what.id,
            told=mailing.told,
            severity=mailing.severity,
            end=mailing.ends,
            time_us=mailing.event_us,
            language=language,
            text=text,
            sms=sms,
            valid_until_us=what.valid_until_us if isinstance(what, CityWarning) else 0,
            spoken=spoken(hello, parts, words.spoken_again),
        )

    def _of_notice(self, warning: Warning, language: ReadIn) -> Text:
        try:
            return self._notice(warning, language)
        except (TextError, LookupError):
            _log.exception("notice_text_failed", warning=warning.id)
            return plain(warning)

    def _of_city(self, warning: CityWarning, language: ReadIn) -> tuple[Text, CityText, list[str]]:
        """The mail, the SMS, and what is said in a call: what to do comes first, people hang up."""
        words = self._words[language]
        latest = warning.steps[-1]
        action = latest.step.action
        step = {
            "update": words.update,
            "all_clear": words.all_clear,
            "cancel": words.cancel,
            "expire": words.expire,
        }.get(action, words.release)
        said = _said(warning.texts, language)
        by = _line(signed_by(warning.steps))
        values = {
            "city": self._city,
            "headline": _line(said.headline).removeprefix(step.without),
            "by": by,
            "time": self._time(latest.time_us, words),
            "until": self._time(warning.valid_until_us, words),
            "areas": self._names(warning.areas, language) or words.whole_city,
            "id": _line(warning.id),
        }
        title = _shortened(_filled(step.title, values), _TITLE_LIMIT)
        signed = step.by or (words.by_rule if by.startswith(RULE) else words.by)
        foot = [
            _filled(words.areas, values),
            *([] if warning.ended_us else [_filled(words.until, values)]),
            _filled(signed, values),
            _filled(words.id, values),
        ]
        parts = [_filled(step.intro, values), _block(said.headline), _block(said.description)]
        parts += [_block(said.instruction), "\n".join(foot)]
        own = not warning.ended_us or bool(latest.step.texts)
        todo = f"{step.intro} {printable(said.instruction) if own else ''}".strip()
        sms = CityText(title, "" if warning.ended_us else printable(said.description), todo)
        aloud = [title, _filled(step.intro, values), said.instruction, said.description]
        if warning.ended_us:
            # "leave the cellar" does not stand in an all-clear
            aloud = aloud[:2]
        else:
            aloud.append(_filled(words.until, values))
        return Text(title, "\n\n".join(filter(None, parts))), sms, aloud

    def _names(self, areas: tuple[str, ...], language: ReadIn) -> str:
        known = {each.id: each.names()["en" if language == "en" else "de"] for each in self._areas.areas}
        return ", ".join(_line(known.get(id_, id_)) for id_ in areas)

    def _time(self, time_us: int, words: _Words) -> str:
        local = datetime.fromtimestamp(time_us // 1_000_000, UTC).astimezone(self._zone)
        return words.when.format(
            day=local.day,
            month=local.month,
            month_name=_MONTHS[local.month - 1],
            year=local.year,
            hour=local.hour,
            minute=local.minute,
        )


def _said(texts: Mapping[str, CityText], language: ReadIn) -> CityText:
    """In the language asked for, else in German, else in whatever there is."""
    for each in (language, "de", *texts):
        if each in texts:
            return texts[each]
    return CityText("", "", "")


def _filled(template: str, values: Mapping[str, str]) -> str:
    # values are filled in once: what they contain is text, whatever it looks like
    return template.format(**values).strip()


def _block(text: str) -> str:
    """Several lines of plain text: what could steer a terminal or a mail program is left out."""
    lines = ("".join(c for c in line if c.isprintable()).strip() for line in text.splitlines())
    return "\n".join(lines).strip()


def _line(text: str) -> str:
    return _shortened(" ".join("".join(c if c.isprintable() else " " for c in text).split()), 200)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
