"""/subscribe and /subscriptions/{token}: the same for people, with and without scripts in the browser."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import fmean
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from alerts.errors import BusyError
from alerts.scale import SEVERITIES, Language
from alerts.subscriptions.subscription import TOLD, Choices, Place
from alerts.subscriptions.subscriptions import Held
from api.caller import AnyCaller
from api.problems import Problem
from api.responses import PRIVATE
from api.routes.subscriptions import areas_of, desk_of, exported, gauges_of
from api.subscription_bodies import (
    ChoicesBody,
    LinkBody,
    SubscriptionBody,
    body_of,
    from_form,
    read_form,
)
from api.vendor import PAGES
from api.visibility import View

router = APIRouter(include_in_schema=False)
_HEADERS = {"Cache-Control": PRIVATE, "X-Robots-Tag": "noindex"}
_DEFAULTS = Choices(())
Fields = Sequence[tuple[str, str]]
_SAID = {"confirmed", "changed"}
_ONE_CLICK = ("List-Unsubscribe", "One-Click")


@cache
def _texts() -> Mapping[str, Mapping[str, Any]]:
    file = PAGES / "texts" / "subscriptions.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


@router.get("/subscribe")
def form(request: Request, view: AnyCaller) -> Response:
    """The form; a browser gets a page where there is none as well."""
    if view.services.subscriptions is None and "text/html" in request.headers.get("accept", ""):
        return _none_here(request, view)
    return _form(request, view, _filled(view, request, _DEFAULTS))


@router.post("/subscribe")
async def subscribe(request: Request, view: AnyCaller) -> Response:
    """What the form says; then as the API does."""
    desk = desk_of(view)
    fields = await read_form(request)
    try:
        desk.callers.count(request)
        body = from_form(fields, SubscriptionBody)
        chosen = body.choices(areas_of(view), gauges_of(view))
        who = body.contact(desk.subscriptions.channels)
        await run_in_threadpool(desk.subscriptions.ask, who, chosen, desk.words.version)
    except (Problem, BusyError) as problem:
        filled = _again(view, request, fields)
        return _form(request, view, filled, _problems(request, problem), _status(problem))
    return _sent(request, view)


@router.post("/subscribe/link")
async def send_link(request: Request, view: AnyCaller) -> Response:
    """Send the link to look after a subscription."""
    desk = desk_of(view)
    fields = await read_form(request)
    try:
        desk.callers.count(request)
        body = from_form(fields, LinkBody, language=_lang(request))
        who = body.contact(desk.subscriptions.channels)
        await run_in_threadpool(desk.subscriptions.ask_link, who, body.language)
    except (Problem, BusyError) as problem:
        filled = _filled(view, request, _DEFAULTS)
        return _form(request, view, filled, _problems(request, problem), _status(problem))
    return _sent(request, view)


@router.get("/subscriptions/{token}")
def look(token: str, request: Request, view: AnyCaller) -> Response:
    """What a link stands for, with buttons. Looking changes nothing: programs that scan mail open links."""
    return _look(token, request, view)


@router.post("/subscriptions/{token}")
async def act(token: str, request: Request, view: AnyCaller) -> Response:
    """A button of that page, or one click in a program for mail (RFC 8058)."""
    fields = await read_form(request)
    said = dict(fields).get("do", "leave" if _ONE_CLICK in fields else "")
    button = {"confirm": _confirm, "leave": _leave, "change": _change}.get(said)
    if button is None:
        return await run_in_threadpool(_look, token, request, view)
    return await run_in_threadpool(button, token, request, view, fields)


@router.get("/subscriptions/{token}/export")
def export(token: str, request: Request, view: AnyCaller) -> Response:
    """All that is kept, as a file."""
    try:
        content = orjson.dumps(exported(view, token), option=orjson.OPT_INDENT_2)
    except Problem:
        return _gone(request, view)
    headers = {"Content-Disposition": 'attachment; filename="stadtfunk.json"', **_HEADERS}
    return Response(content, 200, headers, "application/json")


def _confirm(token: str, request: Request, view: View, _: Fields) -> Response:
    manage = desk_of(view).subscriptions.confirm(token)
    return _see(manage, request, "confirmed") if manage else _gone(request, view)


def _see(token: str, request: Request, said: str) -> Response:
    """A page of its own, so that reading it again does nothing again."""
    return RedirectResponse(f"/subscriptions/{token}?lang={_lang(request)}&said={said}", 303, _HEADERS)


def _leave(token: str, request: Request, view: View, _: Fields) -> Response:
    if not desk_of(view).subscriptions.leave(token):
        return _gone(request, view)
    t = _texts()[_lang(request)]
    return _page(request, view, "subscription.html", t["ended"], state="note", text=t["ended_text"])


def _change(token: str, request: Request, view: View, fields: Fields) -> Response:
    try:
        body = from_form(fields, ChoicesBody)
        chosen = body.choices(areas_of(view), gauges_of(view))
    except Problem as problem:
        return _look(token, request, view, problem=problem)
    if not desk_of(view).subscriptions.change(token, chosen):
        return _gone(request, view)
    return _see(token, request, "changed")


def _look(token: str, request: Request, view: View, *, problem: Problem | None = None) -> Response:
    desk = desk_of(view)
    held = desk.subscriptions.find(token)
    if held is None:
        return _gone(request, view)
    lang = _lang(request, held)
    t = _texts()[lang]
    said = request.query_params.get("said", "")
    heading = {"confirm": t["confirm"], "manage": t["manage"], "leave": t["end"]}[held.kind]
    more: dict[str, Any] = {}
    if held.kind == "manage":
        more = {"form": _filled(view, request, held.choices), **_offers(view, lang)}
    if held.kind != "leave":
        more |= {
            "summary": desk.words.summary(held.choices, lang),
            "consent": desk.words.consent(lang),
            "address": t["a_browser"] if held.contact.channel == "push" else held.contact.masked,
        }
    return _page(
        request,
        view,
        "subscription.html",
        heading,
        status=problem.status if problem else 200,
        lang=lang,
        state=held.kind,
        token=token,
        said=t[said] if said in _SAID and not problem else "",
        problems=_problems(request, problem, lang) if problem else (),
        **more,
    )


def _form(
    request: Request,
    view: View,
    filled: Mapping[str, Any],
    problems: Sequence[str] = (),
    status: int = 200,
) -> Response:
    desk = desk_of(view)
    lang = _lang(request)
    return _page(
        request,
        view,
        "subscribe.html",
        _texts()[lang]["title"],
        status=status,
        open=True,
        form=filled,
        problems=problems,
        consent=desk.words.consent(lang),
        push=desk.push,
        problems_of_push=orjson.dumps(
            {**_texts()[lang]["problems"], **_texts()[lang]["push_problems"]}
        ).decode(),
        push_consent=desk.words.consent(lang, push=True),
        channels=[each for each in desk.subscriptions.channels if each != "voice"],
        **_offers(view, lang),
    )


def _sent(request: Request, view: View) -> Response:
    t = _texts()[_lang(request)]
    return _page(request, view, "subscription.html", t["sent"], state="note", text=t["sent_text"])


def _gone(request: Request, view: View) -> Response:
    t = _texts()[_lang(request)]
    more = {"state": "note", "text": t["gone_text"], "again": True}
    return _page(request, view, "subscription.html", t["gone"], status=404, **more)


def _none_here(request: Request, view: View) -> Response:
    """Where the city offers no subscriptions: what else there is."""
    feed = view.services.cap is not None
    heading = _texts()[_lang(request)]["none"]
    return _page(request, view, "subscription.html", heading, status=404, state="none", feed=feed)


def _page(
    request: Request, view: View, template: str, heading: str, *, status: int = 200, **values: Any
) -> Response:
    lang: Language = values.get("lang") or _lang(request)
    t, desk = _texts()[lang], view.services.subscriptions
    common = {
        "lang": lang,
        "other": "de" if lang == "en" else "en",
        "t": t,
        "heading": heading,
        "said": "",
        "problems": (),
        "open": False,
        "again": False,
        "notice": desk.words.notice(lang) if desk else t["none_notice"],
        "privacy": desk.privacy if desk else "",
    }
    content = request.app.state.pages.render(template, **{**common, **values})
    return Response(content, status, _HEADERS, "text/html")


def _offers(view: View, lang: Language) -> dict[str, Any]:
    """What there is to choose from, in the language of the page."""
    t, words, scale = _texts()[lang], desk_of(view).words, view.services.scale
    places = [(each.lat, each.lon) for each in View(view.services, view.book).stations.values()]
    located = [(lat, lon) for lat, lon in places if lat is not None and lon is not None]
    centre = (fmean(lat for lat, _ in located), fmean(lon for _, lon in located)) if located else (51.0, 10.0)
    return {
        "areas": [
            (each.id, each.names()[lang] + (f" ({t['fictitious']})" if each.fictitious else ""))
            for each in view.services.areas.areas
        ],
        "gauges": [
            (id_, f"{each.name} ({each.water})" if each.water and each.water not in each.name else each.name)
            for id_, each in gauges_of(view).items()
        ],
        "told": [(each, words.told(each, lang)) for each in TOLD],
        "severities": [(each, scale.word(each, lang)) for each in SEVERITIES],
        "searchable": bool(len(desk_of(view).addresses)),
        "centre": tuple(round(each, 3) for each in centre),
    }


def _filled(view: View, request: Request, choices: Choices) -> dict[str, Any]:
    """The form as it stands for choices."""
    lang, words = _lang(request), desk_of(view).words
    body = body_of(choices)
    return {
        "chosen": {(each.kind, each.ref) for each in choices.places},
        "points": [
            (f"{each.lat:.3f},{each.lon:.3f},{each.radius_km}", words.place(each, lang))
            for each in choices.places
            if each.kind == "point"
        ],
        "told": choices.told,
        "least": choices.least,
        "language": choices.language if choices.places else lang,
        "quiet": body.quiet is not None,
        "quiet_start": body.quiet.start if body.quiet else "22:00",
        "quiet_end": body.quiet.end if body.quiet else "06:00",
        "channel": "email",
        "address": "",
    }


def _again(view: View, request: Request, fields: Fields) -> dict[str, Any]:
    """The form as somebody sent it, so that nobody has to begin anew."""
    kept = dict(fields)
    filled = _filled(view, request, _DEFAULTS)
    filled["chosen"] = set(fields)
    filled["told"] = [value for name, value in fields if name == "told"]
    filled["quiet"] = "quiet" in kept
    filled["points"] = []
    for name, value in fields:
        parts = value.split(",")
        if name == "point" and len(parts) == 3:  # noqa: PLR2004 - lat, lon, radius
            try:
                place = Place.at(float(parts[0]), float(parts[1]), int(parts[2]))
            except ValueError:
                continue
            filled["points"].append((value, desk_of(view).words.place(place, _lang(request))))
    for key in ("least", "language", "quiet_start", "quiet_end", "channel", "address"):
        filled[key] = kept.get(key, filled[key])
    return filled


def _problems(request: Request, problem: Problem | BusyError, lang: Language | None = None) -> list[str]:
    """What is wrong, in the language of the page."""
    said: Mapping[str, str] = _texts()[lang or _lang(request)]["problems"]
    if isinstance(problem, BusyError):
        return [said["busy"]]
    found = problem.extra.get("errors")
    names = [str(each["parameter"]).partition(".")[0] for each in found] if isinstance(found, list) else []
    names = ["places" if name == "body" else name for name in names]
    return list(dict.fromkeys(said.get(name, said["other"]) for name in names)) or [said["other"]]


def _status(problem: Problem | BusyError) -> int:
    return 429 if isinstance(problem, BusyError) else problem.status


def _lang(request: Request, held: Held | None = None) -> Language:
    """As asked for; of a link its own language; else the browser's."""
    asked = request.query_params.get("lang")
    if asked in {"de", "en"}:
        return "en" if asked == "en" else "de"
    if held is not None:
        return "en" if held.choices.language == "en" else "de"
    spoken = request.headers.get("accept-language", "")
    return "de" if not spoken or spoken.lower().startswith("de") else "en"
