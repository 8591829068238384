"""What a release holds: everything that is needed, in the wheel nothing else, and it works."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = [".ci", ".github", "docs", "examples", "noisyactive", "tests"]
MADE = shutil.ignore_patterns("__pycache__", "*.pyc", "api", "gallery")


def files_in(folder):
    """Paths of all files below a folder, as they stand in an archive."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def run(*command, cwd, path=None):
    """Run a Python command elsewhere; with `path`, modules are found there first."""
    places = filter(None, [path and str(path), os.environ.get("PYTHONPATH")])
    ran = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-5000:]
    return ran.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The sources as a clone has them."""
    copy = tmp_path_factory.mktemp("sources") / "noisyactive"
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name, ignore=MADE)
    for path in ROOT.iterdir():
        if path.is_file() and path.suffix != ".png" and not path.name.startswith(".git"):
            shutil.copyfile(path, copy / path.name)
    return copy


@pytest.fixture(scope="module")
def built(sources, tmp_path_factory):
    """Folder of the wheel and the source distribution, built without a network."""
    pytest.importorskip("build.env")  # a folder "build" passes for a package, but not for this
    from build import ProjectBuilder

    work = tmp_path_factory.mktemp("build") / "noisyactive"
    shutil.copytree(sources, work)  # building leaves files beside them
    if missing := ProjectBuilder(work).check_dependencies("wheel"):
        pytest.skip(f"the build backend is not installed: {missing}")
    folder = tmp_path_factory.mktemp("dist")
    run("-m", "build", "--no-isolation", "--outdir", folder, work, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built, tmp_path_factory):
    (path,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def sdist(built, tmp_path_factory):
    (path,) = built.glob("*.tar.gz")
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    return root


@pytest.mark.slow
def test_both_are_of_this_version(built):
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (version,) = re.findall(r'^version = "(.+)"$', settings, flags=re.MULTILINE)
    names = {path.name for path in built.iterdir()}
    assert names == {f"noisyactive-{version}-py3-none-any.whl", f"noisyactive-{version}.tar.gz"}


@pytest.mark.slow
def test_twine_has_nothing_against_them(built):
    if find_spec("twine") is None:
        pytest.skip("twine is not installed; the extra 'tests' has it")
    run("-m", "twine", "--no-color", "check", "--strict", *built.iterdir(), cwd=built)


@pytest.mark.slow
def test_the_wheel_holds_the_package_with_its_data_and_nothing_else(wheel, sources):
    about = {name for name in files_in(wheel) if name.partition("/")[0].endswith(".dist-info")}
    package = {f"noisyactive/{name}" for name in files_in(sources / "noisyactive")}
    assert files_in(wheel) - about == package
    assert "noisyactive/py.typed" in package
    assert any(name.endswith("licenses/LICENSE") for name in about)


@pytest.mark.slow
def test_the_source_distribution_holds_what_the_tests_need(sdist, sources):
    assert files_in(sources) - files_in(sdist) == set()
    more = files_in(sdist) - files_in(sources)
    assert {name.partition("/")[0] for name in more} == {"PKG-INFO", "noisyactive.egg-info"}


@pytest.mark.slow
def test_the_quickstart_runs_from_the_wheel(wheel, tmp_path):
    # As `python -m noisyactive.quickstart --quick` does, with two epochs and one round.
    code = f"""
from pathlib import Path
from noisyactive import quickstart
assert Path(quickstart.__file__).is_relative_to({str(wheel)!r}), quickstart.__file__
quickstart.QUICK.update(n_rounds=1, max_epochs=2, module__base_channels=4)
quickstart.main(["--quick"])
"""
    printed = run("-c", code, cwd=tmp_path, path=wheel)
    assert "of the labels wrong" in printed and "all labels clean" in printed
    assert files_in(tmp_path) <= {"quickstart.png"}


@pytest.mark.slow
def test_tests_run_from_the_source_distribution(sdist):
    # Of what was unpacked, this file reads the README, links into docs/, and .ci/run.
    options = ["-p", "no:cacheprovider", "-q", "-m", "not slow"]
    printed = run("-m", "pytest", *options, "tests/test_readme.py", cwd=sdist, path=sdist)
    assert re.search(r"^\d+ passed", printed, flags=re.MULTILINE), printed


def test_the_workflow_runs_the_commands_of_contributing():
    """Word by word, but for what brings the environment, and for where things are."""
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    commands = re.findall(r"^ *- run: (.+)$", workflow, flags=re.MULTILINE)
    ours = [command for command in commands if not re.match(r"uv (venv|pip)|mkdir", command)]
    brings = r"^uv run (--no-sync|--no-project --with \w+) |^cd elsewhere && bin/|^build/unpacked/"
    named = [re.sub(brings, "", command).partition(" ${{")[0] for command in ours]
    assert len(named) == 6
    assert [command for command in named if command not in contributing] == []


def test_every_extra_is_in_the_guide():
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    table = settings.split("[project.optional-dependencies]\n")[1].split("\n[")[0]
    extras = set(re.findall(r"^(\w+) = \[", table, flags=re.MULTILINE))
    start = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
    rows = re.search(r"^\| extra \|.*?\n\n", start, flags=re.MULTILINE | re.DOTALL).group()
    assert extras - {"docs", "tests"} == set(re.findall(r"`(\w+)`(?=.*\|.*\|)", rows))
