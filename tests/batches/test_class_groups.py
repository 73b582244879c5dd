"""Nearest neighbours of many groups at once, against scikit-learn one group at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from remix_study.batches import class_groups
from remix_study.batches.class_groups import nearest_neighbours


def draw_groups(sizes, rng, n):
    """Rows, starts and counts of random groups of these sizes among n rows."""
    rows = np.concatenate([rng.choice(n, size, replace=False) for size in sizes])
    count = np.array(sizes)
    return rows, np.cumsum(count) - count, count


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(2, 20), min_size=1, max_size=8),
    st.integers(1, 40),
    st.integers(0, 2**32),
)
def test_equals_scikit_learn(sizes, width, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, width)).astype("f4")
    rows, start, count = draw_groups(sizes, rng, 60)
    near = nearest_neighbours(X, rows, start, count)
    for g, (low, size) in enumerate(zip(start, count, strict=True)):
        points = X[rows[low : low + size]].astype(float)
        k = min(5, size - 1)
        expected = NearestNeighbors(n_neighbors=k).fit(points).kneighbors()[1]
        np.testing.assert_array_equal(near[g, :size, :k], expected)


@pytest.mark.parametrize("block", [1, 5000, 1 << 22])
def test_blocks_change_nothing(monkeypatch, block):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(80, 12)).astype("f4")
    groups = draw_groups([2, 30, 7, 7, 19, 3], rng, 80)
    expected = nearest_neighbours(X, *groups)
    monkeypatch.setattr(class_groups, "_BLOCK_BYTES", block)
    result = nearest_neighbours(X, *groups)
    for g, size in enumerate(groups[2]):
        k = min(5, size - 1)
        np.testing.assert_array_equal(result[g, :size, :k], expected[g, :size, :k])


def test_twins_are_neighbours_and_a_row_is_never_its_own():
    X = np.repeat(np.array([[5, -5, 5], [5, -5, 4.9999]], "f4"), 4, axis=0)
    near = nearest_neighbours(X, np.arange(8), np.array([0]), np.array([8]))[0]
    assert not (near == np.arange(8)[:, None]).any()
    assert set(near[0, :3]) == {1, 2, 3}
    assert set(near[6, :3]) == {4, 5, 7}


def test_close_rows_far_from_the_origin_are_told_apart():
    X = (1e3 + np.array([[0.0], [0.5], [0.75], [2.0]])).astype("f4")
    near = nearest_neighbours(X, np.arange(4), np.array([0]), np.array([4]))[0]
    np.testing.assert_array_equal(near[:, 0], [1, 2, 1, 2])
