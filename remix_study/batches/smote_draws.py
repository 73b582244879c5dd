"""SMOTE in the batch: the rows of every slot, and the neighbours that synthetic rows lean to.

Slots are drawn by whole-array operations, the same on the host and in a compiled program. So that
both find the same neighbours, distances are those of features rounded to a grid: sums of integers,
which are exact whatever computes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.class_groups import NEIGHBOURS, nearest_neighbours
from remix_study.batches.random_bits import derive_keys, random_bits
from remix_study.batches.stack_draws import class_quotas, classes_of_slots, count_classes
from remix_study.batches.training_rows import DrawnRows, IntArray, TrainingRows
from remix_study.data.preprocessing import CLIP

# What a key is derived for, beside those of the other draws.
_BASE, _NEIGHBOUR, _GAP = 11, 12, 13
_FAR = np.int32(np.iinfo(np.int32).max)
_PIXEL_LEVELS = 255
_FINEST_GRID, _COARSEST_GRID = 1024, 32
# Distances of all members that a program computes at a time, and how often at most.
_MOST_DISTANCES, _MOST_PARTS = 1 << 26, 16
_MOST_POINT_BYTES = 1 << 28


class Slots(NamedTuple):
    """How each slot of each batch is filled; all arrays are (M, S, B).

    Attributes:
        place: Positions in the batch, class after class.
        start: The first entry of ``place`` of the slot's class.
        size: Rows of that class in the batch, at least 1.
        base: The entry of ``place`` of the slot's row.
        is_blended: Whether the row is blended with a neighbour.
        choice: Which of the nearest neighbours, from 0.
        weight: float32 weight of the slot's row; 1 where nothing is blended.
    """

    place: Any
    start: Any
    size: Any
    base: Any
    is_blended: Any
    choice: Any
    weight: Any


def smote_slots(xp: Any, keys: Any, codes: Any, n_classes: int, target: Any = None) -> Slots:
    """Fill the slots of natural batches: each class present gets its quota.

    Args:
        xp: ``NUMPY`` or ``keras.ops``.
        keys: uint32 (M, 2), of the members in this epoch.
        codes: (M, S, B) class codes of the batches' rows; K for padding.
        n_classes: K.
        target: What the rare classes get; None for equal shares.
    """
    batch = codes.shape[2]
    count = count_classes(xp, codes, n_classes)
    quota = class_quotas(xp, keys, count > 0, batch, target)
    code, slot = classes_of_slots(xp, keys, quota, batch)

    def of_class(numbers: Any) -> Any:
        return xp.take_along_axis(numbers, code, axis=2)

    def drawn(purpose: int) -> Any:
        return random_bits(xp, derive_keys(xp, keys, np.array([purpose], np.uint32)), (*shape,))

    shape = codes.shape[1:]
    # Within a class in the random order of the epoch: its first rows are a fair cut.
    offset = xp.cast(slot - of_class(xp.cumsum(quota, axis=2) - quota), "int32")
    size = xp.cast(xp.maximum(of_class(count), 1), "int32")
    start = xp.cast(of_class(xp.cumsum(count, axis=2) - count), "int32")
    is_synthetic = offset >= size
    random_row = xp.cast(drawn(_BASE) % xp.cast(size, "uint32"), "int32")
    neighbours = xp.minimum(size - 1, NEIGHBOURS)
    some = xp.cast(xp.maximum(neighbours, 1), "uint32")
    is_blended = is_synthetic & (neighbours > 0)
    # A gap of 24 bits: every step to the weight is exact.
    gap = xp.cast(xp.right_shift(drawn(_GAP), np.uint32(8)), "float32") * np.float32(2**-24)
    return Slots(
        place=xp.argsort(xp.cast(codes, "uint32")),
        start=start,
        size=size,
        base=start + xp.where(is_synthetic, random_row, offset),
        is_blended=is_blended,
        choice=xp.cast(drawn(_NEIGHBOUR) % some, "int32"),
        weight=xp.where(is_blended, 1 - gap, xp.ones_like(gap)),
    )


def draw_on_host(slots: Slots, batches: IntArray, training: TrainingRows) -> DrawnRows:
    """Take the rows of one member's slots.

    Args:
        slots: Of the member alone, M = 1.
        batches: (S, B) positions among the training rows.
        training: The member's rows.

    Returns:
        Rows (S, B).
    """
    place, start, size, base, is_blended, choice, weight = (array[0] for array in slots)
    width = batches.shape[1]
    by_class = np.take_along_axis(batches, place, axis=1)
    first = np.take_along_axis(by_class, base, axis=1)
    second = first.copy()
    shape = (*first.shape, NEIGHBOURS)
    neighbours = None if training.nominal is None else np.full(shape, -1)
    step, slot = np.nonzero(is_blended)
    if len(step):
        begin = step * width + start[step, slot]
        groups, first_of, group = np.unique(begin, return_index=True, return_inverse=True)
        counts = size[step, slot][first_of]
        features, rows = training.features(), by_class.ravel()
        grid = 0 if training.nominal is not None else grid_of(features.shape[1:])
        near = nearest_neighbours(
            features, rows, groups, counts, nominal=training.nominal, grid=grid
        )
        nearest = near[group, base[step, slot] - start[step, slot]]
        # Past the neighbours of a small group a place may be none.
        nearest_rows = rows.take(begin[:, None] + nearest, mode="clip")
        second[step, slot] = nearest_rows[np.arange(len(step)), choice[step, slot]]
        if neighbours is not None:
            k, most = near.shape[2], size[step, slot] - 1
            is_neighbour = np.arange(k) < most[:, None]
            neighbours[step, slot, :k] = np.where(is_neighbour, nearest_rows, -1)
    return DrawnRows(first, second, weight, neighbours)


def grid_of(row_shape: Sequence[int]) -> int:
    """Steps of the grid that distances are computed on, for each unit of a prepared feature.

    Pixels are exact. Standardised features, clipped to +-5, are rounded to 1/1024 or coarser, so
    that the squared distance of any two rows is below 2**31: 1/512 for 36 features, 1/256 for 178.
    """
    if len(row_shape) > 1:
        return _PIXEL_LEVELS
    finest = np.sqrt((2**31 - 1) / max(1, row_shape[0])) / (2 * CLIP)
    return int(np.clip(2 ** np.floor(np.log2(finest)), _COARSEST_GRID, _FINEST_GRID))


def fits_device(training: Sequence[TrainingRows], steps: int, batch_size: int) -> bool:
    """Whether a program can find the neighbours of these members' batches.

    Not with nominal features, whose distances are no integers, nor where points or distances would
    take too much memory.
    """
    if training[0].nominal is not None:
        return False
    shape = training[0].features().shape[1:]
    width = int(np.prod(shape))
    largest = 2 * CLIP if len(shape) == 1 else 1
    is_exact = width * (largest * grid_of(shape)) ** 2 < 2**31
    folds = {id(member): member for member in training}.values()
    n_bytes = 2 * width * sum(len(member.rows) for member in folds)
    parts = steps // max(1, _MOST_DISTANCES // (len(training) * batch_size**2))
    return is_exact and n_bytes <= _MOST_POINT_BYTES and parts <= _MOST_PARTS


class Points(NamedTuple):
    """Features on the grid, for a program.

    Attributes:
        values: int16 (folds, N, d), those of the different members' rows.
        fold: int32 (M,) which of them are a member's.
    """

    values: Any
    fold: Any


def points_of(training: Sequence[TrainingRows], longest: int) -> Points:
    """Round the members' features to the grid, as NumPy arrays; those of a fold are kept."""
    folds = {id(member): member for member in training}
    order = list(folds)
    for member in folds.values():
        if "points" not in member.cache:
            features = member.features()
            prepared = features[np.arange(len(member.rows))].reshape(len(member.rows), -1)
            grid = grid_of(features.shape[1:])
            member.cache["points"] = on_grid(prepared, grid).astype(np.int16)
    width = next(iter(folds.values())).cache["points"].shape[1]
    values = np.zeros((len(folds), longest, width), np.int16)
    for row, member in zip(values, folds.values(), strict=True):
        row[: len(member.rows)] = member.cache["points"]
    return Points(values, np.array([order.index(id(m)) for m in training], np.int32))


