"""The wiring: which parts there are, who gets whom, in which order they start and stop."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import structlog
from fastapi import FastAPI

from alerts.audit import FILE as AUDIT_FILE
from alerts.audit import AuditLog
from alerts.board import WarningBoard
from alerts.catchments import CITY
from alerts.city.office import CityOffice
from alerts.delivery.dispatch import Place
from alerts.drill import Drills
from alerts.engine import Engine
from alerts.errors import AlertsConfigError, AlertsError
from alerts.flagging import Flagging
from alerts.incidents.board import IncidentBoard
from alerts.liveness.progress import EngineWatch
from alerts.watch.required import RequiredWatch
from api.app import create_app
from api.byte_cache import KEPT_S
from api.services import Services
from api.sta.errors import StorageError
from devices.errors import DevicesError
from devices.javascript.sandbox import Sandbox
from devices.registry import RegistryFile
from ingest.consumer import Consumer
from ingest.device_event_log import FILE as EVENTS_FILE
from ingest.device_event_log import DeviceEventLog
from ingest.errors import IngestError, JournalError
from ingest.gateways import GatewayBook
from ingest.hand_over import HandOver
from ingest.health import Health
from ingest.http_push import PushServer
from ingest.journal import newest_uplinks
from ingest.latest import LatestValues
from ingest.loss_book import FILE as RECEPTION_FILE
from ingest.loss_book import LossBook
from ingest.neighbours.poller import Neighbours
from ingest.neighbours.uplinks import parse as parse_neighbour
from ingest.neighbours.uplinks import server as neighbour_server
from ingest.pipeline import Intake
from ingest.sqlite_file import sqlite_path
from ingest.sqlite_journal import open_journal
from ingest.store_writer import StoreWriter
from ingest.stores import open_store
from ingest.uplink import Uplink
from stadtfunk.cap import open_cap
from stadtfunk.channels import outbox_of
from stadtfunk.check import examine
from stadtfunk.criteria import criteria_of
from stadtfunk.displays import displays_of
from stadtfunk.errors import ConfigError, StartError
from stadtfunk.heartbeats import heartbeats_of
from stadtfunk.mass_mail import mass_mail_group, mass_mail_of
from stadtfunk.metrics import Metrics
from stadtfunk.mobility import mobility_of
from stadtfunk.neighbours import FILE, neighbour_faults, neighbours_of
from stadtfunk.network_servers import kinds_of, server_config, storage_of
from stadtfunk.parts import Group, Part
from stadtfunk.retention import Retention
from stadtfunk.routing import open_silences
from stadtfunk.scratch import open_scratch
from stadtfunk.settings import Settings
from stadtfunk.spare_file import open_or_spare
from stadtfunk.sta import cities_of, updates_of
from stadtfunk.standby import releases_of, standby_of
from stadtfunk.subscriptions import open_subscriptions
from stadtfunk.texts import city_texts
from stadtfunk.types_in_force import Asks, TypesInForce
from stadtfunk.web import services_of
from stadtfunk.wording import texts_of

T = TypeVar("T")
_log = structlog.get_logger(__name__)


def wall_clock_us() -> int:
    """Microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


