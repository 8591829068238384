"""Clean the labels of texts: which topic is a text about?
=======================================================

The texts are real: what SciPy's documentation says of each of its functions and classes, a sentence
or some. The label is the subpackage that it belongs to, of twelve: 339 are about special functions,
33 about integration. A quarter of the training labels is replaced. What a reader learns:

* `find_label_issues` takes texts and any pipeline that reads them; every text is judged by a model
  that did not see its label.
* A step that learns nothing, here a HashingVectorizer, is applied once, and not once a fold and a
  round; so is a text encoder: ``--encoder FOLDER`` takes the place of the counts of words. It needs
  ``pip install "noisyactive[text]"``, and a folder (or a name that Hugging Face knows) of what
  sentence-transformers can read.
* `ActiveLabelCleaner` then buys answers where they help most. Left, the score on clean test labels
  after each round, beside that of rows picked by chance; one draw, which tells little. Right, wrong
  labels of each topic.

With ``--serve``, you are the expert: a page shows the texts and asks
(``pip install "noisyactive[annotate]"``).

Run it with ``python examples/plot_clean_texts.py``; it takes less than a minute. ``--quick`` tries
that it runs: one round.
"""

import argparse
import importlib
import inspect
import re
import textwrap

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from noisyactive import ActiveLabelCleaner, UniformLabelNoise, find_label_issues
from noisyactive.inspection import CleaningCurveDisplay
from noisyactive.models import FrozenFeatures

TOPICS = {
    "cluster": ["hierarchy", "vq"],
    "fft": [],
    "integrate": [],
    "interpolate": [],
    "linalg": [],
    "ndimage": [],
    "optimize": [],
    "signal": [],
    "sparse": ["csgraph", "linalg"],
    "spatial": ["distance", "transform"],
    "special": [],
    "stats": [],
}
SECTION = re.compile(r"\n[A-Z][A-Za-z ]+\n-{3,}")  # where a list of parameters begins


def load_texts():
    """Descriptions of SciPy's functions and classes, and the subpackage of each."""
    topic_of = {}
    for topic, modules in TOPICS.items():
        for name in [topic, *(f"{topic}.{module}" for module in modules)]:
            module = importlib.import_module(f"scipy.{name}")
            for member in (getattr(module, name) for name in module.__all__):
                if inspect.ismodule(member):
                    continue
                text = SECTION.split(inspect.getdoc(member) or "")[0]
                lines = [line for line in text.splitlines() if not re.match(r"\w+\(.*\)", line)]
                text = re.sub(r"scipy\.\w+(\.\w+)*", "scipy", " ".join(" ".join(lines).split()))
                if len(text) >= 30:
                    topic_of.setdefault(text, topic)  # some are in two places
    return np.array(list(topic_of)), np.array(list(topic_of.values()))


def make_model(encoder=None):
    """A classifier of texts: by counts of words, or by an encoder that others have trained."""
    if encoder is None:
        words = HashingVectorizer(n_features=2**12, stop_words="english", alternate_sign=False)
        steps, C = [words, TfidfTransformer(sublinear_tf=True)], 3
    else:
        steps, C = [FrozenFeatures(encoder), StandardScaler()], 0.01
    return make_pipeline(*steps, LogisticRegression(C=C, class_weight="balanced", max_iter=1000))


def audit(model, texts, given, true):
    """Print what `find_label_issues` finds."""
    issues = find_label_issues(model, texts, given, random_state=0)
    found = issues.index[issues["is_issue"]]
    wrong = given != true
    print(
        f"{wrong.sum()} of {len(texts)} labels are wrong. {len(found)} are more probably wrong than"
    )
    print(f"right, says the audit; {wrong[found].mean():.0%} of these are, ", end="")
    worst = issues.index[: wrong.sum()]
    print(f"and {wrong[worst].mean():.0%} of the worst {len(worst)}. The first five:")
    for row, issue in issues.head(5).iterrows():
        print(f"  given {issue['given']}, suggested {issue['suggested']}, true {true[row]}:")
        print("   ", textwrap.shorten(texts[row], 90))


def clean(model, texts, given, true, score, **options):
    """Answers bought, and the score after each round."""
    cleaner = ActiveLabelCleaner(model, random_state=0, **options).start(texts, given)
    scores = []
    while len(rows := cleaner.query()):
        scores.append(score(cleaner))
        cleaner.teach(rows, true[rows])
    return cleaner, [*scores, score(cleaner)]


def ask_people(model, texts, given, journal):
    """Serve the page that shows texts, until all rounds are answered."""
    from noisyactive.annotate import serve

    cleaner = ActiveLabelCleaner(
        model, n_rounds=3, round_budget=15, journal=journal, random_state=0
    ).start(texts, given)
    with serve(cleaner):
        while len(cleaner.query()):
            cleaner.wait()
    print(f"{(cleaner.labels_ != given).sum()} labels were changed.")


def main():
    """Audit, clean, report, plot."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--encoder", help="folder or name of a text encoder")
    parser.add_argument("--serve", action="store_true", help="answer yourself, on a page")
    parser.add_argument("--journal", default="texts.db", help="keeps your answers (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="see that it runs")
    options = parser.parse_args()
    texts, topics = load_texts()
    texts, texts_test, true, topics_test = train_test_split(
        texts, topics, test_size=0.3, stratify=topics, random_state=0
    )
    given = UniformLabelNoise(0.25, random_state=0).fit_transform(true)
    model = make_model(options.encoder)
    if options.serve:
        ask_people(model, texts, given, options.journal)
        return

    def score(model):
        return f1_score(topics_test, model.predict(texts_test), average="macro")

    audit(model, texts, given, true)
    rounds = {"n_rounds": 1 if options.quick else 6, "round_budget": 30}
    curves, labels = {}, {"before": given}
    for name, strategy in (("the defaults", "rare_entropy"), ("by chance", "random")):
        cleaner, scores = clean(model, texts, given, true, score, query_strategy=strategy, **rounds)
        curves[name] = cleaner.history_["cost"], [scores]
        labels[name] = cleaner.labels_
        changed = cleaner.history_["changed"].sum()
        print(
            f"{name}: {cleaner.history_['cost'][-1]} answers, {changed} labels corrected,", end=" "
        )
        print(f"macro F1 {scores[0]:.3f} before, {scores[-1]:.3f} after")
    noisy, ceiling = score(model.fit(texts, given)), score(model.fit(texts, true))
    print(f"the classifier alone: macro F1 {noisy:.3f} with these labels, {ceiling:.3f} with true")

    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        print('No figure: pip install "noisyactive[plot]" brings matplotlib.')
        return
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    CleaningCurveDisplay(curves, ceiling=ceiling, score_name="macro F1").plot(ax=left)
    names, sizes = np.unique(true, return_counts=True)
    order = np.argsort(sizes)
    for name, color in (("before", "#999999"), ("the defaults", "#D55E00")):
        wrong = np.array([(labels[name] != true)[true == topic].sum() for topic in names])
        right.barh(names[order], wrong[order], color=color, label=name)
    right.set(xlabel="wrong labels", title="By topic, the rarest at the bottom")
    right.legend()
    figure.savefig("clean_texts.png", dpi=120)
    print("Figure: clean_texts.png")


if __name__ == "__main__":
    main()
