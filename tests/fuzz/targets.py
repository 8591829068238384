"""Public callables with arguments that are right, to put a wrong one among them."""

import functools
import inspect
import pickle
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from PIL import Image
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import RandomSampling
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from torch.nn import Flatten

import noisyactive
from noisyactive import (
    annotate,
    audit,
    cleaning,
    compat,
    datasets,
    imbalance,
    inspection,
    journal,
    model_selection,
    models,
    noise,
    query,
)

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


started_once = functools.cache(started)  # where nothing is recorded


def done():
    return cleaner().fit(X(), y(), y_clean=y())


def of_function(function, **arguments):
    parameters = inspect.signature(function).parameters
    optional = {name: None for name in parameters if name not in arguments}
    optional = {
        name: make
        for name, make in optional.items()
        if name not in ("kwargs", "fit_params", "ax", "verbose")
    }
    return function, {**arguments, **optional}


def votes():
    return np.stack([y(), y(), 1 - y()], axis=1)


def long_table():
    return pd.DataFrame({"item": [0, 0, 1], "annotator": ["a", "b", "a"], "label": [0, 1, 1]})


DATA = {"X": X, "y": y}
ROWS = {"y": y, "X": X}
SAMPLES = {"X": X}
SKORCH = ["callbacks", "compile", "criterion", "device", "iterator_train", "iterator_valid",
          "optimizer", "predict_nonlinearity", "torch_load_kwargs", "train_split", "use_caching",
          "verbose", "warm_start"]  # fmt: skip

TARGETS = {}


def add(name, target):
    TARGETS[name] = target


def plain_network(**changes):
    own = {key: value for key, value in NET.items() if not key.startswith("vog")}
    return noisyactive.CoTeachingClassifier(**{**own, **changes})


call, shared = params_of(plain_network, noisyactive.CoTeachingClassifier, DATA)
add("CoTeachingClassifier", (call, {**shared, **dict.fromkeys(SKORCH)}))
kind = noisyactive.CoTeachingVOGClassifier
add("CoTeachingVOGClassifier", params_of(network, kind, DATA, skip=shared))
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
add("cleaner.teach", methods_of(started, {"teach": TEACH})["teach"])
for name, target in methods_of(
    started_once, {"predict": SAMPLES, "predict_proba": SAMPLES, "score": DATA}
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

add("audit_sample", of_function(audit.audit_sample, n_samples=lambda: 20, n_audited=lambda: 5))
add("estimate_noise", of_function(audit.estimate_noise, y_given=y, y_answered=y))
add(
    "find_label_issues",
    of_function(noisyactive.find_label_issues, estimator=GaussianNB, X=X, y=y, cv=lambda: 2),
)
add("issues_from_proba", of_function(audit.issues_from_proba, y=y, proba=proba))
for name, kind, data in (
    ("LabelAudit", audit.LabelAudit, DATA),
    ("AnnotatorConsensus", audit.AnnotatorConsensus, {"labels": votes}),
):
    add(name, params_of(kind, kind, data))
    add(f"{name}.fit", methods_of(kind, {"fit": data})["fit"])
add(
    "pivot_annotations",
    of_function(audit.pivot_annotations, table=long_table),
)
add("contradicting_rows", of_function(audit.contradicting_rows, X=X, y=y))
add("find_duplicates", of_function(audit.find_duplicates, X=X))
add("find_outliers", of_function(audit.find_outliers, X=X))
add("small_classes", of_function(audit.small_classes, y=y))
add(
    "write_report",
    of_function(
        audit.write_report,
        audit=lambda: audit.LabelAudit(cv=2).fit(X(), y()),
        path=lambda: "report.html",
        X=X,
    ),
)
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
add("remaining_errors", of_function(inspection.remaining_errors, cleaner=done))
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
add("split_rows", of_function(datasets.split_rows, y=y))
add("load_long_tailed_digits", of_function(datasets.load_long_tailed_digits))


# --- files ------------------------------------------------------------------------------------


@functools.cache
def folder():
    """Two classes of images, a table of them, and what Label Studio and a spreadsheet answer."""
    kept = tempfile.TemporaryDirectory()
    root = Path(kept.name)
    for row in range(N):
        path = root / "images" / "ab"[row % 2] / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 10 * row).save(path)
    lines = [f"{'ab'[row % 2]}/{row}.png,{'ab'[row % 2]},{row // 2}" for row in range(N)]
    (root / "table.csv").write_text("image,label,patient\n" + "\n".join(lines))
    (root / "answers.csv").write_text("id,answer\n0,0\n")
    (root / "export.json").write_text("[]")
    return root, kept


def paths():
    return sorted((folder()[0] / "images").rglob("*.png"))


def table():
    return datasets.ImageTable(paths(), y(), check=False)


def file(name):
    return lambda: folder()[0] / name


