"""Files are written completely or not at all."""

from pathlib import Path

import pytest

from noisyactive._files import write_whole


def test_a_file_is_replaced_only_on_request(tmp_path):
    path = tmp_path / "answers.csv"
    write_whole(path, b"old", overwrite=False)
    with pytest.raises(FileExistsError, match=r"answers\.csv exists already"):
        write_whole(path, b"new", overwrite=False)
    assert path.read_bytes() == b"old"
    write_whole(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"


def test_what_goes_wrong_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "answers.csv"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new", overwrite=True)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.csv cannot be written: there is no folder "):
        write_whole(tmp_path / "none" / "a.csv", b"new", overwrite=True)
