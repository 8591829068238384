"""Tasks for Label Studio, and its exports; test_label_studio_server.py has the real thing."""

import json
import os
import re
import unicodedata
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from noisyactive import ActiveLabelCleaner
from noisyactive.annotate import read_label_studio, write_label_studio
from noisyactive.cleaning import Journal

CLASSES = ["melanoma", "naevus"]
IDS = ["a/1", "b", "c d", "e"]


def make_cleaner(classes=CLASSES, ids=IDS, *, with_model=False, n_annotators=1, journal=None):
    """Four rows to be asked about, or one for each class."""
    n = max(len(classes), len(ids))
    y = np.array([classes[row % len(classes)] for row in range(n)], dtype=object)
    if not isinstance(classes[0], str):
        y = np.array(y.tolist())
    settings = {"initial_fit": "none", "query_strategy": "random"} if not with_model else {}
    settings |= {"pool": "unverified", "trust": "verified", "answers_per_item": n_annotators}
    cleaner = ActiveLabelCleaner(
        LogisticRegression(),
        n_rounds=1,
        round_budget=n * n_annotators,
        journal=journal,
        random_state=0,
        **settings,
    )
    X = np.random.default_rng(0).normal(size=(n, 2))
    ids = [*ids, *(f"spare {row}" for row in range(len(ids), n))]
    cleaner.start(X, y, ids=ids).query()
    return cleaner


def chosen(text, name="answer"):
    key = "choices" if name == "answer" else "text"
    return {"from_name": name, "to_name": "shown", "type": key, "value": {key: [text]}}


def task(item, *annotations, number=7):
    """A task of an export as JSON."""
    data = {"item": item, "label": "", "reason": ""}
    return {"id": number, "data": data, "annotations": list(annotations), "predictions": [3]}


def said(text, *, by=1, at="2026-01-01T10:00:00.000000Z", **others):
    result = [] if text is None else [chosen(text)]
    return {
        "result": result,
        "completed_by": by,
        "was_cancelled": False,
        "updated_at": at,
        **others,
    }


def record(item, text, *, by=1, at="2026-01-01T10:00:00.000000Z", **others):
    """What an export as JSON-MIN has of an annotation."""
    known = {} if text is None else {"answer": text}
    return {"item": item, "id": 7, "annotator": by, "updated_at": at, **known, **others}


@pytest.fixture
def cleaner():
    return make_cleaner()


@pytest.fixture
def read(tmp_path, cleaner):
    """Read an export that holds some tasks."""

    def read(*tasks, cleaner=cleaner, **options):
        path = tmp_path / "export.json"
        path.write_text(json.dumps(tasks), encoding="utf-8")
        return read_label_studio(path, cleaner, **options)

    return read


@pytest.fixture
def written(tmp_path):
    """Write tasks and read both files, by independent means."""

    def written(cleaner, **options):
        folder = tmp_path / "new" / "folder"
        write_label_studio(folder, cleaner, **options)
        assert sorted(path.name for path in folder.iterdir()) == ["config.xml", "tasks.json"]
        tasks = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
        return tasks, ElementTree.parse(folder / "config.xml").getroot()

    return written


