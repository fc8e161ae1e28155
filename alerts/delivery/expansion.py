"""What a page of the journal's events comes to: which channel is to be told of what."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import structlog

from alerts.city import city_warning
from alerts.city.city_warning import CityWarning
from alerts.delivery.channels import Channel
from alerts.delivery.city_messages import told_as
from alerts.delivery.deliveries import Deliveries
from alerts.delivery.delivery import Entry, New, Page, kind_of
from alerts.delivery.dispatch import Dispatch, answers
from alerts.delivery.grouping import Weight, station_rank, weigh
from alerts.event import PREEMPTED, Event, Severity
from alerts.incidents.incident import Incident
from alerts.incidents.incident import fold as fold_incidents
from alerts.warning import STEPS, TOLD, Warning, fold, opened  # noqa: A004 - the field's word, see there

_log = structlog.get_logger(__name__)
_Numbered = Sequence[tuple[int, Event]]


def expanded(
    position: tuple[int, str],
    events: _Numbered,
    channels: Sequence[Channel],
    deliveries: Deliveries,
    dispatch: Dispatch | None = None,
) -> Page:
    """The page after these events; `deliveries` says how everything stood before them."""
    notices = [(seq, event) for seq, event in events if event.city is None]
    known = deliveries.episodes({event.episode for _, event in notices})
    new, changed = _told(notices, known)
    incidents = deliveries.incidents({event.incident for _, event in notices})
    weights = _weights(notices, incidents)
    city = deliveries.city_warnings({event.episode for _, event in events if event.city is not None})
    steps = list(_steps(events, city))
    entries = [
        *(_entry(each, to, *weights.get(each.event, (None, None))) for each in new for to in channels),
        *(Entry(step, to.name, deaf=to.deaf_to_city(warning)) for step, warning in steps for to in channels),
    ]
    if dispatch is not None and entries:
        of_the_city = deliveries.incidents({each.incident for each in city.values()} - incidents.keys())
        entries = dispatch.decide(entries, {**of_the_city, **incidents}, deliveries)
    return Page(
        position,
        entries,
        episodes=list(changed.values()),
        city=list(city.values()),
        incidents=list(incidents.values()),
        ended=[event.episode for _, event in events if _preempted(event)],
        answers=list(answers(event for _, event in events)),
    )


def _preempted(event: Event) -> bool:
    return event.exercise and event.reason == PREEMPTED


def _steps(events: _Numbered, known: dict[str, CityWarning]) -> Iterator[tuple[New, CityWarning]]:
    """The steps of warnings of the city that count, each with the warning after it; folds `known`."""
    for seq, event in events:
        before = known.get(event.episode)
        after = city_warning.fold(before, event)
        if after is None or after is before:
            continue
        known[event.episode] = after
        if not _preempted(event):
            yield New(event.id, seq, kind_of(told_as(after)), event.time_us, after), after


def _told(events: _Numbered, known: Mapping[str, Warning]) -> tuple[list[New], dict[str, Warning]]:
    """What is to be told, and the episodes that changed. An event without an audience is for nobody."""
    new: list[New] = []
    changed: dict[str, Warning] = {}
    for seq, event in events:
        if event.kind in TOLD and event.kind not in STEPS:
            # stands alone: it is no step of an episode
            if event.audience is not None:
                notice = opened(event)
                new.append(New(event.id, seq, notice.history[-1].kind, event.time_us, notice))
            continue
        before = changed.get(event.episode) or known.get(event.episode)
        after = fold(before, event)
        if after is before and event.kind in ("raise", "escalate"):
            # against the contract, yet somebody may be in danger: tell it as a warning of its own
            with suppress(OSError, ValueError):
                _log.warning("raised_after_its_end", event_id=event.id, episode=event.episode)
            after = opened(event)
        elif after is None or after is before:
            continue
        else:
            changed[event.episode] = after
        if after.audience is not None and not _preempted(event):
            new.append(New(event.id, seq, after.history[-1].kind, event.time_us, after))
    return new, changed


def _weights(events: _Numbered, incidents: dict[str, Incident]) -> dict[str, tuple[Weight, Severity | None]]:
    """What each event means for its incident, and the incident's peak then; folds `incidents`."""
    found: dict[str, tuple[Weight, Severity | None]] = {}
    for _, event in events:
        before = station_rank(incidents.get(event.incident), event.station)
        for incident in fold_incidents(incidents, [event]):
            found[event.id] = weigh(event, incident, before), incident.peak
    return found


def _entry(new: New, channel: Channel, weight: Weight | None, peak: Severity | None) -> Entry:
    if weight is None or not channel.by_incident or isinstance(new.warning, CityWarning):
        return Entry(new, channel.name)
    return Entry(new, channel.name, weight, channel.deaf_to(new.warning, peak))
