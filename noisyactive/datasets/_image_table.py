"""Images in files, decoded when they are read."""

from __future__ import annotations

import copy
import operator
import warnings
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.parallel import Parallel, delayed
from torch.utils.data import Dataset

from .._arrays import as_array, as_list, described
from .._decode import MODES, read_image
from .._files import as_path
from .._labels import find_classes
from .._numbers import check_switch
from .._progress import progress, report
from ._listing import column_without_gaps, groups_of, list_class_folders, read_table, unique_text

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Self

_N_NAMED = 5


class SkippedImage(NamedTuple):
    """An image that an `ImageTable` left out.

    Parameters
    ----------
    row : int
        Its position in what the table was made from, from 0.
    path : str
        The file.
    reason : str
        What the decoder said.
    """

    row: int
    path: str
    reason: str


class ImageTable(Dataset[Any]):
    """Images in files with their labels: a torch Dataset that decodes an image when it is read.

    Every item is a uint8 tensor (channels, height, width) with values 0 to 255, upright by its
    EXIF orientation; with labels it is ``(image, label)``. ``table[i]`` is an item, and
    ``table[rows]``, for a slice, row numbers or a boolean mask, an ImageTable of these rows.

    Parameters
    ----------
    paths : sequence of path of length n_samples
        The files. Where a file has several frames or pages, the first is read.
    labels : array-like of shape (n_samples,), default=None
        Class labels of any kind that can be sorted.
    groups : array-like of shape (n_samples,), default=None
        What belongs together, a patient or a lesion for instance; `split_images` keeps it together.
    ids : sequence of str of length n_samples, default=None
        Readable names of the images. None takes the paths as they were given.
    size : int or tuple of int (height, width), default=None
        Size of every image in pixels, an int for both sides: scaled with its aspect kept until it
        covers this size, then cropped evenly on both sides. None keeps the files' sizes, which must
        be the same for batches.
    mode : {"RGB", "L"}, default="RGB"
        Three colour channels, or one of grey. Transparency is dropped. 16-bit grey keeps its
        upper 8 bits; where fewer than 16 bits are in use, that is too dark: scale it in a `loader`.
    check : bool, default=True
        Whether to decode every image once now, so that a bad one is found before training and not
        during it. That takes as long as decoding takes in one epoch.
    on_error : {"raise", "skip"}, default="raise"
        What to do with files that the check cannot read. "raise" lists them in one error. "skip"
        leaves their rows out, with labels, groups and ids, says so in a warning and remembers them
        in `skipped_`.
    loader : callable, default=None
        ``loader(path)`` returns a PIL image, for files that PIL does not read or that need scaling.
        It must be picklable where worker processes read the table. None opens files with PIL.
    n_jobs : int, default=None
        Threads of the check, as joblib counts them; None means 1.
    verbose : int, default=0
        1 shows a progress bar of the check.

    Attributes
    ----------
    paths : ndarray of str of shape (n_samples,)
        The files.
    targets : ndarray of shape (n_samples,) or None
        The labels.
    groups : ndarray of shape (n_samples,) or None
        The groups.
    ids : ndarray of str of shape (n_samples,)
        The names.
    skipped_ : list of SkippedImage
        What was left out when the table was made, ``(row, path, reason)``; rows count from 0 in
        what was given, so that ``numpy.delete(y, [s.row for s in table.skipped_])`` aligns
        labels that are kept elsewhere.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as described, lengths differ, or the check finds unreadable images
        (unless these are skipped) or, without `size`, images of different shapes.
    OSError
        When an item is read whose file cannot be, with the row and the file. This is so with
        ``on_error="skip"`` too: once rows have numbers, `clean_mask_` refers to them,
        and a row can neither vanish nor be replaced by something that is not its image.

    Notes
    -----
    ``PIL.ImageFile.LOAD_TRUNCATED_IMAGES = True``, set by anyone in the process, makes PIL fill up
    truncated files with grey and say nothing: the check cannot find them then.

    skorch's ``SliceDataset``, for scikit-learn's cross-validation, takes items apart and therefore
    needs a table with labels.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from PIL import Image
    >>> from noisyactive.datasets import ImageTable
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, grey in [("a.png", 0), ("b.png", 128), ("c.png", 255)]:
    ...         Image.new("L", (40, 30), grey).save(Path(folder, name))
    ...     paths = sorted(Path(folder).iterdir())
    ...     table = ImageTable(paths, ["dark", "medium", "bright"], size=24)
    ...     image, label = table[1]
    ...     bright = table[table.targets == "bright"].to_array()
    >>> tuple(image.shape), image.dtype, label
    ((3, 24, 24), torch.uint8, 'medium')
    >>> bright.shape, int(bright.min())
    ((1, 3, 24, 24), 255)
    """

    def __init__(
        self,
        paths: Sequence[str | PathLike[str]],
        labels: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        ids: Sequence[str] | None = None,
        size: int | tuple[int, int] | None = None,
        mode: str = "RGB",
        check: bool = True,
        on_error: str = "raise",
        loader: Callable[[str], Any] | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ):
        if isinstance(paths, (str, Path)):
            raise TypeError(
                f"paths must be a sequence of paths, got one: {str(paths)!r}. For a folder, see "
                "ImageTable.from_folder."
            )
        listed = as_list(paths, "paths", "paths of images")
        if odd := [path for path in listed if not isinstance(path, (str, PathLike))]:
            raise TypeError(f"paths must be paths of images, got {described(odd[0])} among them.")
        self.paths = np.array([str(path) for path in listed])
        if not len(self.paths):
            raise ValueError("paths holds no images.")
        if not isinstance(mode, str) or mode not in MODES:
            raise ValueError(f"mode must be one of {MODES}, got {mode!r}.")
        if not isinstance(on_error, str) or on_error not in ("raise", "skip"):
            raise ValueError(f'on_error must be "raise" or "skip", got {on_error!r}.')
        check_switch(check, "check")
        if on_error == "skip" and not check:
            raise ValueError(
                'on_error="skip" leaves out what the check finds: it needs check=True.'
            )
        if loader is not None and not callable(loader):
            raise TypeError(f"loader must be callable, got {loader!r}.")
        self.targets = None if labels is None else _as_targets(labels)
        self.groups = None if groups is None else as_array(groups, "groups")
        self.ids = self.paths
        if ids is not None:
            self.ids = np.array([str(name) for name in as_list(ids, "ids", "names")])
        for name, column in [("labels", self.targets), ("groups", self.groups), ("ids", self.ids)]:
            if column is not None and column.shape != self.paths.shape:
                raise ValueError(
                    f"{name} must be of shape ({len(self)},), one for each path, "
                    f"got {column.shape}."
                )
        self.mode = mode
        self.size = _as_size(size)
        self.loader = loader
        self.skipped_: list[SkippedImage] = []
        if check:
            self._check(on_error, n_jobs, verbose)

    @classmethod
    def from_folder(cls, root: str | PathLike[str], **options: Any) -> Self:
        """Images in class folders: ``root/label/.../image``.

        Parameters
        ----------
        root : path
            The folder. The names of its subfolders are the labels.
        **options : dict
            Further parameters of `ImageTable`.

        Returns
        -------
        ImageTable
            The images, sorted by label and path; `ids` are the paths below `root`.

        Raises
        ------
        ValueError
            If `root` has no class folders or an empty one, if images lie beside them, and as
            `ImageTable`.
        """
        paths, labels = list_class_folders(root)
        ids = [path.relative_to(root).as_posix() for path in paths]
        return cls(paths, labels, **{"ids": ids, **options})

    @classmethod
    def from_csv(
        cls,
        csv: str | PathLike[str] | pd.DataFrame,
        image_folder: str | PathLike[str] | None = None,
        *,
        path_column: str = "image",
        label_column: str | None = "label",
        group_column: str | None = None,
        suffix: str = "",
        **options: Any,
    ) -> Self:
        """Images that a CSV file lists, one a row.

        Parameters
        ----------
        csv : path or pandas DataFrame
            The file, or a table that has been read. Only an empty cell counts as missing, so that
            a class may be called NA.
        image_folder : path, default=None
            What the paths in the file are relative to. None takes the folder of the file.
        path_column : str, default="image"
            Column of the paths; they become `ids`. Each image may come once.
        label_column : str, default="label"
            Column of the labels. None reads none.
        group_column : str, default=None
            Column of the groups, patients for instance. A row without is a group of its own.
        suffix : str, default=""
            Appended to every path, ".jpg" for instance where the file names images without.
        **options : dict
            Further parameters of `ImageTable`.

        Returns
        -------
        ImageTable
            The images in the order of the file.

        Raises
        ------
        ValueError
            If a column is not there, an image has no path or no label or comes twice, and as
            `ImageTable`.
        """
        for name, text in (("path_column", path_column), ("suffix", suffix)):
            if not isinstance(text, str):
                raise TypeError(f"{name} must be text, got {described(text)}.")
        columns = {
            "path_column": path_column,
            "label_column": label_column,
            "group_column": group_column,
        }
        table = read_table(csv, columns)
        if image_folder is None:
            if not isinstance(csv, (str, PathLike)):
                raise ValueError("image_folder is required where csv is not the path of a file.")
            image_folder = Path(csv).parent
        image_folder = as_path(image_folder, "image_folder")
        ids = unique_text(table, path_column)
        found: dict[str, Any] = {"ids": ids}
        if label_column is not None:
            found["labels"] = column_without_gaps(table, label_column)
        if group_column is not None:
            found["groups"] = groups_of(table, group_column, ids)
        paths = [Path(image_folder, name + suffix) for name in ids]
        return cls(paths, **{**found, **options})

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        classes = "no labels" if self.targets is None else f"{len(np.unique(self.targets))} classes"
        return f"<ImageTable of {len(self)} images, {classes}>"

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, slice) or np.ndim(rows) > 0:
            return self._take(rows)
        row = operator.index(rows)
        path = self.paths[row]
        try:
            image = self._read(path)
        except Exception as error:  # decoders raise errors of any kind
            raise OSError(f"Image {row}, {path}, cannot be read: {_describe(error)}") from error
        return image if self.targets is None else (image, self.targets[row].item())

    def to_array(self) -> NDArray[np.uint8]:
        """Decode all images into memory, for data small enough to train on from there.

        Returns
        -------
        ndarray of uint8 of shape (n_samples, channels, height, width)
            The images.

        Raises
        ------
        ValueError
            If the images have different shapes.
        OSError
            If a file cannot be read.
        """
        items = (self[row] for row in range(len(self)))
        images = [item if self.targets is None else item[0] for item in items]
        self._check_shapes([tuple(image.shape) for image in images])
        return torch.stack(images).numpy()

    def _read(self, path: str) -> torch.Tensor:
        return read_image(str(path), mode=self.mode, size=self.size, loader=self.loader)

    def _take(self, rows: Any) -> Self:
        """Some rows of this table, whose files need no second check."""
        rows = rows if isinstance(rows, slice) else np.asarray(rows)
        if isinstance(rows, np.ndarray) and not rows.size:
            rows = rows.astype(np.intp)  # numpy makes an empty list one of floats
        part = copy.copy(self)
        part.paths, part.ids = self.paths[rows], self.ids[rows]
        part.targets = None if self.targets is None else self.targets[rows]
        part.groups = None if self.groups is None else self.groups[rows]
        return part

    def _check(self, on_error: str, n_jobs: int | None, verbose: int) -> None:
        """Decode every image once; check that they can be read and make batches."""
        results = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(
            delayed(self._try)(path) for path in self.paths
        )
        found: list[tuple[int, ...] | str] = []
        with progress("Checking images", len(self), verbose=verbose):
            for result in results:
                found.append(result)
                report(images=len(found))
        bad = [
            SkippedImage(row, str(self.paths[row]), reason)
            for row, reason in enumerate(found)
            if isinstance(reason, str)
        ]
        if bad:
            named = "; ".join(
                f"row {row}, {path}: {reason}" for row, path, reason in bad[:_N_NAMED]
            )
            more = f"; and {len(bad) - _N_NAMED} more" if len(bad) > _N_NAMED else ""
            message = f"{len(bad)} of {len(self)} images cannot be read: {named}{more}."
            if len(bad) == len(self):
                raise ValueError(message)
            if on_error == "raise":
                raise ValueError(f'{message} on_error="skip" leaves them out.')
            warnings.warn(f"Left out: {message}", UserWarning, stacklevel=3)
            good = np.setdiff1d(np.arange(len(self)), [image.row for image in bad])
            vars(self).update(vars(self._take(good)), skipped_=bad)
        self._check_shapes([shape for shape in found if not isinstance(shape, str)])

    def _try(self, path: str) -> tuple[int, ...] | str:
        """Shape of an image, or why it cannot be read."""
        try:
            return tuple(self._read(path).shape)
        except Exception as error:
            return _describe(error)

    def _check_shapes(self, shapes: Sequence[tuple[int, ...]]) -> None:
        for row, shape in enumerate(shapes):
            if shape != shapes[0]:
                raise ValueError(
                    f"Images differ in shape: {self.paths[0]} has {shapes[0]}, {self.paths[row]} "
                    f"has {shape}; pass size, so that they make batches."
                )


def _describe(error: Exception) -> str:
    return "no such file" if isinstance(error, FileNotFoundError) else str(error) or repr(error)


def _as_targets(labels: ArrayLike) -> NDArray[Any]:
    """Labels as an array of one plain type, whose items are Python's."""
    classes, codes = find_classes(labels, name="labels")
    return np.array(classes.tolist())[codes]


def _as_size(size: Any) -> tuple[int, int] | None:
    """Height and width."""
    if size is None:
        return None
    sides = (size, size) if isinstance(size, (int, np.integer)) else size
    if (
        not isinstance(sides, (tuple, list))
        or len(sides) != 2
        or not all(isinstance(side, (int, np.integer)) and side >= 1 for side in sides)
    ):
        raise ValueError(
            f"size must be an int of at least 1, a pair (height, width), or None; got {size!r}."
        )
    return int(sides[0]), int(sides[1])
