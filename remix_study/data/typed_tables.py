"""Read tables whose columns or cells have types: Parquet, Feather, Excel and NPZ."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from remix_study.data.file_contents import check_archive_size, check_unpacked_size
from remix_study.data.plain_cells import distinct_names, plain_cells, text_of, without_mask
from remix_study.data.raw_table import RawTable, repeated_name
from remix_study.errors import DataError, join_names
from remix_study.studyfile.table_format import TableFormat

if TYPE_CHECKING:
    import pandas as pd

_EXTRAS = {"pyarrow": "parquet", "openpyxl": "excel"}
# Types of Arrow whose values a file may hold once for many rows.
_ARROW_TEXT = "(large_)?(string|binary)(_view)?"
# Rows of a workbook between two looks at how much memory their cells take.
_ROWS_PER_CHECK = 1000
_REMEDY = "; save it anew, or let its name end as its format"


def check_installed(library: str, what: str) -> None:
    """Refuse a format whose library, which an extra installs, is not there.

    Args:
        library: ``pyarrow`` or ``openpyxl``.
        what: What needs it, to begin the message.

    Raises:
        DataError: It is not installed; the message has the command that installs it.
    """
    if find_spec(library) is None:
        raise DataError(
            f'{what}: {library} is not installed; pip install "remix-study[{_EXTRAS[library]}]"'
        )


def parse_parquet(
    content: bytes, path: Path, _format: TableFormat, _verbatim: Sequence[str | int] = ()
) -> RawTable:
    """Parse a Parquet file.

    Raises:
        DataError: pyarrow is not installed, or the file is none.
    """
    check_installed("pyarrow", f"{path}: a Parquet file")
    import pyarrow.parquet

    return _arrow_table(content, path, "Parquet", pyarrow.parquet.read_table, _parquet_sizes)


def parse_feather(
    content: bytes, path: Path, _format: TableFormat, _verbatim: Sequence[str | int] = ()
) -> RawTable:
    """Parse a Feather file, which is an Arrow file.

    Raises:
        DataError: pyarrow is not installed, or the file is none.
    """
    check_installed("pyarrow", f"{path}: a Feather file")
    import pyarrow.feather

    return _arrow_table(content, path, "Feather", pyarrow.feather.read_table, _feather_sizes)


def _parquet_sizes(source: Any) -> Iterator[int]:
    """Bytes of a file's numbers, then of its texts, of which a dictionary may hold few."""
    import pyarrow.compute as pc
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(source)
    yield 8 * file.metadata.num_rows * file.metadata.num_columns
    fields = [(field.name, str(field.type)) for field in file.schema_arrow]
    texts = [name for name, kind in fields if re.fullmatch(_ARROW_TEXT, kind)]
    if not texts:
        return
    table = pyarrow.parquet.read_table(source, columns=texts, read_dictionary=texts)
    for chunk in (chunk for column in table.columns for chunk in column.chunks):
        yield pc.sum(pc.binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0


def _feather_sizes(source: Any) -> Iterator[int]:
    """Bytes of each part of a file; nothing of one of version 1, which is not compressed."""
    import pyarrow as pa

    if source.read(6) == b"ARROW1":
        reader = pa.ipc.open_file(source)
        yield from (reader.get_batch(i).nbytes for i in range(reader.num_record_batches))


def frame_of_arrow(table: Any) -> pd.DataFrame:
    """Turn an Arrow table into a data frame, truth values with gaps among its types.

    Raises:
        ValueError: A column holds bytes that are no text.
    """
    import pandas as pd
    import pyarrow as pa

    for i, column in enumerate(table.schema):
        if pa.types.is_fixed_size_binary(column.type):
            raise ValueError(f'column "{column.name}" holds bytes')
        if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            table = table.set_column(i, column.name, table.column(i).cast(pa.large_string()))
    frame: pd.DataFrame = table.to_pandas(
        types_mapper={pa.bool_(): pd.BooleanDtype()}.get,
        date_as_object=False,
        # Else a column that was the index of a frame of pandas would not be among the columns.
        ignore_metadata=True,
    )
    nameless = [name for name in frame.columns if re.fullmatch(r"__index_level_\d+__", str(name))]
    return frame.drop(columns=nameless)


def _arrow_table(
    content: bytes, path: Path, what: str, read: Any, sizes: Callable[[Any], Iterator[int]]
) -> RawTable:
    """Read a file with types whose contents the memory holds, by the sizes of its parts."""
    import pyarrow as pa

    try:
        for size in accumulate(sizes(pa.BufferReader(content))):
            check_unpacked_size(size, path)
        frame = frame_of_arrow(read(pa.BufferReader(content)))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read as a {what} file ({' '.join(str(error).split())}){_REMEDY}"
        ) from None
    return _table(frame, content, path)


