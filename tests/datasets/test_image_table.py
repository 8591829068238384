import pickle
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from skorch.helper import SliceDataset
from torch.utils.data import DataLoader, Subset, default_collate

from noisyactive import ActiveLabelCleaner, CoTeachingClassifier
from noisyactive.datasets import ImageTable

LABELS = ["b", "a", "b", "a", "b", "a"]


def only_image(path, **options):
    return ImageTable([path], **options)[0].numpy()


# --- items ----------------------------------------------------------------------------------------


def test_items_are_the_pixels_of_the_files(files, pixels):
    table = ImageTable(files, LABELS)
    assert len(table) == 6
    for i in range(6):
        image, label = table[i]
        assert image.dtype == torch.uint8 and image.is_contiguous()
        np.testing.assert_array_equal(image.numpy(), pixels[i].transpose(2, 0, 1))
        assert label == LABELS[i] and type(label) is str
    np.testing.assert_array_equal(table.to_array(), pixels.transpose(0, 3, 1, 2))


def test_without_labels_items_are_images_alone(files, pixels):
    table = ImageTable(files)
    assert table.targets is None
    np.testing.assert_array_equal(table[-1].numpy(), pixels[5].transpose(2, 0, 1))
    assert torch.equal(table[torch.tensor(2)], table[np.int64(2)])
    assert len(list(table)) == 6  # iteration ends
    with pytest.raises(IndexError):
        table[6]
    with pytest.raises(TypeError):
        table["image0.png"]


def test_labels_are_plain_python_objects(files):
    assert type(ImageTable(files, np.arange(6, dtype=np.int16))[3][1]) is int
    table = ImageTable(files, np.array(LABELS, dtype=object))
    assert table.targets.tolist() == LABELS and table.targets.dtype.kind == "U"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_upright(tmp_path, pixels, orientation):
    # How the stored pixels are turned back, by the table of the EXIF standard (tag 0x0112): which
    # sides of what is seen the first row and the first column of what is stored are.
    upright = {
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.transpose(1, 0, 2),
        6: lambda x: np.rot90(x, -1),
        7: lambda x: x.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda x: np.rot90(x),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels[0]).save(tmp_path / "turned.png", exif=exif)
    found = only_image(tmp_path / "turned.png")
    np.testing.assert_array_equal(found, upright(pixels[0]).transpose(2, 0, 1))


def test_turned_jpeg_is_upright_at_reduced_scale(tmp_path):
    pixels = np.zeros((400, 800, 3), dtype=np.uint8)
    pixels[:, :400] = 255  # stored: left half white; to be turned clockwise: top half white
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", exif=exif)
    found = only_image(tmp_path / "photo.jpg", size=(40, 20))
    assert found.shape == (3, 40, 20)
    assert found[:, :18].min() > 240 and found[:, 22:].max() < 15


