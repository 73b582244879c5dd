"""Rows of the batches of a whole stack, drawn by whole-array operations.

Every function takes ``xp``, which is ``NUMPY`` on the host and ``keras.ops`` in a compiled
program, and draws by :func:`random_bits`: both give the same integers. A member's rows depend on
its key alone, neither on the other members of the stack nor on how far its arrays are padded.

M is the number of members, N the rows of the longest training part, S = N // B the batches of its
epoch, B the batch size and K the number of classes. Batches past a member's own n // B hold
padding and must not be trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from remix_study.batches.random_bits import NUMPY, derive_keys, random_bits
from remix_study.batches.training_rows import TrainingRows

# What a key is derived for.
_ORDER, _REMAINDER, _SLOTS, _ROWS, _PARTNERS, _CLASSES, _ONE_MORE = range(1, 8)
_LAST = np.uint32(0xFFFFFFFF)


class RareShare(NamedTuple):
    """The rows of a batch that the rare classes get together.

    Attributes:
        is_rare: bool (M, 1, K).
        rows: int32 (M, 1, 1), their number, rounded down.
        chance: uint32 (M, 1, 1), the chance of one more in a batch, times 2**32.
    """

    is_rare: Any
    rows: Any
    chance: Any


def rare_share(
    ratios: Sequence[float], members: Sequence[TrainingRows], batch_size: int
) -> RareShare:
    """The rows that a ratio of the batch is for each member, on average exactly the ratio."""
    classes = np.arange(members[0].n_classes)
    is_rare = np.stack([np.isin(classes, training.rare) for training in members])[:, None]
    whole, fraction = np.divmod(np.asarray(ratios, np.float64) * batch_size, 1)
    chance = np.minimum(fraction * 2.0**32, float(_LAST))
    return RareShare(
        is_rare, whole.astype(np.int32)[:, None, None], chance.astype(np.uint32)[:, None, None]
    )


class StackRows(NamedTuple):
    """The training rows of a stack's members, padded to the longest.

    Attributes:
        rows: int32 (M, N) positions in the problem's rows; 0 for padding.
        y: int32 (M, N) class codes; K for padding.
        count: int32 (M, 1) rows of each member, n.
        class_count: int32 (M, 1, K) rows of each class.
        by_class: int32 (M, N) positions among the training rows, class after class.
        target: What share of a batch the rare classes get; None for equal shares of all classes.
    """

    rows: Any
    y: Any
    count: Any
    class_count: Any
    by_class: Any
    target: RareShare | None = None

    def of(self, members: Sequence[int]) -> StackRows:
        """Those of some members, without a target."""
        return StackRows(*(array[members] for array in self[:5]))


def stack_rows(members: Sequence[TrainingRows], longest: int = 0) -> StackRows:
    """Stack the members' training rows as NumPy arrays.

    Args:
        members: M.
        longest: N; the rows of the longest member if that is more.
    """
    longest = max(longest, *(len(training.rows) for training in members))
    n_classes = members[0].n_classes
    rows = np.zeros((len(members), longest), np.int32)
    y = np.full(rows.shape, n_classes, np.int32)
    for member, training in enumerate(members):
        rows[member, : len(training.rows)] = training.rows
        y[member, : len(training.y)] = training.y
    count = np.array([[len(training.rows)] for training in members], np.int32)
    class_count = (y[:, :, None] == np.arange(n_classes)).sum(axis=1, keepdims=True)
    by_class = NUMPY.argsort(y.astype(np.uint32))
    return StackRows(rows, y, count, class_count.astype(np.int32), by_class.astype(np.int32))


def gather(xp: Any, values: Any, positions: Any) -> Any:
    """Return the values (M, N) of each member at its positions (M, S, B)."""
    flat = xp.reshape(positions, (-1, positions.shape[1] * positions.shape[2]))
    return xp.reshape(xp.take_along_axis(values, flat, axis=1), (-1, *positions.shape[1:]))


def natural(xp: Any, keys: Any, stack: StackRows, batch_size: int) -> Any:
    """Shuffle the training rows and cut them into batches; the last partial one is dropped.

    Args:
        xp: ``NUMPY`` or ``keras.ops``.
        keys: uint32 (M, 2), of the members in this epoch.
        stack: The members' rows.
        batch_size: B.

    Returns:
        Positions among the training rows, (M, S, B).
    """
    longest = stack.rows.shape[1]
    bits = random_bits(xp, _keys_for(xp, keys, _ORDER), (longest,))
    is_padding = xp.arange(longest, dtype="int32")[None, :] >= stack.count
    # Equal numbers keep their order, so that padding stays behind.
    order = xp.argsort(xp.where(is_padding, _LAST, bits))
    steps = longest // batch_size
    return xp.reshape(order[:, : steps * batch_size], (-1, steps, batch_size))


def balanced(xp: Any, keys: Any, stack: StackRows, batch_size: int) -> Any:
    """Draw B/C rows of each class present in the natural batch (Algorithm 1, lines 1-3).

    They are drawn with replacement from that batch. A class missing from the batch stays missing;
    the remainder of B/C goes to classes drawn at random. Arguments and result as :func:`natural`.
    """
    batches = natural(xp, keys, stack, batch_size)
    codes = gather(xp, stack.y, batches)
    place = xp.argsort(xp.cast(codes, "uint32"))
    count = count_classes(xp, codes, stack.class_count.shape[2])
    code = _balanced_classes(xp, keys, count > 0, batch_size, stack.target)
    drawn = _draw_from_classes(xp, keys, code, count)
    return xp.take_along_axis(batches, xp.take_along_axis(place, drawn, axis=2), axis=2)


def balanced_dataset(xp: Any, keys: Any, stack: StackRows, batch_size: int) -> Any:
    """Draw B/C rows of each class from all its training rows, with replacement.

    Unlike :func:`balanced`, no batch lacks a class as long as B is at least C. Arguments and
    result as :func:`natural`.
    """
    count = _in_each_batch(xp, stack, batch_size)
    code = _balanced_classes(xp, keys, count > 0, batch_size, stack.target)
    return gather(xp, stack.by_class, _draw_from_classes(xp, keys, code, count))


def permuted_partners(xp: Any, keys: Any, first: Any, stack: StackRows) -> Any:  # noqa: ARG001
    """Permute the rows of each batch at random (Algorithm 1, line 4).

    Args:
        xp: ``NUMPY`` or ``keras.ops``.
        keys: uint32 (M, 2), of the members in this epoch.
        first: (M, S, B) positions among the training rows.
        stack: The members' rows.

    Returns:
        (M, S, B) positions among the training rows.
    """
    order = xp.argsort(random_bits(xp, _keys_for(xp, keys, _PARTNERS), first.shape[1:]))
    return xp.take_along_axis(first, order, axis=2)


def partners_of_uniform_class(xp: Any, keys: Any, first: Any, stack: StackRows) -> Any:
    """Draw rows of classes drawn uniformly, from all training rows, with replacement.

    Arguments and result as :func:`permuted_partners`.
    """
    count = _in_each_batch(xp, stack, first.shape[2])
    # The place of a class among those present, counted from 1.
    rank = xp.cumsum(xp.cast(count > 0, "int32"), axis=2)
    bits = random_bits(xp, _keys_for(xp, keys, _CLASSES), first.shape[1:])
    drawn = xp.cast(bits % xp.cast(rank[:, :, -1:], "uint32"), "int32")
    code = _first_above(xp, rank, drawn)
    partner_keys = _keys_for(xp, keys, _PARTNERS)
    return gather(xp, stack.by_class, _draw_from_classes(xp, partner_keys, code, count))


def class_quotas(
    xp: Any, keys: Any, present: Any, batch_size: int, target: RareShare | None = None
) -> Any:
    """Share each batch equally among the classes present in it, or by a target.

    With a target, the rare classes present share theirs equally, and the others the rest; where a
    batch has none of either, the others have all of it.

    Args:
        xp: ``NUMPY`` or ``keras.ops``.
        keys: uint32 (M, 2); they decide which classes get the rows that remain after division.
        present: bool (M, S, K).
        batch_size: B.
        target: What the rare classes get.

    Returns:
        (M, S, K) rows of each class; those of a batch add up to B.
    """
    lot = random_bits(xp, _keys_for(xp, keys, _REMAINDER), present.shape[1:])
    if target is None:
        return _equal_quotas(xp, lot, present, batch_size)
    rare, common = present & target.is_rare, present & ~target.is_rare
    more = random_bits(xp, _keys_for(xp, keys, _ONE_MORE), (present.shape[1], 1))
    n_rare = target.rows + xp.cast(more < target.chance, "int32")
    has_rare = xp.any(rare, axis=2, keepdims=True)
    n_rare = xp.where(xp.any(common, axis=2, keepdims=True), n_rare, batch_size)
    n_rare = xp.where(has_rare, n_rare, 0)
    return _equal_quotas(xp, lot, rare, n_rare) + _equal_quotas(
        xp, lot, common, batch_size - n_rare
    )


def _equal_quotas(xp: Any, lot: Any, present: Any, rows: Any) -> Any:
    """Share rows, a number or (M, S, 1), among the classes present; lots decide on the rest."""
    # A batch of padding has no class; its quotas do not matter.
    n_present = xp.maximum(xp.sum(xp.cast(present, "int32"), axis=2, keepdims=True), 1)
    lot = xp.where(present, xp.right_shift(lot, np.uint32(1)), _LAST)
    rank = xp.argsort(xp.cast(xp.argsort(lot), "uint32"))
    quota = rows // n_present + xp.cast(rank < rows % n_present, "int32")
    return xp.where(present, quota, 0)


def _balanced_classes(
    xp: Any, keys: Any, present: Any, batch_size: int, target: RareShare | None
) -> Any:
    """The class of each row of balanced batches, in random order: (M, S, B)."""
    quota = class_quotas(xp, keys, present, batch_size, target)
    return classes_of_slots(xp, keys, quota, batch_size)[0]


def classes_of_slots(xp: Any, keys: Any, quota: Any, batch_size: int) -> tuple[Any, Any]:
    """Fill the slots of batches class after class, in a random order.

    Args:
        xp: ``NUMPY`` or ``keras.ops``.
        keys: uint32 (M, 2), of the members in this epoch.
        quota: (M, S, K) slots of each class.
        batch_size: B.

    Returns:
        The class of each slot, and its number in the order of classes, both (M, S, B).
    """
    # In the order of classes, halves of a batch would differ where a framework splits it.
    shape = (quota.shape[1], batch_size)
    slot = xp.argsort(random_bits(xp, _keys_for(xp, keys, _SLOTS), shape))
    return _first_above(xp, xp.cumsum(quota, axis=2), slot), slot


def count_classes(xp: Any, codes: Any, n_classes: int) -> Any:
    """Count the rows of each class in each batch: (M, S, K) from class codes (M, S, B)."""
    return xp.stack(
        [xp.sum(xp.cast(codes == code, "int32"), axis=2) for code in range(n_classes)], axis=2
    )


def _first_above(xp: Any, ascending: Any, numbers: Any) -> Any:
    """Position of the first of ``ascending`` (M, S, K) above each of ``numbers`` (M, S, B)."""
    position = xp.zeros_like(numbers)
    for k in range(ascending.shape[2] - 1):
        position = position + xp.cast(numbers >= ascending[:, :, k : k + 1], position.dtype)
    return position


def _draw_from_classes(xp: Any, keys: Any, code: Any, count: Any) -> Any:
    """Draw a row of each class ``code`` (M, S, B), given the rows (M, S, K) of each class.

    Returns:
        Positions among the rows in the order of their classes, (M, S, B).
    """
    bits = random_bits(xp, _keys_for(xp, keys, _ROWS), code.shape[1:])
    size = xp.maximum(xp.take_along_axis(count, code, axis=2), 1)
    start = xp.take_along_axis(xp.cumsum(count, axis=2) - count, code, axis=2)
    # Of 2**32 numbers the last few favour the first rows: by less than 1 in 4,000 at 10**6 rows.
    return start + xp.cast(bits % xp.cast(size, "uint32"), "int32")


def _in_each_batch(xp: Any, stack: StackRows, batch_size: int) -> Any:
    """Class counts of the training part, repeated for every batch: (M, S, K)."""
    members, longest = stack.rows.shape
    shape = (members, longest // batch_size, stack.class_count.shape[2])
    return xp.broadcast_to(stack.class_count, shape)


def _keys_for(xp: Any, keys: Any, purpose: int) -> Any:
    return derive_keys(xp, keys, np.array([purpose], np.uint32))
