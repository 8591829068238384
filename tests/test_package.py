import inspect
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pkgutil import walk_packages

import pytest

import noisyactive

PACKAGES = [noisyactive] + [
    import_module(module.name)
    for module in walk_packages(noisyactive.__path__, "noisyactive.")
    if module.ispkg
]
PUBLIC = {
    f"{package.__name__}.{name}": getattr(package, name)
    for package in PACKAGES
    for name in package.__all__
    if callable(getattr(package, name))
}


def public_methods(cls):
    """Methods that the package itself defines, also in a base class."""
    return {
        name: member
        for name, member in inspect.getmembers(cls, inspect.isfunction)
        if not name.startswith("_") and member.__module__.startswith("noisyactive.")
    }


def test_version_is_that_of_the_distribution():
    assert noisyactive.__version__ == version("noisyactive")


def test_import_needs_nothing_heavy():
    # scikit-learn imports pandas itself where it finds it, so that looking at sys.modules would
    # blame us for it: see instead that the import works where these cannot be imported.
    code = """
import sys
for name in ["imblearn", "matplotlib", "modAL", "pandas", "torchvision"]:
    sys.modules[name] = None
import noisyactive
for name in noisyactive.__all__:
    getattr(noisyactive, name)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_packages_are_documented(package):
    assert package.__doc__


@pytest.mark.parametrize("name", PUBLIC)
def test_public_classes_and_functions_are_documented(name):
    docstring = PUBLIC[name].__doc__  # its own: inspect.getdoc would take a base class's
    assert docstring and re.search(
        "^(Parameters|Attributes)\n---", inspect.cleandoc(docstring), re.M
    )


@pytest.mark.parametrize("name", [name for name in PUBLIC if inspect.isclass(PUBLIC[name])])
def test_public_methods_are_documented(name):
    methods = public_methods(PUBLIC[name])
    assert not [method for method in methods if not methods[method].__doc__]
