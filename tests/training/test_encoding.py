"""Encoders against a slow NumPy version and scikit-learn, and what their fit may see."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from sklearn.preprocessing import QuantileTransformer
from small_problems import SmallProblem, short_training

from remix_study.batches.strategies import make_strategy
from remix_study.data.preprocessing import CLIP, fit_preprocessing
from remix_study.models.networks import build_mlp
from remix_study.studyfile.features import Features
from remix_study.training.encoding import encoded_width, fit_encoder
from remix_study.training.engine import Engine

KINDS = ("quantile", "piecewise-linear")
SQRT_12 = 12**0.5


def standardised(X: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Every row as the program has it for a member that trains on some."""
    mean = np.nan_to_num(np.nanmean(X[train], axis=0))
    filled = np.where(np.isnan(X), mean, X)
    centre, scale = filled[train].mean(axis=0), filled[train].std(axis=0)
    return (filled - centre) / np.where(scale == 0, 1, scale)


def slow(x: np.ndarray, train: np.ndarray, kind: str, bins: int) -> np.ndarray:
    """One feature (n,) of standardised rows, cell by cell: (n, bins) or (n, 1)."""
    edges = np.quantile(x[train].astype(np.float32), np.arange(bins + 1) / bins)
    encoded = np.zeros((len(x), bins))
    used = [b for b in range(bins) if np.float32(edges[b + 1]) > np.float32(edges[b])]
    for row, value in enumerate(x):
        for b in used:
            share = (value - edges[b]) / (edges[b + 1] - edges[b])
            encoded[row, b] = min(max(share, 0), 1)
    if kind == "piecewise-linear":
        return encoded
    share = encoded.sum(axis=1, keepdims=True) / max(len(used), 1)
    return (share - 0.5) * SQRT_12


def encoder_and_inputs(X, trains, **keys):
    encoder = fit_encoder(Features(**keys), X, fit_preprocessing(X, trains), trains)
    return encoder, SimpleNamespace(lower=encoder.lower, inverse=encoder.inverse)


def table(rng: np.random.Generator, n: int = 80) -> np.ndarray:
    """Columns: smooth, skewed, many zeros, truth values, constant, few values; some missing."""
    X = np.stack(
        [
            rng.normal(size=n),
            rng.lognormal(0, 2, n) * 1e6,
            np.maximum(rng.normal(size=n), 0),
            rng.integers(0, 2, n),
            np.full(n, 3.0),
            rng.integers(0, 4, n),
        ],
        axis=1,
    )
    X[rng.random(X.shape) < 0.05] = np.nan
    return X


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), bins=st.sampled_from([2, 5, 16]))
def test_it_is_the_slow_version(kind, seed, bins):
    rng = np.random.default_rng(seed)
    X = table(rng)
    trains = [np.arange(50), np.arange(20, 80)]
    # Training rows of one member have one value only, which makes no bin.
    X = np.column_stack([X, np.where(np.arange(80) < 50, 0.0, X[:, 0])])
    encoder, inputs = encoder_and_inputs(X, trains, numeric=kind, bins=bins)
    assert encoder.numeric.tolist() == [0, 1, 2, 5, 6]
    assert encoder.untouched.tolist() == [3, 4]
    x = np.stack([standardised(X, train) for train in trains])
    encoded = np.asarray(encoder.encode(ops, x.astype(np.float32), inputs))
    assert encoded.shape == (2, 80, encoded_width(encoder.features, X))
    np.testing.assert_allclose(encoder.encode(np, x, inputs), encoded, atol=2e-3)
    for member, train in enumerate(trains):
        columns = [slow(x[member][:, c], train, kind, bins) for c in encoder.numeric]
        plain = np.clip(x[member][:, encoder.untouched], -CLIP, CLIP)
        expected = np.concatenate([plain, *columns], axis=1)
        # A cell on an edge of a narrow bin may fall on either side of it.
        assert np.isclose(encoded[member], expected, atol=2e-3).mean() > 0.999


