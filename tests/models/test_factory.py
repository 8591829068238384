import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
import torchvision
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torchvision.models import ResNet18_Weights, ResNet50_Weights

from noisyactive import CoTeachingVOGClassifier
from noisyactive.models import torchvision_classifier

FACTORIES = [
    torchvision_classifier("resnet18"),
    torchvision_classifier("resnet18", weights=None),
    torchvision_classifier("resnet18", image_size=64),
    torchvision_classifier("mobilenet_v3_small", weights=None, dropout=0.5),
    torchvision_classifier("mobilenet_v3_small", weights=None, dropout=0.4),
]


@pytest.mark.parametrize("factory", FACTORIES, ids=repr)
def test_copies_are_equal_and_others_are_not(factory):
    copies = [copy.deepcopy(factory), pickle.loads(pickle.dumps(factory)), eval(repr(factory))]
    assert all(other == factory for other in copies)
    assert {*copies, factory} == {factory}
    assert [other for other in FACTORIES if other == factory] == [factory]
    net = clone(CoTeachingVOGClassifier(factory))
    assert net.get_params()["module"] == factory
    assert repr(factory) in repr(net)


def test_nothing_can_be_set():
    with pytest.raises(AttributeError):
        FACTORIES[0].weights = None


@pytest.mark.parametrize(
    "weights",
    ["IMAGENET1K_V1", "ResNet18_Weights.DEFAULT", ResNet18_Weights.DEFAULT],
    ids=repr,
)
def test_weights_go_by_several_names(weights):
    assert torchvision_classifier("resnet18", weights) == torchvision_classifier("resnet18")


def test_options_reach_the_builder():
    network = torchvision_classifier("mobilenet_v3_small", weights=None, dropout=0.7)(2)
    assert network.classifier[2].p == 0.7


def test_every_classification_model_has_a_size_and_a_transform():
    for name in torchvision.models.list_models(module=torchvision.models):
        factory = torchvision_classifier(name)
        crop = torchvision.models.get_model_weights(name).DEFAULT.transforms().crop_size
        assert [factory.image_size] == crop
        assert factory.eval_transform.crop == factory.image_size


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"name": "resnet19"}, ValueError, "did you mean 'resnet1"),
        ({"name": "ResNet18"}, ValueError, "did you mean 'resnet18'"),
        ({"name": "fcn_resnet50"}, ValueError, "name must be a classification model"),
        ({"name": torchvision.models.resnet18}, TypeError, "name must be the name"),
        ({"weights": "IMAGENET1K_V9"}, ValueError, r"one of \['IMAGENET1K_V1'\]"),
        ({"weights": ResNet50_Weights.DEFAULT}, ValueError, "belong to another model"),
        ({"weights": True}, TypeError, "weights of resnet18 must be"),
        ({"weights": "nowhere.pth"}, FileNotFoundError, "weights: there is no file nowhere.pth"),
        (
            {"name": "vgg16", "weights": "IMAGENET1K_FEATURES"},
            ValueError,
            "those of the convolutions alone",
        ),
        ({"name": "vit_b_16", "image_size": 64}, ValueError, "image_size must be 224"),
        ({"image_size": 0}, ValueError, "image_size must be an int"),
        ({"image_size": 32.0}, ValueError, "image_size must be an int"),
        ({"num_classes": 3}, TypeError, "set as module__num_classes"),
        ({"in_channels": 1}, TypeError, "set as module__in_channels"),
        ({"pretrained": True}, TypeError, "choose weights"),
        ({"name": "inception_v3", "aux_logits": True}, ValueError, "aux_logits must be False"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        torchvision_classifier(**{"name": "resnet18", **arguments})


@pytest.mark.parametrize(
    ("name", "options", "arguments", "error", "message"),
    [
        ("resnet18", {}, {"num_classes": 0}, ValueError, "num_classes must be"),
        ("resnet18", {}, {"num_classes": 2.0}, ValueError, "num_classes must be"),
        ("resnet18", {}, {"num_classes": 2, "in_channels": 0}, ValueError, "in_channels must be"),
        ("resnet18", {"width": 3}, {"num_classes": 2}, TypeError, "'width'"),
        ("vit_b_16", {"image_size": 33}, {"num_classes": 2}, ValueError, "patch size"),
    ],
)
def test_bad_calls(name, options, arguments, error, message):
    factory = torchvision_classifier(name, weights=None, **options)
    with pytest.raises(error, match=message):
        factory(**arguments)


@pytest.mark.slow
def test_grid_search_over_architectures_in_processes(workers):
    X = np.random.default_rng(0).random((12, 3, 32, 32), dtype=np.float32)
    y = np.tile([0, 1], 6)
    modules = [
        torchvision_classifier(name, weights=None)
        for name in ("shufflenet_v2_x0_5", "squeezenet1_1")
    ]
    net = CoTeachingVOGClassifier(
        forget_rate=0.3, mix_ratio=0, max_epochs=1, lr=0.001, random_state=0
    )
    scores = []
    for n_jobs in (1, 2):
        search = GridSearchCV(net, {"module": modules}, cv=2, n_jobs=n_jobs, error_score="raise")
        search.fit(X, y)
        assert search.best_params_["module"] in modules
        assert list(search.cv_results_["param_module"]) == modules
        scores.append(search.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(*scores)


def test_saved_parameters_are_loaded(tmp_path):
    X = np.random.default_rng(0).random((6, 3, 32, 32), dtype=np.float32)
    module = torchvision_classifier("googlenet", weights=None)
    net = CoTeachingVOGClassifier(module, forget_rate=0.3, mix_ratio=0, max_epochs=1, lr=0.001)
    net.fit(X, [0, 1] * 3).save_params(tmp_path / "net.pt")
    other = clone(net)
    other.load_params(tmp_path / "net.pt")
    np.testing.assert_array_equal(other.predict_proba(X), net.predict_proba(X))


@pytest.mark.slow
def test_torchvision_is_not_imported_before_it_is_used():
    code = """
import sys
sys.modules["torchvision"] = None
from noisyactive.models import torchvision_classifier
try:
    torchvision_classifier("resnet18")
except ImportError:
    print("now")
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "now\n", result.stderr


def test_networks_can_be_pickled():
    network = torchvision_classifier("squeezenet1_1", weights=None)(2).eval()
    X = torch.rand(2, 3, 32, 32)
    again = pickle.loads(pickle.dumps(network))
    assert torch.equal(again(X), network(X))
