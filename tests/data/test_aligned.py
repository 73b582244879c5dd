"""Aligned arrays: where they begin, and what becomes of others."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from remix_study.batches.plan import StackPlanner
from remix_study.batches.strategies import make_strategy
from remix_study.batches.training_rows import TrainingRows
from remix_study.data.aligned import ALIGNMENT, aligned, aligned_empty
from remix_study.data.arrays import from_arrays

SHAPES = st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple)
DTYPES = st.sampled_from([np.uint8, np.int32, np.float32, np.float64])


@given(SHAPES, DTYPES)
def test_an_array_begins_where_programs_want_it(shape, dtype):
    array = aligned_empty(shape, dtype)
    assert (array.shape, array.dtype) == (shape, dtype)
    assert array.ctypes.data % ALIGNMENT == 0
    assert aligned(array) is array


@given(SHAPES, DTYPES)
def test_any_array_is_laid_out_like_that(shape, dtype):
    rows = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    memory = np.zeros(rows.nbytes + 2 * ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT + rows.itemsize
    elsewhere = memory[start : start + rows.nbytes].view(dtype).reshape(shape)
    elsewhere[...] = rows
    for array in (elsewhere, np.asfortranarray(rows), rows[::-1]):
        copy = aligned(array)
        assert copy.ctypes.data % ALIGNMENT == 0
        assert copy.flags.c_contiguous
        np.testing.assert_array_equal(copy, array)


def test_rows_of_arrays_and_plans_are_used_where_they_are():
    X = np.random.default_rng(0).normal(size=(101, 3)).astype(np.float32)
    dataset = from_arrays(X, np.arange(101) % 2)
    assert aligned(dataset.X) is dataset.X
    training = TrainingRows(np.arange(101), dataset.y, 2, lambda: dataset.X)
    strategy = make_strategy("remix", 0.2)
    planner = StackPlanner([strategy], [training], [5], batch_size=7)
    for array in planner.plan(0)[:4]:
        assert aligned(array) is array
