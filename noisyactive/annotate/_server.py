"""Serve the labelling page from a thread of this process."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._arrays import described
from .._images import image_finder
from .._numbers import check_int, check_switch
from ._cleaner_or_journal import is_started_cleaner
from ._guideline import read_guideline
from ._items import Items
from ._look import samples_of
from ._people import check_people, checked_name, token_of

if TYPE_CHECKING:
    import uvicorn
    from typing_extensions import Self

    from ..cleaning import ActiveLabelCleaner
    from ..journal import Journal

_START_SECONDS = 60.0  # a busy machine may need some


class Page:
    """A labelling page that is being served; as a context manager, until the end of the block.

    Attributes
    ----------
    url : str
        Address with the secret token: all who know it can see the images and answer. Of several
        annotators, that of the first.
    urls : dict of str
        Address of each annotator who has one of their own.
    """

    def __init__(
        self, server: uvicorn.Server, listener: socket.socket, urls: dict[str | None, str]
    ):
        self.url = next(iter(urls.values()))
        self.urls = {name: url for name, url in urls.items() if name is not None}
        self._server = server
        self._listener = listener
        self._thread = threading.Thread(
            target=server.run, args=([listener],), name="labelling page", daemon=True
        )
        self._thread.start()
        end = time.monotonic() + _START_SECONDS
        while not server.started:
            if not self._thread.is_alive() or time.monotonic() > end:
                self.close()
                raise OSError("The labelling page's server could not be started.")
            time.sleep(0.01)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<labelling page at {self.url}>"

    def wait(self) -> None:
        """Wait until the page is closed."""
        while self._thread.is_alive():
            self._thread.join(1.0)

    def close(self) -> None:
        """Stop serving; all answers are in the journal. Closing twice is allowed."""
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()


def serve(
    cleaner_or_journal: ActiveLabelCleaner | Journal | str | os.PathLike[str],
    images: str | os.PathLike[str] | Callable[[int], Any] | None = None,
    *,
    show: Callable[[int], Any] | None = None,
    annotator: str | None = None,
    annotators: Sequence[str] | None = None,
    adjudicator: str | None = None,
    guideline: str | os.PathLike[str] | None = None,
    reference: str | os.PathLike[str] | None = None,
    blind: bool = False,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    open_browser: bool = False,
) -> Page:
    """Serve a page on which people label the samples that a run asks about.

    The page collects answers and never trains: an `ActiveLabelCleaner` with the same journal runs
    the rounds, in this process or another. Each answer is on disk before the next item shows; one
    that its annotator takes back within ten seconds is not charged when it is changed. The page is
    served from a thread::

        with serve(cleaner):
            while len(cleaner.query()):
                cleaner.wait()

    Who does not know the token can neither read nor write, nor keep annotators out: there are 64
    places for connections without it, of which the oldest makes room for a new one, and 64 for
    those with it. A request's headers must arrive within 10 seconds and an answer, of at most
    32 KiB, within another 10; a response must be read within 60.

    Parameters
    ----------
    cleaner_or_journal : ActiveLabelCleaner, Journal or path
        A started cleaner that has a journal, or a journal.
    images : path or callable, default=None
        A folder with the images, named as the items are, with or without their extensions; or
        ``images(row)``, which returns a PIL image, an array of shape (height, width) or (channels,
        height, width), or the path of a file. None shows a cleaner's X if it holds images.
    show : callable, default=None
        ``show(row)`` returns what to look at, below the image if there are `images`, too:

        * a str: text, with its line breaks; right-to-left where its letters are;
        * a mapping, or a row of a DataFrame: names and values, as a table;
        * an array of shape (n_points,): a series, as a plot;
        * a PIL image, an array of 2 or 3 dimensions, or a `pathlib.Path` of an image file;
        * a list of these; those in a mapping have its keys as their titles;
        * None: missing, which the page says, and the answer is flagged "not shown".

        None shows a cleaner's X if it is a DataFrame, a list or Series of str, or an array of
        shape (n_samples, n_features), and there are no `images`; else the names of the items.
    annotator : str, default=None
        Who answers. None asks on the page.
    annotators : sequence of str, default=None
        Who may answer, each at an address of their own: its token says who answers, so that nobody
        can answer under the name of another.
    adjudicator : str, default=None
        Who decides, also at an own address, where annotators disagree; needs `annotators`, and a
        run with ``answers_per_item`` above 1. The adjudicator sees their answers and comments;
        these items are not asked about again otherwise. A decision is the item's label, whatever
        others say, and is charged like any answer.
    guideline : path, default=None
        A Markdown file that tells how to label, one key away on the page. HTML in it is shown as
        text.
    reference : path, default=None
        A folder with a sub-folder of example images for each class, named as the class; the first
        three are shown beside the guideline. None shows verified items: those of which the model
        was surest of the class that people then named.
    blind : bool, default=False
        Whether to keep current labels, the model's suggestions and the reasons for asking from the
        page.
    host : str, default="127.0.0.1"
        Address to listen on. The default can be reached from this machine only. Traffic is not
        encrypted.
    port : int, default=0
        Port to listen on; 0 takes any free one.
    token : str, default=None
        Secret in the address, at least 16 letters, digits, "-" or "_". None draws a new one. Open
        pages stay valid if a server is started again with the same port and token. The tokens of
        `annotators` are derived from it, and it is none of theirs.
    open_browser : bool, default=False
        Whether to open the page in a browser of this machine.

    Returns
    -------
    Page
        The page, already served. Its address, with the secret token, is printed; of several
        `annotators`, that of each.

    Raises
    ------
    ImportError
        If the extra ``annotate`` is not installed.
    ValueError, TypeError
        If a cleaner has no journal, a journal is damaged, or a parameter is not as described.
    NotFittedError
        If a cleaner was not started.
    OSError
        If there is no such journal or folder, or the port is in use.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive import ActiveLabelCleaner
    >>> from noisyactive.annotate import serve
    >>> X, y = load_digits(n_class=3, return_X_y=True)
    >>> folder = tempfile.TemporaryDirectory()
    >>> journal = Path(folder.name) / "digits.db"
    >>> model = LogisticRegression(max_iter=1000)
    >>> cleaner = ActiveLabelCleaner(model, pool="unverified", round_budget=5, journal=journal)
    >>> rows = cleaner.start(X, y).query()
    >>> with serve(cleaner, lambda row: X[row].reshape(8, 8)) as page:  # doctest: +ELLIPSIS
    ...     cleaner.wait(timeout=0.1)
    Label at http://127.0.0.1:...
    False
    >>> cleaner.close(); folder.cleanup()
    """
    try:
        import uvicorn

        from ._app import make_app
        from ._connections import BACKLOG, KEEP_ALIVE_SECONDS, Connection, trusting
        from ._guard import Guard, is_local
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        raise ImportError(
            f'The labelling page needs {missing}: pip install "noisyactive[annotate]".'
        ) from error
    from ._service import LabellingService

    if annotator is not None:
        annotator = checked_name(annotator, "annotator")
    names = check_people(annotator, annotators, adjudicator)
    check_switch(blind, "blind")
    token = secrets.token_urlsafe(32) if token is None else _checked_token(token)
    tokens: dict[str, str | None] = {token: None}
    if names:
        tokens = {token_of(token, name): name for name in names}
    path, X = _journal_and_samples(cleaner_or_journal)
    adjudicator = names[-1] if adjudicator is not None else None
    service = LabellingService(
        path, _items(images, show, X), annotator, blind, adjudicator, names, reference
    )
    text = read_guideline(guideline)
    if adjudicator is not None and not service.needs_name:
        raise ValueError(
            "adjudicator needs a run in which several annotators answer for each item, with "
            "answers_per_item above 1."
        )
    listener = _listen(host, port)
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        Guard(trusting(make_app(service, text)), tokens, host, port),
        loop="asyncio",
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # it would show the token
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=5,  # more than CLOSING_SECONDS
    )
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else host
    address = f"[{shown}]" if ":" in shown else shown
    urls = {name: f"http://{address}:{port}/?token={secret}" for secret, name in tokens.items()}
    page = Page(uvicorn.Server(config), listener, urls)
    for name, url in urls.items():
        print(f"Label at {url}" if name is None else f"{name} labels at {url}", flush=True)
    if not is_local(host):
        print(
            "Other machines can connect. Traffic is not encrypted: images and the token can be "
            "read on the network. An SSH tunnel to 127.0.0.1 is safer.",
            flush=True,
        )
    if open_browser:
        webbrowser.open(page.url)
    return page


def _items(images: Any, show: Any, X: Any) -> Items:
    if show is not None and not callable(show):
        raise TypeError(f"show must be a callable or None, got {described(show)}.")
    find = image_finder(images, X)
    if show is not None:
        return Items(find, lambda row, item: show(row))
    return Items(find, samples_of(X) if find is None else None)


def _journal_and_samples(
    source: ActiveLabelCleaner | Journal | str | os.PathLike[str],
) -> tuple[Path, Any]:
    """Path of the journal, and the samples if a cleaner is given."""
    if isinstance(source, (str, os.PathLike)):
        return Path(source), None
    expected = "cleaner_or_journal must be an ActiveLabelCleaner, a Journal or a path"
    if not is_started_cleaner(source, expected):
        return source.path, None
    if source.journal is None:
        raise ValueError(
            "serve needs a cleaner with a journal, to which the page writes answers: "
            "ActiveLabelCleaner(..., journal=path)."
        )
    return Path(source.journal), source.X_train_


def _checked_token(token: str) -> str:
    long = isinstance(token, str) and len(token) >= 16
    if not long or not all(c.isascii() and (c.isalnum() or c in "-_") for c in token):
        raise ValueError('token must be at least 16 letters, digits, "-" or "_".')
    return token


def _listen(host: str, port: int) -> socket.socket:
    port = check_int(port, "port", 0, most=65535)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise OSError(f"host {host!r} is not an address of this machine: {error}.") from error
    try:
        if os.name != "nt":  # where it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        raise OSError(
            f"Port {port} of {host} cannot be used: {error.strerror}. Pass another port, or 0 for "
            "a free one."
        ) from error
    listener.setblocking(False)
    return listener
