import inspect
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pkgutil import walk_packages

import pytest
from numpydoc.validate import validate

import noisyactive

PACKAGES = [noisyactive] + [
    import_module(module.name)
    for module in walk_packages(noisyactive.__path__, "noisyactive.")
    if module.ispkg and "._" not in module.name
]
PUBLIC = {
    f"{package.__name__}.{name}": getattr(package, name)
    for package in PACKAGES
    for name in package.__all__
    if callable(getattr(package, name))
}

OPTIONAL = {
    "ES01": "a summary that says everything needs no extension",
    "EX01": "doctests are where they show something",
    "PR03": "parameters stand in the order of their importance",
    "PR04": "skorch's own share a line",
    "PR08": "a description may begin with a name as it is written",
    "PR09": "a description may end with a formula",
    "RT02": "what is returned has a name, as in scikit-learn",
    "SA01": "See Also is for what would be missed",
    "SS02": "a summary may begin with a name as it is written",
    "SS05": "a summary may name what is returned, see D401 in pyproject.toml",
}


def errors_of(name, *others):
    """What numpydoc finds wrong with a docstring, apart from what is optional here."""
    docstring = validate(name)
    return [error for error in docstring["errors"] if error[0] not in {*OPTIONAL, *others}]


def public_methods(cls):
    """Methods that the package itself defines, also in a base class."""
    return {
        name: member
        for name, member in inspect.getmembers(cls, inspect.isfunction)
        if not name.startswith("_") and member.__module__.startswith("noisyactive.")
    }


def test_version_is_that_of_the_distribution():
    assert noisyactive.__version__ == version("noisyactive")


NETWORKS = {"skorch", "torch"}
OF_FEW = {"imblearn", "matplotlib", "modAL", "torchvision"}
WITH_NETWORKS = {
    "ActiveLabelCleaner",
    "CoTeachingClassifier",
    "CoTeachingVOGClassifier",
    "GroundTruthOracle",
}
WITHOUT = ", ".join(sorted({*noisyactive.__all__} - WITH_NETWORKS))
USE = """
from noisyactive import LongTailSampler, UniformLabelNoise
from sklearn.datasets import load_digits
X, y = LongTailSampler(10).fit_resample(*load_digits(return_X_y=True))
UniformLabelNoise(0.4).fit_transform(y)
"""


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import noisyactive", NETWORKS | OF_FEW | {"numpy", "pandas", "scipy", "sklearn"}),
        (f"from noisyactive import {WITHOUT}", NETWORKS | OF_FEW),
        (USE, NETWORKS | OF_FEW),
        # scikit-learn imports pandas itself where it finds it, so that looking at sys.modules would
        # blame us for it: see instead that all can be imported where pandas cannot.
        ("import sys\nsys.modules['pandas'] = None\nfrom noisyactive import *", OF_FEW),
    ],
    ids=["the package", "without networks", "used without networks", "everything"],
)
def test_what_is_not_imported(code, unwanted):
    code += f"\nimport sys\nassert not (found := {unwanted!r} & {{*sys.modules}}), found\n"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_sub_packages_are_attributes_after_a_bare_import():
    public = [package.__name__.split(".")[1:] for package in PACKAGES if "." in package.__name__]
    code = f"""
import sys, noisyactive
assert not [name for name in sys.modules if name.startswith("noisyactive.")]
for name in ["nothing", "_labels"]:  # the latter is a module, but not public
    assert not hasattr(noisyactive, name), name
for (name,) in {public!r}:
    assert getattr(noisyactive, name) is sys.modules[f"noisyactive.{{name}}"], name
    assert name not in noisyactive.__all__, name
"""
    assert len(public) > 10
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_packages_are_documented(package):
    summary = package.__doc__.split("\n\n")[0]
    assert re.fullmatch(r"[A-Z]\S* \S+ .+\.\s*", summary, re.S), summary


@pytest.mark.parametrize("name", PUBLIC)
def test_public_classes_and_functions_are_documented(name):
    docstring = PUBLIC[name].__doc__
    assert docstring  # its own: numpydoc would take a base class's
    sections = re.findall(r"^ *(\w+)\n *---", docstring, re.M)
    takes = inspect.signature(PUBLIC[name]).parameters
    assert {"Parameters", "Attributes"} & set(sections) or not takes
    # Records, and what only the package makes, have attributes alone.
    assert errors_of(name, *(["PR01"] if "Parameters" not in sections else [])) == []


@pytest.mark.parametrize("name", [name for name in PUBLIC if inspect.isclass(PUBLIC[name])])
def test_public_methods_are_documented(name):
    for method, member in public_methods(PUBLIC[name]).items():
        assert member.__doc__, method
        # A sentence will do for what scikit-learn or skorch describe, and for what has no choice.
        brief = "---" not in member.__doc__
        assert errors_of(f"{name}.{method}", *(["PR01", "RT01", "YD01"] if brief else [])) == []
