"""Which file shows an item: ids are data, and hostile ones lead nowhere."""

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noisyactive._images import ImageFolder


def put(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"image")
    return folder


@pytest.fixture
def folder(tmp_path):
    put(tmp_path, "secret.png", "images2/secret.png")
    return put(
        tmp_path / "images", "a.png", "left/b.JPG", "left/deep/c.tiff", "d.e.png", "notes.txt"
    )


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ("a.png", "a.png"),
        ("a", "a.png"),
        ("left/b.JPG", "left/b.JPG"),
        ("left/b", "left/b.JPG"),
        ("b", "left/b.JPG"),
        ("b.JPG", "left/b.JPG"),
        ("left/deep/c", "left/deep/c.tiff"),
        ("c", "left/deep/c.tiff"),
        ("d.e", "d.e.png"),
    ],
)
def test_by_name_with_or_without_suffix(folder, item, name):
    assert ImageFolder(folder).path_of(item) == folder / name


@pytest.mark.parametrize(
    "item", ["", "d", "deep/c", "notes.txt", "notes", "A.png", "left", "b.jpg"]
)
def test_no_such_image(folder, item):
    assert ImageFolder(folder).path_of(item) is None


def test_a_relative_folder_gives_absolute_paths(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert ImageFolder("images").path_of("a") == folder / "a.png"
    assert ImageFolder("./images/left/..").path_of("a") == folder / "a.png"


def test_two_files_of_one_name_are_named(tmp_path):
    images = ImageFolder(put(tmp_path, "a.png", "a.jpg", "x/b.png", "y/b.png", "c.png", "x/c.png"))
    for item, first, second in [
        ("a", "a.jpg", "a.png"),
        ("b", "x/b.png", "y/b.png"),
        ("b.png", "x/b.png", "y/b.png"),
        ("c", "c.png", "x/c.png"),
    ]:
        with pytest.raises(ValueError, match=f"'{first}' or '{second}'"):
            images.path_of(item)
    assert images.path_of("a.jpg") == tmp_path / "a.jpg"  # a whole name is never ambiguous
    assert images.path_of("c.png") == tmp_path / "c.png"
    assert images.path_of("y/b") == tmp_path / "y/b.png"


@pytest.mark.parametrize(
    "item",
    [
        "../secret.png",
        "../secret",
        "secret",
        "../images2/secret.png",
        "left/../../secret.png",
        "left/../a.png",
        "./a.png",
        "//a.png",
        "..\\secret.png",
        "a.png\0",
        "a.png\0.txt",
        "\0",
        "..",
        ".",
        "/",
        "~",
        "C:\\a.png",
        "file:///etc/passwd",
        "/etc/passwd",
        "%2e%2e/secret.png",
        "\ud800",
        "a" * 100_000,
        "../" * 50_000 + "etc/passwd",
    ],
)
def test_hostile_ids_give_nothing(folder, item):
    assert ImageFolder(folder).path_of(item) is None


def test_absolute_paths_give_nothing(folder):
    images = ImageFolder(folder)
    assert images.path_of(str(folder / "a.png")) is None
    assert images.path_of(str(folder.parent / "secret.png")) is None


@given(st.text() | st.lists(st.sampled_from(["..", ".", "", "/", "a", "left", "secret.png", "\0"]))
       .map("/".join))  # fmt: skip
def test_whatever_the_id_the_file_is_in_the_folder(tmp_path_factory, item):
    root = tmp_path_factory.getbasetemp() / "any"
    if not root.exists():
        put(root, "secret.png", "images/a.png", "images/left/b.png")
    path = ImageFolder(root / "images").path_of(item)
    assert path is None or path.resolve().is_relative_to((root / "images").resolve())


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
class TestLinks:
    def test_links_that_lead_out_give_nothing(self, folder):
        (folder / "link.png").symlink_to(folder.parent / "secret.png")
        (folder / "far.png").symlink_to("/etc/passwd")
        (folder / "out").symlink_to(folder.parent / "images2")
        (folder / "lost.png").symlink_to(folder / "nothing.png")
        (folder / "circle.png").symlink_to(folder / "circle.png")
        images = ImageFolder(folder)
        names = ("link.png", "link", "far", "out/secret.png", "secret", "lost.png", "circle.png")
        for item in names:
            assert images.path_of(item) is None

    def test_links_within_the_folder_and_the_folder_itself_are_fine(self, folder):
        (folder / "link.png").symlink_to(folder / "a.png")
        (folder.parent / "door").symlink_to(folder)
        images = ImageFolder(folder.parent / "door")
        assert images.path_of("link").samefile(folder / "a.png")
        assert images.path_of("left/b") == folder / "left/b.JPG"

    def test_what_becomes_a_link_after_the_listing_gives_nothing(self, folder):
        images = ImageFolder(folder)
        (folder / "a.png").unlink()
        (folder / "a.png").symlink_to(folder.parent / "secret.png")
        (folder / "left").rename(folder.parent / "moved")
        (folder / "left").symlink_to(folder.parent / "moved")
        assert images.path_of("a.png") is None
        assert images.path_of("left/b.JPG") is None

    def test_pipes_are_no_images(self, folder):
        os.mkfifo(folder / "pipe.png")
        assert ImageFolder(folder).path_of("pipe.png") is None


def test_deleted_files_give_nothing(folder):
    images = ImageFolder(folder)
    (folder / "a.png").unlink()
    assert images.path_of("a.png") is None


def test_hidden_files_are_passed_over(tmp_path):
    images = ImageFolder(put(tmp_path, "a.png", "._a.png", ".cache/a.png"))
    assert images.path_of("a") == tmp_path / "a.png"
    assert images.path_of("._a.png") is None


def test_accents_in_either_form(tmp_path):
    apart = unicodedata.normalize("NFD", "Läsion.png")
    images = ImageFolder(put(tmp_path, apart))
    assert images.path_of("Läsion") == images.path_of(apart) == tmp_path / apart


def test_folders_that_are_none(folder):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        ImageFolder(folder / "nowhere")
    with pytest.raises(NotADirectoryError, match=r"a\.png is not a folder"):
        ImageFolder(folder / "a.png")
    with pytest.raises(TypeError, match="folder must be a path"):
        ImageFolder(None)