def test_grey_colour_palette_and_transparency(tmp_path):
    grey = np.arange(200, dtype=np.uint8).reshape(10, 20)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(only_image(tmp_path / "grey.png"), [grey] * 3)
    np.testing.assert_array_equal(only_image(tmp_path / "grey.png", mode="L"), [grey])

    colour = np.stack([grey, 255 - grey, grey // 2, np.full_like(grey, 255)], axis=2)
    colour[:5, :, 3] = 100
    Image.fromarray(colour).save(tmp_path / "rgba.png")
    np.testing.assert_array_equal(
        only_image(tmp_path / "rgba.png"), colour[:, :, :3].transpose(2, 0, 1)
    )
    assert only_image(tmp_path / "rgba.png", mode="L").shape == (1, 10, 20)

    palette = Image.fromarray(grey // 100)
    palette.putpalette([10, 20, 30, 200, 100, 0])
    palette.save(tmp_path / "palette.png", transparency=b"\x80\xff")
    found = only_image(tmp_path / "palette.png")  # without a warning
    np.testing.assert_array_equal(found[:, 0, 0], [10, 20, 30])
    np.testing.assert_array_equal(found[:, 9, 0], [200, 100, 0])


def test_16_bit_grey_keeps_its_range(tmp_path):
    values = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    found = only_image(tmp_path / "deep.png", mode="L")
    np.testing.assert_array_equal(found[0], values // 256)
    np.testing.assert_array_equal(only_image(tmp_path / "deep.png"), np.repeat(found, 3, axis=0))


def test_32_bit_images_need_a_loader(tmp_path):
    path = tmp_path / "scan.tif"
    Image.fromarray(np.linspace(-1000, 1000, 64, dtype=np.float32).reshape(8, 8)).save(path)
    with pytest.raises(ValueError, match="no fixed range; pass a loader"):
        ImageTable([path])

    def windowed(path):
        with Image.open(path) as image:
            return Image.fromarray(np.uint8((np.asarray(image) > 0) * 255))

    found = only_image(path, loader=windowed)
    assert np.unique(found).tolist() == [0, 255]


def test_size_keeps_aspect_and_middle(tmp_path):
    # Stripes: what is left and right of the middle square must go, the rest be scaled evenly.
    pixels = np.zeros((40, 120), dtype=np.uint8)
    pixels[:, 40:60] = 100
    pixels[:, 60:80] = 200
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    found = only_image(tmp_path / "wide.png", size=20, mode="L")[0]
    assert found.shape == (20, 20)
    np.testing.assert_array_equal(found[:, 1:9], 100)
    np.testing.assert_array_equal(found[:, 11:19], 200)
    assert only_image(tmp_path / "wide.png", size=(16, 48)).shape == (3, 16, 48)
    same = only_image(tmp_path / "wide.png", size=(40, 120), mode="L")[0]
    np.testing.assert_array_equal(same, pixels)


def test_jpeg_at_reduced_scale_is_close_to_scaling_afterwards(tmp_path):
    rows, columns = np.mgrid[:600, :600] / 600
    pixels = np.stack([rows, columns, rows * columns], axis=2) * 255
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "large.jpg", quality=95)
    found = only_image(tmp_path / "large.jpg", size=60).transpose(1, 2, 0)
    means = pixels.reshape(60, 10, 60, 10, 3).mean(axis=(1, 3))
    assert np.abs(found - means).max() < 4


def test_jpeg_at_reduced_scale_keeps_detail(tmp_path):
    stripes = np.tile(np.repeat(np.uint8([0, 255]), 4), (1024, 128))
    Image.fromarray(stripes).save(tmp_path / "stripes.jpg", quality=95)
    found = only_image(tmp_path / "stripes.jpg", size=256, mode="L")[0].astype(int)
    assert np.abs(np.diff(found, axis=1)).min() > 100  # every second column is dark


# --- rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [
        [4, 0, 0],
        np.array([4, 0, 0]),
        slice(1, 4),
        np.array([True, False, False, True, False, True]),
        torch.tensor([2, 3]),
        [],
    ],
    ids=str,
)
def test_subsets_are_tables(files, rows):
    table = ImageTable(files, LABELS, groups=list("uvwxyz"), ids=range(6), size=8)
    part = table[rows]
    expected = np.arange(6)[np.asarray(rows, dtype=int) if isinstance(rows, list) else rows]
    assert isinstance(part, ImageTable) and len(part) == len(expected)
    assert part.paths.tolist() == [str(files[i]) for i in expected]
    assert part.targets.tolist() == [LABELS[i] for i in expected]
    assert part.groups.tolist() == ["uvwxyz"[i] for i in expected]
    assert part.ids.tolist() == [str(i) for i in expected]
    for i, row in enumerate(expected):
        assert torch.equal(part[i][0], table[int(row)][0])
    assert len(table) == 6  # as it was


def test_pickles_and_workers(files):
    table = ImageTable(files, LABELS, size=16)
    twin = pickle.loads(pickle.dumps(table))
    assert torch.equal(twin[2][0], table[2][0]) and twin[2][1] == table[2][1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads
        batches = list(DataLoader(table, batch_size=4, num_workers=1))
    np.testing.assert_array_equal(torch.cat([x for x, _ in batches]).numpy(), table.to_array())
    assert [label for _, y in batches for label in y] == LABELS


def test_batches_and_slice_dataset(files):
    table = ImageTable(files, LABELS)
    images, labels = default_collate([table[i] for i in range(6)])
    assert images.shape == (6, 3, 20, 30) and images.dtype == torch.uint8
    sliced = SliceDataset(table)[np.array([5, 1])]
    assert torch.equal(sliced[0], images[5]) and torch.equal(sliced[1], images[1])
    assert list(SliceDataset(table, idx=1)) == list(labels) == LABELS


def test_a_classifier_learns_from_files_what_it_learns_from_arrays(files):
    table = ImageTable(files, LABELS, size=16)
    net = CoTeachingClassifier(forget_rate=0.3, max_epochs=2, batch_size=3, random_state=0)
    of_files = net.fit(table).predict_proba(table)
    assert net.classes_.tolist() == ["a", "b"] and net.clean_mask_.shape == (6,)
    of_rest = net.predict_proba(Subset(table, [1, 2]))
    of_arrays = net.fit(table.to_array(), LABELS).predict_proba(table.to_array())
    np.testing.assert_array_equal(of_files, of_arrays)
    np.testing.assert_allclose(of_rest, of_files[1:3], rtol=1e-5)


def test_in_the_cleaner(files):
    table = ImageTable(files * 4, LABELS * 4, size=16)
    y = np.array(["a", "b", *LABELS[2:], *LABELS * 3])  # two wrong ones
    net = CoTeachingClassifier(forget_rate=0.3, max_epochs=2, batch_size=8, random_state=0)
    cleaner = ActiveLabelCleaner(net, "coreset", n_rounds=1, round_budget=4, fine_tune_epochs=1)
    cleaner.set_params(random_state=0, pool="unverified")
    of_files = cleaner.fit(table, y, y_clean=table.targets).labels_
    of_arrays = cleaner.fit(table.to_array(), y, y_clean=table.targets).labels_
    np.testing.assert_array_equal(of_files, of_arrays)


# --- bad files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, reason",
    [("missing", "no such file"), ("truncated", "truncated"), ("text", "cannot identify")],
)
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_bad_files_are_named_at_once(files, spoil, kind, reason, n_jobs):
    files.insert(3, spoil[kind])
    with pytest.raises(ValueError, match=rf"1 of 7 .* row 3, .*{spoil[kind].name}: .*{reason}"):
        ImageTable(files, size=16, n_jobs=n_jobs)


def test_all_bad_files_are_counted_and_the_first_listed(tmp_path, files):
    missing = [tmp_path / f"missing{i}.png" for i in range(9)]
    with pytest.raises(
        ValueError, match=r"9 of 15 .*missing0.*missing4.*; and 4 more.* on_error="
    ) as error:
        ImageTable([*files, *missing])
    assert "missing5" not in str(error.value)


@pytest.mark.parametrize("kind", ["missing", "truncated", "text"])
def test_unchecked_bad_files_raise_when_they_are_read(files, spoil, kind):
    table = ImageTable([files[0], spoil[kind], files[1]], check=False)
    assert table[0].shape == table[2].shape == (3, 20, 30)
    with pytest.raises(OSError, match=f"Image 1, .*{spoil[kind].name}, cannot be read"):
        table[1]
    with pytest.raises(OSError, match="Image 1, "):
        table.to_array()


def test_skipping_keeps_rows_together(files, spoil, pixels):
    paths = [spoil["text"], *files[:3], spoil["truncated"], *files[3:], spoil["missing"]]
    labels = ["bad", *LABELS[:3], "bad", *LABELS[3:], "bad"]
    groups = [-1, 0, 1, 2, -1, 3, 4, 5, -1]
    ids = [f"id{i}" for i in range(9)]
    with pytest.warns(UserWarning, match=r"Left out: 3 of 9 images cannot be read: row 0, "):
        table = ImageTable(paths, labels, groups=groups, ids=ids, on_error="skip")
    assert len(table) == 6
    np.testing.assert_array_equal(table.to_array(), pixels.transpose(0, 3, 1, 2))
    assert table.targets.tolist() == LABELS
    assert table.groups.tolist() == list(range(6))
    assert [row for row, _, _ in table.skipped_] == [0, 4, 8]
    assert [skipped.path for skipped in table.skipped_] == [
        str(spoil[kind]) for kind in ("text", "truncated", "missing")
    ]
    assert all(skipped.reason for skipped in table.skipped_)
    assert table.ids.tolist() == np.delete(ids, [s.row for s in table.skipped_]).tolist()


def test_skipping_never_hides_a_file_that_goes_bad_later(files):
    table = ImageTable(files, LABELS, on_error="skip")
    assert table.skipped_ == []
    files[2].unlink()
    with pytest.raises(OSError, match=r"Image 2, .*image2.png, cannot be read: no such file"):
        table[2]
    net = CoTeachingClassifier(forget_rate=0.3, max_epochs=1, random_state=0)
    with pytest.raises(OSError, match=r"image2.png, cannot be read"):
        net.fit(table)


def test_nothing_left_is_an_error(spoil):
    with pytest.raises(ValueError, match="2 of 2 images cannot be read"):
        ImageTable([spoil["text"], spoil["missing"]], on_error="skip")


def test_different_sizes_are_named_before_training(files, spoil):
    files.append(spoil["truncated"].with_name("whole.jpg"))
    with pytest.raises(ValueError, match=r"image0.png has \(3, 20, 30\), .*whole.jpg has"):
        ImageTable(files)
    with pytest.raises(ValueError, match="pass size"):
        ImageTable(files, check=False).to_array()
    assert ImageTable(files, size=20).to_array().shape == (7, 3, 20, 20)


# --- parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"labels": ["a", "b"]}, ValueError, r"labels must be of shape \(6,\)"),
        ({"labels": [None, *LABELS[1:]]}, ValueError, "labels"),
        ({"groups": [1]}, ValueError, r"groups must be of shape \(6,\)"),
        ({"ids": ["a"]}, ValueError, r"ids must be of shape \(6,\)"),
        ({"size": 0}, ValueError, "size must be an int of at least 1"),
        ({"size": "large"}, ValueError, "size must be"),
        ({"size": (20, 30, 3)}, ValueError, "size must be"),
        ({"mode": "CMYK"}, ValueError, "mode must be one of"),
        ({"on_error": "ignore"}, ValueError, "on_error must be"),
        ({"on_error": "skip", "check": False}, ValueError, "needs check=True"),
        ({"loader": "PIL"}, TypeError, "loader must be callable"),
    ],
    ids=lambda value: str(value)[:25],
)
def test_bad_parameters(files, options, error, message):
    with pytest.raises(error, match=message):
        ImageTable(files, **options)


def test_bad_paths(files):
    with pytest.raises(TypeError, match="ImageTable.from_folder"):
        ImageTable(str(files[0].parent))
    with pytest.raises(ValueError, match="paths holds no images"):
        ImageTable([])
