"""Backbones of timm and sentence-transformers, and data of Hugging Face, where these are there."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from noisyactive import ActiveLabelCleaner, find_label_issues
from noisyactive.models import FrozenFeatures

# What Hugging Face's own fingerprints may say.
DILL = pytest.mark.filterwarnings("ignore:Cannot (locate|pickle)")


@pytest.fixture
def images():
    return np.random.RandomState(0).randint(256, size=(5, 3, 40, 48), dtype=np.uint8)


@pytest.fixture
def no_network(monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


class TestTimm:
    @pytest.fixture
    def timm(self):
        return pytest.importorskip("timm")

    @pytest.mark.parametrize("name", ["timm/resnet10t", "resnet10t"])
    def test_features_and_transform_are_those_of_timm(self, timm, name, images, tmp_path):
        network = timm.create_model("resnet10t", num_classes=3).eval()
        save_file(network.state_dict(), tmp_path / "w.safetensors")
        features = FrozenFeatures(name, weights=tmp_path / "w.safetensors", batch_size=2)
        config = timm.data.resolve_model_data_config(network)
        prepare = timm.data.create_transform(**config, is_training=False)
        pictures = [Image.fromarray(image.transpose(1, 2, 0)) for image in images]
        with torch.no_grad():
            expected = network(torch.stack([prepare(one) for one in pictures]))
            expected = network.forward_head(
                network.forward_features(torch.stack([prepare(one) for one in pictures])),
                pre_logits=True,
            )
        found = features.fit_transform(images)
        assert found.shape == (5, 512)
        # PIL rounds to bytes after resizing.
        assert_allclose(found, expected, atol=0.05 * expected.std())

    def test_random_weights(self, timm, images):
        one = FrozenFeatures("timm/resnet10t", weights="random").transform(images)
        assert_array_equal(FrozenFeatures("resnet10t", weights="random").transform(images), one)

    @pytest.mark.usefixtures("no_network")
    def test_the_error_without_network_names_the_page_and_the_file(self, timm, images):
        with pytest.raises(FileNotFoundError, match=r"model\.safetensors .*timm/resnet10t") as e:
            FrozenFeatures("timm/resnet10t").fit(images)
        assert "pass its path as weights" in str(e.value)

    def test_an_unknown_name(self, timm, images):
        with pytest.raises(ValueError, match="backbone: Unknown model"):
            FrozenFeatures("timm/nosuch", weights="random").fit(images)


def test_a_small_pretrained_network_that_a_package_ships():
    """Weights of a face detector: a file of real weights in an nn.Module of somebody else's."""
    network = pytest.importorskip("facenet_pytorch.models.mtcnn").ONet().eval()
    body = nn.Sequential(*[part for name, part in network.named_children()][:11])
    X = np.random.RandomState(0).uniform(-1, 1, (4, 3, 48, 48)).astype(np.float32)
    features = FrozenFeatures(nn.Sequential(body, nn.Flatten()), batch_size=3).transform(X)
    with torch.no_grad():
        assert_allclose(features, body(torch.from_numpy(X)).flatten(1), rtol=1e-4, atol=1e-5)


