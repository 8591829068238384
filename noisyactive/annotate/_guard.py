"""Access control of the labelling page: token, origin and host of each request."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Mapping

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
    """Pass on only requests that know the token and come from the application's own page.

    The first visit has the token in its address, ``/?token=...``; later requests have it in a
    cookie: ``HttpOnly``, so that no script reads it, and ``SameSite=Strict``, so that other sites
    cannot send it. All ports of a host share cookies, so the cookie's name contains the port.

    Parameters
    ----------
    app : ASGI application
        The application to protect.
    tokens : dict of str
        Secrets, and whose each is: a name, or None for nobody's in particular. Whose it was is in
        the request's scope, as ``annotator``.
    host : str
        Address that the server listens on.
    port : int
        Its port.
    """

    def __init__(self, app: ASGIApp, tokens: Mapping[str, str | None], host: str, port: int):
        self._app = app
        self._tokens = {token.encode(): name for token, name in tokens.items()}
        self._host = host
        self._cookie = f"noisyactive-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            raise ValueError(f"Only http is served, got {scope['type']}.")
        request = Request(scope)
        # Not request.url: it is built from the Host header, which may be malformed.
        first_visit = scope["path"] == "/" and "token" in request.query_params
        given = request.query_params["token"] if first_visit else self._token_in_cookie(request)
        token = self._known(given.encode(errors="replace"))
        refusal = self._refusal(request, token)
        scope["annotator"] = None if token is None else self._tokens[token]

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if first_visit and refusal is None and token is not None:
                    cookie = f"{self._cookie}={token.decode()}; HttpOnly; Path=/; SameSite=Strict"
                    headers.append("Set-Cookie", cookie)
            await send(message)

        await (refusal or self._app)(scope, receive, send_on)

    def _known(self, given: bytes) -> bytes | None:
        """The secret that was given; every one is compared, so that time tells nothing."""
        matching = [token for token in self._tokens if hmac.compare_digest(given, token)]
        return matching[0] if matching else None

    def _refusal(self, request: Request, token: bytes | None) -> Response | None:
        """The refusal of a request, whatever it asks for; None if it is passed on."""
        host = request.headers.get("host", "")
        if not is_own_host(host, self._host):
            return _no("This is not an address of this server.", 421)
        if token is None:
            return _no("Open the address that the server printed.", 403)
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site")
        foreign = site not in (None, "same-origin", "none") and request.scope["path"] != "/"
        foreign |= origin is not None and origin.partition("://")[2].lower() != host.lower()
        if request.method not in ("GET", "HEAD"):  # these must say where they come from
            foreign |= site != "same-origin" and origin is None
        return _no("This request comes from another site.", 403) if foreign else None

    def _token_in_cookie(self, request: Request) -> str:
        return request.cookies.get(self._cookie, "")


def _no(why: str, status: int) -> Response:
    return PlainTextResponse(why, status, {"Connection": "close"})


def is_own_host(header: str, listening: str) -> bool:
    """Whether a Host header names this server.

    This protects against DNS rebinding: another site's name that resolves to this machine.

    Parameters
    ----------
    header : str
        Host that the browser asked for, with or without a port: a tunnel may have another one.
    listening : str
        Address that the server listens on.

    Returns
    -------
    bool
        True for "localhost" and loopback addresses. If other machines may connect, also for the
        name listened on, this machine's own name and, since they cannot be rebound, IP addresses.
    """
    name, colon, port = header.rpartition(":")
    if not colon or "]" in port:
        name, port = header, ""
    if not (port == "" or (port.isascii() and port.isdigit())):
        return False
    if name.startswith("[") != name.endswith("]"):
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
