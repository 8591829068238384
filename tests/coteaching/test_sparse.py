"""Sparse rows in the networks: the same as dense ones, and never made dense as a whole."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from noisyactive import CoTeachingClassifier, CoTeachingVOGClassifier
from noisyactive.coteaching._batches import SparseRows
from noisyactive.coteaching._default_modules import SmallMLP, Standardize

QUICK = {"max_epochs": 4, "warmup_epochs": 1, "vog_window": 2, "forget_rate": 0.1}


def rows(n_features, n=90, seed=0):
    """Rows of two classes, of which an eighth of the entries are not 0."""
    S = sp.random(n, n_features, density=0.125, format="csr", random_state=seed, dtype=np.float32)
    return S, (S @ np.random.default_rng(1).normal(size=n_features) > 0).astype(int)


def fitted(X, y, **params):
    return CoTeachingVOGClassifier(random_state=0, **{**QUICK, **params}).fit(X, y)


# Batches are made dense; each column has weights; columns share weights.
@pytest.mark.parametrize("n_features, max_features", [(300, 16384), (2100, 16384), (2100, 500)])
def test_sparse_and_dense_rows_give_the_same(n_features, max_features, monkeypatch):
    S, y = rows(n_features)
    params = {"module__max_features": max_features}
    dense = fitted(S.toarray(), y, **params)
    shapes = []  # of what is made dense
    toarray = sp.csr_matrix.toarray
    monkeypatch.setattr(sp.csr_matrix, "toarray", lambda S: shapes.append(S.shape) or toarray(S))
    net = fitted(S, y, **params)
    assert set(shapes) == {(1, n_features)}
    assert_allclose(net.predict_proba(S), dense.predict_proba(S), atol=1e-4)
    assert_allclose(net.vog_, dense.vog_, rtol=1e-2, atol=1e-6)
    assert_array_equal(net.clean_mask_, dense.clean_mask_)
    assert net.n_features_in_ == n_features
    monkeypatch.undo()
    assert_allclose(net.predict_proba(S.toarray()), net.predict_proba(S), atol=1e-5)
    assert_allclose(net.extract_features(S), net.extract_features(S.toarray()), atol=1e-4)


def test_few_columns_give_the_same():
    """Up to rounding: a product of other memory may be summed in another order."""
    S, y = rows(100)
    proba = fitted(S, y).predict_proba(S)
    assert_allclose(proba, fitted(S.toarray(), y).predict_proba(S.toarray()), atol=1e-4)


def test_batches_are_valid_and_bring_no_warnings():
    """torch 2.11 warns of unchecked sparse tensors, once in a process: here each time."""
    S, _ = rows(300)
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        batch = SparseRows(S).fetch(np.array([5, 0, 5, 89]))
    finally:
        torch.set_warn_always(before)
    assert batch.is_coalesced() and batch.shape == (4, 300)
    checked = torch.sparse_coo_tensor(
        batch.indices(), batch.values(), batch.shape, check_invariants=True
    )
    assert_array_equal(checked.to_dense(), S[[5, 0, 5, 89]].toarray())


@pytest.mark.parametrize(
    "convert",
    [
        sp.coo_array,
        sp.csc_matrix,
        sp.lil_array,
        sp.dok_matrix,
        lambda S: S.astype(np.longdouble),
        lambda S: sp.csr_matrix(
            (np.repeat(S.data / 2, 2), np.repeat(S.indices, 2), 2 * S.indptr), S.shape
        ),
    ],
    ids=["coo", "csc", "lil", "dok", "longdouble", "twice in a place"],
)
def test_formats(convert):
    S, y = rows(2100)
    X = convert(S)
    before = X.copy()
    net = fitted(X, y)
    assert_array_equal(net.predict_proba(X), fitted(S, y).predict_proba(S))
    assert (X != before).nnz == 0 and X.nnz == before.nnz


def test_a_frame_of_sparse_columns():
    S, y = rows(100)
    frame = pd.DataFrame.sparse.from_spmatrix(S).add_prefix("word ")
    net = fitted(frame, y)
    assert_array_equal(net.feature_names_in_, frame.columns)
    assert_array_equal(net.predict_proba(frame), fitted(S, y).predict_proba(S))


def test_mixed_precision():
    S, y = rows(2100)
    net = fitted(S, y, autocast="bfloat16", max_epochs=12)
    assert net.score(S, y) > 0.9


def test_integers_are_as_in_a_dense_array():
    S, y = rows(100)
    S.data = np.round(S.data * 3).astype(np.float32)
    proba = fitted(S, y).predict_proba(S)
    for dtype in (np.uint8, np.int64):
        counts = S.astype(dtype)
        assert_array_equal(fitted(counts, y).predict_proba(counts), proba)


@pytest.mark.parametrize(
    "value, error", [(np.nan, "NaN"), (np.inf, "infinity"), (1e300, "infinite in float32")]
)
def test_bad_values_are_refused(value, error):
    S, y = rows(50)
    S = S.astype(np.float64)
    S.data[3] = value
    with pytest.raises(ValueError, match=error):
        fitted(S, y)


def test_other_columns_than_in_fit_are_refused():
    S, y = rows(50)
    with pytest.raises(ValueError, match="X has 49 features"):
        fitted(S, y).predict(S[:, :49])


class Own(nn.Module):
    """A user's own network, which knows nothing of sparse tensors."""

    def __init__(self, in_features, num_classes):
        super().__init__()
        self.linear = nn.Linear(in_features, num_classes)

    def forward(self, X):
        assert X.layout == torch.strided
        return self.linear(X)


