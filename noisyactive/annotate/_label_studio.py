"""Write questions as tasks for Label Studio, and read the answers in its exports."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree as ET

from .._arrays import described
from .._files import as_path, write_whole
from .._images import ImageFolder
from ..journal import Journal
from ._wording import CANNOT_TELL, Answer, Wording, batches, written

if TYPE_CHECKING:
    from ..cleaning import ActiveLabelCleaner

_LOCAL_FILES = "/data/local-files/?d="


def write_label_studio(
    folder: str | os.PathLike[str],
    cleaner: ActiveLabelCleaner | Journal,
    *,
    images: str | os.PathLike[str] | None = None,
    imported: str | os.PathLike[str] | None = None,
) -> None:
    """Write the samples that wait for an answer as tasks for Label Studio.

    Two files are written: ``config.xml``, to be pasted into the project's labelling interface (as
    code), and ``tasks.json``, to be imported. A task shows the image, its id, its current label and
    why it is asked about; the model's suggestion is a prediction, with its probability as score.
    Keys 1 to 9 choose labels, and 0 "cannot tell". In each round import the new tasks; the
    configuration stays the same.

    Tasks stand in the order in which they are to be answered, which Label Studio keeps if the
    project samples sequentially (its default), and have their ``round`` and their ``place`` in it,
    by which its table can be sorted. It does not notice tasks that are imported twice: where a
    round has been imported in part or the files are written again, pass the project's export as
    `imported`, and no question is there twice.

    To show images from a folder, start Label Studio with
    ``LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true`` and
    ``LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT`` set to the parent folder of `images`, and add
    `images` to the project as a source storage of the kind "Local files" (without
    synchronisation) [1]_.

    Parameters
    ----------
    folder : path
        Where to write the files. It is created if needed; files of an earlier round are replaced.
    cleaner : ActiveLabelCleaner or Journal
        The run.
    images : path or str, default=None
        A folder with the images, named as the items are, with or without their suffixes; or the
        beginning of an address (``"https://host/images/"``, ``"s3://bucket/"``) to which ids are
        appended. None shows the ids only.
    imported : path, default=None
        Tasks that the project has: its export (JSON or JSON-MIN), or a ``tasks.json`` that was
        imported. Those for the same item and round are left out. Label Studio leaves tasks without
        an annotation out of an export, except of a snapshot of all tasks, or with
        ``/api/projects/<id>/export?exportType=JSON&download_all_tasks=true`` [2]_.

    Raises
    ------
    ValueError
        If no image or several fit the id of an item, an id cannot be part of an address, or
        `imported` is no file of tasks.
    TypeError
        If `cleaner` is neither a cleaner nor a journal, or its classes are not strings, numbers or
        booleans.
    OSError
        If a file cannot be read or written, or there is no such folder of images.

    See Also
    --------
    read_label_studio : Read the project's export.

    References
    ----------
    .. [1] Label Studio's guide, "Local storage", https://labelstud.io/guide/storage
    .. [2] Label Studio's guide, "Export annotations", https://labelstud.io/guide/export

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from noisyactive import ActiveLabelCleaner
    >>> from noisyactive.annotate import read_label_studio, write_label_studio
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000)
    >>> cleaner = ActiveLabelCleaner(model, n_rounds=1, round_budget=1, pool="unverified")
    >>> rows = cleaner.start(X, y, ids=[f"flower-{row}" for row in range(150)]).query()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_label_studio(folder, cleaner, images="https://example.com/iris/")
    ...     tasks = json.loads(Path(folder, "tasks.json").read_text())
    ...     export = Path(folder, "project-1.json")  # what Label Studio writes, in short
    ...     result = [{"from_name": "answer", "type": "choices", "value": {"choices": ["2"]}}]
    ...     said = [{"result": result, "completed_by": 1, "lead_time": 3.5}]
    ...     _ = export.write_text(json.dumps([{"id": 1, **tasks[0], "annotations": said}]))
    ...     [batch] = read_label_studio(export, cleaner, annotators={1: "Ada"})
    >>> tasks[0]["data"]["image"] == f"https://example.com/iris/flower-{rows[0]}"
    True
    >>> batch["rows"] == [f"flower-{rows[0]}"], batch["answers"], batch["annotator"]
    (True, [2], 'Ada')
    >>> cleaner = cleaner.teach(**batch, only_open=True)
    """
    folder = as_path(folder, "folder")
    wording = Wording(cleaner)
    address_of = _addresses(images)
    known = set() if imported is None else _questions(as_path(imported, "imported"))
    number = cleaner.progress().round if isinstance(cleaner, Journal) else cleaner.state_.round
    tasks = []
    for place, item in enumerate(cleaner.open_items(), 1):
        if (written(item.item), number) in known:
            continue
        data = {
            "item": written(item.item),
            "label": wording.text_of(item.label),
            "reason": item.reason,
            "round": number,
            "place": place,
        }
        if address_of is not None:
            data["image"] = address_of(item.item)
        task: dict[str, Any] = {"data": data}
        if item.suggested is not None:
            value = {"choices": [wording.text_of(item.suggested)]}
            result = {"from_name": "answer", "to_name": "shown", "type": "choices", "value": value}
            # One version for all rounds: Label Studio shows the predictions of one at a time.
            task["predictions"] = [
                {"model_version": "noisyactive", "score": item.probability, "result": [result]}
            ]
        tasks.append(task)
    folder.mkdir(parents=True, exist_ok=True)
    config = _config(wording.choices, with_images=address_of is not None)
    write_whole(folder / "config.xml", config.encode(), overwrite=True)
    write_whole(folder / "tasks.json", json.dumps(tasks, indent=1).encode(), overwrite=True)


def read_label_studio(
    path: str | os.PathLike[str],
    cleaner: ActiveLabelCleaner | Journal,
    *,
    annotators: Mapping[Any, str] | None = None,
) -> list[dict[str, Any]]:
    """Read the answers in an export of Label Studio, in the format JSON or JSON-MIN.

    If one person annotated a task several times, the annotation that was updated last counts.
    Skipped tasks count as "cannot tell"; JSON-MIN does not contain them. Tasks without an
    annotation and annotations without a choice are left out.

    Parameters
    ----------
    path : path
        The export of a project with tasks of `write_label_studio`.
    cleaner : ActiveLabelCleaner or Journal
        The run that the file belongs to.
    annotators : dict, default=None
        Names of annotators, by their number in Label Studio or their e-mail address. Others keep
        their address as name if the export contains it, else their number.

    Returns
    -------
    list of dict
        One for each annotator, with the keyword arguments of `ActiveLabelCleaner.teach` and
        `Journal.answer`: rows (ids), answers, annotator, seconds, comments. Pass them on with
        ``only_open=True``, so that an export that is read twice counts once.

    Raises
    ------
    ValueError
        If an answer is not among the choices, an item is not of this run, a required annotator is
        missing, or this is not such an export. The message gives the task.
    TypeError
        If `cleaner` is neither a cleaner nor a journal.
    OSError
        If the file cannot be read.

    See Also
    --------
    write_label_studio : The tasks, with an example.
    """
    if not (annotators is None or isinstance(annotators, Mapping)):
        raise TypeError(f"annotators must be a mapping of names, got {described(annotators)}.")
    wording = Wording(cleaner)
    latest: dict[tuple[str, str | None], tuple[str, Answer]] = {}
    for number, task in enumerate(_read_tasks(as_path(path, "path")), 1):
        try:
            for said in _annotations(task):
                if not said.cancelled and not said.choices:
                    continue
                answer = _read_annotation(said, wording, annotators or {})
                key = answer.item, answer.annotator
                if key not in latest or said.updated >= latest[key][0]:
                    latest[key] = said.updated, answer
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} is not an export of tasks that write_label_studio wrote: task number "
                f"{number} cannot be read ({type(error).__name__}: {error})."
            ) from error
        except ValueError as error:
            raise ValueError(f"{path}, task {task.get('id', number)}: {error}.") from error
    return batches(answer for _, answer in latest.values())


class _Annotation(NamedTuple):
    """One annotation of a task."""

    item: str
    choices: list[str]
    cancelled: bool
    user: Any
    seconds: Any
    comments: list[str]
    updated: str


def _annotations(task: dict[str, Any]) -> Iterator[_Annotation]:
    if "data" not in task:  # JSON-MIN: a record is an annotation, or a task without one
        yield _Annotation(
            item=task["item"],
            choices=_texts(task.get("answer"), "choices"),
            cancelled=False,
            user=task["annotator"],
            seconds=task.get("lead_time"),
            comments=_texts(task.get("comment"), "text"),
            updated=task.get("updated_at") or "",
        )
        return
    for said in task.get("annotations", []):
        found: dict[str, list[str]] = {"choices": [], "text": []}
        for part in said["result"] or []:
            for name, key in (("answer", "choices"), ("comment", "text")):
                if part.get("from_name") == name:
                    found[key] += _texts(part["value"], key)
        yield _Annotation(
            item=task["data"]["item"],
            choices=found["choices"],
            cancelled=bool(said.get("was_cancelled")),
            user=said.get("completed_by"),
            seconds=said.get("lead_time"),
            comments=found["text"],
            updated=said.get("updated_at") or "",
        )


def _texts(value: Any, key: str) -> list[str]:
    """Texts in any of the forms in which Label Studio writes them."""
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return _texts(value[key], key)
    return [text for part in value for text in _texts(part, key)]


def _read_annotation(said: _Annotation, wording: Wording, annotators: Mapping[Any, str]) -> Answer:
    if not isinstance(said.item, str):
        raise TypeError(f"item is {said.item!r}")
    user = said.user if isinstance(said.user, dict) else {"id": said.user}
    names = [user.get("email"), user.get("id")]
    name = next((name for name in names if name is not None), None)
    annotator = next((annotators[name] for name in names if name in annotators), name)
    if len(said.choices) > 1 and not said.cancelled:
        raise ValueError(f"{said.item!r} has several answers: {', '.join(said.choices)}")
    known = isinstance(said.seconds, (int, float)) and 0 <= said.seconds < math.inf
    return wording.answer(
        said.item,
        None if said.cancelled else said.choices[0],
        annotator=None if annotator is None else str(annotator),
        seconds=float(said.seconds) if known else None,
        comment="\n".join(said.comments).strip() or None,
    )


def _read_tasks(path: Path) -> list[dict[str, Any]]:
    try:
        tasks = json.loads(path.read_text(encoding="utf-8-sig"))
    except (RecursionError, ValueError) as error:
        raise ValueError(f"{path} is not JSON: {error}.") from error
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise ValueError(f"{path} is not an export of Label Studio: it has no list of tasks.")
    return tasks


def _questions(path: Path) -> set[tuple[str, int]]:
    """Item and round of each task of a file."""
    found = set()
    for task in _read_tasks(path):
        data = task.get("data", task)
        if not isinstance(data, dict) or not isinstance(data.get("item"), str):
            raise ValueError(f"{path} holds tasks that write_label_studio did not write.")
        if isinstance(data.get("round"), int):
            found.add((data["item"], data["round"]))
    return found


def _config(choices: list[str], *, with_images: bool) -> str:
    """The labelling interface, in Label Studio's XML."""
    view = ET.Element("View")
    ET.SubElement(view, "Header", value="$item", size="5", style="margin: 0")
    # Choices stand before the image: a large image would push them out of sight.
    ET.SubElement(view, "Header", value="Label now: $label ($reason)", size="6",
                  style="font-size: 14px; font-weight: normal; margin: 0")  # fmt: skip
    group = ET.SubElement(view, "Choices", name="answer", toName="shown", choice="single",
                          required="true", showInline="true")  # fmt: skip
    for number, text in enumerate(choices, 1):
        # Label Studio replaces "$name" by data; a joiner prevents that, and the alias is returned.
        choice = ET.SubElement(group, "Choice", value=text.replace("$", "$\u2060"))
        if "$" in text:
            choice.set("alias", text)
        if text == CANNOT_TELL:
            choice.set("hotkey", "0")
        elif number <= 9:
            choice.set("hotkey", str(number))
    if with_images:
        ET.SubElement(view, "Image", name="shown", value="$image", zoom="true", zoomControl="true",
                      brightnessControl="true", contrastControl="true")  # fmt: skip
    else:
        ET.SubElement(view, "Text", name="shown", value="$item")
    ET.SubElement(view, "TextArea", name="comment", toName="shown", placeholder="Comment",
                  rows="2", maxSubmissions="1", editable="true")  # fmt: skip
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"


def _addresses(images: str | os.PathLike[str] | None) -> Callable[[str], str] | None:
    """Function that returns the address of an item's image."""
    if images is None:
        return None
    if isinstance(images, str) and "://" in images:
        return lambda item: images + quote(_checked(item))
    folder, root, name = (
        ImageFolder(images, "images"),
        Path(images).resolve(),
        Path(os.path.abspath(images)).name,
    )

    def address_of(item: str) -> str:
        path = folder.path_of(item)
        if path is None:
            raise ValueError(f"There is no image of the item {item!r} in {images}.")
        return _LOCAL_FILES + quote(f"{name}/{path.relative_to(root).as_posix()}")

    return address_of


def _checked(item: str) -> str:
    """Check that an id leads to no other place on a server."""
    if {"", ".", ".."} & set(item.replace("\\", "/").split("/")):
        raise ValueError(f"The id {item!r} cannot be part of an address.")
    return item
