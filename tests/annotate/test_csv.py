"""Questions as CSV files, and answers that have been through somebody's spreadsheet."""

import csv
import io
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from noisyactive import ActiveLabelCleaner
from noisyactive.annotate import read_answers, write_queries
from noisyactive.cleaning import Journal

HEADER = "id,image,label,suggested,probability,reason,choices,answer,annotator,comment,seconds"
FORMULA = tuple("=+-@\t\r\n＝＋－＠﹦﹢﹣﹫")


def make_cleaner(classes, ids=None, **settings):
    """A round of questions about as many rows as there are ids, or two for each class."""
    settings = {
        "initial_fit": "none",
        "query_strategy": "random",
        "pool": "unverified",
        "trust": "verified",
    } | settings
    n = 2 * len(classes) if ids is None else len(ids)
    codes = np.arange(max(n, len(classes))) % len(classes)
    y = np.array([classes[code] for code in codes], dtype=object)
    if not isinstance(classes[0], str):
        y = np.array(y.tolist())
    ids = None if ids is None else [*ids, *(f"spare {i}" for i in range(len(codes) - n))]
    budget = len(codes) * settings.get("answers_per_item", 1)
    cleaner = ActiveLabelCleaner(
        LogisticRegression(), n_rounds=1, round_budget=budget, random_state=0, **settings
    )
    X = np.random.default_rng(0).normal(size=(len(codes), 2))
    cleaner.start(X, y, ids=ids).query()
    return cleaner


