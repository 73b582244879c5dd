"""Arrays as the database holds them: zlib over their bytes."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pack(array: NDArray[Any]) -> bytes:
    """Compress an array's bytes; its dtype and shape are those of the column."""
    return zlib.compress(np.ascontiguousarray(array).tobytes(), 1)


def unpack(blob: bytes, dtype: type[Any]) -> NDArray[Any]:
    """Decompress the bytes of an array.

    Args:
        blob: As :func:`pack` returns it.
        dtype: The column's dtype.

    Returns:
        A flat, read-only array.

    Raises:
        zlib.error, ValueError: The bytes are damaged.
    """
    return np.frombuffer(zlib.decompress(blob), dtype)