class Service:
    """One city's service. Several can run in one process.

    Building it opens the files and finds whatever is wrong with the configuration: raises ConfigError with
    every fault, StartError for a journal or store that cannot be used. `start()` and `stop()` once each.
    `asks`: through which somebody has types and devices read again, also before the start.
    """

    def __init__(
        self, settings: Settings, clock: Callable[[], int] = wall_clock_us, asks: Asks | None = None
    ) -> None:
        self.settings = settings
        self.clock = clock
        self._asks = asks
        self._opened = ExitStack()
        self._groups: list[Group] = []
        try:
            self._build()
        except (ConfigError, DevicesError, AlertsConfigError) as error:
            self._opened.close()
            raise ConfigError(*(examine(settings)[0] or error.faults)) from error
        except (IngestError, AlertsError, StorageError) as error:
            self._opened.close()
            raise StartError(str(error)) from error

    def _build(self) -> None:
        self._build_devices()
        self._build_storage()
        self._build_intake()
        self._build_judgement()
        self._build_delivery()
        self._build_decisions()
        self.retention = Retention(self.journal, self.settings.journal.retention_days, self.clock)
        self.metrics = Metrics(self)

    def _build_devices(self) -> None:
        """What is installed, what it means, and what others measure for us."""
        settings = self.settings
        self._sandbox = Sandbox()
        # after everything else has stopped; it starts with the first uplink that needs it
        self._opened.callback(self._sandbox.stop)
        self._types = TypesInForce(settings, self._sandbox, self._types_renewed, self._asks)
        self.own_types, self.catalogue = self._types.own, self._types.all
        self.registry = RegistryFile(
            settings.devices.file and settings.path(settings.devices.file),
            settings.device,
            catalogue=self.own_types,
            tables_file=str(settings.source),
        )
        if faults := list(neighbour_faults(settings, self.registry.current)):
            raise ConfigError(*faults)
        self._hand_over = HandOver()
        self.neighbours = Neighbours(
            neighbours_of(settings),
            self._hand_over,
            self.registry.join,
            self.clock,
            sqlite_path(settings.journal.url).with_name(FILE),
        )
        self.criteria = criteria_of(settings, self.registry.current, self.catalogue)
        for line in self.criteria.advice:
            _log.warning("rain_index", advice=line)
        self.scale, self.areas = self.criteria.scale, self.criteria.areas
        self.texts = texts_of(settings, self._station_name, self.areas, self.scale)

    def _build_storage(self) -> None:
        self.journal = open_journal(self.settings.journal.url)
        self._opened.callback(self.journal.close)
        self.device_events = self._spared(EVENTS_FILE, DeviceEventLog)
        self._opened.callback(self.device_events.close)
        self.store = open_store(self.settings.store.url)
        self._opened.callback(self.store.close)
        self.scratch = open_scratch(self.settings, self.clock, self._opened)

    def _spared(self, name: str, open_: Callable[[Path], T]) -> T:
        """What is made of a file beside the journal; where that cannot be used `/readyz` says so."""
        path = sqlite_path(self.settings.journal.url).with_name(name)
        made, fault = open_or_spare(path, open_, JournalError, self._opened)
        if fault:
            told = {name.removesuffix(".db"): Health(ok=False, detail=fault)}
            self._groups.append(Group((), lambda: told))
        return made

    def _build_intake(self) -> None:
        """From the network servers into the journal."""
        settings, clock = self.settings, self.clock
        kinds = kinds_of(settings)
        parsers = {
            **{name: kind.parse for name, kind in kinds.items()},
            **{neighbour_server(each.kind): parse_neighbour for each in settings.neighbour},
        }
        self.gateways = GatewayBook()
        self.losses = self._spared(
            RECEPTION_FILE, lambda path: LossBook(path, lambda: self.registry.current, clock)
        )
        self._opened.callback(self.losses.close)
        self._groups.append(Group((self.losses,), dict))
        # what gateways are known by; and at a crash some were not in the book of losses yet
        self._heard(newest_uplinks(self.journal))
        self.intake = Intake(
            self.journal,
            self.registry,
            self.catalogue,
            parsers,
            clock,
            hand_over=self._hand_over,
            heard=self._heard,
            record=self.device_events.append,
        )
        self.storages = {
            server.name: storage_of(server, settings, self.journal, self.intake.hand_over, clock)
            for server in settings.network_server
            if server.storage
        }
        self.consumers = [
            Consumer(
                server_config(server, kinds[server.name], settings),
                self.intake.hand_over,
                clock,
                self.storages[server.name].connected if server.storage else lambda _: None,
            )
            for server in settings.network_server
            if server.url
        ]
        self.pushes = [
            PushServer(server.name, self.intake.hand_over, clock)
            for server in settings.network_server
            if server.push_token
        ]

    def _build_judgement(self) -> None:
        """Whatever reads the journal and judges it: flags, warnings, exercises."""
        criteria, clock = self.criteria, self.clock
        judge = Flagging(criteria.rules, lambda: self.registry.current, self.catalogue, clock)
        self.writer = StoreWriter(self.journal, self.store, judge=judge)
        self.latest = LatestValues(self.journal, self.store)
        self.engine = Engine(
            self.journal,
            criteria.rules,
            lambda: self.registry.current,
            clock,
            catalogue=self.catalogue,
            kostra=criteria.kostra,
            catchments=criteria.catchments,
            hears=self._hears,
            heard_by=self.gateways.reception,
        )
        self.mobility, group = mobility_of(self, self._opened)
        self._groups.append(group)
        self.required = RequiredWatch(
            self.journal, lambda: self.registry.current, self.catalogue, clock, self._tell
        )
        self.board = WarningBoard(clock)
        self.drills = Drills(
            self.journal,
            self.board,
            criteria.rules,
            lambda: self.registry.current,
            clock,
            self._tell,
            catalogue=self.catalogue,
            kostra=criteria.kostra,
            catchments=criteria.catchments,
        )
        self.incidents = IncidentBoard()

    def _build_delivery(self) -> None:
        """Who hears of it: residents who asked for it, and the channels of staff and public."""
        settings, clock = self.settings, self.clock
        self.subscriptions = open_subscriptions(
            settings,
            clock,
            areas=self.areas,
            registry=lambda: self.registry.current,
            scale=self.scale,
            opened=self._opened,
        )
        self.mass_mail = mass_mail_of(settings, self.journal, self.subscriptions, self.texts, clock)
        if self.subscriptions and self.mass_mail:
            self._groups += [self.subscriptions.group, mass_mail_group(self.mass_mail)]
        self.silences = open_silences(settings, clock)
        self._opened.callback(self.silences.close)
        self.outbox = outbox_of(
            settings,
            self.journal,
            sqlite_path(settings.journal.url).with_name("deliveries.db"),
            self.texts,
            clock,
            place=Place(self.areas, self.criteria.catchments),
            silences=self.silences,
        )

    def _build_decisions(self) -> None:
        """What people decide: the city's warnings; who decided; what is published and displayed of it."""
        self.city_texts = city_texts(
            self.settings, self._station_name, self.areas, self.scale, self.engine.levels
        )
        self.office = CityOffice(
            self.journal,
            releases_of(self.settings, self.criteria.rules),
            self.areas,
            self.clock,
            write=self.city_texts.write,
            tell=self._tell,
        )
        self._groups.append(Group((self.office,), lambda: {"city warnings": self.office.health}))
        self.audit = AuditLog(sqlite_path(self.settings.journal.url).with_name(AUDIT_FILE), self.clock)
        self._opened.callback(self.audit.close)
        self._groups.append(Group((), lambda: {"audit": self.audit.health}))
        self.cap, cap_group = open_cap(self, self._opened)
        self.watch = EngineWatch(self.engine, self.journal)
        self.cities = cities_of(self.settings)
        self._opened.callback(self.cities.close)
        self._groups += (
            cap_group,
            updates_of(self),
            displays_of(self),
            heartbeats_of(self),
            standby_of(self, self._tell),
        )

    def start(self) -> None:
        """Readers first, then whoever fills the journal."""
        self.board.catch_up(self.journal)
        self.incidents.catch_up(self.journal)
        self.engine.listen(lambda _: self._tell())
        for part in (*self._readers(), *self._feeders()):
            part.start()
        _log.info("started", devices=len(self.registry.current.devices), servers=len(self.consumers))

    def instead(self, part: Part, other: Part) -> None:
        """Start and stop another part in the place of one of a group; before start()."""
        self._groups = [
            replace(group, parts=tuple(other if each is part else each for each in group.parts))
            for group in self._groups
        ]

    def stop(self) -> None:
        """Whoever fills the journal first, then the readers; what is under way is finished or repeated."""
        for part in (*self._feeders(), *reversed(self._readers())):
            part.stop()
        self._opened.close()
        _log.info("stopped")

    def _readers(self) -> tuple[Part, ...]:
        judging = (self.engine, self.required, self.writer)
        core = (self.latest, self.outbox, *judging, self.retention, self.drills, self._types)
        return (*core, *(part for group in self._groups for part in group.parts))

    def _feeders(self) -> tuple[Part, ...]:
        return (self.intake, *self.storages.values(), *self.consumers, self.neighbours)

    def app(self, kept_s: float = KEPT_S) -> FastAPI:
        """The web application over the running parts; `kept_s`: how long it keeps a public answer."""
        # a suite of tests asks as fast as it can
        per_minute = 0 if self.settings.sta.write else self.settings.api.requests_per_minute
        return create_app(self.services(), kept_s=kept_s, per_minute=per_minute)

    def services(self) -> Services:
        """What the web application is given."""
        return services_of(self)

    def health(self) -> Mapping[str, Health]:
        """Every part's own word on how it is."""
        fault, broken = self.registry.fault, self._sandbox.fault
        return {
            **{f"network_server {each.server.name}": each.health for each in self.consumers},
            **{f"network_server {each.name}": each.health for each in self.pushes},
            **{f"storage {name}": each.health for name, each in self.storages.items()},
            **self.neighbours.health,
            "intake": self.intake.health,
            "engine": self.engine.health,
            "outbox": self.outbox.health,
            **{f"channel {name}": health for name, health in self.outbox.channel_health.items()},
            **{name: health for group in self._groups for name, health in group.health().items()},
            "store": self.writer.health,
            "latest": self.latest.health,
            "codecs": Health(ok=False, detail=broken[:1000]) if broken else self._types.health,
            "required": self.required.health,
            "devices": Health(ok=fault is None, detail=f"old list in force: {fault}"[:1000] if fault else ""),
        }

    def loss_window(self) -> Mapping[str, str]:
        """Per network server: when an uplink can be lost before it reaches us."""
        consumed = {
            each.server.name: each.loss_window
            + (f" It publishes at QoS 0 now: {each.server.kind.qos0_remedy}" if each.stats.qos0_seen else "")
            for each in self.consumers
        }
        return {**consumed, **{each.name: each.loss_window for each in self.pushes}}

    def _heard(self, uplinks: Sequence[Uplink]) -> None:
        self.gateways.hear(uplinks)
        self.losses.hear(uplinks)

    def _hears(self) -> Mapping[str, bool]:
        """Which network servers reach us."""
        return {
            **{each.server.name: each.health.ok for each in self.consumers},
            **{each.name: each.health.ok for each in self.pushes},
        }

    def _tell(self) -> None:
        self.outbox.wake()
        if self.mass_mail:
            self.mass_mail.wake()
        self.office.wake()
        self.board.catch_up(self.journal)
        self.incidents.catch_up(self.journal)

    def _types_renewed(self) -> None:
        if not self.registry.renew():
            _log.warning("devices_not_reloaded", fault=str(self.registry.fault)[:1000])

    def _station_name(self, station: str) -> str:
        known = self.registry.current.stations.get(station)
        return known.name if known else self._place_name(station)

    def _place_name(self, id_: str) -> str:
        """Events of the watchdog are about catchments and gateways too."""
        names = {CITY: self.settings.city.name, **{c.id: c.name for c in self.criteria.catchments.catchments}}
        return names.get(id_) or id_
