"""Dropout masks and augmentation seeds: no pattern, and functions of seed and epoch alone."""

from __future__ import annotations

import numpy as np

from remix_study.training.prefetch import EpochMasks, augmentation_seeds

STEPS, BATCH, UNITS = 20, 32, 24
WIDTH = BATCH * UNITS


def draw_masks(seeds, epoch, steps=STEPS, width=WIDTH):
    """The first masks of an epoch, uint16 (members, steps, width)."""
    masks = np.zeros((len(seeds), steps, width), np.uint16)
    EpochMasks(seeds, epoch, width).draw(steps, masks)
    return masks


def test_the_rate_is_met():
    dropped = draw_masks([1, 2, 3], 0) < round(0.1 * 65536)
    n = dropped.size
    assert abs(dropped.mean() - 0.1) < 5 * np.sqrt(0.09 / n)
    # By member, step, row and unit too: five standard errors of a binomial share each.
    by_axis = dropped.reshape(3, STEPS, BATCH, UNITS)
    for axis in range(4):
        rest = tuple(a for a in range(4) if a != axis)
        shares, size = by_axis.mean(axis=rest), n / by_axis.shape[axis]
        assert np.abs(shares - 0.1).max() < 5 * np.sqrt(0.09 / size)


def test_nothing_is_correlated():
    members = draw_masks([1, 2], 0).astype(float)
    later = draw_masks([1, 2], 1).astype(float)
    near_seed = draw_masks([10**18, 10**18 + 1], 0).astype(float)

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


def test_masks_depend_neither_on_the_place_in_a_stack_nor_on_the_length_of_a_chunk():
    expected = draw_masks([5], 3)
    np.testing.assert_array_equal(draw_masks([9, 5, 2], 3)[1], expected[0])
    in_chunks = np.zeros((1, STEPS, WIDTH), np.uint16)
    masks = EpochMasks([5], 3, WIDTH)
    for start, stop in ((0, 7), (7, 8), (8, STEPS)):
        masks.draw(stop - start, in_chunks[:, start:stop])
    np.testing.assert_array_equal(in_chunks, expected)


def test_a_width_that_is_no_multiple_of_a_draw_is_cut():
    np.testing.assert_array_equal(
        draw_masks([5], 0, 2, 6)[0, 0], draw_masks([5], 0, 2, 8)[0, 0, :6]
    )


def test_no_dropout_draws_nothing():
    assert draw_masks([1], 0, 3, 0).shape == (1, 3, 0)


def test_augmentation_seeds_are_a_members_own_and_all_different():
    drawn = augmentation_seeds([3, 4], epoch=2, steps=50, generators=2)
    assert drawn.shape == (50, 2, 2, 2, 2)
    np.testing.assert_array_equal(drawn[:, 1:], augmentation_seeds([4], 2, 50, 2))
    # A longer epoch begins alike, so that a member does not depend on the longest beside it.
    np.testing.assert_array_equal(augmentation_seeds([3, 4], 2, 70, 2)[:50], drawn)
    seeds = [tuple(seed) for seed in drawn.reshape(-1, 2)]
    seeds += [tuple(seed) for seed in augmentation_seeds([3, 4], 3, 50, 2).reshape(-1, 2)]
    assert len(set(seeds)) == 800
    assert augmentation_seeds([3, 4], 2, 50, None).shape == (50, 2, 0, 0, 2)
    # Where rows are not blended, the first are transformed as if they were.
    np.testing.assert_array_equal(augmentation_seeds([3, 4], 2, 50, 2, 1), drawn[:, :, :1])
