"""Quick batches give what a DataLoader gives."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler, Subset

from noisyactive import CoTeachingClassifier, CoTeachingVOGClassifier
from noisyactive.coteaching._batches import IndexedDataset, MergeLastBatch, WholeBatches, collate

QUICK = {"max_epochs": 4, "forget_rate": 0.3, "ramp_epochs": 2, "random_state": 0}


def numbers(n_samples):
    X = np.arange(2 * n_samples, dtype=np.float64).reshape(-1, 2)
    return IndexedDataset(X, codes=torch.arange(n_samples) % 3)


def assert_same_batches(ours, theirs):
    ours, theirs = list(ours), list(theirs)
    assert len(ours) == len(theirs)
    for (x, y), (x_expected, y_expected) in zip(ours, theirs, strict=True):
        assert x["X"].dtype == torch.float32
        torch.testing.assert_close(x["X"], x_expected["X"])
        assert torch.equal(x["index"], x_expected["index"])
        assert torch.equal(y, y_expected)


@given(
    n_samples=st.integers(1, 40),
    batch_size=st.integers(1, 12),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    subset=st.booleans(),
    seed=st.integers(0, 3),
)
def test_same_batches_in_the_same_order(n_samples, batch_size, shuffle, drop_last, subset, seed):
    dataset = numbers(n_samples)
    if subset:
        rows = np.random.RandomState(seed).permutation(n_samples)[: max(1, n_samples // 2)]
        dataset = Subset(Subset(dataset, np.arange(n_samples)), rows.tolist())
    first, second = (torch.Generator().manual_seed(seed) for _ in range(2))
    sampler = RandomSampler(dataset, generator=second) if shuffle else SequentialSampler(dataset)
    batches = MergeLastBatch(BatchSampler(sampler, batch_size, drop_last))
    theirs = DataLoader(dataset, batch_sampler=batches, generator=second, collate_fn=collate)
    ours = WholeBatches(
        dataset,
        batch_size,
        shuffle=shuffle,
        drop_last=drop_last,
        merge_last=True,
        generator=first,
    )
    assert len(ours) == len(theirs)
    for _ in range(2):  # epochs
        assert_same_batches(ours, theirs)


def test_batches_of_one_stay_batches_of_one():
    for n, size, expected in [(5, 1, [1] * 5), (5, 2, [2, 3]), (4, 2, [2, 2]), (1, 3, [1])]:
        batches = MergeLastBatch(BatchSampler(range(n), size, drop_last=False))
        assert [len(batch) for batch in batches] == expected
        assert len(batches) == len(expected)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("cls", [CoTeachingClassifier, CoTeachingVOGClassifier])
def test_same_training_as_through_a_dataloader(blobs, cls, shuffle):
    X, _, y = blobs
    more = {} if cls is CoTeachingClassifier else {"warmup_epochs": 1, "vog_window": 2}
    settings = {**QUICK, **more, "batch_size": 16, "iterator_train__shuffle": shuffle}
    quick = cls(**settings).fit(X, y)
    slow = cls(**settings, iterator_train__num_workers=0, iterator_valid__num_workers=0).fit(X, y)
    assert isinstance(quick.get_iterator(quick.get_dataset(X, y), training=True), WholeBatches)
    assert isinstance(slow.get_iterator(slow.get_dataset(X, y), training=True), DataLoader)
    np.testing.assert_array_equal(quick.predict_proba(X), slow.predict_proba(X))
    np.testing.assert_array_equal(quick.selected_, slow.selected_)
    np.testing.assert_array_equal(quick.sample_loss_, slow.sample_loss_)


@pytest.mark.slow
def test_workers_change_nothing(blobs):
    X, _, y = blobs
    nets = [CoTeachingClassifier(**QUICK, iterator_train__num_workers=n).fit(X, y) for n in (0, 2)]
    np.testing.assert_array_equal(nets[0].predict_proba(X), nets[1].predict_proba(X))


def test_preloaded_samples_give_the_same(blobs):
    X, _, y = blobs
    for data in (X, X.astype(np.float64)):
        plain = CoTeachingClassifier(**QUICK).fit(data, y)
        preloaded = CoTeachingClassifier(**QUICK, preload=True).fit(data, y)
        np.testing.assert_array_equal(plain.predict_proba(X), preloaded.predict_proba(X))


def test_losses_of_batches_are_numbers_after_each_epoch(blobs):
    X, y, y_noisy = blobs
    net = CoTeachingClassifier(**QUICK).fit(X, y_noisy, validation_data=(X, y))
    for epoch in net.history:
        train = [row["train_loss"] for row in epoch["batches"] if "train_loss" in row]
        valid = [row["valid_loss"] for row in epoch["batches"] if "valid_loss" in row]
        assert len(train) == epoch["train_batch_count"] and len(valid) == 1
        assert all(type(loss) is float for loss in train + valid)
        assert epoch["valid_loss"] == pytest.approx(valid[0])
    last = torch.nn.functional.cross_entropy(
        torch.log(torch.from_numpy(net.predict_proba(X))), torch.from_numpy(y)
    )
    assert net.history[-1, "valid_loss"] == pytest.approx(last.item(), rel=1e-4)
