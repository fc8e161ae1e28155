"""Answers with what a cache needs: a strong ETag, 304, Cache-Control, and the Link headers."""

import hashlib
from collections.abc import Mapping, Sequence

from fastapi import Request, Response

from api.encoders import AnyFormat, encoder, media_type
from api.formats import Item, Layout
from api.paging import Key, link_next
from api.terms import TermsOfAnswer
from api.visibility import View

PRIVATE = "private, no-store"


def respond(  # noqa: PLR0913 - what an HTTP answer is made of
    request: Request,
    view: View,
    body: bytes,
    *,
    media_type: str = "application/json",
    cache: str = "no-cache",
    links: Sequence[str | None] = (),
    open_data: bool = True,
    terms: TermsOfAnswer | None = None,
) -> Response:
    """The body, or 304 where the client has these very bytes. What an operator gets is never cached."""
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"ETag": etag, **common_headers(view, cache, links, open_data=open_data, terms=terms)}
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


def collection(  # noqa: PLR0913 - what an HTTP answer is made of
    request: Request,
    view: View,
    form: AnyFormat,
    *,
    items: Sequence[Item],
    layout: Layout,
    cache: str,
    link: str | None = None,
    open_data: bool = True,
    terms: TermsOfAnswer | None = None,
) -> Response:
    """One page of a collection in the format asked for.

    Open data carries its licence: `terms`, where they are not those of all open data.
    """
    terms = (terms or view.terms) if open_data else None
    return respond(
        request,
        view,
        encoder(form, layout, terms).whole(items),
        media_type=media_type(form),
        cache=cache,
        links=[link],
        open_data=open_data,
        terms=terms,
    )


def internal(  # noqa: PLR0913, PLR0917 - what one page of a collection is made of
    request: Request,
    view: View,
    form: AnyFormat,
    items: Sequence[Item],
    layout: Layout,
    last: Key | None = None,
) -> Response:
    """One page of what operators see: no open data, so it carries no licence and no cache keeps it.

    `last`: the key to go on from.
    """
    link = link_next(request, last)
    return collection(
        request, view, form, items=items, layout=layout, cache=PRIVATE, link=link, open_data=False
    )


def common_headers(
    view: View,
    cache: str,
    links: Sequence[str | None] = (),
    *,
    open_data: bool = True,
    terms: TermsOfAnswer | None = None,
) -> Mapping[str, str]:
    """Headers of every answer with data; open data links its licence where that is named by its address."""
    licences = (terms or view.terms).links() if open_data else []
    link = ", ".join(each for each in (*links, *licences) if each)
    return {
        "Cache-Control": PRIVATE if view.operator is not None else cache,
        "Vary": "Authorization",
        **({"Link": link} if link else {}),
    }


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether If-None-Match names the ETag (RFC 9110: the comparison is weak)."""
    if if_none_match is None:
        return False
    given = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return "*" in given or etag in given
