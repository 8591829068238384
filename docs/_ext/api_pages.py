"""Pages of the API reference, from the `__all__` of each public package."""

import inspect
import pprint
import re
from importlib import import_module
from pkgutil import iter_modules

from sphinx.pycode import ModuleAnalyzer

import noisyactive

INTRODUCTION = """\
API reference
=============

Every public name, by package. What stands in ``noisyactive`` itself is most of what is needed.

.. toctree::
   :maxdepth: 1

"""


def public_packages():
    """Names of the public packages, the outermost first."""
    inner = (module.name for module in iter_modules(noisyactive.__path__) if module.ispkg)
    return ["noisyactive", *(f"noisyactive.{name}" for name in inner if not name.startswith("_"))]


def home_of(package, name):
    """The package on whose page an object is described: where it is also public, a link is.

    Names of `noisyactive` itself are described there; others where they are defined.
    """
    if name in noisyactive.__all__:
        return "noisyactive"
    defined_in = getattr(getattr(import_module(package), name), "__module__", None) or package
    home = ".".join(defined_in.split(".")[:2])
    public = home in public_packages() and name in import_module(home).__all__
    return home if public else package


def is_object_with_page(value):
    """Whether autodoc describes a value: classes and functions, not constants and types."""
    return inspect.isclass(value) or inspect.isroutine(value)


def own_methods(package, name):
    """Public methods of a class that noisyactive defines, also those of a private base class."""
    members = inspect.getmembers(getattr(import_module(package), name), inspect.isroutine)
    return [
        member
        for member, value in members
        if not member.startswith("_")
        and (getattr(value, "__module__", None) or "").startswith("noisyactive.")
        and value.__doc__
    ]


def comment_on(package, name):
    """The `#:` comment of a constant, from the module of the package that defines it."""
    for module in iter_modules(import_module(package).__path__, f"{package}."):
        comment = ModuleAnalyzer.for_module(module.name).find_attr_docs().get(("", name))
        if comment:
            return comment
    raise LookupError(f"{package}.{name} has no '#:' comment that says what it is")


def constant(package, name):
    """What is said of a constant: its comment and its value."""
    value = getattr(import_module(package), name)
    text = [f".. py:data:: {name}", ""]
    text += [f"   {line}" for line in comment_on(package, name)]
    plain = dict(value) if hasattr(value, "items") else value
    shown = re.sub(r"noisyactive[\w.]*\._\w+\.", "", pprint.pformat(plain, sort_dicts=False))
    text += ["   .. code-block:: python", ""]
    text += [f"      {line}" for line in shown.splitlines()]
    return "\n".join(text) + "\n\n"


def package_page(package):
    """The page of a package: its docstring, a table of its names, links to names told elsewhere."""
    module = import_module(package)
    described, elsewhere, constants = [], [], []
    for name in sorted(module.__all__, key=str.lower):
        value = getattr(module, name)
        if not is_object_with_page(value):
            constants.append(name)
        elif home_of(package, name) == package:
            described.append(name)
        else:
            elsewhere.append(name)
    text = f"{package}\n{'=' * len(package)}\n\n"
    text += f".. py:module:: {package}\n\n{inspect.getdoc(module)}\n\n"
    text += f".. currentmodule:: {package}\n\n"  # the directive before is not read for tables
    if described:
        text += ".. autosummary::\n   :toctree: generated/\n   :nosignatures:\n\n"
        text += "".join(f"   {name}\n" for name in described) + "\n"
    text += "".join(constant(package, name) for name in constants)
    if elsewhere:
        text += "Also found here\n---------------\n\n"
        for name in elsewhere:
            kind = "class" if inspect.isclass(getattr(module, name)) else "function"
            home = home_of(package, name)
            text += f".. py:{kind}:: {name}\n   :no-index-entry:\n\n"
            text += f"   The same as :py:obj:`{home}.{name}`.\n\n"
    return text


def write_pages(folder):
    """Write the pages of all packages, and the page that lists them.

    Parameters
    ----------
    folder : Path
        Where they go; made if missing. A page that has not changed is left alone, so that Sphinx
        does not build it again.
    """
    folder.mkdir(exist_ok=True)
    packages = public_packages()
    pages = {package: package_page(package) for package in packages}
    pages["index"] = INTRODUCTION + "".join(f"   {package}\n" for package in packages)
    for name, text in pages.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
