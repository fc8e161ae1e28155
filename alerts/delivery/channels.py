"""Where alerts go: one apprise address per channel, opened and checked before it is needed."""

import logging
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, get_args
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import apprise
import structlog
from apprise import NotifyFormat, NotifyType
from apprise.plugins import NotifyBase
from apprise.result import AppriseResult, AppriseResultStatus

from alerts.city.city_warning import CityWarning
from alerts.delivery.calls import MOST_HANGING, Calls
from alerts.delivery.city_messages import PUBLIC, peak, told_as
from alerts.errors import AlertsConfigError
from alerts.event import Audience, Severity
from alerts.routing.quiet import read_quiet
from alerts.scale import LANGUAGES, SEVERITIES, Language, rank
from alerts.texts.text import Text
from alerts.warning import ABOUT_THE_FIRST, TOLD, Told, Warning  # noqa: A004 - the field's word, see there
from devices.errors import Fault

TIMEOUT_S = 20.0
"""How long one attempt may take: longer than apprise's own 15 s for an SMTP connection."""

_DETAIL_LIMIT = 200
_SECRET_LENGTH = 3
_log = structlog.get_logger(__name__)

OutcomeStatus = Literal["sent", "refused", "unknown", "misconfigured", "skipped"]


@dataclass(frozen=True, slots=True)
class Channel:
    """Somebody to tell, as the configuration says.

    `audience`: "staff" hears every alert, "public" only those meant for the public. `min_level` is the rank
    of a severity (1 Minor to 4 Extreme) that an episode must have reached; then its end is told as well.
    `exercises`: staff who take part in drills. `quiet`: hours of the day at which staff hear of what is
    Severe alone, "" none. Raises AlertsConfigError.
    """

    name: str
    url: str = field(repr=False)
    language: Language = "de"
    audience: tuple[Audience, ...] = ("staff",)
    min_level: int = 1
    exercises: bool = False
    quiet: str = ""
    kinds: tuple[Told, ...] = TOLD

    def __post_init__(self) -> None:
        wrong = [
            (key, remedy)
            for key, fine, remedy in (
                ("name", bool(self.name.strip()) and self.name.isprintable(), "give it a short name"),
                ("language", self.language in LANGUAGES, f"one of {', '.join(LANGUAGES)}"),
                (
                    "audience",
                    bool(self.audience) and set(self.audience) <= set(get_args(Audience)),
                    'one or both of "public", "staff"',
                ),
                (
                    "min_level",
                    1 <= self.min_level <= len(SEVERITIES),
                    "1 Minor, 2 Moderate, 3 Severe, 4 Extreme",
                ),
                (
                    "exercises",
                    not self.exercises or "staff" in self.audience,
                    'only with audience "staff": residents get no exercise by message',
                ),
                ("quiet", _quiet(self), 'hours such as "22:00-06:00", only with audience "staff"'),
                ("kinds", bool(self.kinds) and set(self.kinds) <= set(TOLD), f"some of {', '.join(TOLD)}"),
            )
            if not fine
        ]
        if wrong:
            raise AlertsConfigError(
                *(_fault(self.name, f"{key} is not usable", remedy) for key, remedy in wrong)
            )

    @property
    def by_incident(self) -> bool:
        """Whether it hears of incidents as one; residents hear of what their place is warned of."""
        return "staff" in self.audience

    def held_until_us(self, time_us: int, zone: ZoneInfo) -> int | None:
        """When (µs since the epoch, UTC) the quiet hours end that a time lies in; None: in none."""
        return read_quiet(self.quiet).until_us(time_us, zone) if self.quiet else None

    def deaf_to(self, warning: Warning, peak: Severity | None = None) -> str:
        """Why this channel is not told of a warning's latest step; "" when it is told.

        `peak`: the highest severity of its incident, for a channel that hears by incident.
        """
        if warning.audience is None:
            return "for nobody"
        if warning.exercise and not self.exercises:
            return "no exercises here"
        if warning.audience not in self.audience and "staff" not in self.audience:
            return f"for {warning.audience} only"
        highest = max(rank(each) for each in (warning.peak_severity, peak) if each)
        if highest < self.min_level and warning.history[-1].kind not in ABOUT_THE_FIRST:
            return f"below {SEVERITIES[self.min_level - 1]}"
        if warning.history[-1].kind not in self.kinds:
            return f"no {warning.history[-1].kind} here"
        return ""

    def deaf_to_city(self, warning: CityWarning) -> str:
        """Why this channel is not told of the latest step of a warning of the city; "" when it is told."""
        staff = "staff" in self.audience
        if warning.exercise and not self.exercises:
            return "no exercises here"
        if not staff and (not warning.public or told_as(warning) not in PUBLIC):
            return "for staff only"
        if peak(warning, staff=staff) < self.min_level:
            return f"below {SEVERITIES[self.min_level - 1]}"
        return ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt; `unknown`: it may have arrived. `detail` holds no secret.

    `wait_s`: before then the channel wants no other.
    """

    status: OutcomeStatus
    detail: str = ""
    wait_s: float = 0.0


class Sender(Protocol):
    """Hands one text to one channel."""

    def send(self, text: Text, *, warns: bool, stopping: threading.Event) -> Outcome:
        """Send and say what became of it; returns soon once `stopping` is set. Never raises."""


class AppriseSender:
    """One channel behind apprise. Raises AlertsConfigError when its address cannot work; sends nothing then.

    A call that hangs is left behind, see calls.py.
    """

    def __init__(self, channel: Channel, timeout_s: float = TIMEOUT_S) -> None:
        # they print addresses, headers and tokens; what matters of it is in apprise's results
        logging.getLogger("apprise").propagate = False
        logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
        self._channel = channel
        self._timeout_s = timeout_s
        self._secrets = _secrets(channel.url)
        self._calls = Calls(channel.name, timeout_s)
        self._apprise = self._open()
        self._recipients = sum(len(service) for service in self._apprise)

    @property
    def hanging(self) -> int:
        """Calls left behind that have not come back."""
        return self._calls.hanging

    def send(
        self, text: Text, *, warns: bool, stopping: threading.Event, attach: Sequence[Path] = ()
    ) -> Outcome:
        """Send and say what became of it; returns soon once `stopping` is set. Never raises."""
        if self.hanging >= MOST_HANGING:
            return Outcome("refused", f"{MOST_HANGING} earlier calls still hang")
        service = self._apprise
        outcome = self._calls.run(lambda: self._notify(service, text, warns=warns, attach=attach), stopping)
        if outcome is not None:
            return outcome
        # a service left in the middle of a call is not used again
        self._apprise = self._open()
        if stopping.is_set():
            return Outcome("unknown", "stopped in the middle of the call")
        return Outcome("unknown", f"no answer within {self._timeout_s:g} s")

    def _notify(
        self, service: apprise.Apprise, text: Text, *, warns: bool, attach: Sequence[Path]
    ) -> Outcome:
        try:
            with service.notify(
                body=text.body,
                title=text.title,
                notify_type=NotifyType.WARNING if warns else NotifyType.INFO,
                body_format=NotifyFormat.TEXT,
                attach=[str(file) for file in attach] or None,
            ) as result:
                return self._outcome(result)
        except Exception as fault:  # noqa: BLE001 - a plugin may raise anything, and the alert must be tried again
            return Outcome("unknown", self._masked(f"{type(fault).__name__}: {fault}"))

    def _outcome(self, result: AppriseResult) -> Outcome:
        if result.status == AppriseResultStatus.SUCCESS:
            return Outcome("sent")
        detail = self._masked("; ".join(entry.message for entry in result.logs()))
        if result.status == AppriseResultStatus.NOMATCH:
            return Outcome("misconfigured", detail or "nobody to send to")
        if result.status == AppriseResultStatus.TIMEOUT:
            return Outcome("unknown", detail or "no answer in time")
        if self._recipients > 1:
            # it does not say whether some of them have it
            return Outcome("unknown", detail or "refused for one recipient at least")
        return Outcome("refused", detail or "the service refused it")

    def _open(self) -> apprise.Apprise:
        name, url = self._channel.name, self._channel.url
        scheme = _scheme(url)
        if re.search(r"[\s,]+[A-Za-z][A-Za-z0-9+.-]*://", url):
            raise AlertsConfigError(
                _fault(name, "the url holds several addresses", "one [[alerts.channel]] per address")
            )
        # no time limit of apprise's own: it would put the call into a pool that all channels share
        asset = apprise.AppriseAsset(
            app_id="Stadtfunk", app_desc="Stadtfunk", service_timeout=0, allow_templates=False
        )
        problem = ""
        try:
            service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=False)
        except Exception as fault:  # noqa: BLE001 - whatever a plugin's constructor raises, the address is at fault
            service, problem = None, self._masked(str(fault))
        if service is None:
            raise AlertsConfigError(
                _fault(
                    name,
                    f"apprise cannot use the address {scheme}***" + (f": {problem}" if problem else ""),
                    "write it as apprise's page for that service says: https://appriseit.com/services/",
                )
            )
        if service.optional:
            raise AlertsConfigError(
                _fault(name, "optional=yes would report a lost alert as sent", "remove it from the url")
            )
        service.retry = 0  # the outbox repeats, and keeps count
        if type(service).request_rate_per_sec == NotifyBase.request_rate_per_sec:
            # nobody chose these 5.5 s between two messages, and an alert has 2 s
            service.request_rate_per_sec = 0
        opened = apprise.Apprise(asset=asset)
        opened.add(service)
        if not opened:
            raise AlertsConfigError(_fault(name, "nobody to send to", "name a recipient in the url"))
        return opened

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = " ".join(text.split())
        return text if len(text) <= _DETAIL_LIMIT else text[: _DETAIL_LIMIT - 1] + "…"


def _quiet(channel: Channel) -> bool:
    try:
        return not channel.quiet or ("staff" in channel.audience and bool(read_quiet(channel.quiet)))
    except ValueError:
        return False


def _scheme(url: str) -> str:
    match = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", url.strip())
    return match[0] if match else ""


def _secrets(url: str) -> tuple[str, ...]:
    """Whatever stands in an address behind its scheme may be a secret: tokens stand in every place."""
    rest = url.strip().removeprefix(_scheme(url))
    parts = {form for part in re.split(r"[/:@?&=,;+\s]+", rest) for form in (part, unquote(part))}
    return tuple(sorted((part for part in parts if len(part) >= _SECRET_LENGTH), key=len, reverse=True))


def _fault(name: str, problem: str, remedy: str) -> Fault:
    return Fault("[[alerts.channel]]", name or "?", problem, remedy)
