"""Tables given from Python: dictionaries, polars and other frames, and sparse matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import psutil

from remix_study.data.typed_tables import check_installed, frame_of_arrays, frame_of_arrow
from remix_study.errors import DataError


def frame_or_array(X: Any, where: str) -> Any:
    """Turn tables of other libraries into a pandas data frame, and sparse matrices into arrays.

    Args:
        X: What a user gave; a pandas data frame and what is none of these comes back as it is.
        where: The start of messages.

    Raises:
        DataError: Columns of a dictionary that differ in length, a frame that needs pyarrow where
            it is not installed, or a sparse matrix that the memory cannot hold as an array.
    """
    import pandas as pd
    from scipy.sparse import issparse

    if isinstance(X, pd.DataFrame):
        return X
    if isinstance(X, dict):
        return frame_of_arrays(X, where)
    if issparse(X):
        matrix: Any = X
        size, free = np.prod(matrix.shape, dtype=float) * 8, psutil.virtual_memory().available
        if size > free:
            shape = " x ".join(f"{n:,}" for n in matrix.shape)
            raise DataError(
                f"{where}: X is a sparse matrix of {shape}, which needs "
                f"{size / 1e9:,.1f} GB as numbers, and {free / 1e9:,.1f} GB are free; give fewer "
                "columns"
            )
        return matrix.toarray()
    if hasattr(X, "__arrow_c_stream__"):
        check_installed("pyarrow", f"{where}: X, a {type(X).__module__} table")
        import pyarrow

        return frame_of_arrow(pyarrow.table(X))
    if hasattr(X, "__dataframe__"):
        return pd.api.interchange.from_dataframe(X)
    return X