@pytest.mark.parametrize(
    "params",
    [
        {"module": Own},
        {"train_transform": lambda X: X * 2, "eval_transform": lambda X: X * 2},
        {"preload": True},
        {"iterator_train__num_workers": 0, "iterator_train__pin_memory": False},
        {"train_split": None, "batch_size": 89},
    ],
    ids=["module", "transforms", "preload", "DataLoader", "a last batch of one"],
)
def test_with_other_settings(params):
    S, y = rows(2100)
    dense = fitted(S.toarray(), y, **params).predict_proba(S.toarray())
    assert_allclose(fitted(S, y, **params).predict_proba(S), dense, atol=1e-4)


def test_training_goes_on_with_validation_and_callbacks(tmp_path):
    S, y = rows(2100)
    net = CoTeachingVOGClassifier(random_state=0, **QUICK)
    net.fit(S, y, validation_data=(S, y))
    assert net.history[-1]["valid_acc"] == pytest.approx(net.score(S, y))
    net.partial_fit(S, y, epochs=3).refine(S, y, epochs=2)
    net.save_params(f_params=tmp_path / "net.safetensors", use_safetensors=True)
    twin = CoTeachingVOGClassifier(**QUICK)
    twin.load_params(f_params=tmp_path / "net.safetensors", use_safetensors=True)
    assert_array_equal(twin.predict_proba(S), net.predict_proba(S))
    module = net.to_module()
    batch = SparseRows(S).fetch(np.arange(len(y)))
    proba = torch.softmax(module(batch), dim=1).detach()
    assert_allclose(proba, net.predict_proba(S), atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_moments_and_outputs_of_sparse_rows_are_those_of_dense_ones(data):
    seed = data.draw(st.integers(0, 2**20))
    n, n_features = data.draw(st.integers(2, 20)), data.draw(st.integers(4, 12))
    max_features = data.draw(st.integers(2, n_features - 1))
    rng = np.random.default_rng(seed)
    X = rng.normal(data.draw(st.sampled_from([0, 1000])), 1, (n, n_features)).astype(np.float32)
    X[rng.random(X.shape) < data.draw(st.floats(0, 1))] = 0
    X[:, 1] = 2000  # constant
    torch.manual_seed(seed)
    dense, sparse = (SmallMLP(n_features, 3, max_features=max_features) for _ in range(2))
    sparse.load_state_dict(dense.state_dict())
    tensor = torch.from_numpy(X)
    for _ in range(2):
        expected = dense(tensor)
        found = sparse(SparseRows(sp.csr_array(X)).fetch(np.arange(n)))
        torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-2)
    for layer, other in zip(dense.body[0].buffers(), sparse.body[0].buffers(), strict=True):
        torch.testing.assert_close(other, layer, rtol=1e-4, atol=1e-3)
    assert sparse.body[0].variance[1] == 0


def test_gradients_of_sparse_rows_are_those_of_dense_ones():
    S, _ = rows(40, n=30)
    torch.manual_seed(0)
    networks = [SmallMLP(40, 3, max_features=10) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    batches = [torch.from_numpy(S.toarray()), SparseRows(S).fetch(np.arange(30))]
    for network, batch in zip(networks, batches, strict=True):
        network.eval()(batch).square().sum().backward()  # no batch normalisation cancels a shift
    for one, other in zip(*(network.parameters() for network in networks), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-5)


def test_columns_in_other_units_do_not_drown_the_rest():
    S, y = rows(100, n=400)
    rng = np.random.default_rng(0)
    amounts = sp.csr_matrix(rng.lognormal(10, 2, (400, 1)) * (rng.random((400, 1)) < 0.5))
    scores = []
    for X in (S, sp.hstack([S, amounts], format="csr")):
        net = CoTeachingClassifier(forget_rate=0, max_epochs=10, random_state=0)
        scores.append(net.fit(X[:200], y[:200]).score(X[200:], y[200:]))
    assert scores[0] > 0.7
    assert scores[1] == pytest.approx(scores[0], abs=0.06)


def test_columns_that_share_weights_do_so_evenly():
    torch.manual_seed(0)
    first, second = (SmallMLP(1000, 2, max_features=100).body[1] for _ in range(2))
    assert first.weight.shape == (100, 128)
    assert_array_equal(torch.bincount(first.place), np.full(100, 10))
    assert set(first.sign.tolist()) == {-1, 1}
    assert not torch.equal(first.place, second.place)
    assert isinstance(SmallMLP(100, 2).body[0], Standardize)
