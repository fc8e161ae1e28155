"""The pages people open in a browser: / and /docs, and the files they are made of."""

import mimetypes
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import structlog
from fastapi import APIRouter, Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from alerts.scale import rank
from api.caller import AnyCaller
from api.problems import Problem
from api.responses import respond
from api.routes.catchments import catchments_seen
from api.routes.city_warning_item import city_warning_item, warnings_heard
from api.routes.official_warnings import SOURCE, has_official, official_items, seen
from api.routes.warning_item import NOTICE, warning_item, warnings_seen
from api.services import Services
from api.vendor import FILES, PAGES
from api.visibility import View

router = APIRouter(include_in_schema=False)
_FOLDER = PAGES / "assets"
_CACHE = "public, max-age=3600"
log = structlog.get_logger(__name__)


class Pages:
    """Templates and files of the pages, read once. `vendor`: files of npm packages by the name we serve."""

    def __init__(self, services: Services, vendor: Mapping[str, Path]) -> None:
        missing = sorted(FILES.keys() - vendor.keys())
        if missing:
            log.warning(
                "pages without map, chart or API viewer",
                missing=missing,
                remedy="run `npm ci` in api/pages, or use ./run, which does",
            )
        self.vendor = vendor
        own = {path.relative_to(_FOLDER).as_posix(): path for path in _FOLDER.rglob("*") if path.is_file()}
        self.files = {**own, **{f"vendor/{name}": path for name, path in vendor.items()}}
        self._templates = Environment(
            loader=FileSystemLoader(PAGES / "templates"),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._common = {
            "city": services.city,
            "basemap": services.basemap,
            "has": {name.partition(".")[0] for name in vendor if name.endswith(".js")},
            "notice": NOTICE,
        }
        self.zone = ZoneInfo(services.city.timezone)

    def render(self, template: str, **values: object) -> bytes:
        """One page."""
        return self._templates.get_template(template).render({**self._common, **values}).encode()


@router.get("/")
async def residents(request: Request, view: AnyCaller) -> Response:
    """What residents see. The warnings in force stand in the page itself, for browsers without scripts."""
    in_force = view.services.board.snapshot().in_force
    pages: Pages = request.app.state.pages
    items = [
        (warning_item(view, each), datetime.fromtimestamp(each.changed_us // 1_000_000, pages.zone))
        for each in warnings_seen(_public(view), in_force)
    ]
    blind = [each["name"] for each in catchments_seen(_public(view)) if each["blind"]]
    public = _public(view)
    official = seen(public)
    told = official_items(public, official) if official else []
    return _page(
        request,
        view,
        "index.html",
        warnings=items,
        city_warnings=_city_warnings(public, pages.zone),
        blind=blind,
        official=None if not has_official(public) else [(each, _span(each, pages.zone)) for each in told],
        official_known=official is not None,
        official_source=SOURCE,
        subscribe=view.services.subscriptions is not None,
    )


@router.get("/docs")
async def docs(request: Request, view: AnyCaller) -> Response:
    """The API, to read and to try."""
    paths = [
        (path, operation.get("summary", ""), operation.get("description", ""))
        for path, methods in request.app.openapi()["paths"].items()
        for operation in methods.values()
    ]
    return _page(request, view, "docs.html", paths=paths)


@router.get("/favicon.ico")
def favicon(request: Request, view: AnyCaller) -> Response:
    """The icon, where browsers look for it unasked."""
    return asset(request, view, "icon.svg")


@router.get("/sw.js")
def service_worker(request: Request, view: AnyCaller) -> Response:
    """Shows messages to this browser; from here, so that it may open every page."""
    return asset(request, view, "js/sw.js")


@router.get("/app.webmanifest")
def web_manifest(request: Request, view: AnyCaller) -> Response:
    """The page as an app on the home screen, without which iPhones take no messages."""
    name = view.services.city.name
    icons = [{"src": "/assets/icon.svg", "sizes": "any", "type": "image/svg+xml"}]
    about = {
        "name": f"Warnungen {name}",
        "short_name": "Warnungen",
        "start_url": "/subscribe",
        "icons": icons,
    }
    body = orjson.dumps({**about, "display": "standalone", "id": "/subscribe"})
    return respond(request, view, body, media_type="application/manifest+json", open_data=False)


@router.get("/assets/{name:path}")
def asset(request: Request, view: AnyCaller, name: str) -> Response:
    """A file of the pages; only files known at the start have an address."""
    pages: Pages = request.app.state.pages
    path = pages.files.get(name)
    if path is None:
        raise Problem(404, "no such file of the pages")
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    cache = _CACHE if name.startswith("vendor/") else "no-cache"
    return respond(request, view, path.read_bytes(), media_type=media_type, cache=cache)


def _city_warnings(view: View, zone: ZoneInfo) -> list[tuple[Mapping[str, Any], Mapping[str, str]]]:
    """What the city released: the same that the API says, and its times as residents write them."""
    heard = warnings_heard(view.services.city_warnings())
    heard.sort(key=lambda each: (not each.in_force, each.exercise, -rank(each.severity), -each.changed_us))
    items = [city_warning_item(view, each) for each in heard]
    return [
        (item, {name: _when(item[name], zone) for name in ("released", "valid_until", "ended") if item[name]})
        for item in items
    ]


def _when(iso: str, zone: ZoneInfo) -> str:
    return datetime.fromisoformat(iso).astimezone(zone).strftime("%d.%m., %H:%M Uhr")


def _span(item: Mapping[str, Any], zone: ZoneInfo) -> str:
    """From when to when, as residents write it."""
    onset, expires = (_when(each, zone) if each else "" for each in (item["onset"], item["expires"]))
    return f"{onset} bis {expires}" if expires else f"ab {onset}"


def _page(request: Request, view: View, template: str, **values: object) -> Response:
    pages: Pages = request.app.state.pages
    return respond(request, view, pages.render(template, **values), media_type="text/html")


def _public(view: View) -> View:
    return View(view.services, view.book)