@functools.cache
def finished():
    return cleaner().fit(X(), y(), y_clean=y(), validation_data=(X(), y()))


@functools.cache
def journal_file():
    run = cleaner(journal=folder()[0] / "run.db").start(X(), y())
    run.query()
    run.close()
    return run.journal


def answer(**arguments):
    return journal.Journal(shutil.copy(journal_file(), "run.db")).answer(**arguments)


def serve(**arguments):
    annotate.serve(**{"cleaner_or_journal": journal_file(), **arguments}).close()


add("images_of", of_function(annotate.images_of, X=images))
add(
    "ImageTable",
    (
        lambda **kw: datasets.ImageTable(**{"check": False, **kw}),
        {
            "paths": paths,
            "labels": y,
            **dict.fromkeys(["groups", "ids", "size", "mode", "check", "on_error", "loader"]),
        },
    ),
)
CSV = {"csv": file("table.csv"), "image_folder": file("images")}
COLUMNS = ["path_column", "label_column", "group_column", "suffix"]
add(
    "ImageTable.from_csv",
    (
        lambda **kw: datasets.ImageTable.from_csv(**{"check": False, **kw}),
        {**CSV, **dict.fromkeys(COLUMNS)},
    ),
)
add("ImageTable.from_folder", (datasets.ImageTable.from_folder, {"root": file("images")}))
add("split_images", of_function(datasets.split_images, table=table))
add("load_isic2019", (datasets.load_isic2019, {"folder": file("images")}))
add("load_nct_crc", (datasets.load_nct_crc, {"folder": file("images")}))
add("load_medmnist_npz", (datasets.load_medmnist_npz, {"path": file("table.csv")}))
add("paper_transforms", of_function(datasets.paper_transforms))
add("PerImage", (datasets.PerImage, {"transform": lambda: lambda image: image}))
add(
    "torchvision_classifier",
    (
        lambda **kw: models.torchvision_classifier(
            **{"name": "squeezenet1_1", "weights": None, **kw}
        ),
        {"name": lambda: "squeezenet1_1", "weights": None, "image_size": None},
    ),
)


def frozen(**given):
    return models.FrozenFeatures(**{"backbone": Flatten(), **given})


add(
    "FrozenFeatures",
    params_of(frozen, models.FrozenFeatures, SAMPLES, skip=("cache", "num_workers")),
)
for method in ("fit", "fit_transform", "transform"):
    add(f"FrozenFeatures.{method}", methods_of(frozen, {method: SAMPLES})[method])
add(
    "write_queries",
    of_function(annotate.write_queries, path=lambda: "out.csv", cleaner=started_once),
)
TARGETS["write_queries"][1]["overwrite"] = lambda: True
add(
    "read_answers",
    of_function(annotate.read_answers, path=file("answers.csv"), cleaner=started_once),
)
add(
    "write_label_studio",
    of_function(annotate.write_label_studio, folder=lambda: "out", cleaner=started_once),
)
add(
    "read_label_studio",
    of_function(annotate.read_label_studio, path=file("export.json"), cleaner=started_once),
)
add(
    "serve",
    (
        serve,
        dict.fromkeys(
            [
                "cleaner_or_journal",
                "images",
                "show",
                "annotator",
                "annotators",
                "adjudicator",
                "guideline",
                "reference",
                "blind",
                "port",
                "token",
            ],
        ),
    ),
)
add("to_html", of_function(inspection.to_html, path=lambda: "report.html", cleaner=finished))

# --- displays ---------------------------------------------------------------------------------

for kind in (
    inspection.TrainingDynamicsDisplay,
    inspection.LossVOGDisplay,
    inspection.SelectionDisplay,
):
    arguments = {"estimator": trained, "y": y}
    if kind is inspection.TrainingDynamicsDisplay:
        del arguments["y"]
    add(f"{kind.__name__}.from_estimator", of_function(kind.from_estimator, **arguments))
add(
    "LossVOGDisplay",
    (
        lambda **kw: inspection.LossVOGDisplay(**kw).plot(),
        {
            "loss": lambda: np.ones(N),
            "vog": lambda: np.ones(N),
            "trusted": lambda: y() > 0,
            "kind": lambda: np.full(N, "right label"),
        },
    ),
)
add("TrainingDynamicsDisplay", (inspection.TrainingDynamicsDisplay, {"table": None}))
add("SelectionDisplay", (inspection.SelectionDisplay, {"report": None}))
add(
    "CleaningCurveDisplay",
    (
        lambda **kw: inspection.CleaningCurveDisplay(**kw).plot(),
        {"curves": lambda: {"a": ([0, 1], [0.5, 0.6])}, "ceiling": None, "score_name": None},
    ),
)
add(
    "CleaningCurveDisplay of a curve",
    (
        lambda curves, scores: inspection.CleaningCurveDisplay({"a": (curves, scores)}).plot(),
        {"curves": lambda: [0, 1], "scores": lambda: [0.5, 0.6]},
    ),
)
add(
    "CleaningCurveDisplay.from_cleaners",
    of_function(inspection.CleaningCurveDisplay.from_cleaners, cleaners=lambda: {"a": finished()}),
)

