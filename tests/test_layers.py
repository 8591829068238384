"""The layers of the package: who may import whom, also inside functions."""

import ast
from pathlib import Path

import grimp
import pytest

import noisyactive

# From the top down; packages of one layer do not import each other.
LAYERS = [
    {"quickstart"},
    {"annotate", "compat", "inspection"},
    {"cleaning"},
    {"audit", "datasets"},
    {"coteaching", "imbalance", "journal", "model_selection", "models", "noise", "query"},
    # below: modules and private packages at the top level
]
MAY_USE = {("datasets", "imbalance")}
ROOT = Path(noisyactive.__file__).parent


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("noisyactive", include_external_packages=True, cache_dir=None)


@pytest.fixture
def graph_when_run():
    return grimp.build_graph(
        "noisyactive",
        include_external_packages=True,
        exclude_type_checking_imports=True,
        cache_dir=None,
    )


def part_of(module):
    """Sub-package, or module at the top level; "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


def level_of(part):
    for level, layer in enumerate(LAYERS):
        if part in layer:
            return level
    assert part.startswith("_"), f"{part} has no place among the layers"
    return len(LAYERS)


def imports(graph):
    ours = [module for module in graph.modules if module.split(".")[0] == "noisyactive"]
    for importer in sorted(ours):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            if imported.split(".")[0] == "noisyactive" and part_of(importer):
                yield importer, imported


def test_every_package_has_its_layer(graph):
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    parts = packages | {path.stem for path in ROOT.glob("*.py")}
    assert {name for name in parts if not name.startswith("_")} == set().union(*LAYERS)


def test_lower_layers_do_not_import_higher_ones(graph):
    wrong = [
        (importer, imported)
        for importer, imported in imports(graph)
        if (above := part_of(importer)) != (below := part_of(imported))
        and below  # the package itself, which loads its names on demand
        and level_of(above) >= level_of(below)
        and level_of(above) < len(LAYERS)
        and (above, below) not in MAY_USE
    ]
    assert wrong == []
    ground = [
        (importer, imported)
        for importer, imported in imports(graph)
        if level_of(part_of(importer)) == len(LAYERS) > level_of(part_of(imported) or "_")
    ]
    assert ground == []


def test_no_module_of_another_package_is_imported_but_the_package_itself(graph):
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    wrong = [
        (importer, imported)
        for importer, imported in imports(graph)
        if part_of(imported) in packages
        and part_of(importer) != part_of(imported)
        and imported.count(".") > 1
    ]
    assert wrong == []


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_private_name_is_taken_from_another_module(path):
    wrong = [
        f"from {'.' * node.level}{node.module or ''} import {alias.name}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and node.level
        and node.module  # `from . import _module` names a module
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    ]
    assert wrong == []


def test_modules_do_not_import_each_other_in_a_circle(graph):
    # Without packages: they and the modules whose names they offer belong together.
    ours = {module for module in graph.modules if module.split(".")[0] == "noisyactive"}
    modules = {m for m in ours if not (ROOT.parent / Path(*m.split("."))).is_dir()}
    edges = {m: graph.find_modules_directly_imported_by(m) & modules for m in modules}
    done, path = set(), []

    def visit(module):
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            path.append(module)
            for imported in sorted(edges[module]):
                visit(imported)
            done.add(path.pop())

    for module in sorted(modules):
        visit(module)


@pytest.mark.parametrize("package", ["journal", "_images", "annotate"])
@pytest.mark.parametrize(
    "heavy", ["torch", "sklearn", "skorch", "scipy", "pandas", "noisyactive.cleaning"]
)
def test_what_needs_no_heavy_library(graph_when_run, package, heavy):
    assert graph_when_run.find_modules_that_directly_import(heavy)
    if (package, heavy) == ("annotate", "sklearn"):  # for an error about a cleaner, which has it
        graph_when_run.remove_import(
            importer="noisyactive.annotate._cleaner_or_journal", imported="sklearn"
        )
    chain = graph_when_run.find_shortest_chain(f"noisyactive.{package}", heavy, as_packages=True)
    assert chain is None, chain
