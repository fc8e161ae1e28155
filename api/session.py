"""A browser of staff that stays logged in: the operator's token in a cookie that no script can read.

The cookie counts only beside a header that the pages' own scripts send. Another site can make a browser
send neither: the cookie is SameSite=Strict, and a header of its own needs a preflight, which is refused.
"""

from fastapi import Request, Response

COOKIE = "stadtfunk-session"
HEADER = "Stadtfunk-Console"
KEPT_S = 30 * 86_400
"""So long nobody on call types a token again on the same phone."""


def authorization(request: Request) -> str | None:
    """The Authorization header, or what stands for it in a request of the console's pages."""
    sent = request.headers.get("authorization")
    if sent is None and HEADER in request.headers and (token := request.cookies.get(COOKIE)):
        return f"Bearer {token}"
    return sent


def begin(response: Response, token: str, *, secure: bool) -> None:
    """Keep a token that is known to be good; `secure`: the browser came by TLS."""
    response.set_cookie(
        COOKIE, token, max_age=KEPT_S, path="/", secure=secure, httponly=True, samesite="strict"
    )


def end(response: Response) -> None:
    """Forget it."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
