"""A guideline in Markdown, as a tree that the page builds element by element, never as HTML."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from .._files import as_path

MAX_BYTES = 500_000
TAGS = frozenset(
    "h1 h2 h3 h4 h5 h6 p ul ol li blockquote pre code em strong s hr br a "
    "table thead tbody tr th td".split()
)
_SCHEMES = ("http", "https", "mailto")

Node = Any  # a text, or {"tag": ..., "children": [...]}, with "href" or "start"


def read_guideline(path: str | os.PathLike[str] | None) -> list[Node]:
    """Read a Markdown file (CommonMark, with tables).

    Raw HTML in it is shown as text, images by their descriptions, and links lead only to web and
    mail addresses.

    Parameters
    ----------
    path : path or None
        The file, in UTF-8.

    Returns
    -------
    list
        Texts and elements, see `TAGS`; empty without a file.

    Raises
    ------
    ValueError
        If it is no text, or has more than 500,000 bytes.
    OSError
        If it cannot be read.
    ImportError
        If markdown-it-py is not installed.
    """
    if path is None:
        return []
    file = as_path(path, "guideline")
    if file.stat().st_size > MAX_BYTES:
        raise ValueError(f"guideline {file} has more than {MAX_BYTES:,} bytes.")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"guideline {file} is not text in UTF-8: {error}.") from error
    try:
        from markdown_it import MarkdownIt
        from markdown_it.tree import SyntaxTreeNode
    except ModuleNotFoundError as error:
        raise ImportError(
            'A guideline needs markdown-it-py: pip install "noisyactive[annotate]".'
        ) from error
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return [*_nodes(SyntaxTreeNode(parser.parse(text)))]


def _nodes(parent: Any) -> Iterator[Node]:
    for node in parent.children:
        match node.type:
            case "text":
                yield from [node.content] if node.content else []
            case "softbreak":
                yield " "
            case "inline":
                yield from _nodes(node)
            case "code_inline":
                yield {"tag": "code", "children": [node.content]}
            case "fence" | "code_block":
                yield {"tag": "pre", "children": [{"tag": "code", "children": [node.content]}]}
            case "image":
                yield f"[image: {node.content}]"
            case "paragraph" if node.hidden:  # in a tight list
                yield from _nodes(node)
            case _ if node.tag in TAGS:
                yield {"tag": node.tag, "children": [*_nodes(node)], **_facts(node)}
            case _:
                yield from _nodes(node) if node.children else [node.content]


def _facts(node: Any) -> dict[str, Any]:
    if node.tag == "a":
        href = str(node.attrGet("href") or "")
        return {"href": href} if urlsplit(href).scheme.lower() in _SCHEMES else {}
    if node.tag == "ol" and isinstance(node.attrGet("start"), int):
        return {"start": node.attrGet("start")}
    return {}
