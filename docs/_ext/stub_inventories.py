"""Inventories of other projects, with the names that our pages refer to.

The site is built without a network, so that intersphinx cannot fetch the inventories of other
projects. Each name is written with its role and its page; `tests/test_docs.py` imports every one.
"""

import zlib

#: For each project: its address, and names with their role and page. "$" stands for the name.
PROJECTS = {
    "python": (
        "https://docs.python.org/3/",
        {
            "None": ("py:data", "library/constants.html#$"),
            "True": ("py:data", "library/constants.html#$"),
            "False": ("py:data", "library/constants.html#$"),
            "dict": ("py:class", "library/stdtypes.html#$"),
            "list": ("py:class", "library/stdtypes.html#$"),
            "str": ("py:class", "library/stdtypes.html#$"),
            "tuple": ("py:class", "library/stdtypes.html#$"),
            "float": ("py:class", "library/functions.html#$"),
            "int": ("py:class", "library/functions.html#$"),
            "callable": ("py:function", "library/functions.html#$"),
            "bltin-boolean-values": ("std:label", "library/stdtypes.html#boolean-type-bool"),
            "generator": ("std:term", "glossary.html#term-$"),
            "iterable": ("std:term", "glossary.html#term-$"),
            "sequence": ("std:term", "glossary.html#term-$"),
        },
    ),
    "numpy": (
        "https://numpy.org/doc/stable/",
        {
            "numpy.load": ("py:function", "reference/generated/numpy.load.html#$"),
            "numpy.ndarray": ("py:class", "reference/generated/numpy.ndarray.html#$"),
            "numpy.random.RandomState": ("py:class", "reference/random/legacy.html#$"),
            "array_like": ("std:term", "glossary.html#term-$"),
            "arrays.scalars": ("std:label", "reference/arrays.scalars.html"),
        },
    ),
    "pandas": (
        "https://pandas.pydata.org/docs/",
        {
            "pandas.DataFrame": ("py:class", "reference/api/pandas.DataFrame.html#$"),
            "pandas.Series": ("py:class", "reference/api/pandas.Series.html#$"),
        },
    ),
    "matplotlib": (
        "https://matplotlib.org/stable/",
        {
            "matplotlib.axes.Axes": ("py:class", "api/_as_gen/matplotlib.axes.Axes.html#$"),
            "matplotlib.figure.Figure": ("py:class", "api/_as_gen/matplotlib.figure.Figure.html#$"),
        },
    ),
    "sklearn": (
        "https://scikit-learn.org/stable/",
        {
            **{
                f"sklearn.{name}": ("py:class", f"modules/generated/sklearn.{name}.html#$")
                for name in (
                    "base.BaseEstimator",
                    "base.ClassifierMixin",
                    "base.MetaEstimatorMixin",
                    "base.TransformerMixin",
                    "ensemble.HistGradientBoostingClassifier",
                    "linear_model.LogisticRegression",
                    "model_selection.GridSearchCV",
                    "model_selection.PredefinedSplit",
                    "pipeline.Pipeline",
                    "utils.Bunch",
                )
            },
            **{
                f"sklearn.{name}": ("py:function", f"modules/generated/sklearn.{name}.html#$")
                for name in (
                    "model_selection.cross_val_predict",
                    "model_selection.cross_val_score",
                    "pipeline.make_pipeline",
                )
            },
        },
    ),
    "skorch": (
        "https://skorch.readthedocs.io/en/stable/",
        {
            "skorch.classifier.NeuralNetClassifier": ("py:class", "classifier.html#$"),
            "skorch.helper.SliceDataset": ("py:class", "helper.html#$"),
            "skorch.history.History": ("py:class", "history.html#$"),
            "skorch.net.NeuralNet": ("py:class", "net.html#$"),
        },
    ),
    "torch": (
        "https://docs.pytorch.org/docs/stable/",
        {
            "torch.Tensor": ("py:class", "tensors.html#$"),
            "torch.nn.Module": ("py:class", "generated/torch.nn.Module.html#$"),
            "torch.set_num_threads": ("py:function", "generated/torch.set_num_threads.html#$"),
            "torch.utils.data.Dataset": ("py:class", "data.html#$"),
        },
    ),
}

#: What types are called in docstrings, and what numpydoc links them to.
ALIASES = {
    "Axes": "matplotlib.axes.Axes",
    "Bunch": "sklearn.utils.Bunch",
    "DataFrame": "pandas.DataFrame",
    "Dataset": "torch.utils.data.Dataset",
    "Figure": "matplotlib.figure.Figure",
    "PredefinedSplit": "sklearn.model_selection.PredefinedSplit",
    "RandomState": "numpy.random.RandomState",
    "Series": "pandas.Series",
    "ndarray": "numpy.ndarray",
    "tensor": "torch.Tensor",
}


def write_inventories(folder):
    """Write a file for each project; return what `intersphinx_mapping` takes.

    Parameters
    ----------
    folder : Path
        Where they go; made if missing.

    Returns
    -------
    mapping : dict of str to tuple
        Address and file of each project.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for project, (address, names) in PROJECTS.items():
        head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: stable\n"
        head += "# The remainder of this file is compressed using zlib.\n"
        lines = [f"{name} {role} 1 {page} -\n" for name, (role, page) in names.items()]
        path = folder / f"{project}.inv"
        path.write_bytes(head.encode() + zlib.compress("".join(lines).encode()))
        mapping[project] = (address, str(path))
    return mapping
