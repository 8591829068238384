"""Folders and CSV files, those of the paper's data sets among them."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from noisyactive.datasets import ImageTable, load_isic2019, load_nct_crc, split_images

NCT = ["ADI", "BACK", "DEB", "LYM", "MUC", "MUS", "NORM", "STR", "TUM"]


def save(path, value=0, size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)


# --- folders --------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "root"
    save(root / "nevus" / "b.png", 1)
    save(root / "nevus" / "a.JPG", 2)
    save(root / "melanoma" / "patient 7" / "c.tif", 3)
    save(root / ".cache" / "hidden.png")
    save(root / "nevus" / ".ipynb_checkpoints" / "b-checkpoint.png")
    (root / "nevus" / "Thumbs.db").write_text("")
    (root / "README.txt").write_text("")
    return root


def test_class_folders(folder):
    table = ImageTable.from_folder(folder)
    assert table.ids.tolist() == ["melanoma/patient 7/c.tif", "nevus/a.JPG", "nevus/b.png"]
    assert table.targets.tolist() == ["melanoma", "nevus", "nevus"]
    assert [int(image.max()) for image, _ in table] == [3, 2, 1]
    assert ImageTable.from_folder(str(folder), size=8).to_array().shape == (3, 3, 8, 8)


def test_folders_that_are_not_class_folders(folder):
    with pytest.raises(ValueError, match="is no folder"):
        ImageTable.from_folder(folder / "nothing")
    (folder / "empty" / ".ipynb_checkpoints").mkdir(parents=True)
    with pytest.raises(ValueError, match="has none"):
        ImageTable.from_folder(folder / "empty")
    with pytest.raises(ValueError, match="empty holds no images"):
        ImageTable.from_folder(folder)
    save(folder / "stray.png")
    with pytest.raises(ValueError, match=r"stray\.png lies beside"):
        ImageTable.from_folder(folder)


# --- CSV files ------------------------------------------------------------------------------------


@pytest.fixture
def listed(tmp_path):
    for i in range(4):
        save(tmp_path / "images" / f"00{i}.png", i)
    path = tmp_path / "labels.csv"
    path.write_text(
        "image,label,patient,grade\n"
        "003,NA,17,1\n"
        '000,"nevus, common",,0\n'
        "002,NA,000,1\n"
        "001,nan,,2\n",
        encoding="utf-8-sig",  # as spreadsheets write it
    )
    return path


def test_csv_with_groups(listed):
    table = ImageTable.from_csv(
        listed, listed.parent / "images", group_column="patient", suffix=".png"
    )
    assert table.ids.tolist() == ["003", "000", "002", "001"]
    assert [int(image.max()) for image, _ in table] == [3, 0, 2, 1]
    assert table.targets.tolist() == ["NA", "nevus, common", "NA", "nan"]
    assert table.groups[0] == "17" and table.groups[2] == "000"
    # Images without a patient are on their own: image "000" is not patient "000".
    assert len(set(table.groups)) == 4


def test_csv_with_numbers_and_without_labels(listed):
    images = listed.parent / "images"
    table = ImageTable.from_csv(listed, images, label_column="grade", suffix=".png")
    assert table.targets.tolist() == [1, 0, 1, 2] and table.groups is None
    table = ImageTable.from_csv(listed, images, label_column=None, suffix=".png")
    assert table.targets is None and table[3].shape == (3, 10, 12)


def test_a_data_frame_and_paths_beside_the_csv(listed):
    frame = pd.DataFrame({"image": ["images/001.png", "images/002.png"], "label": [0, 1]})
    with pytest.raises(ValueError, match="image_folder is required"):
        ImageTable.from_csv(frame)
    by_frame = ImageTable.from_csv(frame, listed.parent)
    frame.to_csv(listed, index=False)
    by_file = ImageTable.from_csv(str(listed))
    np.testing.assert_array_equal(by_file.to_array(), by_frame.to_array())
    assert by_file.to_array()[:, 0, 0, 0].tolist() == [1, 2]


@pytest.mark.parametrize(
    "text, message",
    [
        ("file,label\na.png,0\n", r"path_column must be one of the columns \['file', 'label'\]"),
        ("image,class\na.png,0\n", "label_column must be one of .* got 'label'"),
        ("image,label\na.png,0\nb.png,\n", r"'label' must not have .* 1, in rows \[1\]"),
        ("image,label\n,0\n", "'image' must not have missing"),
        ("image,label\na.png,0\nb.png,0\na.png,1\n", "'a.png' comes again"),
        ("image,label\na.png,0\n", r"row 0, .*a\.png: no such file"),
        (
            "image,label\nä.png,0\n".encode("latin-1"),
            r"csv must be a CSV file in UTF-8; .*labels.csv",
        ),
    ],
)
def test_bad_csv_files(tmp_path, text, message):
    (tmp_path / "labels.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        ImageTable.from_csv(tmp_path / "labels.csv")


# --- ISIC-2019 ------------------------------------------------------------------------------------

KINDS = ["MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK"]


@pytest.fixture
def isic(tmp_path):
    names = [f"ISIC_{i:07d}" + ("_downsampled" if i == 1 else "") for i in range(9)]
    codes = [1, 0, 7, 1, 2, 1, 1, 5, 6]
    for i, name in enumerate(names):
        save(tmp_path / "ISIC_2019_Training_Input" / f"{name}.jpg", 20 * i, (40 + i, 30))
    rows = [f"{name},{','.join(f'{float(j == c)}' for j in range(9))}" for name, c in zip(
        names, codes, strict=True)]  # fmt: skip
    truth = tmp_path / "ISIC_2019_Training_GroundTruth.csv"
    truth.write_text("\n".join([f"image,{','.join(KINDS)}", *rows]))
    lesions = ["HAM_1", "", "HAM_1", "BCN_2", "", "BCN_2", "MSK_3", "HAM_4", "HAM_5"]
    rows = [f"{n},55.0,anterior torso,{les},male" for n, les in zip(names, lesions, strict=True)]
    metadata = tmp_path / "ISIC_2019_Training_Metadata.csv"
    rows.reverse()  # in an order of its own
    metadata.write_text("\n".join(["image,age_approx,anatom_site_general,lesion_id,sex", *rows]))
    return tmp_path


def test_isic(isic):
    table = load_isic2019(isic, size=24)
    assert table.targets.tolist() == [KINDS[c] for c in [1, 0, 7, 1, 2, 1, 1, 5, 6]]
    assert table.ids[1] == "ISIC_0000001_downsampled"
    assert table.to_array()[:, 0, 12, 12].tolist() == pytest.approx(
        [20 * i for i in range(9)], abs=2
    )
    assert table.groups[0] == table.groups[2] == "HAM_1"
    assert table.groups[3] == table.groups[5] == "BCN_2"
    assert len(set(table.groups)) == 7  # two without a lesion are on their own
    assert load_isic2019(isic)[0][0].shape == (3, 256, 256)


def test_isic_without_metadata_or_with_gaps(isic):
    metadata = isic / "ISIC_2019_Training_Metadata.csv"
    lines = metadata.read_text().splitlines()
    metadata.write_text("\n".join(lines[:-1]))  # nothing of the first image
    assert len(set(load_isic2019(isic, size=8).groups)) == 8
    metadata.unlink()
    assert load_isic2019(isic, size=8).groups is None


def test_isic_with_bad_files(isic):
    truth = isic / "ISIC_2019_Training_GroundTruth.csv"
    original = truth.read_text()
    second = original.splitlines()[2]
    for marks in ["0.0,1.0" + ",0.0" * 6 + ",1.0", "0.5" + ",0.0" * 8, "1,0.5" + ",0" * 7]:
        truth.write_text(original.replace(second, f"ISIC_0000001_downsampled,{marks}"))
        with pytest.raises(ValueError, match="mark one class .* ISIC_0000001_downsampled has"):
            load_isic2019(isic)
    truth.write_text(original)
    (isic / "ISIC_2019_Training_Input" / "ISIC_0000004.jpg").unlink()
    with pytest.raises(ValueError, match=r"1 of 9 .* row 4, .*ISIC_0000004\.jpg: no such file"):
        load_isic2019(isic)
    with pytest.warns(UserWarning, match="Left out: 1 of 9"):
        assert len(load_isic2019(isic, on_error="skip")) == 8
    truth.unlink()
    with pytest.raises(FileNotFoundError, match="GroundTruth"):
        load_isic2019(isic)


# --- NCT-CRC --------------------------------------------------------------------------------------


def test_nct_crc(tmp_path):
    for value, kind in enumerate(NCT):
        for i in range(5):
            save(tmp_path / kind / f"{kind}-{i}.tif", value, (24, 24))
    table = load_nct_crc(tmp_path)
    assert table.targets.tolist() == np.repeat(NCT, 5).tolist()
    assert table.ids[0] == "ADI/ADI-0.tif"
    assert table.to_array().shape == (45, 3, 24, 24)
    train, val = split_images(table, (0.8, 0.2), random_state=0)
    assert np.unique(train.targets, return_counts=True)[1].tolist() == [4] * 9
    assert np.unique(val.targets, return_counts=True)[1].tolist() == [1] * 9
    shutil.rmtree(tmp_path / "TUM")
    (tmp_path / "ADI").rename(tmp_path / "FAT")
    with pytest.raises(ValueError, match=r"missing or unknown: \['ADI', 'FAT', 'TUM'\]"):
        load_nct_crc(tmp_path)
