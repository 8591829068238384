"""Data sets: image folders and tables, MedMNIST, the paper's image sets, long-tailed digits."""

from ._digits import load_long_tailed_digits
from ._image_table import ImageTable
from ._medmnist import fetch_medmnist, load_medmnist_npz
from ._split import split_images, split_rows
from ._studies import load_isic2019, load_nct_crc
from ._transforms import PerImage, paper_transforms

__all__ = [
    "ImageTable",
    "PerImage",
    "fetch_medmnist",
    "load_isic2019",
    "load_long_tailed_digits",
    "load_medmnist_npz",
    "load_nct_crc",
    "paper_transforms",
    "split_images",
    "split_rows",
]
