"""Journals that may only be read, and disks that are full: what works, and what the errors say."""

import os
import shutil
import subprocess
import tempfile
import traceback
from pathlib import Path

import numpy as np
import pytest

from noisyactive.annotate import write_queries
from noisyactive.annotate._service import JournalError, LabellingService
from noisyactive.journal import Answered, Asked, Journal, JournalWriter, Refitted, Started

if not hasattr(os, "fork"):
    pytest.skip("needs rights of files and processes that are forked", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
NOBODY = 65534
LOST = "nothing of this call was recorded, and nothing that was recorded before is lost"


def make(path, n=6):
    """A run that waits for answers to three rows, and has one."""
    writer = JournalWriter(path, {}, {})
    ids = np.array([f"item {row}" for row in range(n)])
    writer.draft(np.array(["a", "b", "c"]), np.arange(n) % 3, ids, 1)
    writer.publish([Started(0), Refitted(0.0)])
    writer.write(Asked((4, 1, 3, 2)), 2)
    writer.write(Answered((4,), ("a",), "Ada"), 3)
    return writer


@pytest.fixture
def folder():
    """A folder that other users may look into, as pytest's may not be."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def as_a_reader(do):
    """Run as a user who is bound by rights, in another process."""
    child = os.fork()
    if not child:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            do()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def forbid(path, how):
    if how in ("file", "both"):
        path.chmod(0o444)
    if how in ("folder", "both"):
        path.parent.chmod(0o555)


def looked_at(path, copy):
    """All that a journal shows; the spreadsheet is written elsewhere."""
    journal = Journal(path)
    write_queries(copy, journal, overwrite=True)
    page = LabellingService(path, None, None, False)
    return {
        "events": repr(journal.events()),
        "items": journal.open_items(),
        "progress": journal.progress(),
        "labels": journal.labels(),
        "answers": journal.answers(),
        "csv": copy.read_text(),
        "page": page.state(None, "")["items"],
        "previous": page.previous("Ada", 1),
    }


class TestReadOnly:
    @pytest.mark.parametrize("how", ["file", "folder", "both"])
    def test_it_can_be_looked_at(self, folder, how):
        path = folder / "run.db"
        make(path).close()
        expected = looked_at(path, folder / "copy.csv")
        path.with_name("run.db.lock").chmod(0o666)
        before = path.read_bytes(), {file.name for file in folder.iterdir()}
        forbid(path, how)

        def read():
            with tempfile.TemporaryDirectory() as elsewhere:
                assert looked_at(path, Path(elsewhere, "copy.csv")) == expected

        as_a_reader(read)
        assert (path.read_bytes(), {file.name for file in folder.iterdir()}) == before

    @pytest.mark.parametrize("how", ["file", "folder", "both"])
    def test_writing_says_what_is_wrong(self, folder, how):
        path = folder / "run.db"
        make(path).close()
        if os.getuid() == 0 and how == "folder":
            os.chown(path, NOBODY, NOBODY)
        path.with_name("run.db.lock").chmod(0o666)
        forbid(path, how)
        wrong = f"may not write to its folder {folder}" if how == "folder" else "to the file"

        def write():
            journal = Journal(path)
            page = LabellingService(path, None, None, False)
            answer = {"annotator": None, "seconds": None, "comment": "", "corrects": None}
            for call, kind in (
                (lambda: journal.answer([1], ["a"]), OSError),
                (lambda: page.answer(1, 0, **answer), JournalError),
                (lambda: JournalWriter(path, {}, {}), OSError),
            ):
                with pytest.raises(kind) as caught:
                    call()
                message = str(caught.value)
                for words in (str(path), LOST, wrong):
                    assert words in message, message
            assert len(journal.answers()) == 1

        as_a_reader(write)
        path.chmod(0o644)
        folder.chmod(0o755)
        assert len(Journal(path).answers()) == 1

    def test_while_somebody_else_writes(self, folder):
        """What is not merged into the file yet is seen, too."""
        path = folder / "run.db"
        writer = make(path)
        journal = Journal(path)
        with journal._view.reading():  # keeps the log beside the file
            journal.answer([1], ["b"])
            assert path.with_name("run.db-wal").stat().st_size

            def read():
                assert [answer["row"] for answer in Journal(path).answers()] == [4, 1]

            forbid(path, "both")
            as_a_reader(read)
        writer.close()

    def test_a_file_that_may_not_even_be_read(self, folder):
        path = folder / "run.db"
        make(path).close()
        path.chmod(0o000)
        shut = path if os.getuid() else None

        def read():
            with pytest.raises(OSError, match="could not be read.*this user may not read it"):
                Journal(path)

        as_a_reader(read)
        assert shut is None or not os.access(shut, os.R_OK)

    def test_a_folder_in_its_place(self, folder):
        with pytest.raises(OSError, match="could not be read: it cannot be opened"):
            Journal(folder)


@pytest.fixture
def mounted(folder):
    """A disk of 400 kB."""
    place = folder / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)], capture_output=True
    )
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


class TestDisks:
    def test_full(self, mounted):
        path = mounted / "run.db"
        writer = make(path, n=400)
        journal = Journal(path)
        row, written = 5, []
        with pytest.raises(OSError) as caught:
            for row in range(5, 400):
                journal.answer([row], ["c"], comments=["x" * 2000])
                written.append(row)
        message = str(caught.value)
        assert "the disk is full" in message and LOST in message and str(path) in message
        assert written
        filler = mounted / "filler"
        with pytest.raises(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(256))
        if path.with_name("run.db-wal").exists():
            assert [a["row"] for a in journal.answers()] == [4, *written]
        filler.unlink()
        subprocess.run(["mount", "-o", "remount,size=4m", str(mounted)], check=True)
        for seen in (journal, Journal(path)):  # there is room again
            assert [a["row"] for a in seen.answers()] == [4, *written]
        journal.answer([row], ["c"])
        assert len(writer.news(4)) == len(written) + 1
        writer.close()

    def test_mounted_for_reading(self, mounted):
        path = mounted / "run.db"
        make(path).close()
        expected = looked_at(path, mounted.parent / "copy.csv")
        subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
        assert looked_at(path, mounted.parent / "copy.csv") == expected
        with pytest.raises(OSError, match=f"{LOST}.*may not write to the file"):
            Journal(path).answer([1], ["a"])
        with pytest.raises(OSError, match="no file can be made in"):
            JournalWriter(path, {}, {})
