"""DICOM files, written here as scanners write them."""

import io

import numpy as np
import pytest
from PIL import Image

from noisyactive._images import ImageFolder, NotShown, image_finder, render

pydicom = pytest.importorskip("pydicom")
from pydicom.dataset import FileDataset, FileMetaDataset  # noqa: E402
from pydicom.encaps import encapsulate  # noqa: E402
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless  # noqa: E402


def write(path, pixels, syntax=ExplicitVRLittleEndian, **tags):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    n_frames = len(pixels) if pixels.ndim == 3 else 1
    data.Rows, data.Columns = pixels.shape[-2:]
    data.SamplesPerPixel, data.NumberOfFrames = 1, n_frames
    data.PhotometricInterpretation = "MONOCHROME2"
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit = 15
    data.PatientName = "Somebody^Known"
    for name, value in tags.items():
        setattr(data, name, value)
    data.PixelData = pixels.tobytes()
    if syntax.is_compressed:
        data.PixelData = encapsulate([b"\xff\x4f\xff\x51 no stream"])
    data.save_as(path, enforce_file_format=True)
    return path


def shown(source):
    picture = render(source)
    with Image.open(io.BytesIO(picture.data)) as image:
        assert not image.info  # nothing of the patient
        return np.asarray(image).astype(int)


@pytest.fixture
def ramp():
    return np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)


def test_its_own_window_comes_first(tmp_path, ramp):
    grey = shown(write(tmp_path / "a.dcm", ramp, WindowCenter=2000.5, WindowWidth=1001))
    assert (grey[ramp <= 1500] == 0).all() and (grey[ramp > 2500] == 255).all()
    inside = (ramp > 1500) & (ramp <= 2500)
    np.testing.assert_allclose(grey[inside], (ramp[inside] - 1500) / 1000 * 255, atol=1)


def test_values_are_rescaled_before_the_window(tmp_path, ramp):
    ct = {"RescaleSlope": 1, "RescaleIntercept": -1024, "WindowCenter": [40, 500]}
    grey = shown(write(tmp_path / "a.dcm", ramp, WindowWidth=[400, 2000], **ct))
    units = ramp.astype(int) - 1024
    expected = ((units + 160) / 399 * 255).clip(0, 255)
    np.testing.assert_allclose(grey, expected, atol=1.5)


def test_without_a_window_neither_a_patch_nor_padding_spoils_it(tmp_path, ramp):
    pixels = ramp.astype(np.int16) - 1000
    pixels[:4, :30] = 32767  # burnt in
    pixels[60:, :] = -32768
    grey = shown(write(tmp_path / "a.dcm", pixels, PixelPaddingValue=-32768))
    middle = grey[5:59]
    assert middle.min() < 30 and middle.max() > 225


def test_white_may_be_zero(tmp_path, ramp):
    usual = shown(write(tmp_path / "a.dcm", ramp))
    inverted = shown(write(tmp_path / "b.dcm", ramp, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(inverted, 255 - usual)


def test_the_middle_frame(tmp_path, ramp):
    frames = np.stack([ramp * 0, ramp, ramp * 0])
    np.testing.assert_array_equal(
        shown(write(tmp_path / "a.dcm", frames)), shown(write(tmp_path / "b.dcm", ramp))
    )


def test_files_are_found_by_what_they_hold(tmp_path, ramp):
    write(tmp_path / "IM0001", ramp)
    write(tmp_path / "IM0002.dcm", ramp)
    (tmp_path / "IM0003.txt").write_text("no image")
    find = image_finder(tmp_path, None)
    assert shown(find(0, "IM0001")).shape == shown(find(0, "IM0002")).shape == (64, 64)
    with pytest.raises(NotShown, match="IM0003.txt exists, but it is not an image"):
        render(find(0, "IM0003"))
    with pytest.raises(NotShown, match="There is no image"):
        render(find(0, "IM0004"))
    assert ImageFolder(tmp_path).path_of("IM0003") is None  # for training and other tools


def test_what_cannot_be_shown_says_so(tmp_path, ramp):
    with pytest.raises(NotShown, match="a.dcm exists, but its DICOM compression .*JPEG 2000"):
        render(write(tmp_path / "a.dcm", ramp, syntax=JPEG2000Lossless))
    with pytest.raises(NotShown, match="too many"):
        render(write(tmp_path / "b.dcm", ramp, Rows=60_000, Columns=60_000))
    (tmp_path / "c.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"x" * 50)
    with pytest.raises(NotShown, match="c.dcm exists"):
        render(tmp_path / "c.dcm")
