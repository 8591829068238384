"""The labelling page on the command line: ``python -m noisyactive.annotate JOURNAL``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ._server import serve

TOKEN_VARIABLE = "NOISYACTIVE_TOKEN"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until Ctrl+C.

    Parameters
    ----------
    arguments : sequence of str, default=None
        The command line; None takes that of the process.

    Returns
    -------
    int
        Exit status: 0, or 2 if the page cannot be served.
    """
    parser = argparse.ArgumentParser(
        prog="python -m noisyactive.annotate",
        description="Serve a page on which people label the items that a run asks about. It "
        "collects answers and never trains.",
        epilog=f"The environment variable {TOKEN_VARIABLE} sets the secret in the address; "
        "without it, a new one is drawn each time.",
    )
    parser.add_argument("journal", help="the run's journal, a .db file")
    parser.add_argument(
        "--images",
        metavar="FOLDER",
        help="images, named as the items; without them, names are shown",
    )
    parser.add_argument("--annotator", metavar="NAME", help="who answers; otherwise, the page asks")
    parser.add_argument(
        "--blind", action="store_true", help="show neither current labels, suggestions nor reasons"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=8765, help="port to listen on, 0 for any free one (%(default)s)"
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    options = parser.parse_args(arguments)
    try:
        page = serve(
            options.journal,
            options.images,
            annotator=options.annotator,
            blind=options.blind,
            host=options.host,
            port=options.port,
            token=os.environ.get(TOKEN_VARIABLE) or None,
            open_browser=not options.no_browser,
        )
    except (ImportError, OSError, TypeError, ValueError) as error:
        print(f"noisyactive.annotate: {error}", file=sys.stderr)
        return 2
    print("Press Ctrl+C to stop; answers are kept.", flush=True)
    with page:
        try:
            page.wait()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
