import pickle

import pytest
import torch
import torchvision
from torchvision.models import get_model_weights

from noisyactive.models import torchvision_classifier


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, 3, 40, 50), dtype=torch.uint8, generator=generator)


# Bilinear and bicubic, ImageNet's statistics and others, with and without a margin.
WEIGHTS = [
    ("resnet18", "IMAGENET1K_V1"),
    ("efficientnet_b1", "IMAGENET1K_V2"),
    ("efficientnet_v2_l", "IMAGENET1K_V1"),
    ("inception_v3", "IMAGENET1K_V1"),
    ("swin_v2_t", "IMAGENET1K_V1"),
    ("vit_b_16", "IMAGENET1K_SWAG_LINEAR_V1"),
]


@pytest.mark.parametrize(("name", "weights"), WEIGHTS)
@pytest.mark.parametrize("as_float", [False, True])
def test_the_same_as_the_preset_of_the_weights(name, weights, as_float, batch):
    factory = torchvision_classifier(name, weights)
    preset = get_model_weights(name)[weights].transforms()
    batch = batch.float() / 255 if as_float else batch
    result = factory.eval_transform(batch)
    assert result.dtype == torch.float32
    assert result.shape == (3, 3, factory.image_size, factory.image_size)
    assert torch.equal(result, preset(batch))
    assert torch.equal(result[1:2], factory.eval_transform(batch[1:2]))


def test_another_size_is_a_smaller_picture_of_the_same(batch):
    usual = torchvision_classifier("resnet18").eval_transform
    half = torchvision_classifier("resnet18", image_size=112).eval_transform
    assert (usual.resize, usual.crop) == (256, 224)
    assert (half.resize, half.crop) == (128, 112)
    smooth = torch.arange(50.0).expand(2, 3, 40, 50) / 50  # loses nothing by shrinking
    shrunk = torch.nn.functional.avg_pool2d(usual(smooth), 2)
    torch.testing.assert_close(half(smooth), shrunk, atol=0.05, rtol=0)


def test_without_weights_images_are_normalised_and_keep_their_size(batch):
    result = torchvision_classifier("resnet18", weights=None).eval_transform(batch)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = (batch.permute(0, 2, 3, 1) / 255 - mean) / std
    torch.testing.assert_close(result, expected.permute(0, 3, 1, 2))


def test_without_weights_images_are_brought_to_a_size_if_there_is_one(batch):
    transform = torchvision_classifier("resnet18", weights=None, image_size=20).eval_transform
    assert transform(batch).shape == (3, 3, 20, 20)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_other_numbers_of_channels_are_kept(channels):
    grey = torch.randint(0, 256, (3, 1, 12, 12), dtype=torch.uint8).expand(-1, channels, -1, -1)
    result = torchvision_classifier("resnet18", weights=None).eval_transform(grey)
    expected = (grey / 255 - 0.449) / 0.226
    torch.testing.assert_close(result, expected)


def test_batches_of_grey_images_are_resized():
    grey = torch.zeros(3, 1, 28, 28, dtype=torch.uint8)
    assert torchvision_classifier("resnet18").eval_transform(grey).shape == (3, 1, 224, 224)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_float_becomes_single_precision(dtype, batch):
    batch = (batch.float() / 255).to(dtype)
    assert torchvision_classifier("resnet18").eval_transform(batch).dtype == torch.float32


def test_transforms_can_be_pickled_and_leave_the_batch_alone(batch):
    transform = torchvision_classifier("vit_b_16").eval_transform
    before = batch.clone()
    again = pickle.loads(pickle.dumps(transform))
    assert torch.equal(again(batch), transform(batch))
    assert torch.equal(batch, before)
    plain = torchvision_classifier("resnet18", weights=None).eval_transform
    floats = batch / 255
    before = floats.clone()
    plain(floats)
    assert torch.equal(floats, before)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(3, 8, 8), r"must be a tensor of shape .* got \(3, 8, 8\)"),
        ([1, 2], "must be a tensor of shape .* got list"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int64), "must be uint8 or floats .* got torch.int64"),
        (torch.full((1, 3, 8, 8), 255.0), "must lie between 0 and 1, got values from 255 to 255"),
        (torch.full((1, 3, 8, 8), -0.5), "must lie between 0 and 1"),
        (torch.full((1, 3, 8, 8), torch.nan), "must lie between 0 and 1"),
    ],
)
def test_images_of_unknown_range_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        torchvision_classifier("resnet18").eval_transform(images)


def test_it_is_a_step_of_a_network():
    factory = torchvision_classifier("squeezenet1_1", weights=None)
    network = factory(2).eval()
    whole = torch.nn.Sequential(factory.eval_transform, network)
    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    torch.testing.assert_close(whole(images), network((images / 255 - mean) / std))
    assert "crop=None" in repr(whole)
    assert torchvision.models.list_models(module=torchvision.models)  # untouched
