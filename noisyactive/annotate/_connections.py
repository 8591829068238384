"""Connections to the labelling page: how many there may be, and how long each may take.

uvicorn limits neither how long a request's headers take to arrive nor how long a response takes to
be read, and at its ``limit_concurrency`` it refuses everybody. `Connection` adds the two limits;
when all places are taken, the connection that matters least makes room for a new one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any, cast

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

BACKLOG = 32  # connections accepted at once
PLACES = 64  # of either kind. Twice as many: who sends a request at once is heard before it leaves
SECONDS = {  # that the client has to
    "ask": 10.0,  # send a request's headers, from the connection or the response before
    "take": 60.0,  # read a response
}
KEEP_ALIVE_SECONDS = 5  # without a byte between requests
CLOSING_SECONDS = 3.0  # for requests and responses in progress when the page is closed
PIECE = 16_384  # bytes: h11 limits only headers that do not arrive at once


class Connection(H11Protocol):
    """A connection with limits, to be passed to ``uvicorn.Config(http=...)``.

    The limit on a body is the application's, which alone reads it. What comes of a body after the
    response counts as the next request's headers.

    Attributes
    ----------
    address : str
        Where it comes from.
    known : bool
        Whether it has sent a complete request with the token; until then, it is a stranger.
    heard : float
        When it last did so; of a stranger, when it connected.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ):
        super().__init__(config, server_state, {**app_state, "connection": self}, _loop)
        self.address = ""
        self.known = False
        self.heard = self.loop.time()
        self._trusted = False
        self._task: str | None = None  # what the client is waited for
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> bool:
        """Whether the client has sent a complete request and has not taken the response."""
        if self.cycle is None or self.cycle.more_body:
            return False
        return not self.cycle.response_complete or self.flow.write_paused

    def trust(self) -> None:
        """Note that the request has the token: once it is complete, this is no stranger."""
        self._trusted = True
        self._note()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, and begin to wait for a request."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)  # so writing is paused until all has been taken
        self.address = self.client[0] if self.client else ""
        self._take_place()
        self._note()

    def connection_lost(self, exc: Exception | None) -> None:
        """End all waiting."""
        super().connection_lost(exc)
        if self._alarm is not None:
            self._alarm.cancel()

    def data_received(self, data: bytes) -> None:
        """Read a part of requests."""
        for start in range(0, len(data), PIECE):
            if not self.transport.is_closing():
                super().data_received(data[start : start + PIECE])
        self._note()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        self._note()

    def pause_writing(self) -> None:
        """Wait for the client to take what was written."""
        super().pause_writing()
        self._note()

    def resume_writing(self) -> None:
        """Go on, since the client has taken all."""
        super().resume_writing()
        self._note()

    def shutdown(self) -> None:
        """Close, after the response in progress if it is taken soon."""
        super().shutdown()
        self.loop.call_later(CLOSING_SECONDS, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP; the application's response, if any, is dropped."""
        if self.cycle is not None:
            self.cycle.disconnected = True
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:  # a response has begun
            self.transport.abort()

    def _note(self) -> None:
        """Note what has changed: whether this is a stranger, and what the client has to do."""
        if self._trusted and self.busy:
            self.heard = self.loop.time()
            if not self.known:
                self.known = True
                self._take_place()
        task: str | None = "ask"
        if self.flow.write_paused:
            task = "take"
        elif self.cycle is not None and not self.cycle.response_complete:
            task = None  # it is the application's turn
        if task == self._task:
            return  # a byte now and then gives no more time
        self._task = task
        if self._alarm is not None:
            self._alarm.cancel()
        if task is not None:
            self._alarm = self.loop.call_later(SECONDS[task], self.transport.abort)

    def _take_place(self) -> None:
        everyone = cast("set[Connection]", self.connections)
        leaving = who_leaves(self, everyone - {self})
        if leaving is not None:
            everyone.discard(leaving)
            leaving.transport.abort()


def who_leaves(newcomer: Connection, others: Iterable[Connection]) -> Connection | None:
    """Choose the connection that makes room for another one.

    Strangers never take the place of those who know the token, and nobody is refused for an
    address: annotators share it with a reverse proxy, or with a program on the same machine.

    Parameters
    ----------
    newcomer : Connection
        A new one, or one that has become known.
    others : iterable of Connection
        All others.

    Returns
    -------
    Connection or None
        None while there is a place for the newcomer's kind, known or stranger. Otherwise one of
        this kind: not busy if possible, of the address that has most, not heard for longest.
    """
    rivals = [other for other in others if other.known == newcomer.known]
    if len(rivals) < PLACES:
        return None
    crowd = Counter(rival.address for rival in rivals)
    return min(rivals, key=lambda rival: (rival.busy, -crowd[rival.address], rival.heard))


def trusting(app: ASGIApp) -> ASGIApp:
    """Let an application trust the connections whose requests reach it: they had the token."""

    async def trusted(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["connection"].trust()
        await app(scope, receive, send)

    return trusted
