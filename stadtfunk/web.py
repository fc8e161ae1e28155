"""What the web application is given of a service."""

from typing import TYPE_CHECKING

from alerts.areal_rain import ArealRain
from api.archive import Archive
from api.services import BaseMap, City, PushDoor, Services, TokenHash
from devices.properties import observed_properties
from devices.registration import Registration
from ingest.inbox import Inbox
from ingest.neighbours import dwd_cap
from ingest.sqlite_file import sqlite_path
from stadtfunk.dcat import publisher_of
from stadtfunk.neighbours import neighbour_faults
from stadtfunk.open_data import public_rules
from stadtfunk.settings import Settings
from stadtfunk.sta import endpoints

if TYPE_CHECKING:
    from stadtfunk.service import Service


def services_of(service: "Service") -> Services:
    """Everything that the routes read, and what they may ask for."""
    settings, scratch = service.settings, service.scratch
    return Services(
        city=City(
            name=settings.city.name,
            ars=settings.city.ars or "",
            timezone=settings.city.timezone,
            license=settings.open_data.license,
            attribution=settings.open_data.attribution or settings.city.name,
        ),
        registry=lambda: service.registry.current,
        properties=observed_properties(),
        catalogue=service.catalogue,
        store=service.store,
        latest=service.latest,
        journal=service.journal,
        board=service.board,
        incidents=service.incidents,
        decide=service.engine.decide,
        texts=service.texts,
        scale=service.scale,
        parking=service.mobility.parking,
        corrections=service.mobility.corrections,
        count_by_hand=service.mobility.count_by_hand,
        levels=service.engine.levels,
        traffic=service.mobility.traffic,
        roads=service.mobility,
        drills=service.drills,
        areas=service.areas,
        areal_rain=ArealRain(service.areas, service.engine.gauge_rain).of,
        deliveries=service.outbox.receipts,
        health=service.health,
        metrics=service.metrics.render,
        clock=service.clock,
        tokens=[TokenHash(token.name, token.hash) for token in settings.api.token],
        rules=public_rules(settings),
        basemap=BaseMap(settings.api.basemap_url, settings.api.basemap_attribution)
        if settings.api.basemap_url
        else None,
        loss_window=service.loss_window,
        official=service.neighbours.official,
        official_public=any(each.public for each in settings.neighbour if each.kind == dwd_cap.KIND),
        catchments=service.engine.catchments,
        subscriptions=service.subscriptions.desk if service.subscriptions else None,
        mailings=service.mass_mail.summaries if service.mass_mail else lambda _limit, _before: (),
        city_warnings=service.office.warnings,
        office=service.office,
        cap=service.cap if settings.cap.sender else None,
        cap_url=settings.cap.url,
        url=settings.api.url,
        audit=service.audit,
        silences=service.silences,
        unsilence=service.outbox.unsilence,
        pushes=_doors(service),
        device_events=service.device_events,
        losses=service.losses.losses,
        inbox=Inbox(service.journal, lambda: service.registry.current, service.own_types),
        registration=_registration(service),
        sta=(lambda _: scratch.source) if scratch else service.cities,
        publisher=publisher_of(settings),
        sta_writer=scratch.writer if scratch else None,
        sta_mqtt=endpoints(settings),
        archive=Archive(
            sqlite_path(settings.journal.url).with_name("archive"), settings.open_data.close_after_h
        ),
        history=service.mobility,
        occupancy=service.mobility.occupancy,
        parking_sites={each.station: each.site() for each in settings.parking.site},
        static_us=lambda: _written_us(settings),
    )


def _written_us(settings: Settings) -> int:
    """When the configuration or the device list was changed last."""
    files = [settings.source, *([settings.path(settings.devices.file)] if settings.devices.file else [])]
    return max((file.stat().st_mtime_ns // 1000 for file in files if file.exists()), default=0)


def _registration(service: "Service") -> Registration:
    settings = service.settings
    return Registration(
        settings.devices.file and settings.path(settings.devices.file),
        settings.device,
        catalogue=service.own_types,
        tables_file=str(settings.source),
        further=lambda registry: neighbour_faults(settings, registry),
        added=service.registry.refresh,
    )


def _doors(service: "Service") -> dict[str, PushDoor]:
    tokens = {server.name: server.push_token for server in service.settings.network_server}
    return {each.name: PushDoor(each, tokens[each.name]) for each in service.pushes}
