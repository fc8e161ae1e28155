"""The application: every route over the services it is given. Two can run in one process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter
from fastapi import FastAPI

from api import problems
from api.byte_cache import ByteCache
from api.compression import Compression, Conditional
from api.dcat.documents import Catalogue
from api.headers import Headers
from api.request_limit import RequestLimit
from api.rfc3339 import format_us
from api.routes import (
    admin,
    archive,
    areas,
    audit,
    cap,
    catchments,
    city_warnings,
    citykey,
    console,
    dcat,
    device_events,
    drill,
    inbox,
    incidents,
    interchange,
    mailings,
    mobility,
    official_warnings,
    operations,
    pages,
    parking_counts,
    push_subscriptions,
    readings,
    registration,
    scale,
    silences,
    sta,
    stations,
    stream,
    subscription_pages,
    subscriptions,
    traffic_flow,
    uplinks,
    warnings,
)
from api.routes.downloads import Downloads
from api.routes.openapi import DESCRIPTION, complete
from api.services import Services
from api.stream import HEARTBEAT_S, Stream
from api.vendor import NODE_MODULES, installed
from api.visibility import SeriesBook

_ROUTERS = (
    # asked most: a request tries one after the other
    readings,
    sta,
    stations,
    catchments,
    archive,
    warnings,
    city_warnings,
    official_warnings,
    scale,
    areas,
    cap,
    mobility,
    traffic_flow,
    interchange,
    parking_counts,
    dcat,
    citykey,
    stream,
    admin,
    device_events,
    drill,
    incidents,
    silences,
    audit,
    inbox,
    registration,
    mailings,
    uplinks,
    operations,
    push_subscriptions,
    subscriptions,
    subscription_pages,
    console,
    pages,
)


def create_app(
    services: Services,
    *,
    node_modules: Path = NODE_MODULES,
    heartbeat_s: float = HEARTBEAT_S,
    kept_s: float = 0.0,
    per_minute: int = 0,
) -> FastAPI:
    """The application over its services.

    Its lifespan starts and stops the live stream. A server that shuts down calls `close_streams`
    first, because it waits for every open answer. `kept_s`: how long the byte cache keeps an answer.
    `per_minute`: requests from one address, 0 for any number.
    """
    book = SeriesBook(services.journal)
    hub = Stream(services, book, heartbeat_s)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with hub.running():
            yield

    app = _application(lifespan=lifespan)
    app.state.services = services
    app.state.book = book
    app.state.stream = hub
    app.state.catalogue = Catalogue()
    app.state.downloads = Downloads()
    app.state.sta_places = CapacityLimiter(sta.MOST_AT_ONCE)
    app.state.pages = pages.Pages(services, installed(node_modules))
    app.add_middleware(Compression)
    if kept_s:
        app.add_middleware(ByteCache, kept_s=kept_s)
    app.add_middleware(Conditional)
    if per_minute:
        app.add_middleware(RequestLimit, per_minute=per_minute, tokens=services.tokens)
    app.add_middleware(Headers, basemap=services.basemap, now=lambda: format_us(services.clock()))
    return app


def close_streams(app: FastAPI) -> None:
    """End every open stream; from any thread."""
    hub: Stream = app.state.stream
    hub.close()


def openapi() -> dict[str, Any]:
    """The OpenAPI document, without any services."""
    return _application().openapi()


def _application(**options: Any) -> FastAPI:
    app = FastAPI(
        title="Stadtfunk", version="1", description=DESCRIPTION, docs_url=None, redoc_url=None, **options
    )
    problems.install(app)
    for each in _ROUTERS:
        app.include_router(each.router)
    app.include_router(subscriptions.staff_router)
    app.include_router(city_warnings.staff_router)
    plain = app.openapi
    app.openapi = lambda: app.openapi_schema or complete(plain())  # type: ignore[method-assign]  # FastAPI's documented way
    return app
