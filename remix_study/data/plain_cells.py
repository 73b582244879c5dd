"""Values from Python as a file of text has them: bytes, long integers, halves of characters."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remix_study.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# Double precision holds integers of 1,024 bits; str() refuses those of more than 4,300 digits.
_MOST_BITS = 1024
# Of types whose values are written as their place in memory, another one in each run.
_NO_TEXT: tuple[Any, Any] = (object.__str__, object.__repr__)


def text_of(value: object) -> str:
    """The text of a value; what is no text, as in bytes that are not UTF-8, is an escape."""
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    is_long = isinstance(value, int) and value.bit_length() > _MOST_BITS
    text = f"{Decimal(value):f}" if is_long and isinstance(value, int) else str(value)
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def plain_cells(cells: Iterable[Any], what: str) -> NDArray[np.object_]:
    """Cells with texts that every library writes, in place of those that some cannot.

    Args:
        cells: Any values, such as the cells of a column.
        what: What they are, to begin a message.

    Raises:
        DataError: A value has no text but its place in memory.
    """
    values = list(cells)
    array = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        array[row] = value
        if isinstance(value, str | bytes | int):
            is_plain = isinstance(value, str) and value.isascii()
            is_number = isinstance(value, int) and value.bit_length() <= _MOST_BITS
            array[row] = value if is_plain or is_number else text_of(value)
        elif isinstance(value, Decimal) and value.is_snan():
            array[row] = np.nan
        elif (type(value).__str__, type(value).__repr__) == _NO_TEXT:
            fault = f"a value of type {type(value).__name__} has no text"
            raise DataError(f"{what}, row {row}: {fault}; give texts or numbers")
    return array


def without_mask(array: np.ma.MaskedArray[Any, Any]) -> NDArray[Any]:
    """A masked array's values, those that are masked missing."""
    if array.dtype.kind in "biuf":
        return np.where(np.ma.getmaskarray(array), np.nan, array.data)
    is_time = array.dtype.kind in "mM"
    values = np.array(array.data, dtype=array.dtype if is_time else object)
    values[np.ma.getmaskarray(array)] = "NaT" if is_time else np.nan
    return values


def plain_frame(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """A data frame whose names are texts and whose objects are :func:`plain_cells`.

    Args:
        frame: The data frame.
        where: The start of messages.

    Raises:
        DataError: Two columns of one name, or cells that :func:`plain_cells` refuses.
    """
    import pandas as pd

    names = distinct_names(frame.columns, where)
    columns: dict[str, Any] = {}
    for place, dtype in enumerate(frame.dtypes):
        if dtype.kind == "V":
            fault = f'column "{names[place]}" holds {dtype}'
            raise DataError(f"{where}: {fault}; give texts or numbers")
        is_categorical = isinstance(dtype, pd.CategoricalDtype)
        if pd.api.types.is_object_dtype(dtype.categories if is_categorical else dtype):
            before = frame.iloc[:, place].to_numpy(dtype=object)
            cells = plain_cells(before, f'{where}, column "{names[place]}"')
            if any(map(operator.is_not, cells, before)):
                columns[names[place]] = pd.Categorical(cells) if is_categorical else cells
    named = frame.set_axis(names, axis=1)
    return named.assign(**columns) if columns else named


def distinct_names(names: Iterable[object], where: str) -> list[str]:
    """The texts of column names.

    Raises:
        DataError: Two are the same.
    """
    texts = [text_of(name) for name in names]
    if len(set(texts)) < len(texts):
        repeated = next(text for text in texts if texts.count(text) > 1)
        raise DataError(f'{where}: two columns are named "{repeated}"; rename or drop one')
    return texts


def one_dimensional(values: ArrayLike, argument: str, where: str) -> NDArray[Any]:
    """Make an array (n,) of labels or groups, which may be a column (n, 1).

    Args:
        values: One value a row.
        argument: What they are, such as ``y``.
        where: The start of messages.

    Raises:
        DataError: Another shape, or a value that is missing or has no text.
    """
    import pandas as pd

    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(f"{where}: the rows of {argument} differ in length ({error})") from None
    if array.dtype.kind == "V":
        raise DataError(f"{where}: {argument} holds {array.dtype}; give texts or numbers")
    if array.dtype.kind in "OS":
        cells = plain_cells(array.ravel(), f"{where}: {argument}")
        array = cells.reshape(array.shape)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        remedy = ", such as y.argmax(axis=1) of a column a class" if argument == "y" else ""
        raise DataError(
            f"{where}: {argument} has shape {array.shape}; it needs one value a row{remedy}"
        )
    missing = np.asarray(pd.isna(array))
    if isinstance(values, np.ma.MaskedArray):
        missing = missing | np.ma.getmaskarray(values).reshape(array.shape)
    if array.dtype.kind in "OU":
        blanks = (isinstance(value, str) and not value.strip() for value in array)
        missing |= np.fromiter(blanks, bool, len(array))
    if missing.any():
        raise DataError(
            f"{where}: {argument} is missing in {missing.sum():,} of {len(array):,} rows, "
            f"first in row {missing.argmax()}; fill in or leave out those rows"
        )
    return array
