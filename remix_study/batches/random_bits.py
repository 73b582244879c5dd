"""Random 32-bit numbers as a function of a key and a position, the same bits on every device.

A number does not depend on which others are drawn, on their order or on the library that computes
it: NumPy, TensorFlow and JAX on a CPU and JAX on a GPU give the same. The operations are those of
unsigned 32-bit numbers: multiply, shift, exclusive or; overflow wraps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# 2**32 divided by the golden ratio: consecutive positions lie far apart.
_GOLDEN = np.uint32(0x9E3779B9)
# Multipliers and shifts with a low bias (Wellons, "Prospecting for hash functions", 2018).
_FIRST, _SECOND = np.uint32(0x21F0AAAD), np.uint32(0xD35A2D97)
_HALF, _SHIFT = np.uint32(16), np.uint32(15)


class NumPyFunctions:
    """NumPy under the names of ``keras.ops`` that draws are written in."""

    def __getattr__(self, name: str) -> Any:
        """Return the NumPy function of this name."""
        return getattr(np, name)

    @staticmethod
    def cast(array: Any, dtype: str) -> NDArray[Any]:
        """Convert to another dtype; negative numbers wrap in unsigned ones."""
        converted: NDArray[Any] = np.asarray(array).astype(dtype)
        return converted

    @staticmethod
    def argsort(keys: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Return the stable order of uint32 keys along the last axis.

        Each key and its index make one 64-bit number: sorting those takes a third of the time of
        NumPy's own stable order.
        """
        both = keys.astype(np.uint64) << np.uint64(32)
        both |= np.arange(keys.shape[-1], dtype=np.uint64)
        both.sort(axis=-1)
        both &= np.uint64(0xFFFFFFFF)
        return both.view(np.int64)

    @staticmethod
    def take_along_axis(array: NDArray[Any], indices: NDArray[Any], axis: int) -> NDArray[Any]:
        """Return the entries of the last axis at ``indices``; the axes before it are equal.

        By one index into the flat array, in half the time of NumPy's own function.
        """
        if axis != array.ndim - 1:
            raise ValueError(f"axis {axis} is not the last of {array.shape}")
        width = array.shape[-1]
        start = np.arange(array.size // width) * width
        places = indices.reshape(len(start), -1) + start[:, None]
        entries: NDArray[Any] = np.ascontiguousarray(array).reshape(-1).take(places)
        return entries.reshape(indices.shape)


NUMPY = NumPyFunctions()


PLAN_KEYS, MASK_KEYS, AUGMENTATION_KEYS = 1, 2, 3
"""What a member's keys are for: rows of batches, masks of dropout, transformations of images."""


class StepKeys(NamedTuple):
    """Keys (M, 2), uint32, from which those of an epoch, then of a training step are derived."""

    masks: Any
    augmentation: Any


def step_keys(seeds: Sequence[int]) -> StepKeys:
    """Return the members' keys as NumPy arrays."""
    return StepKeys(member_keys(seeds, MASK_KEYS), member_keys(seeds, AUGMENTATION_KEYS))


def member_keys(seeds: Sequence[int], *words: int) -> NDArray[np.uint32]:
    """Return one key a member, uint32 (M, 2).

    Args:
        seeds: The members' seeds, below 2**64.
        words: Further numbers below 2**32, such as the epoch and what the key is for.
    """
    seed = np.array(seeds, np.uint64)
    keys = np.stack([seed & np.uint64(0xFFFFFFFF), seed >> np.uint64(32)], axis=1)
    mixed = keys.astype(np.uint32)
    for word in words:
        mixed = derive_keys(NUMPY, mixed, np.array([word], np.uint32))
    return mixed


def derive_keys(xp: Any, keys: Any, number: Any) -> Any:
    """Return other keys for a number, such as a step or what the key is for.

    Args:
        xp: ``NUMPY`` or ``keras.ops``.
        keys: uint32 (M, 2).
        number: uint32 (1,).

    Returns:
        uint32 (M, 2).
    """
    first = _mix(xp, keys[:, 0] + _mix(xp, number + _GOLDEN))
    second = _mix(xp, xp.bitwise_xor(keys[:, 1], first) + _FIRST)
    return xp.stack([_mix(xp, first + second), second], axis=1)


def random_bits(xp: Any, keys: Any, shape: tuple[int, ...], start: int = 0) -> Any:
    """Return random numbers for each member's key, uint32 (M, *shape).

    Args:
        xp: ``NUMPY`` or ``keras.ops``.
        keys: uint32 (M, 2).
        shape: Of a member's numbers, which are those at consecutive positions.
        start: The first position.
    """
    size = int(np.prod(shape))
    position = xp.cast(xp.arange(start, start + size, dtype="int32"), "uint32") * _GOLDEN
    bits = position[None, :] + keys[:, 0:1]
    bits = xp.bitwise_xor(bits, xp.right_shift(bits, _HALF)) * _FIRST
    # The second word enters halfway: streams of two keys do not repeat each other shifted.
    bits = xp.bitwise_xor(bits, keys[:, 1:2])
    bits = xp.bitwise_xor(bits, xp.right_shift(bits, _SHIFT)) * _SECOND
    bits = xp.bitwise_xor(bits, xp.right_shift(bits, _SHIFT))
    return xp.reshape(bits, (-1, *shape))


def _mix(xp: Any, numbers: Any) -> Any:
    numbers = xp.bitwise_xor(numbers, xp.right_shift(numbers, _HALF)) * _FIRST
    numbers = xp.bitwise_xor(numbers, xp.right_shift(numbers, _SHIFT)) * _SECOND
    return xp.bitwise_xor(numbers, xp.right_shift(numbers, _SHIFT))