TEXTS = [
    "the cat sat on the mat",
    "a kitten slept on the rug",
    "the bank raised interest rates",
    "stocks fell after the rates were raised",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A text encoder with real weights: the word vectors that the package wordllama ships."""
    library = pytest.importorskip("sentence_transformers")
    tokenizers = pytest.importorskip("tokenizers")
    if (package := find_spec("wordllama")) is None:
        pytest.skip("wordllama is not installed; the extra 'tests' has it")
    root = tmp_path_factory.mktemp("encoder")
    home = package.submodule_search_locations[0]
    vectors = next(iter(load_file(f"{home}/weights/l2_supercat_256.safetensors").values()))
    words = tokenizers.Tokenizer.from_file(f"{home}/tokenizers/l2_supercat_tokenizer_config.json")
    words.no_padding()
    static = library.sentence_transformer.modules.StaticEmbedding(
        words, embedding_weights=vectors.float().numpy()
    )
    library.SentenceTransformer(modules=[static]).save(str(root))
    return root


class TestTexts:
    def test_features_are_the_encoders_and_mean_something(self, folder):
        library = pytest.importorskip("sentence_transformers")
        features = FrozenFeatures(str(folder), batch_size=3).fit_transform(TEXTS)
        expected = library.SentenceTransformer(str(folder)).encode(TEXTS)
        assert_allclose(features, expected, rtol=1e-5, atol=1e-6)
        unit = features / np.linalg.norm(features, axis=1, keepdims=True)
        alike = unit @ unit.T - 2 * np.eye(4)
        assert alike.argmax(axis=1).tolist() == [1, 0, 3, 2]

    def test_kinds_of_texts(self, folder, tmp_path):
        features = FrozenFeatures(folder)
        expected = features.transform(TEXTS)
        for X in (np.array(TEXTS), pd.Series(TEXTS), pd.DataFrame({"t": TEXTS}), tuple(TEXTS)):
            assert_array_equal(features.transform(X), expected)
        library = pytest.importorskip("sentence_transformers")
        object_ = FrozenFeatures(library.SentenceTransformer(str(folder)))
        assert_array_equal(object_.transform(TEXTS), expected)

    def test_cache(self, folder, tmp_path):
        features = FrozenFeatures(folder, batch_size=3, cache=tmp_path)
        first = features.transform(TEXTS)
        assert len(list(tmp_path.rglob("*.safetensors"))) == 2
        features._backbone().network.encode = None  # whoever calls it now fails
        assert_array_equal(features.transform(TEXTS), first)

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            (["a", None], "X must hold texts, got None at position 1"),
            (pd.Series(["a", np.nan]), "X must hold texts, got nan at position 1"),
            (np.zeros((2, 3)), "X must hold texts for this backbone"),
        ],
    )
    def test_what_is_no_text(self, folder, X, message):
        with pytest.raises(TypeError, match=message):
            FrozenFeatures(folder).fit(X)

    def test_weights_are_in_the_folder(self, folder):
        with pytest.raises(ValueError, match="weights must be None for the text encoder"):
            FrozenFeatures(folder, weights="random").fit(TEXTS)

    @pytest.mark.usefixtures("no_network")
    def test_the_error_without_network_names_the_files_and_the_folder(self):
        pytest.importorskip("sentence_transformers")
        with pytest.raises(FileNotFoundError, match=r"huggingface.co/no/such .*config\.json") as e:
            FrozenFeatures("no/such").fit(TEXTS)
        assert "pass the path of the folder as backbone" in str(e.value)

    @DILL
    def test_columns_of_hugging_face(self, folder):
        library = pytest.importorskip("datasets")
        table = library.Dataset.from_dict({"label": [0, 0, 1, 1], "text": TEXTS})
        features = FrozenFeatures(folder)
        assert_array_equal(features.transform(table), features.transform(TEXTS))
        twice = table.add_column("title", TEXTS)
        with pytest.raises(ValueError, match="2 columns that could be the texts .* pass column"):
            features.transform(twice)
        named = FrozenFeatures(folder, column="title")
        assert_array_equal(named.transform(twice), features.transform(TEXTS))
        with pytest.raises(ValueError, match="column must be one of"):
            FrozenFeatures(folder, column="name").transform(twice)


@DILL
class TestHuggingFaceData:
    def test_images_and_arrays(self, images):
        library = pytest.importorskip("datasets")
        pictures = [Image.fromarray(image.transpose(1, 2, 0)) for image in images]
        kinds = library.Features(
            {"image": library.Image(), "label": library.Value("int64"), "x": library.List(
                library.Value("float32"))}
        )  # fmt: skip
        numbers = np.random.RandomState(0).rand(5, 4).astype(np.float32)
        table = library.Dataset.from_dict(
            {"image": pictures, "label": range(5), "x": numbers.tolist()}, features=kinds
        )
        features = FrozenFeatures("squeezenet1_1", weights="random", batch_size=2)
        assert_array_equal(features.transform(table), features.transform(images))
        assert_array_equal(
            FrozenFeatures(nn.Identity(), column="x", batch_size=2).transform(table), numbers
        )
        shuffled = table.select([3, 1])
        assert_allclose(features.transform(shuffled), features.transform(images[[3, 1]]), rtol=1e-5)

    def test_the_cleaner_reads_a_column_of_images(self):
        library = pytest.importorskip("datasets")
        bright = np.random.RandomState(0).randint(200, 256, size=(12, 3, 8, 8), dtype=np.uint8)
        bright[::2] //= 4
        pictures = [Image.fromarray(image.transpose(1, 2, 0)) for image in bright]
        y = np.arange(12) % 2
        noisy = y.copy()
        noisy[3] = 0
        table = library.Dataset.from_dict({"image": pictures, "label": noisy})

        features = FrozenFeatures(nn.Flatten(), eval_transform=torch.Tensor.float)
        model = make_pipeline(features, StandardScaler(), LogisticRegression(C=0.01))
        issues = find_label_issues(model, table, noisy, random_state=0)
        assert issues.index[0] == 3
        cleaner = ActiveLabelCleaner(model, n_rounds=2, round_budget=4, random_state=0)
        cleaner.start(table, np.asarray(table["label"]))
        while len(rows := cleaner.query()):
            cleaner.teach(rows, y[rows])
        assert_array_equal(cleaner.predict(table), y)