def test_shares_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    X = rng.lognormal(0, 1, (200, 3))
    train = np.arange(140)
    encoder, inputs = encoder_and_inputs(X, [train], numeric="quantile", bins=16)
    x = standardised(X, train)[None].astype(np.float32)
    share = np.asarray(encoder.encode(ops, x, inputs))[0] / SQRT_12 + 0.5
    theirs = QuantileTransformer(n_quantiles=17, subsample=None).fit(X[train])
    np.testing.assert_allclose(share, theirs.transform(X), atol=2e-5)
    roughly_standard = np.asarray(encoder.encode(ops, x, inputs))[0, :140]
    np.testing.assert_allclose(roughly_standard.mean(axis=0), 0, atol=0.1)
    np.testing.assert_allclose(roughly_standard.std(axis=0), 1, atol=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_only_training_rows_are_seen(kind):
    X = table(np.random.default_rng(3))
    trains = [np.arange(50), np.arange(20, 80)]
    encoder, _ = encoder_and_inputs(X, trains, numeric=kind)
    changed = X.copy()
    # Values that no training row of the first member has.
    changed[50:, encoder.numeric] = X[50:, encoder.numeric] * 7 - 3
    changed_encoder, _ = encoder_and_inputs(changed, trains, numeric=kind)
    np.testing.assert_array_equal(encoder.lower[0], changed_encoder.lower[0])
    np.testing.assert_array_equal(encoder.inverse[0], changed_encoder.inverse[0])
    assert not np.array_equal(encoder.lower[1], changed_encoder.lower[1])


def test_nothing_to_encode():
    X = np.random.default_rng(0).integers(0, 2, (30, 4)).astype(float)
    train = [np.arange(20)]
    preprocessing = fit_preprocessing(X, train)
    assert fit_encoder(Features(numeric="quantile"), X, preprocessing, train) is None
    X = np.random.default_rng(0).normal(size=(30, 4))
    assert fit_encoder(Features(), X, fit_preprocessing(X, train), train) is None
    assert encoded_width(Features(), X) == 4
    assert encoded_width(Features(numeric="piecewise-linear", bins=5), X) == 20


def blend(encoder, inputs, first, second, share, blends_raw):
    inputs.blends_raw = np.array(blends_raw, np.float32)
    blended = share * first + (1 - share) * second
    return np.asarray(encoder.blend(inputs, blended, first, second, share))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_mixed_before_or_after(kind):
    rng = np.random.default_rng(1)
    X = table(rng)
    X = X[~np.isnan(X).any(axis=1)]
    trains = [np.arange(40)] * 2
    encoder, inputs = encoder_and_inputs(X, trains, numeric=kind, bins=4)
    x = standardised(X, trains[0]).astype(np.float32)
    first, second = np.stack([x[:20]] * 2), np.stack([x[20:40]] * 2)
    share = rng.random((2, 20, 1)).astype(np.float32)
    after = share * encoder.encode(ops, first, inputs) + (1 - share) * encoder.encode(
        ops, second, inputs
    )
    before = encoder.encode(ops, share * first + (1 - share) * second, inputs)
    mixed = blend(encoder, inputs, first, second, share, [0, 1])
    np.testing.assert_allclose(mixed[0], after[0], atol=1e-6)
    np.testing.assert_allclose(mixed[1], before[1], atol=1e-6)
    assert not np.allclose(mixed[0], before[0])
    raw, _ = encoder_and_inputs(X, trains, numeric=kind, bins=4, mix="raw")
    np.testing.assert_array_equal(blend(raw, inputs, first, second, share, [0, 0]), before)


@pytest.mark.parametrize(
    "kind", [pytest.param("quantile", marks=pytest.mark.slow), "piecewise-linear"]
)
def test_a_network_trains_on_what_the_encoder_gives(kind):
    """Rows that are encoded by hand give the network of the encoding program."""
    problem = SmallProblem(n_features=3)
    members = problem.members()
    X = problem.X.astype(np.float64)
    trains = [member.training.rows for member in members]
    preprocessing = fit_preprocessing(X, trains)
    encoder = fit_encoder(Features(numeric=kind, bins=4), X, preprocessing, trains)
    width = encoded_width(encoder.features, X)
    preparation = preprocessing.fill, preprocessing.centre, preprocessing.scale

    def train(network, x, prepared, encoder, strategy):
        engine = Engine(network, x, problem.y, 3, *prepared, jit=False, encoder=encoder)
        return engine.fit(members, make_strategy(strategy), short_training(epochs=2))

    network = build_mlp(3, width, 3, hidden=(8,), dropout=0.1)
    inside = train(network, problem.X, preparation, encoder, "cost")
    x = np.stack([preprocessing.standardise(1, X)] * 3).astype(np.float32)
    inputs = SimpleNamespace(lower=encoder.lower, inverse=encoder.inverse)
    encoded = np.asarray(encoder.encode(ops, x, inputs))[1]
    identity = np.zeros((3, width)), np.zeros((3, width)), np.ones((3, width))
    outside = train(network, encoded, identity, None, "cost")
    np.testing.assert_allclose(inside[1].test, outside[1].test, atol=1e-4)
    assert not np.allclose(inside[0].test, outside[0].test, atol=1e-3)