def read_lines(path):
    """The header and the lines, by Python's csv module."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def split_choices(cell):
    """Choices as they stand in a cell; those with a bar in them are in quotation marks."""
    return re.findall(r'(?:^| \| )("(?:\\.|[^"\\])*"|.+?)(?= \| |$)', cell)


def fill_in(path, answers, delimiter=",", encoding="utf-8-sig", **columns):
    """What an expert does: one answer for each line, and all of it saved in some dialect."""
    lines = read_lines(path)
    for number, (line, answer) in enumerate(zip(lines, answers, strict=True)):
        line["answer"] = answer
        line.update({name: cells[number] for name, cells in columns.items()})
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(lines[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(lines)
    path.write_bytes(text.getvalue().encode(encoding))


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "round 1.csv"


@pytest.fixture
def cleaner():
    return make_cleaner(["melanoma", "Nävus", "other"], ["a1", "a2", "a3"])


@pytest.fixture
def journal(tmp_path):
    """Asks two annotators about each row."""
    file = tmp_path / "run.db"
    cleaner = make_cleaner([0, 1], ["x", "y"], journal=file, answers_per_item=2)
    cleaner.close()
    return Journal(file)


class TestWriting:
    def test_one_line_for_each_open_item_in_order(self, path):
        cleaner = make_cleaner([3, 4], initial_fit="noisy", query_strategy="entropy")
        items = cleaner.open_items()
        write_queries(path, cleaner)
        assert path.read_bytes().startswith(b"\xef\xbb\xbf" + HEADER.encode() + b"\r\n")
        lines = read_lines(path)
        assert [line["id"] for line in lines] == [item.item for item in items]
        assert [line["label"] for line in lines] == [str(item.label) for item in items]
        assert [line["suggested"] for line in lines] == [str(item.suggested) for item in items]
        assert [line["reason"] for line in lines] == [item.reason for item in items]
        shown = [float(line["probability"]) for line in lines]
        np.testing.assert_allclose(shown, [item.probability for item in items], atol=5e-4)
        for line in lines:
            assert line["choices"] == "3 | 4 | cannot tell"
            assert not any(line[name] for name in ("image", "answer", "annotator", "seconds"))

    def test_without_a_model_there_is_no_suggestion(self, path, cleaner):
        write_queries(path, cleaner)
        assert {line["suggested"] + line["probability"] for line in read_lines(path)} == {""}

    def test_the_files_of_the_images(self, path, cleaner, tmp_path):
        folder = tmp_path / "images"
        (folder / "left").mkdir(parents=True)
        for name in ("a1.png", "left/a3.jpg"):
            (folder / name).touch()
        write_queries(path, cleaner, images=folder)
        images = {line["id"]: line["image"] for line in read_lines(path)}
        expected = {"a1": str(folder / "a1.png"), "a2": "", "a3": str(folder / "left/a3.jpg")}
        assert images == expected
        with pytest.raises(FileNotFoundError, match="nowhere"):
            write_queries(path, cleaner, images=tmp_path / "nowhere", overwrite=True)

    def test_a_file_with_answers_is_not_overwritten(self, path, cleaner):
        write_queries(path, cleaner)
        fill_in(path, ["other"] * 3)
        before = path.read_bytes()
        with pytest.raises(FileExistsError, match="may contain answers"):
            write_queries(path, cleaner)
        assert path.read_bytes() == before
        write_queries(path, cleaner, overwrite=True)
        assert read_answers(path, cleaner) == []

    def test_nothing_is_left_of_a_file_that_could_not_be_written(self, path, cleaner):
        path.mkdir()  # in its place
        with pytest.raises(OSError):
            write_queries(path, cleaner, overwrite=True)
        assert list(path.parent.iterdir()) == [path]

    def test_between_rounds_there_is_the_header_alone(self, path, cleaner):
        cleaner.teach(["a1", "a2", "a3"], ["other"] * 3)
        write_queries(path, cleaner)
        assert path.read_text(encoding="utf-8-sig").strip() == HEADER
        assert read_answers(path, cleaner) == []

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"delimiter": "|"}, "delimiter must be one of"),
            ({"annotator": ""}, "annotator must be text"),
            ({"annotator": "A\nB"}, "annotator must be text"),
            ({"annotator": 3}, "annotator must be text"),
        ],
    )
    def test_bad_parameters(self, path, cleaner, settings, message):
        with pytest.raises(ValueError, match=message):
            write_queries(path, cleaner, **settings)
        assert not path.exists()

    def test_what_is_no_run(self, path):
        for call in (write_queries, read_answers):
            with pytest.raises(TypeError, match="cleaner must be an ActiveLabelCleaner or a Jour"):
                call(path, [1, 2])
            with pytest.raises(NotFittedError):
                call(path, ActiveLabelCleaner(LogisticRegression()))

    def test_classes_that_cannot_be_written(self, path, monkeypatch):
        cleaner = make_cleaner(["a", "b"])
        pairs = np.array([(1, 2), (3, 4), None], dtype=object)[:2]
        monkeypatch.setattr(ActiveLabelCleaner, "classes_", pairs)
        with pytest.raises(TypeError, match="strings, numbers or booleans"):
            write_queries(path, cleaner)


class TestRoundTrip:
    def test_answers_are_keyword_arguments_of_teach(self, path, cleaner):
        write_queries(path, cleaner)
        asked = [item.item for item in cleaner.open_items()]
        answers = ["Nävus", "cannot tell", "other"]
        remarks = {"comment": ["", " blurred, badly\nso ", ""], "seconds": ["1.5", "", "2,25"]}
        fill_in(path, answers, annotator=[" Ada ", "Ada", "Ada"], **remarks)
        [batch] = read_answers(path, cleaner)
        assert batch == {
            "rows": asked,
            "answers": ["Nävus", None, "other"],
            "annotator": "Ada",
            "seconds": [1.5, None, 2.25],
            "comments": [None, "blurred, badly\nso", None],
        }
        cleaner.teach(**batch, only_open=True)
        cleaner.teach(**batch, only_open=True)  # a file that is read twice
        labels = dict(zip(cleaner.ids_, cleaner.labels_, strict=True))
        assert [labels[asked[0]], labels[asked[2]]] == ["Nävus", "other"]
        assert cleaner.open_items() == []
        assert cleaner.agreement_["n_answers"].tolist() == [3]

    def test_several_annotators_and_a_journal(self, path, journal):
        write_queries(path, journal, annotator="=Ada")
        assert [line["annotator"] for line in read_lines(path)] == ["'=Ada"] * 2
        fill_in(path, ["1", ""])
        [batch] = read_answers(path, journal)
        assert (batch["annotator"], batch["answers"]) == ("=Ada", [1])
        journal.answer(**batch, only_open=True)
        write_queries(path, journal, annotator="=Ada", overwrite=True)
        assert [line["id"] for line in read_lines(path)] == ["y" if batch["rows"] == ["x"] else "x"]

        text = "id,answer,annotator\nx,0,Bob\ny,1,Cy\nx,1,Cy\ny,0,Bob\n"
        batches = read_answers(write(path, text), journal)
        assert [batch["annotator"] for batch in batches] == ["Bob", "Cy"]
        assert [batch["rows"] for batch in batches] == [["x", "y"], ["y", "x"]]
        assert [batch["answers"] for batch in batches] == [[0, 0], [1, 1]]
        with pytest.raises(ValueError, match="line 2: the annotator is missing"):
            read_answers(write(path, "id,answer\nx,0\n"), journal)

    @pytest.mark.parametrize(
        "classes",
        [
            ["-1", "=1+1", "@home", "+", "ok"],
            ["", " ", "a ", " a", "a"],
            ["cannot tell", "Cannot Tell", "skip", "?", "CANNOT  TELL"],
            ["1", "01", "1.0", "2", "1,000", "1000"],
            ["true", "True", "false"],
            ["a|b", "a | b", '"a"', "'a", "'1", "''1", "'-1"],
            ["\0", "\n", "\r", "\x7f", "\x85", "\u2028", "\ud800", "\ufeff", "\ufffe", "\u202e"],
            ["＝1", "\u3000=1", "﹢x", "－1"],
            ["Läsion", "La\u0308sion", "子宮", "👩‍⚕️", "می‌خواهم", "a\xa0b"],
            [-1, 0, 1, 10**15],
            [-1.0, 0.0, 1e20],
            [False, True],
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("by", ["csv", "pandas", "utf-16", "semicolons"])
    def test_every_class_survives(self, path, classes, by):
        cleaner = make_cleaner(classes)
        write_queries(path, cleaner)
        known = cleaner.classes_.tolist()
        expected = [known[number % len(known)] for number in range(len(cleaner.open_items()))]
        choices = split_choices(read_lines(path)[0]["choices"])
        assert len(choices) == len(known) + 1  # also where a class holds a bar
        answers = [choices[known.index(label)] for label in expected]
        if by == "pandas":
            table = pd.read_csv(path, keep_default_na=False)
            table.assign(answer=answers).to_csv(path, index=False)
        else:
            delimiter = {"csv": ",", "utf-16": "\t", "semicolons": ";"}[by]
            fill_in(path, answers, delimiter, "utf-16" if by == "utf-16" else "utf-8")
        [batch] = read_answers(path, cleaner)
        assert batch["answers"] == expected
        assert [type(answer) for answer in batch["answers"]] == [type(label) for label in expected]
        assert batch["rows"] == [item.item for item in cleaner.open_items()]

    @given(
        classes=st.lists(st.text(max_size=6), min_size=2, max_size=6, unique=True),
        ids=st.lists(st.text(min_size=1, max_size=6), min_size=2, max_size=4, unique=True),
        delimiter=st.sampled_from(",;\t"),
        again=st.sampled_from(",;\t"),
        encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
        quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        end=st.sampled_from(["\r\n", "\n", "\r"]),
        chosen=st.lists(st.integers(0, 6), min_size=6, max_size=6),
    )
    @example(["0", "00"], ["1", "01"], ",", ";", "utf-8", csv.QUOTE_MINIMAL, "\n", [0, 1] * 3)
    @example(["'0", "0"], ["'=1", "=1"], ",", ";", "utf-8", csv.QUOTE_MINIMAL, "\r", [0, 1] * 3)
    def test_any_text(
        self, tmp_path_factory, classes, ids, delimiter, again, encoding, quoting, end, chosen
    ):
        assume(not any(name.endswith("\0") for name in ids))  # which the cleaner refuses
        path = tmp_path_factory.getbasetemp() / "any.csv"
        cleaner = make_cleaner(classes, ids)
        write_queries(path, cleaner, delimiter=delimiter, overwrite=True)
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *lines = csv.reader(file, delimiter=delimiter)
        assert not any(cell.startswith(FORMULA) for line in lines for cell in line)
        known = [*cleaner.classes_.tolist(), None]
        expected = []
        for line, number in zip(lines, chosen, strict=False):
            label = known[number % len(known)]
            expected.append(label)
            line[header.index("answer")] = line[header.index("choices")].split(" | ")[
                known.index(label)
            ]
        labels = [item.label for item in cleaner.open_items()]
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=again, quoting=quoting, lineterminator=end)
        writer.writerows([header, *lines])
        path.write_bytes(text.getvalue().encode(encoding))
        n = len(expected)
        [batch] = read_answers(path, cleaner)
        assert batch["answers"][:n] == expected
        assert batch["rows"][:n] == [item.item for item in cleaner.open_items()][:n]
        # the label that is shown is the same text as the choice for it
        for line, label in zip(lines, labels, strict=True):
            choices = line[header.index("choices")].split(" | ")
            assert line[header.index("label")] == choices[known.index(label)]


class TestHabitsOfSpreadsheets:
    """What they make of cells that people did not mean to change."""

    @pytest.mark.parametrize(
        ("classes", "cell", "expected"),
        [
            ([0, 1], "1.0", 1),
            ([0, 1], "1,0", 1),
            ([0, 1], "1.000", 1),
            ([0, 1], "1E+00", 1),
            ([0, 1], " 1 ", 1),
            ([0, 1], "１", 1),
            ([-1, 1], "-1", -1),
            ([-1, 1], "'-1", -1),
            ([-1, 1], "\u22121.0", -1),
            ([1000, 2000], "1,000", 1000),
            ([1000, 2000], "2.000,", None),
            ([0.0, 1.0], "1", 1.0),
            (["0", "1"], "1.0", "1"),
            (["01", "02"], "1", "01"),
            (["1.10", "1.2"], "1.1", "1.10"),
            ([False, True], "TRUE", True),
            ([False, True], "false", False),
            (["true", "unknown"], "TRUE", "true"),
            (["Melanoma", "other"], "melanoma", "Melanoma"),
            (["T1--T2", "x"], "T1–-T2", "T1--T2"),
            (["don't", "x"], "Don’t", "don't"),
            (["a b", "x"], "a  \xa0b", "a b"),
            (["", "x"], "“”", ""),
            (["...", "x"], "…", "..."),
        ],
    )
    def test_what_was_meant_is_found(self, path, classes, cell, expected):
        cleaner = make_cleaner(classes, ["a"])
        write(path, f'id,answer\na,"{cell}"\n')
        if expected is None:
            with pytest.raises(ValueError, match="line 2"):
                read_answers(path, cleaner)
        else:
            [answer] = read_answers(path, cleaner)[0]["answers"]
            assert answer == expected and type(answer) is type(expected)

    @pytest.mark.parametrize(
        ("classes", "cell", "message"),
        [
            (["1", "01", "2"], "1", '\'1\' may be "1", "01"|\'1\' may be "01", "1"'),
            ([1, 1000], "1,000", "'1,000' may be 1, 1000"),
            (["a", "A", "b"], "ａ", "'ａ' may be A, a"),
            (["true", "True"], "TRUE", '\'TRUE\' may be "True", "true"'),
            ([0, 1], "2", "'2' is not among the choices: 0, 1, cannot tell"),
            ([0, 1], "0.5", "'0.5' is not among the choices"),
            ([0, 1], "#NAME?", "'#NAME[?]' is not among the choices"),
            (["a", "b"], "?", "'[?]' is not among the choices"),
            (["子", "b"], "?", "'[?]' is not among the choices"),  # lost in code page 1252
            ([" a", "b"], "a", "'a' is not among the choices: \" a\", b"),
            ([False, True], "2", "'2' is not among the choices: False, True"),
            ([0, 1], "1e99999", "'1e99999' is not among the choices"),
        ],
    )
    def test_what_is_not_clear_is_refused(self, path, classes, cell, message):
        cleaner = make_cleaner(classes, ["a", "b"])
        write(path, f'id,answer\nb,\na,"{cell}"\n')
        with pytest.raises(ValueError, match=rf"round 1\.csv, line 3: ({message})"):
            read_answers(path, cleaner)

    def test_many_choices_are_not_all_listed(self, path):
        cleaner = make_cleaner(list(range(1000)), ["a"])
        with pytest.raises(ValueError, match="is not among the choices: 0, 1, 2") as caught:
            read_answers(write(path, "id,answer\na,x\n"), cleaner)
        assert len(str(caught.value)) < 500 and "cannot tell" in str(caught.value)

    @pytest.mark.parametrize(
        ("text", "encoding"),
        [
            ("ID, Answer \na1,Nävus\na2,other\n", "utf-8"),
            ("id;answer\na1;Nävus\na2;other\n", "utf-8-sig"),
            ("id\tanswer\na1\tNävus\na2\tother\n", "utf-16"),
            ("id\tanswer\r\na1\tNävus\r\na2\tother\r\n", "utf-16"),
            ("id;answer\na1;Nävus\na2;other\n", "cp1252"),
            ("sep=;\r\nid;answer\r\na1;Nävus\r\na2;other\r\n", "utf-8"),
            ("SEP=,\nid,answer\na1,Nävus\na2,other", "utf-8"),
            ('"id","answer"\r"a1","Nävus"\r"a2","other"\r', "utf-8"),
            ("answer,x,id,\nNävus,1,a1,\nother,2,a2,\n,,,\n,,,\n\n\n", "utf-8"),
            ("id,answer,,\na1,Nävus,,\na2,other,,\n,,,\n", "utf-8"),
            ("id,answer,comment\na1,Nävus\n\na2,other,\n", "utf-8"),
            ('id,note,answer\na1,"1;2;3\n4,""5""",Nävus\na2,,other\na3,later,\n', "utf-8"),
            ("id,Notes,notes,answer\na1,,,Nävus\na2,,,other\n", "utf-8"),
            ("id,answer\na1,Nävus\na2,other,of another column\n", "utf-8"),
        ],
    )
    def test_dialects(self, path, cleaner, text, encoding):
        [batch] = read_answers(write(path, text, encoding), cleaner)
        assert batch["rows"] == ["a1", "a2"]
        assert batch["answers"] == ["Nävus", "other"]

    def test_reordered_lines_and_columns(self, path, cleaner):
        write_queries(path, cleaner)
        table = pd.read_csv(path, keep_default_na=False)
        table["answer"] = [f" {name.upper()} " for name in ("melanoma", "other", "nävus")]
        expected = dict(zip(table["id"], ["melanoma", "other", "Nävus"], strict=True))
        table = table.sort_values("id", ascending=False)[sorted(table)]
        table.to_csv(path, index=True, sep=";", decimal=",", quoting=csv.QUOTE_ALL)
        [batch] = read_answers(path, cleaner)
        assert batch["rows"] == ["a3", "a2", "a1"]
        assert dict(zip(batch["rows"], batch["answers"], strict=True)) == expected

    def test_types_that_pandas_guesses(self, path):
        cleaner = make_cleaner([-1, 1], ["007", "7", "1e5", "2024-01-03", "12345678901234567"])
        write_queries(path, cleaner)
        table = pd.read_csv(path)
        table["answer"] = [1.0, -1.0, None, 1.0, -1.0]
        table.to_csv(path, index=False)
        [batch] = read_answers(path, cleaner)
        asked = [item.item for item in cleaner.open_items()]
        assert batch["rows"] == [*asked[:2], *asked[3:]]
        assert batch["answers"] == [1, -1, 1, -1]

    def test_ids_that_a_spreadsheet_changed_are_refused(self, path):
        cleaner = make_cleaner([0, 1], ["00123", "45", "x"])
        with pytest.raises(ValueError, match="line 3: '123' is not the id of.*'00123'"):
            read_answers(write(path, "id,answer\nx,1\n123,0\n"), cleaner)
        with pytest.raises(ValueError, match=r"line 2: '1\.23457E\+19' is not the id of an item"):
            read_answers(write(path, "id,answer\n1.23457E+19,0\n"), cleaner)

    @pytest.mark.parametrize("text", ["=HYPERLINK(1)", "-1", "+1", "@SUM(1)", "＝1", "0012", "1-2"])
    def test_cells_are_not_computed(self, path, text):
        cleaner = make_cleaner([text, "x"], [text, "y"])
        write_queries(path, cleaner)
        shown = {line["id"] for line in read_lines(path)}
        assert shown == {f"'{text}", "y"}


