"""Features of frozen networks: those that the network itself computes, for any kind of X."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from torch import nn
from torchvision.models import SqueezeNet1_1_Weights

from noisyactive.datasets import ImageTable
from noisyactive.models import FrozenFeatures


class Means(nn.Module):
    """Mean of each channel; counts its passes."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.dropout = nn.Dropout(0.5)

    def forward(self, images):
        return self.dropout(images.mean(dim=(2, 3)) * self.scale)


def halve(images):
    return images.float() / 2


@pytest.fixture
def images():
    return np.random.RandomState(0).randint(256, size=(7, 3, 40, 48), dtype=np.uint8)


@pytest.fixture
def files(images, tmp_path):
    paths = [tmp_path / f"{row}.png" for row in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image.transpose(1, 2, 0)).save(path)
    return paths


class TestTorchvision:
    def test_features_are_the_input_of_the_head_of_pretrained_weights(self, images, pretrained):
        pretrained("resnet18", size=64)
        preset = torchvision.models.ResNet18_Weights.DEFAULT.transforms()
        theirs = torchvision.models.resnet18(weights="DEFAULT").eval()
        theirs.fc = nn.Identity()
        with torch.no_grad():
            expected = theirs(preset(torch.from_numpy(images))).numpy()
        assert expected.std(axis=0).max() > 0.01
        features = FrozenFeatures("resnet18", batch_size=3).fit_transform(images)
        assert features.dtype == np.float32
        assert_allclose(features, expected, rtol=1e-4, atol=1e-4)

    def test_a_file_by_path_or_url(self, images, tmp_path):
        network = torchvision.models.squeezenet1_1(weights=None)
        file = tmp_path / "my weights.safetensors"
        save_file(network.state_dict(), file)
        by_path = FrozenFeatures("squeezenet1_1", weights=file).transform(images)
        by_url = FrozenFeatures("squeezenet1_1", weights=file.as_uri()).transform(images)
        with torch.no_grad():
            seen = SqueezeNet1_1_Weights.DEFAULT.transforms()(torch.from_numpy(images))
            expected = network.eval().features(seen).mean(dim=(2, 3)).numpy()
        assert_allclose(by_path, expected, rtol=1e-4, atol=1e-5)
        assert_array_equal(by_path, by_url)

    def test_random_weights_are_always_the_same_and_draw_nothing(self, images):
        before = torch.get_rng_state()
        one = FrozenFeatures("squeezenet1_1", weights="random").transform(images)
        assert torch.equal(before, torch.get_rng_state())
        assert_array_equal(FrozenFeatures("squeezenet1_1", weights="random").transform(images), one)

    def test_without_network_the_error_says_what_to_put_where(self, images, checkpoints):
        with pytest.raises(FileNotFoundError, match=r"Fetch .*resnet18-\w+\.pth .* put it at") as e:
            FrozenFeatures("resnet18").fit(images)
        assert str(checkpoints) in str(e.value)

    def test_grey_images_are_repeated(self, images):
        grey = images[:, :1]
        features = FrozenFeatures("squeezenet1_1", weights="random")
        assert_array_equal(features.transform(grey), features.transform(np.repeat(grey, 3, axis=1)))


