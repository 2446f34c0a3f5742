"""Access control of the page: requests need the name of this machine, and the token."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from secrets import compare_digest
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""What the page may be called. The port is free: a tunnel has another one."""
COOKIE: Final = "synapse-otel-view"
HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
TABLE: Final = "/api/table.parquet"
"""Where the page posts its list to, and gets it back as a file."""
_DELETABLE: Final = "/api/runs/"
_REFUSED: Final = (
    "This page needs the token that `synapse-otel view` printed.\n"
    "Open the full address from the terminal, including ?token=... at its end.\n"
)


class Guard:
    """The first thing that a request meets: it lets nobody on to ``app`` who does not know the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through."""
        if scope["type"] == "http":
            refusal = self._refusal(Request(scope))
            await (refusal or self._app)(scope, receive, _with_headers(send))
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        """Return what to answer to who may not see the page, or has just shown the token; None to let it through."""
        name = _name(request.headers.get("host", ""))
        if name not in NAMES:
            return PlainTextResponse("This page is for this machine only: 127.0.0.1, localhost or [::1].\n", 421)
        deletes = request.method == "DELETE" and request.url.path.startswith(_DELETABLE)
        own = deletes or (request.method == "POST" and request.url.path == TABLE)
        if request.method not in {"GET", "HEAD"} and not own:
            return PlainTextResponse("Nothing can be done here but to read, and to delete a run.\n", 405)
        given = request.query_params.get("token")
        if given is not None and request.url.path == "/":
            return self._welcome(request) if self._is_token(given) else PlainTextResponse(_REFUSED, 403)
        if not any(self._is_token(cookie) for cookie in _cookies(request.headers)):
            return PlainTextResponse(_REFUSED, 403)
        if own and not _is_of_this_page(request.headers):
            return PlainTextResponse("Only this page itself can ask for that.\n", 403)
        return None

    def _welcome(self, request: Request) -> Response:
        """Remember the token and take it out of the address."""
        rest = [(key, value) for key, value in parse_qsl(request.url.query) if key != "token"]
        target = f"/?{urlencode(rest)}" if rest else "/"
        response: Response = RedirectResponse(target, 303)
        if request.headers.get("sec-fetch-site") == "cross-site":
            # A strict cookie is not sent after a redirect from another site: so navigate again, from here.
            response = HTMLResponse('<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>...</title>')
        port = request.url.port or 80
        response.set_cookie(f"{COOKIE}-{port}", self._token, httponly=True, samesite="strict", path="/")
        return response

    def _is_token(self, text: str) -> bool:
        return compare_digest(text.encode(), self._token.encode())


def _is_of_this_page(headers: Headers) -> bool:
    """Return whether the browser says that a request is this page's own: a cookie is sent for pages of other ports too.

    A browser names the origin of every DELETE and POST, and lets no script change it.
    """
    origin = headers.get("origin", "").partition("://")[2].lower()
    return origin == headers.get("host", "").lower() and headers.get("sec-fetch-site", "same-origin") == "same-origin"


def _cookies(headers: Headers) -> list[str]:
    """Return the values of cookies of ours: cookies know no ports, so there may be those of other pages."""
    try:
        found = SimpleCookie("; ".join(headers.getlist("cookie")))
    except CookieError:
        return []
    return [morsel.value for name, morsel in found.items() if name.startswith(COOKIE)]


def _name(host: str) -> str:
    """Return a host without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
