"""Configuration of the site; CONTRIBUTING.md has the command that builds it."""

import os
import shutil
import sys
from pathlib import Path

import matplotlib
from sphinx_gallery.sorting import ExplicitOrder

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
BUILD = ROOT / "build"
sys.path.insert(0, str(DOCS / "_ext"))

from api_pages import own_methods, public_packages, write_pages  # noqa: E402
from stub_inventories import ALIASES, write_inventories  # noqa: E402

import noisyactive  # noqa: E402

# -- What it is of ----------------------------------------------------------------------------

project = "noisyactive"
author = copyright = "noisyactive developers"
version = release = noisyactive.__version__

extensions = [
    "mathml",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_*"]
templates_path = ["_templates"]
default_role = "literal"
suppress_warnings = ["config.cache"]  # a function in autosummary_context is not pickled

# -- Markdown ---------------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "html_image"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

# -- Reference --------------------------------------------------------------------------------

write_pages(DOCS / "api")
autosummary_generate = True
autosummary_imported_members = True
autosummary_context = {"own_methods": own_methods}
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # docstrings tell types
numpydoc_show_class_members = False  # the template lists our own methods
numpydoc_xref_param_type = True
numpydoc_xref_aliases = ALIASES
for package in public_packages():
    public = sys.modules[package].__all__
    numpydoc_xref_aliases |= {name: f"{package}.{name}" for name in public}
numpydoc_xref_aliases |= {name: f"noisyactive.{name}" for name in noisyactive.__all__}
numpydoc_xref_ignore = "all"  # words that are no name of an alias stay text
intersphinx_mapping = write_inventories(BUILD / "inventories")

extlinks = {"doi": ("https://doi.org/%s", "doi:%s")}

# -- Gallery ----------------------------------------------------------------------------------

# Examples leave their figure in the folder where they lie: they run as copies.
examples = BUILD / "examples"
examples.mkdir(parents=True, exist_ok=True)
for script in (ROOT / "examples").glob("plot_*.py"):
    shutil.copyfile(script, examples / script.name)
(examples / "README.txt").write_text(
    (DOCS / "_templates" / "gallery.rst").read_text(encoding="utf-8"), encoding="utf-8"
)
matplotlib.use("Agg")
# A part of the names of examples to run, or "none", which is a matter of seconds.
pattern = os.environ.get("NOISYACTIVE_GALLERY", "plot_")
# The way in, and kinds of data, before studies.
first = ["quickstart", "clean_tabular", "clean_texts", "skin_lesions"]
sphinx_gallery_conf = {
    "examples_dirs": str(examples),
    "gallery_dirs": "gallery",
    "filename_pattern": pattern,
    "within_subsection_order": ExplicitOrder([*(f"plot_{name}.py" for name in first), "*"]),
    "backreferences_dir": "api/examples",
    "doc_module": ("noisyactive",),
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 10_000,
    "reset_modules": ("matplotlib",),
    "plot_gallery": pattern != "none",
    "remove_config_comments": True,
    "write_computation_times": False,  # its tables load scripts from a network
}

# -- Looks ------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "noisyactive"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_sidebars = {page: [] for page in ("start", "errors", "changes")}  # pages without others below
html_theme_options = {
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
