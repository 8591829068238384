"""Formulas as MathML, which browsers draw themselves: no script, and nothing from a network."""

from docutils.nodes import SkipNode
from docutils.utils.math import latex2mathml


def _inline(translator, node):
    translator.body.append(latex2mathml.tex2mathml(node.astext()))
    raise SkipNode


def _display(translator, node):
    mathml = latex2mathml.tex2mathml(node.astext(), as_block=True)
    translator.body.append(f'<div class="math">{mathml}</div>')
    raise SkipNode


def setup(app):
    """Register the renderer under the name "mathml"."""
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
