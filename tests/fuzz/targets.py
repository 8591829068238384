"""Public callables with arguments that are right, to put a wrong one among them."""

import functools
import inspect
import pickle
from types import SimpleNamespace

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

import noisyactive
from noisyactive import cleaning, datasets, imbalance, inspection, model_selection, noise, query
from noisyactive.annotate import images_of

N = 24
NET = {"max_epochs": 3, "warmup_epochs": 1, "ramp_epochs": 1, "vog_window": 2, "random_state": 0}
LOOP = {"n_rounds": 1, "round_budget": 2, "fine_tune_epochs": 1, "random_state": 0}


def X():
    return np.random.RandomState(0).rand(N, 3).astype(np.float32) + 2 * y()[:, None]


def y():
    return np.arange(N) % 2


def proba():
    p = np.random.RandomState(0).rand(N)
    return np.stack([p, 1 - p], axis=1)


def images():
    return np.random.RandomState(0).rand(N, 1, 8, 8)


def learner():
    return SimpleNamespace(**{
        "estimator": (model := GaussianNB().fit(X(), y())),
        "predict_proba": model.predict_proba,
        "classes_": model.classes_,
        "X_training": X()[:5],
        "y_training": y()[:5],
    })  # fmt: skip


def network(**changes):
    return noisyactive.CoTeachingVOGClassifier(**{**NET, **changes})


def cleaner(model=None, **changes):
    model = GaussianNB() if model is None else model
    return noisyactive.ActiveLabelCleaner(model, **{**LOOP, **changes})


def methods_of(build, calls):
    """Targets ``build().method(**arguments)``."""
    return {
        name: (lambda name=name, **kw: getattr(build(), name)(**kw), arguments)
        for name, arguments in calls.items()
    }


def params_of(build, kind, data, skip=()):
    """Targets ``build(param=value).fit(**data)``, an argument for each parameter."""
    names = [p for p in inspect.signature(kind).parameters if p not in ("kwargs", *skip)]

    def call(**given):
        return build(**given).fit(**{name: make() for name, make in data.items()})

    return call, dict.fromkeys(names)


@functools.cache
def pickled():
    return pickle.dumps(network().fit(X(), y()))


def trained():
    return pickle.loads(pickled())


def started():
    run = cleaner().start(X(), y())
    run.query()
    return run


def done():
    return cleaner().fit(X(), y(), y_clean=y())


def of_function(function, **arguments):
    parameters = inspect.signature(function).parameters
    optional = {name: None for name in parameters if name not in arguments}
    optional = {
        name: make for name, make in optional.items() if name not in ("kwargs", "ax", "verbose")
    }
    return function, {**arguments, **optional}


DATA = {"X": X, "y": y}
ROWS = {"y": y, "X": X}
SAMPLES = {"X": X}
SKORCH = ["callbacks", "compile", "criterion", "device", "iterator_train", "iterator_valid",
          "optimizer", "predict_nonlinearity", "torch_load_kwargs", "train_split", "use_caching",
          "verbose", "warm_start"]  # fmt: skip

TARGETS = {}


def add(name, target):
    TARGETS[name] = target


for kind in (noisyactive.CoTeachingClassifier, noisyactive.CoTeachingVOGClassifier):
    own = {key: value for key, value in NET.items() if key in inspect.signature(kind).parameters}
    call, names = params_of(lambda kind=kind, own=own, **kw: kind(**{**own, **kw}), kind, DATA)
    add(kind.__name__, (call, {**names, **dict.fromkeys(SKORCH)}))
FIT = {**DATA, "sample_weight": None, "validation_data": None, "epochs": None}
for name, target in methods_of(network, {"fit": FIT}).items():
    add(f"network.{name}", target)
for name, target in methods_of(
    trained,
    {
        "partial_fit": {**FIT, "classes": None},
        "refine": {**FIT, "lr": None},
        "predict": SAMPLES,
        "predict_proba": SAMPLES,
        "extract_features": SAMPLES,
        "score": DATA,
    },
).items():
    add(f"network.{name}", target)
add("network.fit images", (lambda X: network(max_epochs=2).fit(X, y()), {"X": images}))

call, names = params_of(cleaner, noisyactive.ActiveLabelCleaner, DATA, skip=("journal",))
add("ActiveLabelCleaner", (lambda estimator=None, **kw: call(model=estimator, **kw), names))
RUN = {**DATA, "ids": None, "groups": None, "validation_data": None}
for name, target in methods_of(
    cleaner, {"fit": {**RUN, "oracle": None, "y_clean": None}, "start": RUN}
).items():
    add(f"cleaner.{name}", target)
add("cleaner.start network", (lambda **kw: cleaner(network()).start(**kw), DATA))
TEACH = {"rows": lambda: np.array([0, 1]), "answers": lambda: np.array([0, 1]), "annotator": None,
         "seconds": None, "comments": None, "only_open": None}  # fmt: skip
for name, target in methods_of(
    started, {"teach": TEACH, "predict": SAMPLES, "predict_proba": SAMPLES, "score": DATA}
).items():
    add(f"cleaner.{name}", target)