# --- other libraries --------------------------------------------------------------------------


def active_learner(**kw):
    given = {"estimator": GaussianNB(), "query_strategy": query.entropy_sampling, **kw}
    return compat.ActiveLearner(**{"X_training": X(), "y_training": y(), **given})


def committee(**kw):
    return compat.Committee(**{"learner_list": [active_learner(), active_learner()], **kw})


def as_skactiveml(X=None, y=None, **kw):
    classifier = SklearnClassifier(GaussianNB(), classes=[0, 1])
    strategy = compat.as_skactiveml(**{"strategy": "entropy", "random_state": 0, **kw})
    return strategy.query(X, y, classifier, batch_size=2)


def some_labels():
    return np.where(np.arange(N) < 8, y(), np.nan)


of_learner = inspect.signature(compat.ActiveLearner).parameters
add("ActiveLearner", (active_learner, dict.fromkeys(p for p in of_learner if p != "fit_kwargs")))
TARGETS["ActiveLearner"][1].update(X_training=X, y_training=y)
add("ActiveLearner.query", (lambda **kw: active_learner().query(**kw), {"X_pool": X}))
add("ActiveLearner.teach", (lambda **kw: active_learner().teach(**kw), DATA))
add(
    "Committee", (committee, {"learner_list": None, "query_strategy": None, "on_transformed": None})
)
add(
    "from_skactiveml",
    (
        lambda X, **kw: compat.from_skactiveml(**{"query_strategy": RandomSampling(), **kw})(
            learner(), X, random_state=0
        ),
        {"X": X, "query_strategy": None},
    ),
)
add(
    "as_skactiveml",
    (
        lambda X=None, y=None, **kw: as_skactiveml(X, y, **kw),
        {
            "X": X,
            "y": some_labels,
            "strategy": None,
            "scores": None,
            "missing_label": None,
            "random_state": None,
        },
    ),
)

# --- gates by themselves ----------------------------------------------------------------------

add(
    "check_request",
    (query.check_request, {"X": X, "n_instances": lambda: 2, "random_tie_break": lambda: False}),
)
add("get_strategy", (query.get_strategy, {"strategy": None}))
add("Journal.answer", (answer, {**TEACH, **dict.fromkeys(["charged", "flag", "decides"])}))
add("Journal", (journal.Journal, {"path": None}))
add("check_ids", (lambda ids: journal.check_ids(ids, N), {"ids": None}))
add("check_rows", (lambda rows: journal.check_rows(rows, N), {"rows": None}))
add(
    "check_answers",
    (
        lambda **kw: journal.check_answers(n_samples=N, classes=np.arange(2), **kw),
        {"rows": lambda: [0, 1], "answers": lambda: [0, 1]},
    ),
)
add(
    "check_remarks",
    (
        lambda **kw: journal.check_remarks(
            **{
                "n_rows": 2,
                "answers_per_item": 1,
                "annotator": None,
                "seconds": None,
                "comments": None,
                **kw,
            }
        ),
        dict.fromkeys(["annotator", "seconds", "comments"]),
    ),
)
OPEN = {"open_items": {"annotator": None}}
add("cleaner.open_items", methods_of(started_once, OPEN)["open_items"])
for name, target in methods_of(
    lambda: noisy_classifier().fit(X(), y()),
    {"predict": SAMPLES, "predict_proba": SAMPLES, "decision_function": SAMPLES},
).items():
    add(f"NoisyLabelsClassifier.{name}", target)

#: Public callables that are not tried out, and why.
EXCLUDED = {
    "fetch_medmnist": "downloads; what it does with the file is load_medmnist_npz",
    "Page": "made by serve",
    "CrossFit": "checked by ActiveLabelCleaner, see test_crossfit.py",
    "CrossFitEnsemble": "made by ActiveLabelCleaner",
    **dict.fromkeys(
        ["NoiseEstimate", "RemainingErrors", "OpenItem", "Progress", "Answered", "Asked",
         "Closed", "Ended", "Refitted", "Settled", "Started"],
        "a record that others make, of values that they have checked",
    ),
    **dict.fromkeys(
        ["CleaningState", "JournalWriter", "percent", "describe", "describe_data", "fingerprint",
         "first_answers", "fold", "now", "open_items", "open_rows", "progress", "rows_of"],
        "for other packages of this one, which pass what they have checked",
    ),
    **dict.fromkeys(
        ["Learner", "QueryStrategy", "choose", "utilities_of", "strategy_names"],
        "for the loop, which passes what it has checked; strategies are tried out themselves",
    ),
}  # fmt: skip