def on_grid(features: NDArray[np.floating], grid: int) -> NDArray[np.float64]:
    """Features in steps of the grid, whole numbers."""
    scaled: NDArray[np.float64] = np.rint(features.astype(np.float64) * grid)
    return scaled


def draw_on_device(
    xp: Any, slots: Slots, batches: Any, codes: Any, points: Points
) -> tuple[Any, Any, Any]:
    """Take the rows of all members' slots in a compiled program.

    Args:
        xp: ``keras.ops``.
        slots: Of the members.
        batches: (M, S, B) positions among the training rows.
        codes: (M, S, B) class codes of these rows.
        points: On the device.

    Returns:
        Rows that are blended with rows, (M, S, B) positions among the training rows, and weights.
    """
    members, steps, batch = batches.shape
    by_class = xp.take_along_axis(batches, slots.place, axis=2)
    codes = xp.take_along_axis(codes, slots.place, axis=2)
    first = xp.take_along_axis(by_class, slots.base, axis=2)
    n_rows, width = points.values.shape[1:]
    flat = xp.reshape(points.values, (-1, width))
    rows = by_class + points.fold[:, None, None] * n_rows
    at_a_time = max(1, _MOST_DISTANCES // (members * batch**2))
    nearest = [
        _nearest_on_device(xp, flat, *(a[:, at : at + at_a_time] for a in (rows, codes)))
        for at in range(0, steps, at_a_time)
    ]
    near = xp.reshape(xp.concatenate(nearest, axis=1), (-1, steps, batch * NEIGHBOURS))
    chosen = xp.take_along_axis(near, slots.base * NEIGHBOURS + slots.choice, axis=2)
    second = xp.take_along_axis(by_class, chosen, axis=2)
    return first, xp.where(slots.is_blended, second, first), slots.weight


def _nearest_on_device(xp: Any, flat: Any, rows: Any, codes: Any) -> Any:
    """Nearest other rows of the class of each row of some batches: (M, s, B, ``NEIGHBOURS``)."""
    batch = rows.shape[2]
    points = xp.cast(xp.take(flat, rows, axis=0), "int32")
    difference = points[:, :, :, None, :] - points[:, :, None, :, :]
    distance = xp.sum(difference * difference, axis=4)
    is_other = codes[:, :, :, None] != codes[:, :, None, :]
    place = xp.arange(batch, dtype="int32")
    is_self = place[:, None] == place[None, :]
    distance = xp.where(is_other | is_self[None, None], _FAR, distance)
    near = []
    for _ in range(NEIGHBOURS):
        # The first of equally near rows, as on the host.
        nearest = xp.cast(xp.argmin(distance, axis=3), "int32")
        near.append(nearest)
        distance = xp.where(nearest[..., None] == place, _FAR, distance)
    return xp.stack(near, axis=3)