for name, options in {
    "UniformLabelNoise": {"noise_rate": 0.3},
    "PairLabelNoise": {"noise_rate": 0.3},
    "InstanceDependentLabelNoise": {"noise_rate": 0.3},
    "TransitionLabelNoise": {"transition_matrix": np.eye(2)},
}.items():
    kind = getattr(noise, name)

    def build(kind=kind, options=options, **kw):
        return kind(**{**options, **kw})

    add(name, params_of(build, kind, ROWS))
    add(f"{name}.fit_transform", methods_of(build, {"fit_transform": ROWS})["fit_transform"])


def uniform():
    return noise.UniformLabelNoise(0.3, random_state=0)


def noisy_classifier(**kw):
    given = {"estimator": LogisticRegression(), "noise": uniform(), **kw}
    return noise.NoisyLabelsClassifier(**given)


def sampler(**kw):
    return noise.LabelNoiseSampler(**{"noise": uniform(), **kw})


def long_tail(**kw):
    return imbalance.LongTailSampler(**{"imbalance_factor": 3, "random_state": 0, **kw})


for build in (noisy_classifier, sampler, long_tail):
    kind = type(build())
    add(kind.__name__, params_of(build, kind, DATA))
    method = "fit" if build is noisy_classifier else "fit_resample"
    add(f"{kind.__name__}.{method}", methods_of(build, {method: DATA})[method])

for name in query.strategy_names():
    strategy = query.get_strategy(name)
    arguments = {"X": X}
    if "y" in inspect.signature(strategy.function).parameters:
        arguments["y"] = y
    classifier = (lambda: trained().initialize_callbacks()) if name == "bald" else learner
    if name == "bald":

        def classifier():
            net = network(module__dropout=0.2).fit(X(), y())
            return SimpleNamespace(estimator=net, predict_proba=net.predict_proba)

    function, arguments = of_function(strategy.function, **arguments)
    arguments.pop("classifier", None)
    add(
        strategy.function.__name__,
        (lambda function=function, c=classifier, **kw: function(c(), **kw), arguments),
    )
for function in (query.entropy_scores, query.margin_scores, query.least_confidence_scores,
                 query.rare_entropy_scores):  # fmt: skip
    add(function.__name__, of_function(function, proba=proba))
add("bald_scores", of_function(query.bald_scores, draws=lambda: [proba(), proba()]))
for function in (query.label_disagreement_scores, query.rank_suspects):
    add(function.__name__, of_function(function, y=y, proba=proba))
add(
    "k_center_greedy",
    of_function(query.k_center_greedy, features=X, centres=lambda: X()[:2], n_instances=lambda: 3),
)

add("audit_sample", of_function(cleaning.audit_sample, n_samples=lambda: 20, n_audited=lambda: 5))
add("estimate_noise", of_function(cleaning.estimate_noise, y_given=y, y_answered=y))
add("GroundTruthOracle", of_function(cleaning.GroundTruthOracle, y_clean=y))
add(
    "GroundTruthOracle()",
    (lambda **kw: cleaning.GroundTruthOracle(y())(**kw), {"indices": lambda: [0, 3]}),
)

MATRIX = {"transition_matrix": lambda: np.array([[0.8, 0.2], [0.3, 0.7]])}
add(
    "consensus_scores",
    of_function(
        model_selection.consensus_scores,
        y_noisy=y,
        predictions=lambda: np.stack([y(), 1 - y()]),
        **MATRIX,
    ),
)
add(
    "correct_confusion_matrix",
    of_function(
        model_selection.correct_confusion_matrix, confusion=lambda: np.full((2, 2), 5.0), **MATRIX
    ),
)
add("hold_out_verified", of_function(model_selection.hold_out_verified, y_clean=lambda: [0, None]))
add(
    "noise_corrected_scorer",
    (
        lambda **kw: model_selection.noise_corrected_scorer(**kw)(
            LogisticRegression().fit(X(), y()), X(), y()
        ),
        {**MATRIX, "noise_rate": None, "scoring": None, "classes": None},
    ),
)
add("verified_scorer", of_function(model_selection.verified_scorer))
add(
    "uniform_transition_matrix",
    of_function(
        model_selection.uniform_transition_matrix, noise_rate=lambda: 0.2, n_classes=lambda: 3
    ),
)

add("noise_report", of_function(inspection.noise_report, y_noisy=y, y_clean=y))
add(
    "selection_report",
    of_function(inspection.selection_report, y=y, clean_mask=lambda: y() > 0, y_clean=y),
)
add("cleaning_report", of_function(inspection.cleaning_report, cleaner=done))
add(
    "TransitionMatrixDisplay.from_predictions",
    of_function(inspection.TransitionMatrixDisplay.from_predictions, y_noisy=y, y_clean=y),
)
add(
    "TransitionMatrixDisplay.from_matrix",
    of_function(inspection.TransitionMatrixDisplay.from_matrix, matrix=MATRIX["transition_matrix"]),
)
add(
    "SuspectsDisplay.from_predictions",
    of_function(inspection.SuspectsDisplay.from_predictions, X=images, y=y, proba=proba),
)
add(
    "SelectionDisplay.from_predictions",
    of_function(
        inspection.SelectionDisplay.from_predictions, y=y, clean_mask=lambda: y() > 0, y_clean=y
    ),
)
add("images_of", of_function(images_of, X=images))
add("split_rows", of_function(datasets.split_rows, y=y))
add("load_long_tailed_digits", of_function(datasets.load_long_tailed_digits))
