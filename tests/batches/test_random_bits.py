"""Random bits: uniform, without pattern, and functions of the key and the position alone."""

from __future__ import annotations

import numpy as np
import pytest
from imbalanced_rows import SIGNIFICANCE
from scipy import stats

from remix_study.batches.random_bits import (
    MASK_KEYS,
    NUMPY,
    derive_keys,
    member_keys,
    random_bits,
)

STEPS, BATCH, UNITS = 20, 32, 24
SIZE = BATCH * UNITS


def number(value):
    return np.array([value], np.uint32)


def masks(seeds, epoch, steps=STEPS):
    """Random numbers of the first steps of an epoch, uint32 (members, steps, batch, units)."""
    keys = member_keys(seeds, MASK_KEYS, epoch)
    by_step = [
        random_bits(NUMPY, derive_keys(NUMPY, keys, number(step)), (BATCH, UNITS))
        for step in range(steps)
    ]
    return np.stack(by_step, axis=1)


def test_equals_the_formulas_in_python_integers():
    """The published 32-bit finaliser, and the key's two words, without any array."""
    wrap = 2**32 - 1

    def mix(h):
        h = ((h ^ (h >> 16)) * 0x21F0AAAD) & wrap
        h = ((h ^ (h >> 15)) * 0xD35A2D97) & wrap
        return h ^ (h >> 15)

    def derive(a, b, value):
        first = mix((a + mix((value + 0x9E3779B9) & wrap)) & wrap)
        second = mix(((b ^ first) + 0x21F0AAAD) & wrap)
        return mix((first + second) & wrap), second

    seed = 2**61 + 12345
    a, b = derive(*derive(seed & wrap, seed >> 32, 2), 7)
    np.testing.assert_array_equal(member_keys([seed], 2, 7), [[a, b]])
    for position, bits in enumerate(random_bits(NUMPY, member_keys([seed], 2, 7), (50,))[0]):
        h = (position * 0x9E3779B9 + a) & wrap
        h = ((h ^ (h >> 16)) * 0x21F0AAAD) & wrap
        h ^= b
        h = ((h ^ (h >> 15)) * 0xD35A2D97) & wrap
        assert bits == h ^ (h >> 15)


@pytest.mark.parametrize("shift", [0, 8, 16, 24])
def test_every_byte_is_uniform(shift):
    byte = masks(range(40), 0) >> np.uint32(shift) & np.uint32(255)
    assert stats.chisquare(np.bincount(byte.ravel(), minlength=256)).pvalue > SIGNIFICANCE


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_the_rate_is_met(rate):
    dropped = masks([1, 2, 3], 0) < rate * 2**32
    n = dropped.size
    assert abs(dropped.mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / n)
    # By member, step, row and unit too: five standard errors of a binomial share each.
    for axis in range(4):
        rest = tuple(a for a in range(4) if a != axis)
        shares, size = dropped.mean(axis=rest), n / dropped.shape[axis]
        assert np.abs(shares - rate).max() < 5 * np.sqrt(rate * (1 - rate) / size)


def test_nothing_is_correlated():
    members = masks([1, 2], 0).astype(float)
    later = masks([1, 2], 1).astype(float)
    near_seed = masks([10**18, 10**18 + 1], 0).astype(float)

    def correlation(a, b):
        return abs(np.corrcoef(a.ravel(), b.ravel())[0, 1])

    bound = 5 / np.sqrt(STEPS * SIZE)
    assert correlation(members[0], members[1]) < bound
    assert correlation(near_seed[0], near_seed[1]) < bound
    assert correlation(members, later) < bound
    assert correlation(members[:, :-1], members[:, 1:]) < bound
    assert correlation(members[:, :, :-1], members[:, :, 1:]) < bound
    assert correlation(members[..., :-1], members[..., 1:]) < bound


def test_pairs_of_members_and_of_positions_are_uncorrelated_at_large():
    """All 19,900 correlations between 200 members, or positions, are as those of noise."""
    bits = random_bits(NUMPY, member_keys(range(200), 1), (200,))
    noise = (bits / 2**32 - 0.5) * np.sqrt(12)
    for matrix in (noise, noise.T):
        correlations = (matrix @ matrix.T / np.sqrt(200))[np.triu_indices(200, 1)]
        assert correlations.std() == pytest.approx(1, abs=0.03)
        assert np.abs(correlations).max() < 5.5


def test_keys_of_members_epochs_steps_and_purposes_all_differ():
    keys = [member_keys(range(50), purpose, epoch) for purpose in (1, 2, 3) for epoch in range(20)]
    keys += [derive_keys(NUMPY, keys[0], number(step)) for step in range(20)]
    distinct = np.unique(np.concatenate(keys), axis=0)
    assert len(distinct) == 50 * 80


def test_numbers_depend_neither_on_the_other_members_nor_on_where_drawing_starts():
    expected = masks([5], 3)
    np.testing.assert_array_equal(masks([9, 5, 2], 3)[1], expected[0])
    keys = member_keys([5, 6], 1)
    whole = random_bits(NUMPY, keys, (SIZE,))
    parts = [random_bits(NUMPY, keys, (n,), start) for start, n in ((0, 7), (7, 1), (8, SIZE - 8))]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_high_seeds_differ_from_low_ones():
    assert not np.array_equal(member_keys([1], 1), member_keys([1 + 2**32], 1))
    assert not np.array_equal(member_keys([2**63 - 1], 1), member_keys([2**31 - 1], 1))


class TestNumPyFunctions:
    def test_order_is_stable(self):
        keys = np.random.default_rng(0).integers(0, 4, (3, 5, 40)).astype(np.uint32)
        keys[0, 0, :3] = 2**32 - 1
        np.testing.assert_array_equal(NUMPY.argsort(keys), np.argsort(keys, kind="stable"))

    def test_take_along_axis_equals_numpys(self):
        rng = np.random.default_rng(1)
        values = rng.normal(size=(3, 5, 7))[:, :, ::-1]
        places = rng.integers(0, 7, (3, 5, 11))
        expected = np.take_along_axis(values, places, axis=2)
        np.testing.assert_array_equal(NUMPY.take_along_axis(values, places, axis=2), expected)
        with pytest.raises(ValueError, match="not the last"):
            NUMPY.take_along_axis(values, places, axis=1)
