"""Categories of synthetic rows in the program, against imbalanced-learn and slow loops."""

from __future__ import annotations

import keras
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import SMOTENC
from mixed_tables import COLUMNS, MixedProblem, mixed_features, with_voted_categories
from outcome_checks import assert_close
from reference_training import assert_same_weights, dense_reference, fit_by_keras
from small_problems import short_training

from remix_study.batches.nominal import nominal_features
from remix_study.batches.plan import plan_epoch
from remix_study.batches.strategies import make_strategy
from remix_study.training import problem_rows

NUMERIC = [0, 4, 8]


def voted(X, x, first, neighbours, nominal=None):
    """The program's function for one member, on features that need no preparing but NaN."""
    nominal = nominal or nominal_features(X, COLUMNS)
    categories = problem_rows.find_categories(X, nominal)
    arrays = [keras.ops.convert_to_tensor(array) for array in categories]
    result = problem_rows.with_voted_categories(
        lambda array, indices: keras.ops.take(array, indices, axis=0),
        x[None],
        keras.ops.convert_to_tensor(np.nan_to_num(categories.values)[None]),
        problem_rows.Categories(*arrays),
        first[None],
        keras.ops.convert_to_tensor(neighbours[None]),
    )
    return keras.ops.convert_to_numpy(result)[0]


def test_rows_are_those_of_imbalanced_learn_given_its_neighbours_and_draws():
    rng = np.random.default_rng(0)
    X = mixed_features(60, has_missing=False)
    first = rng.integers(0, 60, 200).astype(np.int32)
    near = np.array([rng.permutation(60)[:5] for _ in range(60)], np.int32)
    partner, gap = rng.integers(0, 5, 200), rng.random((200, 1)).astype(np.float32)
    second = near[first, partner]
    ours = voted(X, X[first] + gap * (X[second] - X[first]), first, near[first])

    # Numeric features first; a truth value as its two categories.
    truth = np.stack([1 - X[:, 5], X[:, 5]], axis=1)
    theirs = np.hstack([X[:, NUMERIC], X[:, 1:4], truth, X[:, 6:8]]).astype(float)
    library = SMOTENC([3, 4, 5], random_state=0)
    library.continuous_features_ = np.arange(3)
    library.median_std_ = {1: 1.0}
    library.categorical_encoder_ = type(
        "Encoder", (), {"categories_": [np.arange(n) for n in (3, 2, 2)]}
    )
    expected = library._generate_samples(theirs, theirs, near, first, partner, gap, 1)
    np.testing.assert_allclose(ours[:, NUMERIC], expected[:, :3], atol=1e-6)
    counts = theirs[near[first]].sum(axis=1)
    for columns, positions in (([1, 2, 3], slice(3, 6)), ([6, 7], slice(8, 10))):
        top = np.sort(counts[:, positions], axis=1)
        is_clear = top[:, -1] > top[:, -2]
        assert is_clear.sum() > 100
        np.testing.assert_array_equal(
            ours[np.ix_(is_clear, columns)], expected[is_clear, positions]
        )
        # The library draws among categories of most votes, where we keep the base row's.
        np.testing.assert_array_equal(
            ours[np.ix_(~is_clear, columns)], X[np.ix_(first[~is_clear], columns)]
        )
    np.testing.assert_array_equal(ours[:, 5], expected[:, 7])


@st.composite
def drawn_rows(draw):
    n_rows = draw(st.integers(1, 12))
    neighbours = draw(
        st.lists(
            st.lists(st.integers(0, n_rows - 1), max_size=5).map(
                lambda row: row + [-1] * (5 - len(row))
            ),
            min_size=4,
            max_size=4,
        )
    )
    return n_rows, np.array(neighbours, np.int32), draw(st.integers(0, 2**32 - 1))


@settings(max_examples=40, deadline=None)
@given(drawn_rows(), st.booleans())
def test_any_neighbours(rows, has_missing):
    n_rows, neighbours, seed = rows
    rng = np.random.default_rng(seed)
    X = mixed_features(n_rows, seed, has_missing=has_missing)
    prepared = np.nan_to_num(X)
    first = rng.integers(0, n_rows, len(neighbours)).astype(np.int32)
    x = rng.random((len(neighbours), X.shape[1])).astype(np.float32)
    result = voted(X, x, first, neighbours)
    np.testing.assert_array_equal(result, with_voted_categories(X, prepared, x, first, neighbours))
    if not has_missing:
        is_synthetic = (neighbours >= 0).any(axis=1)
        for columns in ((1, 2, 3), (6, 7)):
            assert set(np.sort(result[is_synthetic][:, columns]).sum(axis=1)) <= {1.0}
            assert np.isin(result[is_synthetic][:, columns], [0, 1]).all()


def test_shifted_features_keep_their_values():
    """A category that all rows have lies so far from 0 for its range that it is shifted there."""
    X = np.zeros((6, 3), np.float32)
    X[:, 2] = np.arange(6)
    nominal = nominal_features(np.array([[1.0, 0, n] for n in range(6)]), [(0, 1)])
    x, first = np.full((1, 3), 0.5, np.float32), np.zeros(1, np.int32)
    neighbours = np.array([[1, 2, 3, -1, -1]], np.int32)
    np.testing.assert_array_equal(voted(X, x, first, neighbours, nominal), [[0, 0, 0.5]])


def test_a_stack_with_smote_equals_networks_trained_alone():
    """On TensorFlow with XLA, SMOTE beside mixing, whose rows are blended as numbers."""
    problem = MixedProblem()
    members = problem.members((96, 64))
    engine = problem.engine(members, stack=4)
    strategies = [make_strategy(name) for name in ("smote", "remix")]
    outcomes = engine.fit(members, strategies, short_training(epochs=2))
    reference = dense_reference(9, (8, 6), 3)
    for position, outcome in enumerate(outcomes):
        member, strategy = members[position % 2], strategies[position // 2]
        losses = reference.fit(
            problem,
            member,
            strategy,
            epochs=2,
            weights=engine.network.initial_weights(member.seed),
        )
        assert_same_weights(engine.member_weights(position), reference.model, atol=1e-5)
        np.testing.assert_allclose(outcome.loss, losses, rtol=1e-4)
    traces = engine.program.traces["train"]
    without = [make_strategy(name) for name in ("mixup", "remix")]
    blended = engine.fit(members, without, short_training(epochs=2))
    assert_close(blended[2:], outcomes[2:], atol=1e-6)
    # A stack without SMOTE has another program, without votes.
    assert engine.program.traces["train"] == traces + 1


def test_a_network_without_xla_trains_on_the_same_rows():
    problem, strategy = MixedProblem(), make_strategy("smote-dataset")
    members = problem.members((96, 64))
    engine = problem.engine(members, name="user_nets:dense")
    engine.fit(members, strategy, short_training())
    model = keras.models.clone_model(engine.network.train)
    model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
    X, Y = problem.prepared(), np.eye(3, dtype=np.float32)[problem.y]
    for position, member in enumerate(members):
        plan = plan_epoch(strategy, member.training, batch_size=16, seed=member.seed, epoch=0)
        share, first, second = plan.weight[..., None], plan.first, plan.second
        x = share * X[first] + (1 - share) * X[second]
        rows = zip(x, first, plan.neighbours, strict=True)
        x = np.concatenate([problem.with_voted_categories(*step) for step in rows])
        start = engine.network.initial_weights(member.seed)
        fit_by_keras(model, start, (x, Y[first].reshape(-1, 3)))
        assert_same_weights(engine.member_weights(position), model, atol=3e-5)
