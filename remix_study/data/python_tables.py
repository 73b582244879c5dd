"""Tables given from Python: dictionaries, polars and other frames, and sparse matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.memory import as_gigabytes, free_bytes
from remix_study.data.plain_cells import plain_cells, plain_frame, without_mask
from remix_study.data.typed_tables import check_installed, frame_of_arrays, frame_of_arrow
from remix_study.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def frame_or_array(X: Any, where: str) -> Any:
    """Turn tables of other libraries into a pandas data frame, and sparse matrices into arrays.

    Args:
        X: What a user gave; plain arrays come back as they are.
        where: The start of messages.

    Raises:
        DataError: Columns of one name or of different length, a cell that is no text, a frame
            that needs pyarrow where it is not installed, or a sparse matrix that the memory
            cannot hold as an array.
    """
    import pandas as pd

    table = _known_form(X, where)
    return plain_frame(table, where) if isinstance(table, pd.DataFrame) else table


def frame_of_matrix(matrix: NDArray[Any], names: Sequence[str], where: str) -> pd.DataFrame:
    """Make a data frame of an array (n, d) of any type, each column of the type that it holds.

    Raises:
        DataError: The array or a cell holds what is no text and no number.
    """
    import pandas as pd

    if matrix.dtype.kind == "V":
        raise DataError(f"{where}: X holds {matrix.dtype}; give texts or numbers")
    if matrix.dtype.kind in "OSU":
        columns = zip(names, matrix.T, strict=True)
        cells = {name: plain_cells(c, f'{where}, column "{name}"') for name, c in columns}
        return pd.DataFrame(cells, dtype=object).infer_objects()
    return pd.DataFrame(matrix, columns=list(names)).infer_objects()


def _known_form(X: Any, where: str) -> Any:
    """A data frame of pandas, or what NumPy makes an array of."""
    import pandas as pd
    from scipy.sparse import issparse

    if isinstance(X, pd.DataFrame | pd.Series):
        return X
    # Before dictionaries: a matrix of SciPy's format DOK is one, too.
    if issparse(X):
        matrix: Any = X
        size, free = np.prod(matrix.shape, dtype=float) * 8, free_bytes()
        if size > free:
            shape = " x ".join(f"{n:,}" for n in matrix.shape)
            raise DataError(
                f"{where}: X is a sparse matrix of {shape}, which needs "
                f"{as_gigabytes(size)} as numbers, and {as_gigabytes(free)} are free; give fewer "
                "columns"
            )
        return matrix.toarray()
    if isinstance(X, dict):
        return frame_of_arrays(X, where)
    if isinstance(X, np.ndarray) and X.dtype.names:
        return frame_of_arrays({name: X[name] for name in X.dtype.names}, where)
    if isinstance(X, np.ma.MaskedArray):
        return without_mask(X)
    if hasattr(X, "__arrow_c_stream__") or hasattr(X, "__dataframe__"):
        return _frame_of_library(X, f"{where}: X, a table of {type(X).__module__.split('.')[0]},")
    return X


def _frame_of_library(X: Any, what: str) -> Any:
    """Turn a table of another library into a pandas data frame, by Arrow where it can."""
    import pandas as pd

    try:
        if not hasattr(X, "__arrow_c_stream__"):
            return pd.api.interchange.from_dataframe(X)
        check_installed("pyarrow", what.removesuffix(","))
        import pyarrow

        if type(X).__module__.startswith("polars"):
            columns = X.schema if hasattr(X, "schema") else {X.name: X.dtype}
            for name, dtype in columns.items():
                # Earlier versions of polars end the process when they hand such a column over.
                if str(dtype) == "Object":
                    raise ValueError(f'column "{name}" holds Python objects')
        return frame_of_arrow(pyarrow.table(X))
    except (ValueError, TypeError, RuntimeError) as error:
        fault = " ".join(str(error).split())
        raise DataError(f"{what} cannot be read ({fault}); give a pandas data frame") from None
