"""Values that a parameter or an argument may be given by mistake, each made anew."""

import collections
import datetime
import decimal
import enum
import fractions
import pathlib

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

N = 24  # samples of the valid data


class Endless(Dataset):
    """Never raises IndexError."""

    def __len__(self):
        return N

    def __getitem__(self, i):
        return np.full(3, float(i % 5), dtype=np.float32), i % 2


class Huge(Endless):
    def __getitem__(self, i):
        return np.full(3, 1e300), i % 2


class Lengthless(Dataset):
    def __getitem__(self, i):
        return np.zeros(3, dtype=np.float32), 0


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(np.zeros(3, dtype=np.float32), 0)] * N)


class Colour(enum.Enum):
    RED = 1


def rows(dtype=float):
    return np.random.RandomState(0).rand(N, 3).astype(dtype)


def labels():
    return np.arange(N) % 2


def masked(values):
    return np.ma.array(values, mask=np.arange(values.size).reshape(values.shape) % 5 == 0)


def with_value(values, value):
    values.flat[4] = value
    return values


VALUES = {
    "None": lambda: None,
    "True": lambda: True,
    "0": lambda: 0,
    "-1": lambda: -1,
    "1": lambda: 1,
    "2": lambda: 2,
    "10**30": lambda: 10**30,
    "0.5": lambda: 0.5,
    "-0.5": lambda: -0.5,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "complex": lambda: 1 + 2j,
    "Decimal": lambda: decimal.Decimal("0.1"),
    "Fraction": lambda: fractions.Fraction(1, 3),
    "empty text": lambda: "",
    "text": lambda: "auto-x",
    "NUL": lambda: "a\0",
    "bytes": lambda: b"x",
    "path": lambda: pathlib.Path("nowhere.png"),
    "date": lambda: datetime.date(2024, 1, 1),
    "NaT": lambda: np.datetime64("NaT"),
    "NA": lambda: pd.NA,
    "Enum": lambda: Colour.RED,
    "object": lambda: object(),
    "type": lambda: int,
    "function": lambda: lambda *args, **kwargs: None,
    "generator": lambda: (i for i in range(N)),
    "empty list": lambda: [],
    "list of one": lambda: [1],
    "tuple": lambda: (1, 2, 3),
    "dict": lambda: {"a": 1},
    "dict by row": lambda: {i: i % 2 for i in range(N)},
    "set": lambda: {1, 2},
    "range": lambda: range(N),
    "list of None": lambda: [None] * N,
    "ragged": lambda: [[1, 2], [3]] * (N // 2),
    "mixed list": lambda: [1, "a"] * (N // 2),
    "NUL labels": lambda: ["a", "a\0"] * (N // 2),
    "list of lists": lambda: rows().tolist(),
    "list of paths": lambda: [f"image-{i}.png" for i in range(N)],
    "list of masked": lambda: [np.ma.masked] * N,
    "0-d": lambda: np.array(3),
    "empty array": lambda: np.empty((0, 3)),
    "no columns": lambda: np.empty((N, 0)),
    "rows": lambda: rows(),
    "too few rows": lambda: rows()[:5],
    "grey images": lambda: np.random.RandomState(0).rand(N, 5, 5),
    "channels last": lambda: np.random.RandomState(0).rand(N, 8, 8, 3),
    "labels": lambda: labels(),
    "one class": lambda: np.zeros(N, dtype=int),
    "labels as text": lambda: np.array(["a", "b"] * (N // 2)),
    "unhashable": lambda: np.array([[1], [2, 3]] * (N // 2), dtype=object),
    "objects": lambda: np.array([object() for _ in range(N)]),
    "float16": lambda: rows(np.float16),
    "longdouble": lambda: rows(np.longdouble),
    "big-endian": lambda: rows(">f8"),
    "beyond float32": lambda: with_value(rows(), 1e300),
    "NaN inside": lambda: with_value(rows(), np.nan),
    "infinity inside": lambda: with_value(rows(), np.inf),
    "complex array": lambda: rows() + 1j,
    "text array": lambda: rows().astype(str),
    "dates": lambda: np.array(["2024-01-01"] * N, dtype="datetime64[s]"),
    "dates with NaT": lambda: np.array(["2024-01-01", "NaT"] * (N // 2), dtype="datetime64[s]"),
    "date columns": lambda: np.full((N, 3), "2024-01-01", dtype="datetime64[s]"),
    "durations": lambda: np.arange(3 * N).reshape(N, 3).astype("timedelta64[s]"),
    "structured": lambda: np.zeros(N, dtype=[("a", float), ("b", int)]),
    "masked rows": lambda: masked(rows()),
    "masked labels": lambda: masked(labels()),
    "matrix": lambda: np.asmatrix(rows()),
    "read-only": lambda: np.broadcast_to(rows()[:1], (N, 3)),
    "csr": lambda: sp.csr_matrix(rows()),
    "csr array": lambda: sp.csr_array(rows()),
    "frame": lambda: pd.DataFrame(rows(), columns=["a", "b", "c"]),
    "columns twice": lambda: pd.DataFrame(rows(), columns=["a", "a", "c"]),
    "frame of text": lambda: pd.DataFrame({"a": ["x"] * N, "b": ["y"] * N, "c": ["z"] * N}),
    "frame of dates": lambda: pd.DataFrame(rows()).assign(d=pd.Timestamp("2024-01-01")),
    "Series with NA": lambda: pd.Series([0, 1, pd.NA] * (N // 3), dtype="Int64"),
    "Series with NaT": lambda: pd.Series([pd.Timestamp("2024-01-01"), pd.NaT] * (N // 2)),
    "categories": lambda: pd.Series(["x", "y"] * (N // 2), dtype="category"),
    "tensor": lambda: torch.from_numpy(rows(np.float32)),
    "tensor with gradient": lambda: torch.from_numpy(rows(np.float32)).requires_grad_(),
    "bfloat16": lambda: torch.from_numpy(rows(np.float32)).bfloat16(),
    "complex tensor": lambda: torch.zeros((N, 3), dtype=torch.complex64),
    "meta tensor": lambda: torch.zeros((N, 3), device="meta"),
    "sparse tensor": lambda: torch.eye(N).to_sparse(),
    "nested tensor": lambda: torch.nested.nested_tensor(
        [torch.zeros(i % 3 + 1) for i in range(N)], layout=torch.jagged
    ),
    "quantised tensor": lambda: torch.quantize_per_tensor(torch.rand(N, 3), 0.1, 0, torch.quint8),
    "Dataset": lambda: TensorDataset(torch.rand(N, 3), torch.arange(N) % 2),
    "endless Dataset": Endless,
    "huge Dataset": Huge,
    "Dataset without length": Lengthless,
    "IterableDataset": Stream,
    "DataLoader": lambda: DataLoader(Endless()),
    "module": lambda: torch.nn.Linear(3, 2),
    "array scalar": lambda: np.int64(1),
    "float32 scalar": lambda: np.float32(0.5),
    "bool scalar": lambda: np.bool_(True),
    "text scalar": lambda: np.str_("a"),
    "device": lambda: "cuda:9",
    "deque": lambda: collections.deque([1, 2, 3]),
    "dict of columns": lambda: {"a": np.zeros(N), "b": np.zeros(N)},
    "booleans": lambda: labels().astype(bool),
    "object numbers": lambda: rows().astype(object),
    "object labels": lambda: labels().astype(object),
    "labels with NaN": lambda: with_value(labels().astype(float), np.nan),
    "labels with infinity": lambda: with_value(labels().astype(float), np.inf),
    "continuous": lambda: np.linspace(0, 1, N),
    "negative zero": lambda: np.array([-0.0, 0.0, 1.0] * (N // 3)),
    "huge ints": lambda: [10**30, 2**63] * (N // 2),
    "unsigned ints": lambda: np.array([2**64 - 1, 0] * (N // 2), dtype=np.uint64),
    "bytes labels": lambda: [b"a", b"b"] * (N // 2),
    "tuple labels": lambda: [(1, 2), (3, 4)] * (N // 2),
    "one-hot": lambda: np.eye(2)[labels()],
    "column of labels": lambda: pd.DataFrame({"label": labels()}),
    "Series of rows": lambda: pd.Series(list(rows())),
    "nullable frame": lambda: pd.DataFrame(rows()).astype("Float64"),
    "nullable frame with NA": lambda: pd.DataFrame(rows()).astype("Float64").mask(rows() > 0.9),
    "nullable labels": lambda: pd.Series(labels(), dtype="Int64"),
    "text Series": lambda: pd.Series(["a", "b"] * (N // 2), dtype="string"),
    "reindexed labels": lambda: pd.Series(labels(), index=range(N, 0, -1)),
    "MultiIndex": lambda: pd.MultiIndex.from_arrays([labels(), labels()]),
    "too many labels": lambda: np.arange(2 * N) % 2,
    "no labels": lambda: np.empty(0, dtype=int),
    "proba": lambda: np.full((N, 2), 0.5),
    "proba frame": lambda: pd.DataFrame(np.full((N, 2), 0.5), columns=[1, 0]),
    "ints as rows": lambda: rows(int),
    "subnormal": lambda: rows() * 1e-310,
    "empty tensor": lambda: torch.empty((0, 3)),
}
