"""What is new to the public, over MQTT: OGC 18-088, section 14.2, at a broker of the city's."""

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush, nsmallest
from itertools import islice
from pathlib import Path

import structlog

from api.sta.city import Cities
from api.sta.city_changes import CatalogueWatch
from api.sta.city_ids import FIRST_US, LAST_US, observation_id, read_observation_id
from api.sta.errors import StaError
from api.sta.model import ENTITY_SETS
from api.sta.options import Options
from api.sta.reading import Reading
from api.visibility import View
from ingest.broker import Broker
from ingest.errors import IngestError
from ingest.health import Health
from ingest.journal import Journal
from ingest.mqtt_link import Heard, MqttLink, Publication, Session
from ingest.store_writer import PART

VERSION = "v1.1"
MOST_BEHIND = 20_000
"""Uplinks that wait for a broker that is away or slow; of more the newest are published, the rest is not."""
_BATCH = 200
_MOST_WAITING = 2_000
_REST_S = 2.0
_LOOK_S = 5.0
_PATIENCE_S = 30.0
_log = structlog.get_logger(__name__)


class CityUpdates:
    """Publishes what was stored since, as the API shows it: neither twice nor out of the store's sight.

    `views` gives the public's view. `base`: the service root's address, without a slash at its end, for the
    links in the messages. It begins with what is stored after the start, and goes on where it was when the
    broker comes back. A broker that is away holds nobody up: the journal keeps what is to be published.
    What is public later waits in memory until then; what is coarser is never published. Entities of the
    other sets come when the device list, or what is known of a device, has made them new or others.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - everything is injected
        self,
        broker: Broker,
        client_id: str,
        journal: Journal,
        cities: Cities,
        views: Callable[[], View],
        base: str,
        ca_file: Path | None = None,
    ) -> None:
        self._journal = journal
        self._cities = cities
        self._views = views
        self._base = base
        self._link = MqttLink("sensorthings", broker, client_id, self, ca_file=ca_file)
        self._cursor: int | None = None
        self._later: list[tuple[int, int, int]] = []  # a heap of when, which Observation, of which series
        self._watch = CatalogueWatch()
        self._news: deque[tuple[str, int]] = deque()
        self._look_s = self._patient_since_s = 0.0
        self._fault = ""
        self._rest_until = 0.0
        self.published = self.skipped = 0

    @property
    def health(self) -> Health:
        """As the link says; not ok either while the store cannot be read."""
        linked = self._link.health
        if linked.ok and self._fault:
            return Health(ok=False, detail=self._fault)
        return linked

    def start(self) -> None:
        """Begin to connect."""
        with suppress(IngestError):
            self._cursor = self._journal.last_seq()
        self._link.start()

    def stop(self) -> None:
        """End within two seconds."""
        self._link.stop()

    def greet(self, session: Session, /) -> None:
        """Nothing to say before there is something new."""

    def hear(self, message: Heard, /) -> None:
        """Nothing is subscribed to."""

    def bye(self, session: Session, /) -> None:
        """Nothing is retained, so nothing becomes untrue."""

    def turn(self, session: Session, /) -> None:
        """Publish a batch of what the store has taken in."""
        if time.monotonic() < self._rest_until or session.waiting() > _MOST_WAITING:
            return
        try:
            while self._publish_news(session) and session.waiting() <= _MOST_WAITING:
                pass
            while self._publish_batch(session) and session.waiting() <= _MOST_WAITING:
                pass
            while self._publish_due(session) and session.waiting() <= _MOST_WAITING:
                pass
            self._fault = ""
        except (IngestError, StaError) as fault:
            self._fault = str(fault)
            self._rest_until = time.monotonic() + _REST_S

    def _publish_news(self, session: Session) -> bool:
        """Publish what the catalogue has new; whether there was something."""
        if not self._news and time.monotonic() < self._look_s:
            return False
        source = self._cities(self._views())
        with source.read() as connection:
            if not self._news:
                self._news += self._watch.changed(source.tables(connection), connection)
                self._look_s = time.monotonic() + _LOOK_S
            ids: dict[str, list[int]] = {}
            batch = list(islice(self._news, _BATCH))
            for name, id_ in batch:
                ids.setdefault(name, []).append(id_)
            reading = Reading(connection, source, self._base)
            found = {name: reading.entities(ENTITY_SETS[name], each, Options()) for name, each in ids.items()}
        for name, id_ in batch:
            self._news.popleft()
            if id_ in found[name]:  # or it has gone meanwhile
                body = found[name][id_].encode()
                session.publish(Publication(f"{VERSION}/{name}", body, retain=False))
                session.publish(Publication(f"{VERSION}/{name}({id_})", body, retain=False))
        return bool(batch)

    def _publish_batch(self, session: Session) -> bool:
        """Whether there was something, so that there may be more."""
        if self._cursor is None:
            self._cursor = self._journal.last_seq()
        stored = self._journal.cursor(PART)
        if stored <= self._cursor:
            return False
        if stored - self._cursor > MOST_BEHIND:
            self.skipped += stored - MOST_BEHIND - self._cursor
            _log.warning("sensorthings_updates_skipped", uplinks=stored - MOST_BEHIND - self._cursor)
            self._cursor = stored - MOST_BEHIND
        covered, readings = self._journal.read(self._cursor, _BATCH)
        readings = readings[readings["seq"] <= stored]
        wanted = {
            observation_id(series, time_us): series
            for series, time_us in zip(readings["series"].tolist(), readings["time_us"].tolist(), strict=True)
            if FIRST_US <= time_us <= LAST_US
        }
        view = self._views()
        rules = {each: view.services.rule(view.book.all()[each].property) for each in set(wanted.values())}
        now = {id_: series for id_, series in wanted.items() if not rules[series].shifted}
        if now and not self._publish(session, now, view):
            return False
        for id_, series in wanted.items():
            delay_us, coarse = rules[series].delay_us, rules[series].coarsen_us
            if delay_us and not coarse and view.sees(view.book.all()[series]):
                if len(self._later) < MOST_BEHIND:
                    heappush(self._later, (read_observation_id(id_).last_us + delay_us, id_, series))
                else:
                    self.skipped += 1
        self._cursor = min(covered, stored)
        return True

    def _publish_due(self, session: Session) -> bool:
        """Publish what has become public meanwhile; whether there was something."""
        if not self._later:
            return False
        view = self._views()
        now_us = view.services.clock()
        if self._later[0][0] > now_us:
            return False
        due = [each for each in nsmallest(_BATCH, self._later) if each[0] <= now_us]
        if not self._publish(session, {id_: series for _, id_, series in due}, view):
            return False
        for _ in due:
            heappop(self._later)
        return True

    def _publish(self, session: Session, wanted: dict[int, int], view: View) -> bool:
        """Publish those of these Observations that the public sees; False: they wait for their Datastream.

        Tables that are dear to make are not made anew for every new series at once.
        """
        live = set(wanted.values())
        source = self._cities(view)
        with source.read() as connection:
            streams = source.datastreams(connection, live)
            if any(each not in streams and view.sees(view.book.all()[each]) for each in live):
                self._patient_since_s = self._patient_since_s or time.monotonic()
                if time.monotonic() < self._patient_since_s + _PATIENCE_S:
                    return False
            self._patient_since_s = 0.0
            seen = [id_ for id_, series in wanted.items() if series in streams]
            if not seen:
                return True
            found = Reading(connection, source, self._base).entities(
                ENTITY_SETS["Observations"], seen, Options()
            )
        for id_ in seen:
            # one that a correction has taken away meanwhile is no news
            if id_ in found:
                body = found[id_].encode()
                datastream = streams[wanted[id_]]
                session.publish(
                    Publication(f"{VERSION}/Datastreams({datastream})/Observations", body, retain=False)
                )
                session.publish(Publication(f"{VERSION}/Observations", body, retain=False))
                self.published += 1
        return True
