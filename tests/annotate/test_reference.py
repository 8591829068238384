"""The guideline, which comes as a tree and never as markup, and examples of each class."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from noisyactive.annotate._examples import examples_in, typical
from noisyactive.annotate._guideline import TAGS, read_guideline
from noisyactive.journal import Answered, Asked, Started


def guideline(tmp_path, text):
    pytest.importorskip("markdown_it")
    path = tmp_path / "guideline.md"
    path.write_text(text, encoding="utf-8")
    return read_guideline(path)


def walk(nodes):
    for node in nodes:
        yield node
        if isinstance(node, dict):
            yield from walk(node["children"])


def text_of(nodes):
    return "".join(node for node in walk(nodes) if isinstance(node, str))


class TestGuideline:
    def test_what_it_says(self, tmp_path):
        tree = guideline(
            tmp_path,
            "# Title\n\nSome *soft*\n**words**, `x < y`.\n\n3. three\n4. four\n\n"
            "| a | b |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n```\n\n![a drawing](x.png)",
        )
        p = {"tag": "p", "children": ["Some ", {"tag": "em", "children": ["soft"]}, " ",
             {"tag": "strong", "children": ["words"]}, ", ",
             {"tag": "code", "children": ["x < y"]}, "."]}  # fmt: skip
        assert tree[:2] == [{"tag": "h1", "children": ["Title"]}, p]
        assert tree[2]["tag"] == "ol" and tree[2]["start"] == 3
        assert tree[2]["children"][0] == {"tag": "li", "children": ["three"]}
        assert [n["tag"] for n in walk(tree[3:4]) if isinstance(n, dict)] == [
            "table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td",
        ]  # fmt: skip
        assert tree[4]["children"][0]["children"] == ["code\n"]
        assert text_of(tree[5:]) == "[image: a drawing]"

    @pytest.mark.parametrize(
        "attack",
        [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "text <b onclick='alert(1)'>bold</b>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html,<script>alert(1)</script>)",
            "[x](file:///etc/passwd)",
            "[x](//evil.example)",
            "![x](javascript:alert(1))",
            "<javascript:alert(1)>",
            "[x]: javascript:alert(1)\n\n[x]",
        ],
    )
    def test_nothing_in_it_can_run(self, tmp_path, attack):
        for node in walk(guideline(tmp_path, attack)):
            if isinstance(node, dict):
                assert node.keys() <= {"tag", "children", "href", "start"} and node["tag"] in TAGS
                assert "href" not in node

    def test_links_to_the_web_stay(self, tmp_path):
        tree = guideline(tmp_path, "[a](https://example.org/x?y=1) <mailto:ada@example.org>")
        assert [node["href"] for node in walk(tree) if "href" in node] == [
            "https://example.org/x?y=1",
            "mailto:ada@example.org",
        ]

    def test_deep_nesting_does_not_stop_the_server(self, tmp_path):
        json.dumps(guideline(tmp_path, ">" * 5000 + " deep"))

    def test_bad_files(self, tmp_path):
        assert read_guideline(None) == []
        with pytest.raises(FileNotFoundError):
            read_guideline(tmp_path / "none.md")
        with pytest.raises(TypeError, match="guideline"):
            read_guideline(5)
        (tmp_path / "a.md").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ValueError, match="not text in UTF-8"):
            read_guideline(tmp_path / "a.md")
        (tmp_path / "b.md").write_bytes(b"x" * 600_000)
        with pytest.raises(ValueError, match="more than 500,000 bytes"):
            read_guideline(tmp_path / "b.md")

    def test_without_the_library(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "markdown_it", None)
        (tmp_path / "a.md").write_text("text")
        with pytest.raises(ImportError, match="markdown-it-py"):
            read_guideline(tmp_path / "a.md")


class TestTypical:
    def test_the_surest_that_people_confirmed(self):
        events = [
            Started(0),
            Asked((0, 1, 2, 3, 4, 5), tuple("aabbaa"), (0.6, 0.9, 0.8, 0.7, 0.95, 0.97), 10),
            Answered((0, 1, 2, 3), ("a", "a", "b", "a")),
            Answered((4,), (None,)),
            Answered((9,), ("a",)),  # was not asked about
        ]
        a, b = typical(events, ["a", "b"], 12, 1)
        assert [(one.row, one.probability) for one in a] == [(1, 0.9), (0, 0.6), (3, None)]
        assert [(one.row, one.probability) for one in b] == [(2, 0.8)]

    def test_not_what_was_not_shown_nor_what_is_asked(self):
        events = [
            Started(0),
            Answered((0,), ("a",), "Ada", flag="not shown"),
            Answered((1,), ("a",), "Ada"),
            Asked((1,), ("a",), (0.9,), 10),
        ]
        assert typical(events, ["a", "b"], 3, 1) == [[], []]

    def test_nothing_yet(self):
        assert typical([Started(0)], ["a", "b"], 3, 1) == [[], []]


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path):
        for name in ("benign", "nevus"):
            (tmp_path / "examples" / name).mkdir(parents=True)
        for number in range(4):
            image = Image.fromarray(np.full((8, 8), 10 * number, np.uint8))
            image.save(tmp_path / "examples" / "benign" / f"{number}.png")
        (tmp_path / "examples" / "nevus" / "notes.txt").write_text("none")
        (tmp_path / "secret.png").write_bytes(b"secret")
        return tmp_path / "examples"

    def test_three_of_each(self, folder):
        found = examples_in(folder, ["..", "benign", "nevus", "other"])
        assert [[path.name for path in paths] for paths in found] == [
            [], ["0.png", "1.png", "2.png"], [], [],
        ]  # fmt: skip

    def test_links_do_not_lead_out(self, folder):
        (folder / "benign" / "0.png").unlink()
        (folder / "benign" / "0.png").symlink_to(folder.parent / "secret.png")
        (folder / "nevus" / "a.png").symlink_to(folder / "benign" / "1.png")
        _, benign, nevus = examples_in(folder, ["..", "benign", "nevus"])
        assert "0.png" not in [path.name for path in benign] and len(nevus) == 1

    def test_bad_folders(self, folder):
        with pytest.raises(ValueError, match="sub-folders that are named as classes"):
            examples_in(folder, ["other"])
        with pytest.raises(FileNotFoundError, match="no folder"):
            examples_in(folder / "none", ["benign"])


class TestServed:
    def test_examples_of_a_folder(self, start_run, serving, visit, tmp_path):
        pytest.importorskip("markdown_it")
        (tmp_path / "guide.md").write_text("*Look* closely.")
        (tmp_path / "examples" / "nevus").mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "examples" / "nevus" / "a.png")
        page = serving(
            start_run().journal, guideline=tmp_path / "guide.md", reference=tmp_path / "examples"
        )
        http = visit(page).http
        sent = http.get("/api/reference").json()
        assert text_of(sent["guideline"]) == "Look closely."
        assert [len(one["examples"]) for one in sent["classes"]] == [0, 0, 1]
        assert http.get("/api/examples/2/0").headers["content-type"] == "image/png"
        for path in ("2/1", "0/0", "9/0"):
            assert http.get(f"/api/examples/{path}").status_code == 404
        assert http.get("/api/examples/-1/0").status_code == 400

    def test_verified_items(self, start_run, serving, visit):
        run = start_run()
        visitor = visit(serving(run.journal, lambda row: Image.new("L", (8, 8))))
        classes = visitor.http.get("/api/reference").json()["classes"]
        assert [one["examples"] for one in classes] == [[], [], []]
        visitor.answer(run.rows[0], 1)
        classes = visitor.http.get("/api/reference").json()["classes"]
        assert [one["row"] for one in classes[1]["examples"]] == [run.rows[0]]
        assert visitor.http.get(f"/api/images/{run.rows[0]}").status_code == 200
        assert visitor.http.get("/api/examples/1/0").status_code == 404