class TestWriting:
    def test_one_task_for_each_open_item(self, written):
        cleaner = make_cleaner(with_model=True)
        tasks, _ = written(cleaner)
        items = cleaner.open_items()
        assert len(tasks) == 4
        for place, (found, item) in enumerate(zip(tasks, items, strict=True), 1):
            expected = {"item": item.item, "label": item.label, "reason": item.reason}
            assert found["data"] == {**expected, "round": 1, "place": place}
            [prediction] = found["predictions"]
            assert prediction["score"] == item.probability
            assert prediction["model_version"] == "noisyactive"
            assert prediction["result"] == [chosen(item.suggested)]

    def test_without_a_model_there_is_no_prediction(self, written, cleaner):
        assert all(set(found) == {"data"} for found in written(cleaner)[0])

    def test_the_interface(self, written, cleaner):
        _, config = written(cleaner)
        [choices] = config.iter("Choices")
        assert (choices.get("name"), choices.get("choice")) == ("answer", "single")
        keys = [(choice.get("value"), choice.get("hotkey")) for choice in choices]
        assert keys == [("melanoma", "1"), ("naevus", "2"), ("cannot tell", "0")]
        [shown] = config.iter("Text")
        assert (shown.get("name"), shown.get("value")) == ("shown", "$item")
        [comment] = config.iter("TextArea")
        assert (comment.get("name"), comment.get("toName")) == ("comment", "shown")

    def test_every_variable_is_in_every_task(self, written, cleaner):
        for images in (None, "s3://bucket/"):
            tasks, config = written(cleaner, images=images)
            texts = [tag.get("value", "") for tag in config.iter() if tag.tag != "Choice"]
            used = {name for text in texts for name in re.findall(r"\$([\w.]+)", text)}
            assert "item" in used
            for found in tasks:
                assert used <= set(found["data"])
        # and none that an export as JSON-MIN would overwrite
        taken = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"}
        assert not {*taken, "agreement", "answer", "comment"} & set(tasks[0]["data"])

    def test_more_than_nine_classes(self, written):
        cleaner = make_cleaner([f"class {number:02}" for number in range(12)])
        keys = [choice.get("hotkey") for choice in written(cleaner)[1].iter("Choice")]
        assert keys == [*"123456789", None, None, None, "0"]

    def test_hostile_names(self, written):
        classes = [
            '"><Choice value="x"/>',
            "&lt;",
            "a\nb",
            "\0",
            "$item",
            "US$5",
            "<script>",
            "]]>",
        ]
        cleaner = make_cleaner(classes)
        _, config = written(cleaner)
        choices = list(config.iter("Choice"))
        assert len(choices) == 9
        values = [choice.get("alias", choice.get("value")) for choice in choices]
        escaped = {r'"\"><Choice value=\"x\"/>"', r'"a\nb"', r'"\u0000"'}
        assert set(values) == {*classes[1:2], *classes[4:], *escaped, "cannot tell"}
        shown = " ".join(choice.get("value") for choice in choices)
        assert not re.search(r"\$[\w[\].{}]", shown)  # for which Label Studio would put data

    def test_ids_with_control_characters_are_escaped(self, written, read):
        cleaner = make_cleaner(ids=["a\nb", " c "])
        items = [found["data"]["item"] for found in written(cleaner)[0]]
        assert set(items) == {r'"a\nb"', '" c "'}
        [batch] = read(*(task(item, said("naevus")) for item in items), cleaner=cleaner)
        assert batch["rows"] == [item.item for item in cleaner.open_items()]

    def test_files_of_an_earlier_round_are_replaced(self, written, cleaner):
        assert len(written(cleaner)[0]) == 4
        cleaner.teach(["b"], ["naevus"])
        assert "b" not in {found["data"]["item"] for found in written(cleaner)[0]}
        cleaner.teach(["a/1", "c d", "e"], [None] * 3)
        assert written(cleaner)[0] == []


class Project:
    """A project of Label Studio: what is imported is added, nothing is noticed, order is kept."""

    def __init__(self, folder):
        self.folder, self.tasks = folder, []

    def load(self, folder):
        for found in json.loads((folder / "tasks.json").read_text(encoding="utf-8")):
            self.tasks.append({"id": len(self.tasks) + 1, **found, "annotations": []})

    def answer(self, n, by):
        """The first open tasks, with the model's suggestion or the label."""
        for found in [one for one in self.tasks if not one["annotations"]][:n]:
            found["annotations"] = [said(found["data"]["label"], by=by)]

    def export(self):
        path = self.folder / "export.json"
        path.write_text(json.dumps(self.tasks), encoding="utf-8")
        return path

    def questions(self):
        return [(found["data"]["round"], found["data"]["item"]) for found in self.tasks]


