"""The web application of the labelling page: it checks requests and passes them on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .._images import NotShown, Picture
from ._people import MAX_NAME
from ._service import MAX_COMMENT, MAX_SECONDS, JournalError, LabellingService

PAGE = Path(__file__).with_name("page")
FILES = {  # no other file is sent, apart from images
    "/": ("index.html", "text/html"),
    "/reference.js": ("reference.js", "text/javascript"),
    "/people.js": ("people.js", "text/javascript"),
    "/people.css": ("people.css", "text/css"),
    "/items.js": ("items.js", "text/javascript"),
    "/items.css": ("items.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/page.css": ("page.css", "text/css"),
    "/small.css": ("small.css", "text/css"),
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript")
        for name in ("classes", "keys", "page", "prefetch", "server", "store", "viewer", "words")
    },
}
MAX_BODY = 32_768
BODY_SECONDS = 10.0
CLOSE = {"Connection": "close"}  # without reading the rest

_T = TypeVar("_T")


def make_app(service: LabellingService, guideline: Sequence[Any] = ()) -> Starlette:
    """Make the application, without its `Guard`.

    Parameters
    ----------
    service : LabellingService
        Access to the journal and the images.
    guideline : sequence, default=()
        What `read_guideline` returns.

    Returns
    -------
    Starlette
        ``GET /api/state``, ``GET /api/previous``, ``GET /api/mine``, ``GET /api/sitting``, ``POST
        /api/answers`` (which also returns the state after it), ``GET /api/reference``, ``GET
        /api/examples/CODE/N``, ``GET /api/items/ROW`` and ``GET /api/images/ROW?part=N``, and the
        page itself. An error is one sentence: ``{"error": ...}``.
    """
    # Slow work is done in a few threads: two images of 80 million pixels take half a gigabyte.
    for_images, for_journal = anyio.CapacityLimiter(2), anyio.CapacityLimiter(8)

    async def state(request: Request) -> Response:
        annotator = _who_asks(service, request)
        tab = _tab(request.query_params.get("tab", ""))
        return JSONResponse(await _in_thread(for_journal, lambda: service.state(annotator, tab)))

    async def previous(request: Request) -> Response:
        annotator = _who_asks(service, request)
        back = _natural(request.query_params.get("back", "1"), "back")
        found = await _in_thread(for_journal, lambda: service.previous(annotator, back))
        return JSONResponse({"item": found})

    async def mine(request: Request) -> Response:
        annotator = _who_asks(service, request)
        skip = _natural(request.query_params.get("skip", "0"), "skip")
        return JSONResponse(await _in_thread(for_journal, lambda: service.answers(annotator, skip)))

    async def answer(request: Request) -> Response:
        sent = await _read_json(request)
        if sent.get("run") != service.run:
            raise HTTPException(409, "The server now serves another run. Reload the page.")
        owner = request.scope.get("annotator") or service.annotator
        checked = _check_answer(service, sent, owner)
        tab = _tab(sent.get("tab", ""))

        def write_and_read() -> dict[str, Any]:
            outcome = service.answer(**checked)
            return {"outcome": outcome, "state": service.state(checked["annotator"], tab)}

        return JSONResponse(await _in_thread(for_journal, write_and_read))

    async def sitting(request: Request) -> Response:
        annotator = _who_asks(service, request)
        return JSONResponse(await _in_thread(for_journal, lambda: service.sitting(annotator)))

    async def item(request: Request) -> Response:
        row = _natural(request.path_params["row"], "row")
        try:
            parts = await _in_thread(for_images, lambda: service.look(row))
        except LookupError as error:
            raise HTTPException(404, "This row was not asked about.") from error
        except NotShown as error:
            raise HTTPException(422, str(error)) from error
        return JSONResponse({"parts": parts})

    async def reference(request: Request) -> Response:
        classes = await _in_thread(for_journal, service.examples)
        return JSONResponse({"guideline": guideline, "classes": classes})

    async def image(request: Request) -> Response:
        row = _natural(request.path_params["row"], "row")
        number = _natural(request.query_params.get("part", "0"), "part")
        return await send(lambda: service.picture(row, number), "This row was not asked about.")

    async def example(request: Request) -> Response:
        code = _natural(request.path_params["code"], "code")
        number = _natural(request.path_params["number"], "number")
        return await send(lambda: service.example(code, number), "There is no such example.")

    async def send(find: Callable[[], Picture], missing: str) -> Response:
        try:
            picture = await _in_thread(for_images, find)
        except LookupError as error:
            raise HTTPException(404, missing) from error
        except NotShown as error:
            raise HTTPException(422, str(error)) from error
        size = "{}x{}".format(*picture.size)
        return Response(
            picture.data, media_type=picture.media_type, headers={"X-Original-Size": size}
        )

    return Starlette(
        routes=[
            *[Route(url, _file(*file), methods=["GET"]) for url, file in FILES.items()],
            Route("/api/state", state, methods=["GET"]),
            Route("/api/previous", previous, methods=["GET"]),
            Route("/api/mine", mine, methods=["GET"]),
            Route("/api/sitting", sitting, methods=["GET"]),
            Route("/api/answers", answer, methods=["POST"]),
            Route("/api/images/{row}", image, methods=["GET"]),
            Route("/api/reference", reference, methods=["GET"]),
            Route("/api/examples/{code}/{number}", example, methods=["GET"]),
            Route("/api/items/{row}", item, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _refused, JournalError: _unavailable},
    )


def _file(name: str, media_type: str) -> Callable[[Request], Response]:
    content = (PAGE / name).read_bytes()  # read once: no request reaches the disk
    return lambda request: Response(content, media_type=media_type)


async def _in_thread(limiter: anyio.CapacityLimiter, work: Callable[[], _T]) -> _T:
    return await anyio.to_thread.run_sync(work, limiter=limiter)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _unavailable(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 503)


async def _read_json(request: Request) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # a form on another site cannot send this
        raise HTTPException(415, "Answers must be sent as application/json.")
    body = bytearray()
    try:
        with anyio.fail_after(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise HTTPException(413, f"An answer takes at most {MAX_BODY} bytes.", CLOSE)
    except TimeoutError as error:
        raise HTTPException(408, "The answer did not arrive in time.", CLOSE) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "The answer did not arrive.", CLOSE) from error  # nobody hears it
    try:
        sent = json.loads(body)
    except (RecursionError, ValueError) as error:
        raise HTTPException(400, "An answer must be JSON.") from error
    if not isinstance(sent, dict):
        raise HTTPException(400, "An answer must be a JSON object.")
    return sent


def _check_answer(
    service: LabellingService, sent: dict[str, Any], owner: str | None
) -> dict[str, Any]:
    """Check an answer that was sent; return arguments of `LabellingService.answer`."""
    row, code, seconds = sent.get("row"), sent.get("answer"), sent.get("seconds")
    comment, corrects = sent.get("comment", ""), sent.get("corrects")
    unusable = sent.get("unusable", False)
    if type(row) is not int or row < 0:
        raise HTTPException(400, "row must be the number of a row.")
    if "answer" not in sent or not (
        code is None or (type(code) is int and 0 <= code < service.n_classes)
    ):
        raise HTTPException(
            400, f"answer must be null or the number of a class, from 0 to {service.n_classes - 1}."
        )
    if type(unusable) is not bool or (unusable and code is not None):
        raise HTTPException(400, "unusable must be true or false, and goes with no answer.")
    if seconds is not None and (
        type(seconds) not in (int, float) or not 0 <= seconds <= MAX_SECONDS
    ):
        raise HTTPException(400, f"seconds must be null or from 0 to {MAX_SECONDS:g}.")
    if not _is_text(comment) or len(comment) > MAX_COMMENT:
        raise HTTPException(400, f"comment must be text of at most {MAX_COMMENT} characters.")
    if corrects is not None and not _is_text(corrects):
        raise HTTPException(400, "corrects must be null or a time.")
    annotator = _name(sent.get("annotator"))
    if owner is not None:
        if annotator not in (None, owner):  # it comes from a page that was opened for another one
            raise HTTPException(409, f"This browser answers for {owner} now. Reload the page.")
        annotator = owner
    if annotator is None and service.needs_name:
        raise HTTPException(400, "annotator must be named, since each item has several annotators.")
    return {
        "row": row,
        "code": code,
        "annotator": annotator,
        "seconds": seconds,
        "comment": comment.strip(),
        "corrects": corrects,
        "unusable": unusable,
    }


def _who_asks(service: LabellingService, request: Request) -> str | None:
    """The annotator: whose token it is, or whom the server was started for, else as is said."""
    owner: str | None = request.scope.get("annotator") or service.annotator
    return owner or _name(request.query_params.get("annotator"))


def _name(given: Any) -> str | None:
    if given is None:
        return None
    if not _is_text(given) or len(given) > MAX_NAME or not given.isprintable():
        raise HTTPException(400, f"annotator must be text of at most {MAX_NAME} characters.")
    return given.strip() or None


def _tab(given: Any) -> str:
    if not _is_text(given):
        raise HTTPException(400, "tab must be text.")
    return given[:40]


def _is_text(value: Any) -> bool:
    """Whether it is text that can be stored: JSON also allows NUL and lone surrogates."""
    return isinstance(value, str) and not re.search("[\0\ud800-\udfff]", value)


def _natural(text: str, name: str) -> int:
    if not re.fullmatch("[0-9]{1,15}", text):
        raise HTTPException(400, f"{name} must be a whole number.")
    return int(text)
