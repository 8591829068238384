"""Images of any kind are rendered, and harmful files refused."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from noisyactive._images import NotShown, images_of, render, to_image
from noisyactive.datasets import ImageTable


def opened(picture):
    return Image.open(BytesIO(picture.data))


def pixels(picture):
    return np.asarray(opened(picture))


class TestRender:
    @pytest.mark.parametrize(
        "suffix, modes",
        [
            ("bmp", ["1", "L", "P", "RGB"]),
            ("gif", ["1", "L", "P"]),
            ("jpg", ["L", "RGB", "CMYK"]),
            ("png", ["1", "L", "LA", "P", "RGB", "RGBA"]),
            ("tif", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"]),
            ("webp", ["L", "RGB", "RGBA"]),
        ],
    )
    def test_kinds_of_pixels(self, tmp_path, suffix, modes):
        for mode in modes:
            image = Image.linear_gradient("L").convert("RGB").convert(mode)
            # Without compression, old Pillows write a TIFF of YCbCr that they cannot read.
            image.save(tmp_path / f"image.{suffix}", compression="tiff_lzw")
            shown = render(tmp_path / f"image.{suffix}")
            assert shown.size == (256, 256)
            expected = np.asarray(image.convert("RGB").convert("L")).astype(int)
            difference = np.asarray(opened(shown).convert("L")) - expected
            assert abs(difference).max() <= 12, mode  # some files are lossy

    @pytest.mark.parametrize("dtype", ["uint16", "int32", "float32"])
    def test_more_than_8_bits_are_scaled(self, tmp_path, dtype):
        path = tmp_path / "ct.tif"
        values = np.array([[0, 1000], [2000, 4000]], dtype)  # of 65535
        Image.fromarray(values).save(path)
        assert pixels(render(path)).tolist() == [[0, 64], [128, 255]]

    def test_the_first_frame_of_several(self, tmp_path):
        frames = [Image.new("L", (9, 9), value) for value in (10, 200)]
        frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
        assert pixels(render(tmp_path / "a.gif")).max() <= 10

    def test_a_large_image_is_sent_smaller(self):
        shown = render(Image.new("RGB", (6000, 1500), (200, 10, 10)))
        assert shown.size == (6000, 1500)
        assert opened(shown).size == (2048, 512)

    def test_a_large_photograph_too(self, tmp_path):
        Image.new("RGB", (1500, 9000)).save(tmp_path / "a.jpg")
        shown = render(tmp_path / "a.jpg")
        assert shown.size == (1500, 9000) and shown.media_type == "image/jpeg"
        assert max(opened(shown).size) <= 2048

    def test_upright_and_without_what_came_along(self, tmp_path):
        image = Image.new("RGB", (40, 20), "white")
        image.paste((200, 0, 0), (0, 0, 20, 20))
        exif = image.getexif()
        exif[0x0112] = 6  # turned by 90 degrees
        exif[0x010E] = "Name of the patient"
        exif.get_ifd(0x8825)[1] = "N"
        image.save(tmp_path / "a.jpg", exif=exif, comment=b"Name of the patient", dpi=(77, 77))
        image.save(tmp_path / "a.png", exif=exif, icc_profile=b"Name of the patient")
        for name in ("a.jpg", "a.png"):
            shown = render(tmp_path / name)
            assert b"patient" in (tmp_path / name).read_bytes()
            assert b"patient" not in shown.data and b"Exif" not in shown.data
            assert shown.size == opened(shown).size == (20, 40)
            top, bottom = pixels(shown)[5, 10], pixels(shown)[35, 10]
            assert top[1] < 60 < 200 < bottom[1]

    def test_the_image_of_the_caller_stays_as_it_is(self):
        image = Image.new("RGB", (3000, 3000))
        image.info["comment"] = "mine"
        render(image)
        assert image.size == (3000, 3000) and image.info == {"comment": "mine"}


class TestHarm:
    @pytest.mark.parametrize(
        "kind",
        ["empty", "text", "html", "svg", "truncated", "garbled", "claims to be huge",
         "claims to be endless", "claims too much", "too large", "PostScript", "another format",
         "a folder", "a pipe", "a device", "missing"],
    )  # fmt: skip
    def test_it_cannot_be_shown(self, write_broken_image, tmp_path, kind):
        path = write_broken_image(tmp_path / "image.png", kind)
        with pytest.raises(NotShown) as raised:
            render(path)
        message = str(raised.value)
        assert message.endswith(".") and str(tmp_path) not in message

    @pytest.mark.parametrize("shape", [(3,), (0, 5), (3, 0, 5), (2, 3, 4, 5)])
    def test_arrays_that_are_no_images(self, shape):
        with pytest.raises(NotShown):
            render(np.zeros(shape))

    def test_objects_that_are_no_images(self):
        for thing in (None, "no such file", object(), {"a": 1}, np.array([["a", "b"]])):
            with pytest.raises(NotShown):
                render(thing)


class TestArrays:
    def test_all_rows_share_one_scale(self):
        X = np.linspace(-2, 3, 5 * 3 * 4 * 4).reshape(5, 3, 4, 4)
        show = images_of(X)
        for row in range(5):
            expected = (X[row].transpose(1, 2, 0) + 2) / 5 * 255
            np.testing.assert_allclose(np.asarray(show(row)), expected, atol=0.51)

    @pytest.mark.parametrize("n_channels", [1, 3, 4])
    def test_channels_may_be_last(self, n_channels):
        X = np.random.RandomState(0).randint(256, size=(2, 6, 7, n_channels)).astype(np.uint8)
        shown = np.asarray(images_of(X)(1))
        np.testing.assert_array_equal(shown, X[1, :, :, 0] if n_channels == 1 else X[1, :, :, :3])

    def test_bytes_stay_as_they_are(self):
        X = np.random.RandomState(0).randint(50, 100, (4, 1, 6, 7)).astype(np.uint8)
        for data in (X, torch.from_numpy(X)):
            assert (np.asarray(images_of(data)(2)) == X[2, 0]).all()

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64])
    def test_tensors(self, dtype):
        X = torch.arange(2 * 5 * 5).reshape(2, 1, 5, 5).to(dtype)
        np.testing.assert_allclose(
            np.asarray(images_of(X)(1)), X[1, 0].double().numpy() / 49 * 255, atol=0.51
        )

    def test_grey_without_channels_and_odd_channels(self):
        X = np.random.RandomState(0).rand(3, 6, 5)
        X[0, 0, 0], X[0, 0, 1] = 0, 1
        np.testing.assert_allclose(np.asarray(images_of(X)(1)), X[1] * 255, atol=0.51)
        many = np.stack([X, 1 - X], axis=1)  # 2 channels
        np.testing.assert_allclose(np.asarray(images_of(many)(1)), X[1] * 255, atol=0.51)

    def test_what_is_not_finite_does_not_spoil_the_scale(self):
        X = np.array([[[[0.0, 1.0], [np.nan, np.inf]]], [[[-np.inf, 2.0], [0.5, 1.0]]]])
        assert np.asarray(images_of(X)(0)).tolist() == [[0, 128], [0, 255]]
        assert np.asarray(images_of(X)(1)).tolist() == [[0, 255], [64, 128]]

    @pytest.mark.parametrize("value", [0.0, 7.0, np.nan])
    def test_a_flat_image(self, value):
        assert np.asarray(to_image(np.full((3, 3), value))).shape == (3, 3)

    def test_a_table_of_rows_has_no_images(self):
        assert images_of(np.zeros((5, 3))) is None
        assert images_of([[1, 2], [3, 4]]) is None

    def test_files_are_shown_whole(self, tmp_path):
        Image.linear_gradient("L").save(tmp_path / "a.png")
        Image.new("L", (30, 10)).save(tmp_path / "b.png")
        table = ImageTable([tmp_path / "a.png", tmp_path / "b.png"], size=8)
        show = images_of(table)
        assert [render(show(row)).size for row in (0, 1)] == [(256, 256), (30, 10)]

    def test_with_the_loader_that_the_table_has(self, tmp_path):
        (tmp_path / "a.raw").write_bytes(bytes(range(16)))

        def load(path):
            with open(path, "rb") as file:
                return Image.frombytes("L", (4, 4), file.read())

        show = images_of(ImageTable([tmp_path / "a.raw"], loader=load, mode="L"))
        assert pixels(render(show(0))).ravel().tolist() == list(range(16))