class TestSeveralRounds:
    """Files that are written, imported and read again and again."""

    def test_nothing_is_doubled_and_the_order_is_kept(self, tmp_path):
        rng = np.random.default_rng(0)
        cleaner = ActiveLabelCleaner(
            LogisticRegression(), n_rounds=3, round_budget=4, trust="all", random_state=0
        ).start(rng.normal(size=(40, 2)), ["a", "b"] * 20, ids=[f"i{row}" for row in range(40)])
        project, asked = Project(tmp_path), []
        while len(rows := cleaner.query()):
            asked += [(cleaner.state_.round, cleaner.ids_[row]) for row in rows]
            for n_answered in (1, 3):  # in between all files are written and imported again
                write_label_studio(tmp_path, cleaner, imported=project.export())
                project.load(tmp_path)
                assert project.questions() == asked
                project.answer(n_answered, by=1)
                for _ in range(2):
                    for batch in read_label_studio(project.export(), cleaner):
                        cleaner.teach(**batch, only_open=True)
        assert len(asked) == cleaner.state_.cost == 12
        assert all(len(found["predictions"]) == 1 for found in project.tasks)

    def test_a_sample_that_is_asked_about_again_is_a_new_question(self, tmp_path, written, cleaner):
        first, _ = written(cleaner)
        known = tmp_path / "tasks.json"
        for found in first:
            found["data"]["round"] = 0
        known.write_text(json.dumps(first), encoding="utf-8")
        assert len(written(cleaner, imported=known)[0]) == 4

    def test_tasks_of_an_import_or_of_either_export(self, tmp_path, written, cleaner):
        tasks, _ = written(cleaner)
        flat = [{**tasks[0]["data"], "id": 1}]
        for number, known in enumerate([tasks[:1], [{"id": 3, **tasks[0]}], flat]):
            path = tmp_path / f"{number}.json"
            path.write_text(json.dumps(known), encoding="utf-8")
            again, _ = written(cleaner, imported=path)
            assert again == tasks[1:]
        assert [found["data"]["place"] for found in again] == [2, 3, 4]

    def test_a_journal_knows_its_round(self, tmp_path, written):
        cleaner = make_cleaner(journal=tmp_path / "run.db")
        ours, _ = written(cleaner)
        cleaner.close()
        assert written(Journal(tmp_path / "run.db"))[0] == ours

    @pytest.mark.parametrize("text", ["[3]", "{}", "no json", '[{"data": 3}]', '[{"item": 1}]'])
    def test_what_is_no_file_of_tasks_is_refused(self, tmp_path, cleaner, text):
        path = tmp_path / "other.json"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="other.json"):
            write_label_studio(tmp_path / "out", cleaner, imported=path)
        assert not (tmp_path / "out").exists()


class TestImages:
    def test_of_a_folder(self, tmp_path, written, cleaner):
        folder = tmp_path / "my images"
        (folder / "a").mkdir(parents=True)
        for name in ("a/1.png", "b.png", "c d.jpg", "e.png"):
            (folder / name).touch()
        tasks, config = written(cleaner, images=folder)
        for found in tasks:
            address = urlsplit(found["data"]["image"])
            assert address.path == "/data/local-files/"
            [name] = parse_qs(address.query, strict_parsing=True)["d"]
            assert (tmp_path / name).is_file()
            assert name.rsplit(".")[0] == f"my images/{found['data']['item']}"
        [image] = config.iter("Image")
        assert (image.get("name"), image.get("value")) == ("shown", "$image")

    def test_of_a_folder_behind_a_link(self, tmp_path, written):
        (tmp_path / "disk" / "data").mkdir(parents=True)
        (tmp_path / "disk" / "data" / "x+&#?%.png").touch()
        (tmp_path / "images").symlink_to(tmp_path / "disk" / "data")
        cleaner = make_cleaner(ids=["x+&#?%"])
        with pytest.raises(ValueError, match="There is no image of the item 'spare 1'"):
            written(cleaner, images=tmp_path / "images")
        (tmp_path / "disk" / "data" / "spare 1.png").touch()
        names = [parse_qs(urlsplit(found["data"]["image"]).query)["d"][0]
                 for found in written(cleaner, images=tmp_path / "images")[0]]  # fmt: skip
        assert sorted(names) == ["images/spare 1.png", "images/x+&#?%.png"]

    def test_nothing_is_written_where_an_image_is_missing(self, tmp_path, cleaner):
        (tmp_path / "images").mkdir()
        with pytest.raises(ValueError, match="There is no image of the item"):
            write_label_studio(tmp_path / "out", cleaner, images=tmp_path / "images")
        assert not (tmp_path / "out").exists()
        with pytest.raises(FileNotFoundError):
            write_label_studio(tmp_path / "out", cleaner, images=tmp_path / "nowhere")

    def test_at_an_address(self, written, cleaner):
        tasks, _ = written(cleaner, images="https://host/i?d=")
        found = {task["data"]["item"]: task["data"]["image"] for task in tasks}
        assert found["c d"] == "https://host/i?d=c%20d" and found["a/1"] == "https://host/i?d=a/1"

    @pytest.mark.parametrize("item", ["../admin", "a/../../b", "/etc", "..\\x", "."])
    def test_ids_that_lead_elsewhere_are_refused(self, written, item):
        with pytest.raises(ValueError, match="cannot be part of an address"):
            written(make_cleaner(ids=[item, "b"]), images="https://host/images/")


