"""Dropout masks: the right rate, no pattern, and a function of seed and epoch alone."""

from __future__ import annotations

import numpy as np

from remix_study.training.random_streams import EpochMasks

STEPS, BATCH, UNITS = 20, 32, 24
WIDTH = BATCH * UNITS


def drawn(seeds, epoch, steps=STEPS, width=WIDTH):
    out = np.zeros((len(seeds), steps, width), np.uint16)
    EpochMasks(seeds, epoch, width).draw(steps, out)
    return out


def test_the_rate_is_met():
    dropped = drawn([1, 2, 3], 0) < round(0.1 * 65536)
    n = dropped.size
    assert abs(dropped.mean() - 0.1) < 5 * np.sqrt(0.09 / n)
    # By member, step, row and unit too: five standard errors of a binomial share each.
    parted = dropped.reshape(3, STEPS, BATCH, UNITS)
    for axis in range(4):
        rest = tuple(a for a in range(4) if a != axis)
        shares, size = parted.mean(axis=rest), n / parted.shape[axis]
        assert np.abs(shares - 0.1).max() < 5 * np.sqrt(0.09 / size)


def test_nothing_is_correlated():
    members = drawn([1, 2], 0).astype(float)
    later = drawn([1, 2], 1).astype(float)
    near_seed = drawn([10**18, 10**18 + 1], 0).astype(float)

    def correlation(a, b):
        return abs(np.corrcoef(a.ravel(), b.ravel())[0, 1])

    bound = 5 / np.sqrt(STEPS * WIDTH)
    assert correlation(members[0], members[1]) < bound
    assert correlation(near_seed[0], near_seed[1]) < bound
    assert correlation(members, later) < bound
    assert correlation(members[:, :-1], members[:, 1:]) < bound
    rows = members.reshape(2, STEPS, BATCH, UNITS)
    assert correlation(rows[:, :, :-1], rows[:, :, 1:]) < bound
    assert correlation(rows[..., :-1], rows[..., 1:]) < bound


def test_a_member_keeps_its_masks_wherever_it_stands_and_however_it_is_cut():
    alone = drawn([5], 3)
    np.testing.assert_array_equal(drawn([9, 5, 2], 3)[1], alone[0])
    parts = np.zeros((1, STEPS, WIDTH), np.uint16)
    masks = EpochMasks([5], 3, WIDTH)
    for start, stop in ((0, 7), (7, 8), (8, STEPS)):
        masks.draw(stop - start, parts[:, start:stop])
    np.testing.assert_array_equal(parts, alone)


def test_a_width_that_is_no_multiple_of_the_draw_is_cut():
    np.testing.assert_array_equal(drawn([5], 0, 2, 6)[0, 0], drawn([5], 0, 2, 8)[0, 0, :6])


def test_no_dropout_draws_nothing():
    assert drawn([1], 0, 3, 0).shape == (1, 3, 0)