class TestSlips:
    """Answers in a column that is not read for them."""

    @pytest.fixture(params=["cleaner", "journal"])
    def run(self, request, tmp_path):
        classes, ids = ["melanoma", "Nävus", "other"], ["a1", "a2", "a3"]
        if request.param == "cleaner":
            return make_cleaner(classes, ids)
        make_cleaner(classes, ids, journal=tmp_path / "run.db").close()
        return Journal(tmp_path / "run.db")

    def change(self, path, column, *cells):
        table = pd.read_csv(path, keep_default_na=False, dtype=str)
        table[column] = [cell or old for cell, old in zip(cells, table[column], strict=True)]
        table.to_csv(path, index=False)

    def others(self, path):
        """For each line, a class that is not its label."""
        labels = [line["label"] for line in read_lines(path)]
        return ["melanoma" if label != "melanoma" else "other" for label in labels]

    @pytest.mark.parametrize("column", ["label", "comment", "choices"])
    def test_the_column_is_named_with_the_ids(self, path, run, column):
        write_queries(path, run)
        first, second, _ = (line["id"] for line in read_lines(path))
        answers = self.others(path)
        self.change(path, column, answers[0], answers[1].upper(), None)
        message = (
            f"line 2: '{answers[0]}' stands in the column '{column}', which is not read as an "
            f"answer; so for '{first}', '{second}'. Put answers into the column 'answer'"
        )
        with pytest.raises(ValueError, match=message):
            read_answers(path, run)

    def test_text_that_is_no_class_in_place_of_a_label(self, path, run):
        write_queries(path, run)
        self.change(path, "label", None, "wrong!", None)
        with pytest.raises(ValueError, match="line 3: 'wrong!' stands in the column 'label'"):
            read_answers(path, run)

    def test_an_answer_and_another_label(self, path, run):
        write_queries(path, run)
        answers = self.others(path)
        self.change(path, "answer", *answers)
        self.change(path, "label", *answers)  # corrected in both columns
        [batch] = read_answers(path, run)
        assert batch["answers"] == answers
        self.change(path, "answer", "cannot tell", *answers[1:])
        with pytest.raises(ValueError, match="line 2: .* stands in the column 'label'"):
            read_answers(path, run)

    def test_many_are_counted(self, path):
        cleaner = make_cleaner([0, 1], [f"i{n}" for n in range(12)])
        write_queries(path, cleaner)
        lines = read_lines(path)
        self.change(path, "label", *(str(1 - int(line["label"])) for line in lines))
        names = ", ".join(f"'{line['id']}'" for line in lines[:5])
        with pytest.raises(ValueError, match=f"so for {names} and 7 more"):
            read_answers(path, cleaner)

    def test_labels_that_changed_since_are_no_slip(self, path, run):
        """Answers that were taken up, of this file or others, are in `label` no more."""
        write_queries(path, run)
        answers = self.others(path)
        self.change(path, "answer", answers[0], None, None)
        take = run.answer if isinstance(run, Journal) else run.teach
        [batch] = read_answers(path, run)
        take(**batch, only_open=True)
        assert read_answers(path, run) == [batch]
        later = [line["id"] for line in read_lines(path)][1]
        take([later], [answers[1]])
        take([later], ["Nävus"])
        assert read_answers(path, run) == [batch]
        self.change(path, "label", None, answers[1], None)  # a file written between these two
        assert read_answers(path, run) == [batch]

    def test_what_spreadsheets_do_to_labels_is_no_slip(self, path):
        cleaner = make_cleaner([True, False], ["a1", "a2"])
        write_queries(path, cleaner)
        self.change(path, "label", *(line["label"].upper() for line in read_lines(path)))
        self.change(path, "comment", "badly lit", None)
        assert read_answers(path, cleaner) == []
        cleaner = make_cleaner([1, 1000], ["a1", "a2"])
        write_queries(path, cleaner, overwrite=True)
        cells = {"1": "1.0", "1000": "1E+03"}
        self.change(path, "label", *(cells[line["label"]] for line in read_lines(path)))
        assert read_answers(path, cleaner) == []

    def test_a_label_that_was_deleted_or_is_of_an_item_of_elsewhere(self, path, run):
        text = "id,label,answer\na1,,\nb9,melanoma,\n"
        assert read_answers(write(path, text), run) == []


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "has no column 'id'"),
            ("\n", "has no column 'id'"),
            ("item,answer\na1,other\n", "has no column 'id'; its first line has 'item, answer'"),
            ("id,label\na1,other\n", "has no column 'answer'"),
            ("id,answer,Answer\na1,other,other\n", "has the column 'answer' twice"),
            ("id,answer\na1,other\n,melanoma\n", "line 3: there is an answer, 'melanoma', but no"),
            ("id,answer\na9,other\n", "line 2: 'a9' is not the id of an item of this run"),
            ("id,answer\na1,other\na2,other\na1,melanoma\n", "line 4: the id 'a1' is in line 2"),
            ("id,answer,seconds\na1,other,soon\n", "line 2: seconds must be a number"),
            ("id,answer,seconds\na1,other,-1\n", "line 2: seconds must be a number"),
            ("id,answer,seconds\na1,other,inf\n", "line 2: seconds must be a number"),
            ("id,answer,seconds\na1,other,nan\n", "line 2: seconds must be a number"),
            ("id,answer\na1," + "x" * 200_000, "is not a CSV file, line 2"),
        ],
    )
    def test_with_the_line(self, path, cleaner, text, message):
        with pytest.raises(ValueError, match=message):
            read_answers(write(path, text), cleaner)

    def test_a_line_is_what_a_spreadsheet_calls_so(self, path, cleaner):
        text = 'id,comment,answer\na1,"two\nlines",other\n\na2,,nothing\n'
        with pytest.raises(ValueError, match="line 4: 'nothing'"):
            read_answers(write(path, text), cleaner)

    def test_the_same_id_by_two_people_is_fine(self, path, cleaner):
        text = "id,answer,annotator\na1,other,Ada\na1,melanoma,Bob\na1,other,\n"
        batches = read_answers(write(path, text), cleaner)
        assert [batch["annotator"] for batch in batches] == ["Ada", "Bob", None]

    def test_a_workbook(self, path, cleaner):
        path.write_bytes(b"PK\x03\x04 and more")
        with pytest.raises(ValueError, match="save it as CSV"):
            read_answers(path, cleaner)

    def test_no_file(self, path, cleaner):
        with pytest.raises(FileNotFoundError):
            read_answers(path, cleaner)