class TestReading:
    def test_an_export_as_json(self, read, cleaner):
        batches = read(
            task("b", said("naevus", lead_time=2.5)),
            task("e"),
            task("a/1", said("cannot tell", by=2), said("melanoma", lead_time=None)),
            task("c d", said(None, was_cancelled=True, by=2)),
        )
        assert batches == [
            {
                "rows": ["b", "a/1"],
                "answers": ["naevus", "melanoma"],
                "annotator": "1",
                "seconds": [2.5, None],
                "comments": [None, None],
            },
            {
                "rows": ["a/1", "c d"],
                "answers": [None, None],
                "annotator": "2",
                "seconds": [None, None],
                "comments": [None, None],
            },
        ]
        cleaner.teach(**batches[0], only_open=True)
        assert {item.item for item in cleaner.open_items()} == {"c d", "e"}

    def test_an_export_as_json_min(self, read):
        batches = read(
            record("b", "naevus", lead_time=2.5, comment="blurred"),
            record("e", None, by=None),
            record("a/1", "melanoma", by="ada@example.com", comment=["one", "two"]),
            record("c d", "cannot tell", comment={"text": ["three", "four"]}),
        )
        assert [batch["annotator"] for batch in batches] == ["1", "ada@example.com"]
        assert batches[0]["rows"] == ["b", "c d"]
        assert batches[0]["answers"] == ["naevus", None]
        assert batches[0]["seconds"] == [2.5, None]
        assert batches[0]["comments"] == ["blurred", "three\nfour"]
        assert batches[1]["comments"] == ["one\ntwo"]

    def test_a_journal_and_numbers(self, tmp_path, read):
        cleaner = make_cleaner([0, 1], n_annotators=2, journal=tmp_path / "run.db")
        cleaner.close()
        journal = Journal(tmp_path / "run.db")
        for batch in read(task("b", said("1"), said("0", by=2)), cleaner=journal):
            assert len(journal.answer(**batch, only_open=True)) == 1
            assert journal.answer(**batch, only_open=True) == []  # an export that is read twice
        assert [answer["new_label"] for answer in journal.answers()] == [1, 0]
        with pytest.raises(ValueError, match="task 7: the annotator is missing"):
            read(task("b", said("1", by=None)), cleaner=journal)

    @pytest.mark.parametrize(
        ("by", "name"),
        [
            (1, "Ada"),
            ({"id": 1, "email": "ada@example.com"}, "Ada"),
            ({"id": 2, "email": "bob@example.com", "first_name": "Bob"}, "Bob"),
            ({"id": 3, "email": "cy@example.com"}, "cy@example.com"),
            (3, "3"),
            (None, None),
        ],
    )
    def test_names_of_annotators(self, read, by, name):
        names = {1: "Ada", "bob@example.com": "Bob"}
        [batch] = read(task("b", said("naevus", by=by)), annotators=names)
        assert batch["annotator"] == name
        if not isinstance(by, dict):
            [batch] = read(record("b", "naevus", by=by), annotators=names)
            assert batch["annotator"] == name

    def test_the_latest_annotation_of_each_person_counts(self, read):
        early, late = "2026-01-01T09:00:00.000000Z", "2026-01-02T09:00:00.000000Z"
        for first, second in [(early, late), (late, early)]:
            [batch] = read(task("b", said("naevus", at=first), said("melanoma", at=second)))
            assert batch["answers"] == ["melanoma" if second == late else "naevus"]
            [batch] = read(record("b", "naevus", at=first), record("b", "melanoma", at=second))
            assert batch["answers"] == ["melanoma" if second == late else "naevus"]
        [batch] = read(  # skipped at first
            task("b", said("naevus", at=late), said(None, was_cancelled=True, at=early))
        )
        assert batch["answers"] == ["naevus"]
        [batch] = read(task("b", said("naevus")), task("b", said("melanoma")))  # imported twice
        assert batch["answers"] == ["melanoma"]

    def test_what_is_no_answer_is_left_out(self, read):
        assert read() == []
        assert read(task("b")) == []
        assert read({"data": {"item": "b"}}) == []  # tasks as they were written
        comment = chosen("later", name="comment")
        assert read(task("b", said(None)), task("e", {**said(None), "result": [comment]})) == []
        assert read(task("b", {**said(None), "result": None})) == []
        draft = {**task("b"), "drafts": [said("naevus")]}
        assert read(draft) == []

    def test_comments(self, read):
        result = [chosen("naevus"), chosen(" blurred ", name="comment")]
        [batch] = read(task("b", {**said(None), "result": result}))
        assert (batch["answers"], batch["comments"]) == (["naevus"], ["blurred"])

    def test_seconds_that_make_no_sense_are_unknown(self, read):
        for seconds in (-1, float("inf"), float("nan"), "long"):
            assert read(task("b", said("naevus", lead_time=seconds)))[0]["seconds"] == [None]

    @given(classes=st.lists(st.text(max_size=6), min_size=2, max_size=6, unique=True))
    def test_any_class_comes_back(self, tmp_path_factory, classes):
        folder = tmp_path_factory.getbasetemp() / "tasks"
        cleaner = make_cleaner(classes)
        write_label_studio(folder, cleaner)
        config = ElementTree.parse(folder / "config.xml").getroot()
        texts = [choice.get("alias", choice.get("value")) for choice in config.iter("Choice")]
        items = [found["data"]["item"] for found in json.loads((folder / "tasks.json").read_text())]
        asked = [item.item for item in cleaner.open_items()]
        for text, label in zip(texts, [*cleaner.classes_.tolist(), None], strict=True):
            assert text == text.strip()
            joiners = {"\u200c", "\u200d"}
            odd = [c for c in text if not c.isprintable() and unicodedata.category(c) != "Zs"]
            assert joiners.issuperset(odd)
            path = folder / "export.json"
            path.write_text(json.dumps([task(item, said(text)) for item in items]))
            [batch] = read_label_studio(path, cleaner)
            assert batch["answers"] == [label] * len(asked) and batch["rows"] == asked


