"""Costs of decisions: against loops over rows and classes, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remix_study.errors import DataError
from remix_study.metrics import score
from remix_study.metrics.costs import cost_matrix


def slow_cost(y, p, costs, weights):
    """Each row alone: the class of least expected cost, the first among equals, and its cost."""
    k, total = len(costs), 0.0
    for actual, row, weight in zip(y, p, weights, strict=True):
        expected = [sum(row[c] * costs[c][j] for c in range(k)) for j in range(k)]
        total += weight * costs[actual][expected.index(min(expected))]
    return total / sum(weights)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 4), st.integers(1, 40), st.integers(0, 10_000), st.booleans())
def test_it_is_that_of_a_slow_loop(k, n, seed, has_weights):
    rng = np.random.default_rng(seed)
    y, p = rng.integers(k, size=n), rng.dirichlet(np.ones(k), n)
    costs = rng.integers(0, 20, (k, k)) * 1.0
    weights = rng.uniform(0.1, 2, n) if has_weights else None
    scores = score(y, p, k, ["cost"], sample_weight=weights, costs=costs)
    expected = slow_cost(y, p, costs, np.ones(n) if weights is None else weights)
    assert scores["cost"] == pytest.approx(expected)


def test_by_hand():
    # A missed rare row costs 20, a false alarm 1: decided for the rare class from 1/21 on.
    p1 = np.array([0.04, 0.06, 0.5, 0.03, 0.9])
    y = [0, 0, 1, 1, 1]
    costs = cost_matrix({"fn": 20, "fp": 1}, ("no", "yes"), "x")
    assert costs.tolist() == [[0, 1], [20, 0]]
    scores = score(y, np.column_stack([1 - p1, p1]), 2, ["cost"], costs=costs)
    assert scores["cost"] == pytest.approx((1 + 20) / 5)
    # The other scores are of the most probable class.
    assert scores["recall"] == pytest.approx(1 / 3)


def test_equal_costs_are_the_error_of_the_most_probable_class():
    rng = np.random.default_rng(0)
    y, p = rng.integers(3, size=200), rng.dirichlet(np.ones(3), 200)
    scores = score(y, p, 3, ["cost", "accuracy"], costs=1 - np.eye(3))
    assert scores["cost"] == pytest.approx(1 - scores["accuracy"])


def test_a_matrix_by_class_names():
    costs = {"a": {"b": 2, "c": 3}, "b": {"a": 4, "c": 5}, "c": {"a": 6, "b": 7, "c": 0.5}}
    matrix = cost_matrix(costs, ("a", "b", "c"), "x")
    assert matrix.tolist() == [[0, 2, 3], [4, 0, 5], [6, 7, 0.5]]


@pytest.mark.parametrize(
    ("costs", "classes", "words"),
    [
        ({"fn": 1, "fp": 1}, "abc", "fn and fp are of two classes, and x has 3"),
        ({"a": {"b": 1}}, "ab", 'no cost of deciding for "a" where "b" is right'),
        ({"a": {"b": 1}, "b": {"d": 1}}, "ab", 'x has no class "d"; known: a, b'),
    ],
)
def test_costs_that_do_not_fit_the_classes_are_refused(costs, classes, words):
    with pytest.raises(DataError, match=words):
        cost_matrix(costs, tuple(classes), "x")
