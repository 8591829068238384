"""A report of doubtful labels as one HTML file."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from .._text import is_visible, label_text
from ._label_audit import LabelAudit


def page_of(audit: LabelAudit, title: str, *, max_issues: int = 500) -> str:
    """The report of an audit; data are shown as text, never as markup.

    Parameters
    ----------
    audit : LabelAudit
        Fitted.
    title : str
        Headline.
    max_issues : int, default=500
        Labels that are listed.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    ImportError
        If Jinja2 is not installed.
    """
    try:
        from jinja2 import Environment
    except ImportError as error:
        raise ImportError('The report needs Jinja2: pip install "noisyactive[plot]".') from error
    issues = audit.issues_
    flagged = issues[issues["is_issue"]]
    sizes, wrong = (
        table["given"].value_counts().reindex(audit.classes_, fill_value=0).tolist()
        for table in (issues, flagged)
    )
    low, high = audit.noise_rate_interval_
    listed = flagged.head(max_issues)
    columns = (listed[name].tolist() for name in ("given", "suggested", "quality", "why"))
    template = Environment(autoescape=True).from_string(
        files(__package__).joinpath("issues.html").read_text(encoding="utf-8")
    )
    return template.render(
        title=_shown(title),
        n_samples=f"{len(issues):,}",
        n_issues=f"{len(flagged):,}",
        n_issues_number=len(flagged),
        shown=len(listed),
        rate=f"{audit.noise_rate_:.0%}",
        low=f"{low:.0%}",
        high=f"{high:.0%}",
        classes=[
            {"name": _shown(label), "n": f"{n:,}", "wrong": f"{k:,}", "share": f"{k / n:.0%}"}
            for label, n, k in zip(audit.classes_.tolist(), sizes, wrong, strict=True)
            if n
        ],
        issues=[
            {
                "name": _shown(name),
                "given": _shown(given),
                "suggested": _shown(suggested),
                "quality": f"{quality:.1%}",
                "why": _shown(why),
            }
            for name, given, suggested, quality, why in zip(listed.index, *columns, strict=True)
        ],
    )


def _shown(value: Any) -> str:
    """A text without invisible characters."""
    text = label_text(value)
    return "".join(c if is_visible(c) else c.encode("unicode_escape").decode() for c in text)