class TestRefusals:
    @pytest.mark.parametrize(
        ("foreign", "message"),
        [
            (task("b", said("mole")), "task 7: 'mole' is not among the choices: melanoma, naevus"),
            (record("b", "mole"), "task 7: 'mole' is not among the choices"),
            (task("zz", said("naevus")), "task 7: 'zz' is not the id of an item of this run"),
            (record("zz", "naevus"), "task 7: 'zz' is not the id"),
            (task("b", {**said(None), "result": [chosen("naevus"), chosen("melanoma")]}),
             "task 7: 'b' has several answers: naevus, melanoma"),
            (record("b", {"choices": ["naevus", "melanoma"]}), "task 7: 'b' has several answers"),
            ({"data": {"image": "x"}, "annotations": [said("naevus")]}, "KeyError: 'item'"),
            ({"text": "x", "sentiment": "good", "annotator": 1}, "task number 2 cannot be read"),
            ({"data": {"item": 3}, "annotations": [said("naevus")]}, "item is 3"),
            ({"data": None, "annotations": [said("naevus")]}, "cannot be read"),
            ({"data": {"item": "b"}, "annotations": [17]}, "cannot be read"),
            ({"data": {"item": "b"}, "annotations": [{"completed_by": 1}]}, "'result'"),
            (task("b", said("naevus", by=[1])), "cannot be read"),
            (record("b", 3), "cannot be read"),
        ],
    )  # fmt: skip
    def test_with_the_task(self, read, foreign, message):
        with pytest.raises(ValueError, match=rf"export\.json.*{message}"):
            read(task("e", said("naevus")), foreign)

    @pytest.mark.parametrize(
        "text", ["", "id,answer\n", "[1]", "{}", '{"data": {}}', "null", "[" * 100_000, "\xff\xfe"]
    )
    def test_other_files(self, tmp_path, cleaner, text):
        path = tmp_path / "export.json"
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(ValueError, match=r"export\.json is no"):
            read_label_studio(path, cleaner)

    def test_no_run_and_no_file(self, tmp_path, cleaner):
        with pytest.raises(TypeError, match="cleaner must be"):
            write_label_studio(tmp_path / "out", None)
        with pytest.raises(TypeError, match="cleaner must be"):
            read_label_studio(tmp_path / "export.json", os)
        with pytest.raises(FileNotFoundError):
            read_label_studio(tmp_path / "export.json", cleaner)