class TestModules:
    def test_a_module_is_copied_frozen_and_not_changed(self, images):
        module = Means().train()
        features = FrozenFeatures(module, eval_transform=halve, batch_size=2).fit(images)
        expected = images.mean(axis=(2, 3)) / 2
        assert_allclose(features.transform(images), expected, rtol=1e-5)  # no dropout
        assert module.training
        assert module.scale.requires_grad
        with torch.no_grad():
            module.scale.fill_(2)
        assert_allclose(features.transform(images), expected, rtol=1e-5)
        assert_allclose(clone(features).transform(images), 2 * expected, rtol=1e-5)

    def test_factory_and_weights_of_a_file(self, images, tmp_path):
        module = Means()
        with torch.no_grad():
            module.scale.fill_(3)
        torch.save(module.state_dict(), tmp_path / "w.pt")
        features = FrozenFeatures(Means, weights=tmp_path / "w.pt", eval_transform=halve)
        assert_allclose(features.transform(images), images.mean(axis=(2, 3)) * 1.5, rtol=1e-5)
        torch.save({"other": torch.zeros(1)}, tmp_path / "o.pt")
        with pytest.raises(ValueError, match="do not fit the backbone"):
            FrozenFeatures(Means, weights=tmp_path / "o.pt").fit(images / 255)

    def test_what_has_a_pooler_output(self):
        class Output:
            def __init__(self, x):
                self.pooler_output = x

        class Model(nn.Module):
            def forward(self, x):
                return Output(x * 2)

        X = np.arange(6.0).reshape(3, 2)
        assert_array_equal(FrozenFeatures(Model()).transform(X), 2 * X)

    @pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
    def test_mixed_precision(self, dtype):
        X = np.random.RandomState(0).rand(5, 8).astype(np.float32)
        layer = nn.Linear(8, 4)
        full = FrozenFeatures(layer).transform(X)
        mixed = FrozenFeatures(layer, autocast=dtype).transform(X)
        assert mixed.dtype == np.float32
        assert_allclose(mixed, full, atol=0.02)
        assert not np.array_equal(mixed, full)

    def test_bytes_need_a_transform(self, images):
        with pytest.raises(ValueError, match="X holds bytes of images.*eval_transform"):
            FrozenFeatures(Means()).fit(images)

    @pytest.mark.parametrize(
        ("module", "message"),
        [
            (nn.Identity(), r"backbone must return a tensor of shape .* got \(1, 3, 40, 48\)"),
            (nn.LSTM(48, 2, batch_first=True), "got no tensor|LSTM"),
        ],
    )
    def test_features_are_one_row_a_sample(self, images, module, message):
        X = images / 255 if isinstance(module, nn.Identity) else np.zeros((2, 4, 48))
        with pytest.raises(ValueError, match=message):
            FrozenFeatures(module).fit(X)

    def test_infinite_features_are_told(self):
        class Overflow(nn.Module):
            def forward(self, x):
                return x / 0

        with pytest.raises(ValueError, match="backbone returned NaN or infinity"):
            FrozenFeatures(Overflow()).fit(np.ones((2, 2)))


class TestKindsOfImages:
    @pytest.fixture
    def features(self):
        return FrozenFeatures(Means(), eval_transform=halve, batch_size=3)

    @pytest.fixture
    def expected(self, images, features):
        return features.transform(images)

    def test_arrays_and_tensors(self, images, features, expected):
        assert_array_equal(features.transform(torch.from_numpy(images)), expected)
        assert_array_equal(features.transform(list(images)), expected)

    def test_files(self, files, features, expected):
        assert_array_equal(features.transform(files), expected)
        assert_array_equal(features.transform([str(path) for path in files]), expected)
        assert_array_equal(features.transform(np.array([str(path) for path in files])), expected)
        assert_array_equal(features.transform(pd.Series([str(p) for p in files])), expected)
        frame = pd.DataFrame({"age": range(7), "file": [str(path) for path in files]})
        assert_array_equal(clone(features).set_params(column="file").transform(frame), expected)

    def test_datasets(self, files, images, features, expected):
        table = ImageTable(files, ["a", "b", "a", "b", "a", "b", "a"])
        assert_array_equal(features.transform(table), expected)
        assert_array_equal(features.transform(ImageTable(files)), expected)
        pairs = torch.utils.data.TensorDataset(torch.from_numpy(images), torch.arange(7))
        assert_array_equal(features.transform(pairs), expected)
        workers = clone(features).set_params(num_workers=1)
        assert_array_equal(workers.transform(table), expected)

    def test_pil_images(self, files, features, expected):
        assert_array_equal(features.transform([Image.open(path) for path in files]), expected)

    def test_images_of_several_sizes_go_one_by_one(self, images, tmp_path):
        tall = np.random.RandomState(1).randint(256, size=(3, 90, 60), dtype=np.uint8)
        file = tmp_path / "weights.safetensors"
        save_file(torchvision.models.squeezenet1_1(weights=None).state_dict(), file)
        features = FrozenFeatures("squeezenet1_1", weights=file)
        mixed = features.transform([images[0], tall, images[1]])
        each = [features.transform(image[None])[0] for image in (images[0], tall, images[1])]
        assert_allclose(mixed, each, rtol=1e-4, atol=1e-5)
        with pytest.raises(ValueError, match=r"several sizes: pass eval_transform"):
            FrozenFeatures(Means()).transform([images[0], tall])

    def test_a_file_that_is_none(self, files, features):
        files[4].write_bytes(b"no image")
        with pytest.raises(OSError, match=r"X\[4\], .*4\.png, cannot be read"):
            features.transform(files)

    @pytest.mark.parametrize(
        ("X", "error", "message"),
        [
            (np.zeros((2, 2, 8, 8), dtype=np.uint8), ValueError, "1 or 3, height, width"),
            (np.full((2, 3, 8, 8), 7.0), ValueError, "floats must lie between 0 and 1"),
            (np.full((2, 3, 8, 8), np.nan), ValueError, "X contains NaN"),
            ([], ValueError, "X"),
            (["a.png", 3], TypeError, "paths of images, got 3 at position 1"),
            (["a.png", "b"], ValueError, r"no file a.png \(position 0; 2 are missing\)"),
        ],
    )
    def test_bad_images(self, X, error, message):
        with pytest.raises(error, match=message):
            FrozenFeatures("squeezenet1_1", weights="random").fit(X)


