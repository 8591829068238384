"""What is measured after the first phase and after every round."""

import numpy as np
from sklearn.metrics import precision_recall_fscore_support


def measure(cleaner, parts, y, bought, given_away):
    """Scores of a cleaner as it is now.

    Parameters
    ----------
    cleaner : ActiveLabelCleaner
        Started.
    parts : Bunch
        The data, with true labels.
    y : ndarray of shape (n_samples,)
        Training labels that the cleaner started from.
    bought, given_away : int
        Labels so far that an expert was paid for, and that nobody was.

    Returns
    -------
    dict
        ``f1``: macro F1 on the test part, None before there is a model; ``recall`` and
        ``class_f1`` of each class there; ``found``: for each class, share of its right labels
        that are trusted (Table 1), and ``all_found`` of all classes; ``guess``: for each class,
        share of the trusted labels that say so and are right; ``precision``: share of all
        trusted labels that are right. What can be seen without true labels: ``n_labels`` and
        ``n_trusted``, how many labels say each class now, and how many of these are trusted.
    """
    classes, trusted = cleaner.classes_, cleaner.clean_mask_
    was_right, is_right = y == parts.y_train, cleaner.labels_ == parts.y_train
    result = {
        "bought": int(bought),
        "given_away": int(given_away),
        "still_wrong": int((~is_right).sum()),
        "was_wrong": int((~was_right[cleaner.relabelled_round_ > 0]).sum()),
        "n_labels": [int((cleaner.labels_ == c).sum()) for c in classes],
        "n_trusted": [int((trusted & (cleaner.labels_ == c)).sum()) for c in classes],
        "f1": None,
        "recall": None,
        "class_f1": None,
        "found": [share(trusted[was_right & (parts.y_train == c)]) for c in classes],
        "all_found": share(trusted[was_right]),
        "guess": [share(is_right[trusted & (cleaner.labels_ == c)]) for c in classes],
        "precision": share(is_right[trusted]),
    }
    if hasattr(cleaner, "estimator_"):
        scores = precision_recall_fscore_support(
            parts.y_test, cleaner.predict(parts.X_test), labels=classes, zero_division=0
        )
        _, result["recall"], result["class_f1"], _ = (column.tolist() for column in scores)
        result["f1"] = float(np.mean(result["class_f1"]))
    return result


def share(mask):
    """Share of True, None where there is nothing to share."""
    return float(mask.mean()) if len(mask) else None
