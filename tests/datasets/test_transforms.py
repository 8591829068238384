import copy
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from torchvision.transforms import v2

from noisyactive import CoTeachingClassifier
from noisyactive.datasets import ImageTable, PerImage, paper_transforms

MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)


@pytest.fixture
def batch():
    """Bytes of 12 images."""
    rng = np.random.RandomState(0)
    return torch.from_numpy(rng.randint(0, 256, (12, 3, 48, 40), dtype=np.uint8))


def test_per_image_draws_for_every_image():
    ramp = torch.arange(64.0).reshape(1, 1, 8, 8).repeat(400, 1, 1, 1)
    torch.manual_seed(0)
    crops = PerImage(v2.RandomCrop(4))(ramp)
    corners, counts = crops[:, 0, 0, 0].unique(return_counts=True)
    # All 25 places of a 4 x 4 window in 8 x 8, each about 16 times.
    assert corners.tolist() == [8.0 * i + j for i in range(5) for j in range(5)]
    assert counts.max() < 36
    for crop in crops[:50, 0]:
        torch.testing.assert_close(crop - crop[0, 0], ramp[0, 0, :4, :4])
    flipped = PerImage(v2.RandomHorizontalFlip())(ramp)[:, 0, 0, 0] == 7
    assert 140 < flipped.sum() < 260  # 200 +- 10


def test_per_image_follows_the_global_generator(batch):
    transform = PerImage(v2.ColorJitter(brightness=0.5))
    torch.manual_seed(3)
    first = transform(batch)
    torch.manual_seed(3)
    loop = [transform.transform(image) for image in batch]
    assert torch.equal(first, torch.stack(loop))
    assert not torch.equal(first, transform(batch))
    with pytest.raises(TypeError, match="transform must be callable"):
        PerImage(0.5)


@pytest.mark.parametrize("size, resized", [(224, 256), (28, 32), (8, 9)])
def test_eval_transform_is_the_paper_s(batch, size, resized):
    found = paper_transforms(size)[1](batch)
    assert found.shape == (12, 3, size, size) and found.dtype == torch.float32
    # The same by torch's own interpolation: shorter side (40) to `resized`, the middle, the norm.
    height = int(resized * 48 / 40)
    scaled = torch.nn.functional.interpolate(
        batch.float() / 255, (height, resized), mode="bilinear", antialias=True
    )
    top, left = round((height - size) / 2), round((resized - size) / 2)
    expected = (scaled[:, :, top : top + size, left : left + size] - MEAN) / STD
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_eval_transform_knows_no_batch_and_no_chance(batch):
    _, transform = paper_transforms(32)
    whole = transform(batch)
    alone = torch.cat([transform(image[None]) for image in batch])
    torch.testing.assert_close(whole, alone)
    assert torch.equal(whole, transform(batch))


def test_train_transform_changes_every_image_differently(batch):
    train, _ = paper_transforms(32)
    same = batch[:1].repeat(40, 1, 1, 1)
    torch.manual_seed(0)
    found = train(same)
    assert found.shape == (40, 3, 32, 32) and found.dtype == torch.float32
    assert len(found.unique(dim=0)) == 40
    torch.manual_seed(0)
    assert torch.equal(found, train(same))
    assert not torch.equal(found, train(same))
    pixels = found * STD + MEAN
    assert pixels.min() > -1e-4 and pixels.max() < 1 + 1e-4
    brightness = pixels.mean(dim=(1, 2, 3))
    assert brightness.std() > 0.02  # jitter
    assert np.isclose(brightness.mean(), (same.float() / 255).mean(), atol=0.05)


def test_about_half_the_images_are_blurred():
    noise = torch.randint(0, 256, (1, 1, 256, 256), generator=torch.manual_seed(0))
    train, _ = paper_transforms(224)
    found = train(noise.to(torch.uint8).repeat(40, 1, 1, 1))[:, 0]
    # Between neighbours in noise: the same share of its contrast, whatever the contrast.
    roughness = (found[..., 1:] - found[..., :-1]).std(dim=(1, 2)) / found.std(dim=(1, 2))
    blurred = roughness < 0.9 * roughness.max()
    assert 8 < blurred.sum() < 32


def test_flips_left_to_right_and_never_upside_down():
    image = torch.zeros(1, 3, 36, 36)
    image[..., :18, :18] = 1  # top left
    train, _ = paper_transforms(32)
    torch.manual_seed(0)
    found = train(image.repeat(60, 1, 1, 1))
    quarters = found[:, 0].reshape(60, 2, 16, 2, 16).mean(dim=(2, 4)).flatten(1)
    brightest = quarters.argmax(dim=1).bincount(minlength=4)
    assert brightest[2:].tolist() == [0, 0]
    assert 15 < brightest[0] < 45


def test_bytes_floats_and_grey_agree(batch):
    _, transform = paper_transforms(32)
    as_bytes = transform(batch)
    torch.testing.assert_close(transform(batch.double() / 255), as_bytes)
    grey = batch[:, :1]
    torch.testing.assert_close(transform(grey), transform(grey.repeat(1, 3, 1, 1)))
    train, _ = paper_transforms(32)
    assert train(grey).shape == (12, 3, 32, 32)


def test_inputs_are_not_written_to(batch):
    images = batch.float() / 255
    before = images.clone()
    for transform in paper_transforms(32):
        transform(images)
    assert torch.equal(images, before)


def test_can_be_pickled_and_copied(batch):
    for transform in paper_transforms(28):
        for twin in (pickle.loads(pickle.dumps(transform)), copy.deepcopy(transform)):
            torch.manual_seed(0)
            expected = transform(batch)
            torch.manual_seed(0)
            assert torch.equal(twin(batch), expected)


@pytest.mark.parametrize("index", [0, 1])
def test_bad_batches(batch, index):
    transform = paper_transforms(32)[index]
    with pytest.raises(ValueError, match=r"must lie between 0 and 1, got values from 0 to 255"):
        transform(batch.float())
    with pytest.raises(ValueError, match="1 or 3 channels"):
        transform(batch.permute(0, 2, 3, 1))
    with pytest.raises(ValueError, match="must be a tensor of shape"):
        transform(batch[0])
    with pytest.raises(ValueError, match="uint8 or floats"):
        transform(batch.int())


@pytest.mark.parametrize("size", [0, 7, 28.5, "large", None])
def test_bad_size(size):
    with pytest.raises(ValueError, match="size must be an int of at least 8"):
        paper_transforms(size)


@pytest.mark.parametrize("lazy", [False, True])
def test_in_a_classifier(tmp_path, batch, lazy):
    X, y = batch.numpy(), np.arange(12) % 2
    if lazy:
        paths = [tmp_path / f"{i:02}.png" for i in range(12)]
        for path, image in zip(paths, X, strict=True):
            Image.fromarray(image.transpose(1, 2, 0)).save(path)
        X = ImageTable(paths, y)
    train_transform, eval_transform = paper_transforms(24)
    net = CoTeachingClassifier(
        train_transform=train_transform,
        eval_transform=eval_transform,
        forget_rate=0.3,
        max_epochs=2,
        random_state=0,
    )
    proba = clone(net).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(clone(net).fit(X, y).predict_proba(X), proba)
    # Prediction is that of the plain network on what the eval transform makes of the images.
    logits = net.fit(X, y).to_module()(eval_transform(batch))
    np.testing.assert_allclose(logits.softmax(dim=1).detach(), proba, rtol=1e-4)
    plain = clone(net).set_params(train_transform=eval_transform).fit(X, y)
    assert np.abs(plain.predict_proba(X) - proba).max() > 1e-4  # the augmentation did something