def parse_excel(
    content: bytes, path: Path, table_format: TableFormat, _verbatim: Sequence[str | int] = ()
) -> RawTable:
    """Parse the first sheet of an Excel workbook; its rows are the lines of messages.

    Raises:
        DataError: openpyxl is not installed, the file is no workbook, or the sheet has no rows.
    """
    import pandas as pd

    check_installed("openpyxl", f"{path}: an Excel file")
    import openpyxl

    check_archive_size(content, path)
    # Not by pandas, which takes the cell #DIV/0! for an empty one.
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheets = [sheet.title for sheet in book.worksheets]
        sheet = book.worksheets[0]
        # A workbook may state a wrong size.
        sheet.reset_dimensions()
        rows = dict(_filled_rows(sheet.iter_rows(values_only=True), path))
        book.close()
    except DataError:
        raise
    except Exception as error:
        # openpyxl raises many kinds of errors for a damaged workbook.
        raise DataError(f"{path}: cannot be read as an Excel file ({error}){_REMEDY}") from None
    columns = sorted(
        {at for row in rows.values() for at, cell in enumerate(row) if cell is not None}
    )
    filled = [[row[at] if at < len(row) else None for at in columns] for row in rows.values()]
    cells = pd.DataFrame(filled, index=list(rows), dtype=object).fillna(np.nan)
    names = [f"column {number}" for number in range(1, cells.shape[1] + 1)]
    if table_format.header and len(cells):
        header = [("" if pd.isna(cell) else " ".join(str(cell).split())) for cell in cells.iloc[0]]
        names = [name or number for name, number in zip(header, names, strict=True)]
        cells = cells.iloc[1:]
    lines = cells.index.to_numpy(dtype=np.intp) + 1
    frame = cells.reset_index(drop=True).infer_objects().set_axis(names, axis=1)
    note = f'{path.name}: sheet "{sheets[0]}" is read, the first of {len(sheets)}'
    notes = (note,) if len(sheets) > 1 else ()
    return _table(frame, content, path, lines=lines, notes=notes)


def _filled_rows(
    rows: Iterable[tuple[Any, ...]], path: Path
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Yield the number and the cells of each row that has any, up to its last one.

    A cell that stands far to the right would make all rows as long as its own.
    """
    n_cells = 0
    for number, row in enumerate(rows):
        end = next((at for at in range(len(row), 0, -1) if row[at - 1] is not None), 0)
        if end:
            n_cells += end
            if not number % _ROWS_PER_CHECK:
                check_unpacked_size(8 * n_cells, path)
            yield number, row[:end]


def parse_npz(
    content: bytes, path: Path, _format: TableFormat, _verbatim: Sequence[str | int] = ()
) -> RawTable:
    """Parse an NPZ file of arrays with a common number of rows.

    An array of one dimension is a column of its name; the columns of a matrix ``X`` are ``X0``,
    ``X1`` and so on.

    Raises:
        DataError: The file is none, or its arrays differ in length or have more dimensions.
    """
    check_archive_size(content, path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as npz:
            arrays = dict(npz.items())
    except Exception as error:
        # NumPy and zipfile raise many kinds of errors for a damaged archive.
        raise DataError(f"{path}: cannot be read as NPZ arrays ({error}){_REMEDY}") from None
    return _table(frame_of_arrays(arrays, str(path)), content, path)


def frame_of_arrays(arrays: Mapping[str, Any], where: str) -> pd.DataFrame:
    """Make a data frame of arrays by name, matrices among them.

    Raises:
        DataError: Arrays differ in length or have no or more than two dimensions.
    """
    import pandas as pd

    columns: dict[str, Any] = {}
    for name, array in arrays.items():
        name, shape = text_of(name), _shape(array)
        if len(shape) not in (1, 2):
            raise DataError(
                f'{where}: array "{name}" has shape {shape}; a table needs one or two dimensions'
            )
        if isinstance(array, pd.Series):
            # Rows are by position, whatever their index.
            _add(columns, {name: array.reset_index(drop=True)}, where)
            continue
        if isinstance(array, np.ma.MaskedArray):
            array = without_mask(array)
        kind = getattr(getattr(array, "dtype", None), "kind", "")
        if kind == "V":
            raise DataError(f'{where}: array "{name}" holds {array.dtype}; give texts or numbers')
        if kind == "S":
            # As a file of text: what is no UTF-8 is refused with the table.
            array = np.char.decode(array, "utf-8", "backslashreplace")
        if len(shape) == 2 and shape[1] > 1:
            parts = {f"{name}{i}": column for i, column in enumerate(np.asarray(array).T)}
        else:
            parts = {name: array if len(shape) == 1 else np.ravel(array)}
        _add(columns, parts, where)
    lengths = {len(column): name for name, column in columns.items()}
    if len(lengths) > 1:
        shown = join_names(f'"{name}" has {n}' for n, name in list(lengths.items())[:2])
        raise DataError(f"{where}: columns differ in length: {shown} rows")
    try:
        return pd.DataFrame(columns)
    except UnicodeEncodeError:
        # Half of a character, which pandas cannot write.
        cells = {name: plain_cells(column, where) for name, column in columns.items()}
        return pd.DataFrame(cells).infer_objects()


def _add(columns: dict[str, Any], parts: dict[str, Any], where: str) -> None:
    """Add columns to others, each of a name of its own."""
    distinct_names([*columns, *parts], where)
    columns |= parts


def _shape(array: Any) -> tuple[int, ...]:
    try:
        return np.shape(array)
    except ValueError:
        # Lists of different lengths, one in each cell.
        return (len(array),)


def _table(frame: pd.DataFrame, content: bytes, path: Path, **more: Any) -> RawTable:
    """The raw table of a file; one without rows or with two equal names is refused."""
    names = [str(name) for name in frame.columns]
    if (repeated := repeated_name(names)) is not None:
        raise DataError(f'{path}: two columns are named "{repeated}"; rename one')
    if frame.empty:
        raise DataError(f"{path}: the file has no rows")
    sha256 = hashlib.sha256(content).hexdigest()
    return RawTable(str(path), frame.set_axis(names, axis=1), sha256=sha256, **more)
