"""ReMix as a Keras data set: its batches are those of the plan, and ``model.fit`` takes them."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pandas as pd
import pytest

from remix_study.batches.keras_dataset import ReMix
from remix_study.batches.plan import plan_epoch
from remix_study.batches.strategies import compose
from remix_study.batches.training_rows import TrainingRows
from remix_study.errors import UsageError

RNG = np.random.default_rng(0)
N, K = 100, 3
Y = RNG.choice(K, N, p=[0.7, 0.2, 0.1])
X = RNG.normal(size=(N, 4)) + Y[:, None]


def epoch_of(data):
    batches = [data[i] for i in range(len(data))]
    return np.concatenate([b[0] for b in batches]), np.concatenate([b[1] for b in batches])


def network():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(K, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy")
    return model


@pytest.mark.parametrize(
    ("sampler", "per_sample", "alpha"),
    [
        ("balanced", False, 0.3),
        ("balanced", True, 0.3),
        ("natural", False, 0.3),
        ("balanced-dataset", False, 0.0),
        ("smote", False, 0),
    ],
)
def test_batches_are_those_of_the_plan(sampler, per_sample, alpha):
    data = ReMix(X, Y, alpha, 16, sampler=sampler, per_sample=per_sample, seed=5)
    training = TrainingRows(np.arange(N, dtype="i4"), Y.astype("i4"), K, lambda: X.astype("f4"))
    strategy = compose(sampler, "beta-sample" if per_sample else "beta", alpha)
    assert len(data) == 6
    for epoch in range(2):
        plan = plan_epoch(strategy, training, batch_size=16, seed=5, epoch=epoch)
        for index in range(len(data)):
            features, labels = data[index]
            assert features.dtype == labels.dtype == np.float32
            i, j = plan.first[index], plan.second[index]
            w, v = plan.weight[index][:, None], plan.label_weight[index][:, None]
            np.testing.assert_allclose(features, w * X[i] + (1 - w) * X[j], atol=1e-5)
            onehot = np.eye(K)
            np.testing.assert_allclose(
                labels, v * onehot[Y[i]] + (1 - v) * onehot[Y[j]], atol=1e-6
            )
        data.on_epoch_end()


def test_labels_may_be_codes_columns_one_hot_or_soft():
    expected = epoch_of(ReMix(X, Y))
    for y in (Y.tolist(), Y[:, None], Y.astype(float), np.eye(K)[Y], np.eye(K, dtype=bool)[Y]):
        for part, expected_part in zip(epoch_of(ReMix(X, y)), expected, strict=True):
            np.testing.assert_array_equal(part, expected_part)
    names = np.array(["no", "maybe", "yes"])[[1, 0, 2]][Y]
    for y in (names, pd.Series(names), names.astype(object)):
        data = ReMix(X, y)
        assert data.classes == ("maybe", "no", "yes")
        np.testing.assert_array_equal(epoch_of(data)[1], expected[1])
    soft = 0.9 * np.eye(K)[Y] + 0.1 / K
    features, labels = epoch_of(ReMix(X, soft))
    np.testing.assert_array_equal(features, expected[0])
    np.testing.assert_allclose(labels, 0.9 * expected[1] + 0.1 / K, atol=1e-6)


def test_a_model_of_one_unit_gets_the_share_of_the_second_class():
    y = np.minimum(Y, 1)
    features, labels = epoch_of(ReMix(X, y))
    features_of_one, share = epoch_of(ReMix(X, y, output="sigmoid"))
    np.testing.assert_array_equal(features_of_one, features)
    np.testing.assert_array_equal(share, labels[:, 1:])
    weights = np.arange(N)
    weighted = ReMix(X, y, output="sigmoid", sample_weight=weights)[0]
    assert [part.shape for part in weighted] == [(64, 4), (64, 1), (64,)]


def test_n_classes_sets_the_width_of_labels():
    assert ReMix(X, Y, n_classes=5)[0][1].shape == (64, 5)
    assert ReMix(X, np.where(Y == 2, 1, Y), n_classes=3)[0][1].shape == (64, 3)


def test_images_of_bytes():
    images = RNG.integers(0, 256, size=(N, 6, 5, 3), dtype=np.uint8)
    features, labels = ReMix(images, Y, batch_size=20)[1]
    assert features.shape == (20, 6, 5, 3)
    assert features.dtype == np.float32
    assert labels.shape == (20, K)
    unmixed, _ = ReMix(images, Y, alpha=0, batch_size=20)[1]
    assert all((image == images).all(axis=(1, 2, 3)).any() for image in unmixed)


def test_epochs_differ_and_a_seed_repeats_them():
    data = ReMix(X, Y)
    first = epoch_of(data)[0]
    np.testing.assert_array_equal(epoch_of(data)[0], first)
    data.on_epoch_end()
    assert not np.array_equal(epoch_of(data)[0], first)
    np.testing.assert_array_equal(epoch_of(ReMix(X, Y))[0], first)
    assert not np.array_equal(epoch_of(ReMix(X, Y, seed=1))[0], first)


def test_batches_read_in_parallel_and_out_of_order_are_the_same():
    expected = [ReMix(X, Y, batch_size=10)[i][0] for i in range(10)]
    data = ReMix(X, Y, batch_size=10)
    with ThreadPoolExecutor(8) as pool:
        reversed_batches = list(pool.map(lambda i: data[i][0], reversed(range(10))))
    for batch, expected_batch in zip(reversed(reversed_batches), expected, strict=True):
        np.testing.assert_array_equal(batch, expected_batch)


def test_can_be_pickled_for_worker_processes():
    data = ReMix(X, Y, workers=2)
    data.on_epoch_end()
    copy = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(copy[0][0], data[0][0])
    copy.on_epoch_end()
    assert not np.array_equal(copy[0][0], data[0][0])


def test_iteration_ends_after_the_last_batch():
    data = ReMix(X, Y, batch_size=30)
    assert len(list(data)) == 3
    with pytest.raises(IndexError):
        data[3]


class RecordingReMix(ReMix):
    """Records which (epoch, batch) was read."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.calls = []

    def __getitem__(self, index):
        self.calls.append((self._start // 6, index))
        return super().__getitem__(index)


def numbered_batches(data, fit_epochs):
    """First features of every batch that a loop of Keras' hooks reads."""
    values = []
    for _ in range(fit_epochs):
        data.on_epoch_begin()
        values += [data[index][0] for index in range(len(data))]
        data.on_epoch_end()
    return np.stack(values)


@pytest.mark.parametrize("steps", [1, 4, 6, 7, 20])
def test_the_steps_of_an_epoch_only_cut_the_sequence(steps):
    expected = numbered_batches(ReMix(X, Y, batch_size=16), 4)
    data = ReMix(X, Y, batch_size=16, steps_per_epoch=steps)
    values = numbered_batches(data, 24 // steps)
    np.testing.assert_array_equal(values, expected[: len(values)])
    # As Keras before a fit: the next pass begins, wherever the last epoch ended.
    data.on_epoch_end()
    all_batches = numbered_batches(ReMix(X, Y, batch_size=16), 6)
    np.testing.assert_array_equal(data[0][0], all_batches[len(values) // 6 * 6 + 6])


def test_a_tf_dataset_has_the_same_sequence():
    expected = numbered_batches(ReMix(X, Y, batch_size=16), 2)
    data = ReMix(X, Y, batch_size=16)
    for _ in range(2):
        batches = list(data.as_tf_dataset().take(12).as_numpy_iterator())
        np.testing.assert_array_equal([features for features, _ in batches], expected)
    weighted = ReMix(X, Y, batch_size=16, sample_weight=np.ones(N)).as_tf_dataset()
    assert [part.shape for part in weighted.element_spec] == [(16, 4), (16, K), (16,)]


@pytest.mark.parametrize("steps", [4, 6])
def test_fit_on_a_tf_dataset_takes_any_steps(steps):
    fitted = network()
    fitted.set_weights([np.zeros((4, K)), np.zeros(K)])
    dataset = ReMix(X, Y, batch_size=16).as_tf_dataset()
    fitted.fit(dataset, epochs=12 // steps, steps_per_epoch=steps, shuffle=False, verbose=0)
    by_hand = network()
    by_hand.set_weights([np.zeros((4, K)), np.zeros(K)])
    data = ReMix(X, Y, batch_size=16, steps_per_epoch=12)
    for index in range(12):
        by_hand.train_on_batch(*data[index])
    for values, expected in zip(fitted.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(values, expected, atol=1e-6)


def test_an_epoch_that_fit_cuts_short_is_warned_of():
    data = ReMix(X, Y, batch_size=8, workers=0)
    data.on_epoch_begin()
    data[3]
    with pytest.warns(UserWarning, match=r"before all 12 .*give steps_per_epoch to ReMix"):
        data.on_epoch_end()


@pytest.mark.parametrize("workers", [1, 2])
def test_fit_learns_from_whole_epochs_whatever_the_workers(workers):
    zeros = [np.zeros((4, K)), np.zeros(K)]
    data = RecordingReMix(X, Y, batch_size=16, workers=workers, use_multiprocessing=False)
    model = network()
    model.set_weights(zeros)
    history = model.fit(data, epochs=3, shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"]).all()

    # Keras looks at the first batches before it begins, so epochs are counted by what is whole.
    epochs = [e for e in range(10) if {(e, index) for index in range(6)} <= set(data.calls)]
    assert len(epochs) == 3
    same_data, by_hand = ReMix(X, Y, batch_size=16), network()
    by_hand.set_weights(zeros)
    for epoch in range(epochs[-1] + 1):
        if epoch in epochs:
            for features, labels in same_data:
                by_hand.train_on_batch(features, labels)
        same_data.on_epoch_end()
    for fitted, expected in zip(model.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(fitted, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ReMix(X, Y, alpha=-1), "alpha must be"),
        (lambda: ReMix(X, Y, alpha=float("nan")), "alpha must be"),
        (lambda: ReMix(X, Y, alpha=None), "alpha must be"),
        (lambda: ReMix(X, Y, sampler="smoat"), 'unknown sampler.*did you mean "smote"'),
        (lambda: ReMix(X, Y, sampler="smote"), "'smote' cannot be mixed.*alpha 0"),
        (lambda: ReMix(X, Y, batch_size=101), "100 training rows do not fill one batch of 101"),
        (lambda: ReMix(X, Y, batch_size=0), "batch_size must be at least 1"),
        (lambda: ReMix(X, Y, batch_size=6.5), "batch_size must be a whole number"),
        (lambda: ReMix(X, Y, seed=-1), "seed must be a whole number and not negative"),
        (lambda: ReMix(X, Y, seed=2**64), "seed must be below"),
        (lambda: ReMix(X, Y, alpha=10**400), "alpha must be"),
        (lambda: ReMix(X, Y, n_classes="3"), "n_classes must be a whole number"),
        (lambda: ReMix(X, Y * 10**9), "class code 2000000000 in 100 rows.*n_classes"),
        (lambda: ReMix(X, Y, n_classes=2), "class code 2, but n_classes is 2"),
        (lambda: ReMix(X, np.eye(K)[Y], n_classes=4), "3 columns, but n_classes is 4"),
        (lambda: ReMix(X[:, 0], Y), r"X must be \(n, ...\)"),
        (lambda: ReMix(X, Y[:-1]), "one entry for each of the 99 labels"),
        (lambda: ReMix(X[:50], Y), "each of the 100 labels"),
        (lambda: ReMix(X.astype(str), Y), "X must hold numbers.*encode text"),
        (lambda: ReMix([[1, 2], [3]], Y), "X must be one array of numbers"),
        (lambda: ReMix(np.where(X > 2, np.nan, X), Y), "missing or infinite.*impute"),
        (lambda: ReMix(np.float64(X) * 1e39, Y), "too large for 32 bits"),
        (lambda: ReMix(np.ma.masked_greater(X, 1), Y), "X has masked values"),
        (lambda: ReMix(X, np.ma.masked_equal(Y, 1)), "y has masked values"),
        (lambda: ReMix(X, [None, *Y[1:].astype(str)]), "y is missing in row 0"),
        (lambda: ReMix(X, pd.Series([*"ab", pd.NA, *"a" * 97], dtype="string")), "in row 2"),
        (lambda: ReMix(X, ["a", " ", *"b" * 98]), "y is missing in row 1"),
        (lambda: ReMix(X, Y.astype(str), n_classes=4), "3 class names, but n_classes is 4"),
        (lambda: ReMix(X, Y + 0j), "class names, integer codes.*complex"),
        (lambda: ReMix(X, Y, output="tanh"), 'output must be "softmax" or "sigmoid"'),
        (lambda: ReMix(X, Y, output="sigmoid"), '"sigmoid" is for two classes, and y has 3'),
        (lambda: ReMix(X, Y, steps_per_epoch=0), "steps_per_epoch must be at least 1"),
        (lambda: ReMix(X, [[1], [1, 2]]), "y must be one array"),
        (lambda: ReMix(X, Y - 1), "negative"),
        (lambda: ReMix(X, np.where(Y == 2, np.nan, Y)), "missing"),
        (lambda: ReMix(X, Y + 0.5), "whole numbers"),
        (lambda: ReMix(X, np.ones((N, 2))), "must sum to 1"),
        (lambda: ReMix(X, np.zeros(N, int)), "single class"),
        (lambda: ReMix(X, np.zeros((N, 2, 2))), "got shape"),
        (lambda: ReMix(X[:0], Y[:0]), "y has no rows"),
    ],
)
def test_mistakes_are_one_clear_line(make, words):
    with pytest.raises(UsageError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sampler", ["balanced", "smote"])
def test_weights_of_rows_make_the_loss_of_each_row(sampler):
    """The weight times a cross-entropy is w1 l loss(y1) + w2 (1 - l) loss(y2)."""
    w = np.random.default_rng(3).integers(0, 4, N)
    alpha = 0.0 if sampler == "smote" else 0.4
    options = {"alpha": alpha, "batch_size": 16, "sampler": sampler, "seed": 5}
    plain, weighted = ReMix(X, Y, **options), ReMix(X, Y, sample_weight=7 * w, **options)
    plan, log_p = plain._plan(0), np.log(np.random.default_rng(4).dirichlet(np.ones(K), 16))
    w = w / w.mean()
    for index in range(len(plain)):
        x, labels, weights = weighted[index]
        np.testing.assert_array_equal(x, plain[index][0])
        np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-5)
        i, j, share = plan.first[index], plan.second[index], plan.label_weight[index]
        if sampler == "smote":
            share = plan.weight[index]
        rows = np.arange(16)
        expected = -w[i] * share * log_p[rows, Y[i]] - w[j] * (1 - share) * log_p[rows, Y[j]]
        loss = -weights * (labels * log_p).sum(axis=1)
        np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-6)


def test_wrong_weights_are_refused():
    for wrong in (np.ones(3), -np.ones(N), np.zeros(N), np.full(N, np.nan), [[1], [1, 2]]):
        with pytest.raises(UsageError, match="sample_weight must"):
            ReMix(X, Y, sample_weight=wrong)
