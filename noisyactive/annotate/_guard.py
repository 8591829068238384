"""Who may talk to the labelling page's server, and what browsers may do with its answers."""

from __future__ import annotations

import hmac
import ipaddress
import socket

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ]
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Lets an application see only requests from its own page, opened by who knows the token.

    The token comes in the address of the first visit, ``/?token=...``, and in a cookie from then
    on: ``HttpOnly``, so that no script reads it, and ``SameSite=Strict``, so that other sites
    cannot send it. Cookies are shared by all ports of a host, so its name tells the port.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    token : str
        The secret.
    host : str
        Address that the server listens on.
    port : int
        Its port.
    """

    def __init__(self, app: ASGIApp, token: str, host: str, port: int):
        self._app = app
        self._token = token
        self._host = host
        self._cookie = f"noisyactive-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":  # there are no web sockets here
            raise ValueError(f"A {scope['type']} connection has no business here.")
        request = Request(scope)
        first_visit = request.url.path == "/" and "token" in request.query_params
        refusal = self._refusal(request, first_visit)

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if first_visit and refusal is None:
                    cookie = f"{self._cookie}={self._token}; HttpOnly; Path=/; SameSite=Strict"
                    headers.append("Set-Cookie", cookie)
            await send(message)

        await (refusal or self._app)(scope, receive, send_on)

    def _refusal(self, request: Request, first_visit: bool) -> Response | None:
        """Why a request is not passed on; the same for whatever was asked."""
        host = request.headers.get("host", "")
        if not is_own_host(host, self._host):
            return _no("This is no address of this server.", 421)
        given = request.query_params["token"] if first_visit else self._token_in_cookie(request)
        if not hmac.compare_digest(given.encode(errors="replace"), self._token.encode()):
            return _no("Open the address that the server printed.", 403)
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site")
        foreign = site not in (None, "same-origin", "none") and request.url.path != "/"
        foreign |= origin is not None and origin.partition("://")[2].lower() != host.lower()
        if request.method not in ("GET", "HEAD"):  # must show where it comes from
            foreign |= site != "same-origin" and origin is None
        return _no("Another site asked for this.", 403) if foreign else None

    def _token_in_cookie(self, request: Request) -> str:
        return request.cookies.get(self._cookie, "")


def _no(why: str, status: int) -> Response:
    return PlainTextResponse(why, status, {"Connection": "close"})


def is_own_host(header: str, listening: str) -> bool:
    """Whether a Host header names this server, and not a foreign name bound to its address.

    Parameters
    ----------
    header : str
        What the browser asked for, with or without a port: a tunnel may have another one.
    listening : str
        Address that the server listens on.

    Returns
    -------
    bool
        An IP address cannot be rebound, so that any will do where others than this machine may
        connect; of names, there are "localhost", the one listened on, and the machine's own.
    """
    name, colon, port = header.rpartition(":")
    if not colon or "]" in port:
        name, port = header, ""
    if not (port == "" or (port.isascii() and port.isdigit())):
        return False
    name = name.lower()
    local = is_local(listening)
    if (address := _address(name.removeprefix("[").removesuffix("]"))) is not None:
        return address.is_loopback or not local
    others = set() if local else {listening.lower(), socket.gethostname().lower()}
    return name in {"localhost", *others}


def is_local(host: str) -> bool:
    """Whether only this machine can connect to an address."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
