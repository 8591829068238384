"""The image sets of the paper, as their owners distribute them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._files import as_path
from ._image_table import ImageTable
from ._listing import list_class_folders, read_table

if TYPE_CHECKING:
    from os import PathLike

_NCT_CRC = ("ADI", "BACK", "DEB", "LYM", "MUC", "MUS", "NORM", "STR", "TUM")


def load_isic2019(
    folder: str | PathLike[str], *, size: int | tuple[int, int] | None = 256, **options: Any
) -> ImageTable:
    """ISIC-2019: dermoscopic images of eight kinds of skin lesion [1]_.

    Download the training input, ground truth and metadata of the challenge
    (https://challenge.isic-archive.com/data/#2019) and unpack them in one folder. There are 25,331
    images under CC BY-NC 4.0.

    Parameters
    ----------
    folder : path
        Holds ``ISIC_2019_Training_GroundTruth.csv``, ``ISIC_2019_Training_Input`` with JPEG files
        and, if groups are wanted, ``ISIC_2019_Training_Metadata.csv``.
    size : int, tuple of int or None, default=256
        As for `ImageTable`; the files' own sizes differ.
    **options : dict
        Further parameters of `ImageTable`.

    Returns
    -------
    ImageTable
        Labels are the columns of the ground truth, "MEL", "NV", ...; ids are the names of the
        images; groups are the lesions, and an image without a lesion in the metadata is a group of
        its own. Without the metadata there are no groups.

    Raises
    ------
    ValueError
        If a CSV file is not as described, an image has not exactly one label, or an image cannot be
        read.
    FileNotFoundError
        If the ground truth is not in the folder.

    References
    ----------
    .. [1] P. Tschandl, C. Rosendahl, H. Kittler, "The HAM10000 dataset", Scientific Data 2018,
       :doi:`10.1038/sdata.2018.161`; N. Codella et al., ISBI 2018,
       :doi:`10.1109/ISBI.2018.8363547`; C. Hernández-Pérez et al., "BCN20000: Dermoscopic lesions
       in the wild", Scientific Data 2024, :doi:`10.1038/s41597-024-03387-w`.
    """
    folder = as_path(folder, "folder")
    truth = read_table(folder / "ISIC_2019_Training_GroundTruth.csv", {"path_column": "image"})
    kinds = truth.drop(columns="image")
    marks = kinds.to_numpy()
    is_one_hot = ((marks == 0) | (marks == 1)).all(axis=1) & ((marks == 1).sum(axis=1) == 1)
    wrong = np.flatnonzero(~is_one_hot)
    if len(wrong):
        raise ValueError(
            f"ISIC_2019_Training_GroundTruth.csv must mark one class for each image with 1 and the "
            f"others with 0; {truth['image'][wrong[0]]} has {marks[wrong[0]].tolist()}."
        )
    table = truth[["image"]].assign(label=kinds.columns.to_numpy()[marks.argmax(axis=1)])
    group_column = None
    metadata = folder / "ISIC_2019_Training_Metadata.csv"
    if metadata.exists():
        lesions = read_table(metadata, {"path_column": "image", "group_column": "lesion_id"})
        lesion_of = lesions.drop_duplicates("image").set_index("image")["lesion_id"]
        table = table.assign(lesion_id=table["image"].map(lesion_of))
        group_column = "lesion_id"
    return ImageTable.from_csv(
        table,
        folder / "ISIC_2019_Training_Input",
        group_column=group_column,
        suffix=".jpg",
        size=size,
        **options,
    )


def load_nct_crc(folder: str | PathLike[str], **options: Any) -> ImageTable:
    """NCT-CRC-HE-100K or CRC-VAL-HE-7K: tiles of colorectal tissue of nine kinds [1]_.

    Download them from :doi:`10.5281/zenodo.1214456` and unpack them. 100,000 tiles of 224 x 224
    pixels, and 7,180 of other patients to test on, under CC BY 4.0.

    Parameters
    ----------
    folder : path
        Holds the nine class folders ADI, BACK, DEB, LYM, MUC, MUS, NORM, STR and TUM.
    **options : dict
        Further parameters of `ImageTable`.

    Returns
    -------
    ImageTable
        Labels are the names of the class folders. The files do not say which patient a tile is of,
        so that parts of the 100,000 may share patients.

    Raises
    ------
    ValueError
        If the class folders are others, or an image cannot be read.

    References
    ----------
    .. [1] J. N. Kather et al., "Predicting survival from colorectal cancer histology slides using
       deep learning: A retrospective multicenter study", PLOS Medicine 2019,
       :doi:`10.1371/journal.pmed.1002730`.
    """
    paths, labels = list_class_folders(as_path(folder, "folder"))
    if found := set(_NCT_CRC) ^ set(labels):
        raise ValueError(
            f"folder must hold the class folders {_NCT_CRC}; in {folder} these are missing or "
            f"unknown: {sorted(found)}."
        )
    ids = [path.relative_to(folder).as_posix() for path in paths]
    return ImageTable(paths, labels, **{"ids": ids, **options})