class TestScikitLearn:
    def test_clone_pickle_and_names(self, images):
        features = FrozenFeatures(Means(), eval_transform=halve).fit(images)
        twin = pickle.loads(pickle.dumps(features))
        assert_array_equal(twin.transform(images), features.transform(images))
        names = ["frozenfeatures0", "frozenfeatures1", "frozenfeatures2"]
        assert twin.get_feature_names_out().tolist() == names
        frame = features.set_output(transform="pandas").transform(images)
        assert frame.columns.tolist() == names
        assert not get_tags(features).requires_fit

    def test_the_network_is_not_pickled_twice(self, images):
        features = FrozenFeatures("squeezenet1_1", weights="random")
        empty = len(pickle.dumps(features))
        features.fit(images)
        assert len(pickle.dumps(features)) < empty + 300

    def test_changed_parameters_build_another_network(self, images):
        features = FrozenFeatures(Means(), eval_transform=halve).fit(images)
        features.set_params(backbone=nn.Flatten())
        assert features.transform(images).shape == (7, 3 * 40 * 48)

    def test_inside_a_column_transformer(self, files):
        frame = pd.DataFrame({"file": [str(path) for path in files], "age": np.arange(7.0)})
        features = FrozenFeatures(Means(), eval_transform=halve)
        columns = make_column_transformer((features, "file"), (StandardScaler(), ["age"]))
        result = make_pipeline(columns).fit_transform(frame)
        assert_allclose(result[:, :3], features.transform(files), rtol=1e-6)

    def test_a_progress_bar(self, images, capsys):
        FrozenFeatures(Means(), eval_transform=halve, verbose=1).transform(images)
        assert "Computing features 100%" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("changed", "error", "message"),
        [
            ({"backbone": "resnet19"}, ValueError, r"backbone 'resnet19' is no model .*'resnet1"),
            ({"backbone": 3}, ValueError, "'backbone' parameter"),
            ({"backbone": dict}, TypeError, "backbone must return an nn.Module"),
            ({"weights": 3}, TypeError, "weights of resnet18 must be"),
            ({"weights": "https://a.org/w.pth"}, ValueError, "weights .* fetch the file"),
            ({"weights": "none.pth"}, FileNotFoundError, "weights: there is no file"),
            ({"batch_size": 0}, ValueError, "batch_size"),
            ({"device": "moon"}, ValueError, "device"),
            ({"autocast": "half"}, ValueError, "autocast"),
            ({"cache": 3}, ValueError, "cache"),
            ({"column": "x"}, ValueError, "column='x' is for a DataFrame"),
        ],
    )
    def test_bad_parameters(self, images, changed, error, message):
        given = {"backbone": "resnet18", "weights": "random", **changed}
        with pytest.raises(error, match=message):
            FrozenFeatures(**given).fit(images)
