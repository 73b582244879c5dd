"""Read a file's bytes, its text or its table, with one line about what is wrong with it."""

from __future__ import annotations

import csv
import errno
import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from remix_study.data.memory import check_memory, free_bytes
from remix_study.errors import DataError, join_names, path_fault

if TYPE_CHECKING:
    import pandas as pd


_PART_BYTES = 2**24
# Above this share of equal letters a file of another name may be meant.
_SIMILAR = 0.8
_GZIP = b"\x1f\x8b"


def read_unpacked(path: Path) -> bytes:
    """Read the bytes of a file, unpacked where it is a gzip.

    Raises:
        DataError: The file is missing, a folder, unreadable, empty or a damaged gzip.
    """
    return unpack(read_raw(path), path)


def read_member(path: Path) -> tuple[bytes, str]:
    """Read a file, unpacked where it is a gzip or a zip of a single file.

    Returns:
        The bytes, and the name of what was packed, whose ending says the format.

    Raises:
        DataError: As :func:`read_unpacked`, or a zip that is damaged or holds several files.
    """
    if path.suffix.lower() != ".zip":
        name = path.stem if path.suffix.lower() == ".gz" else path.name
        return read_unpacked(path), name
    try:
        with zipfile.ZipFile(io.BytesIO(read_raw(path))) as archive:
            hidden = ("__MACOSX/", ".")
            names = [n for n in archive.namelist() if not n.endswith("/")]
            names = [n for n in names if not n.startswith(hidden) and "/." not in n]
            if len(names) != 1:
                shown = join_names(names, 10) or "none"
                raise DataError(
                    f"{path}: a zip of one file is needed, this one has {len(names)} ({shown}); "
                    "unpack it and name the file"
                )
            with archive.open(names[0]) as packed:
                content = _read_within_memory(packed, path)
    except DataError:
        raise
    except NotImplementedError as error:
        raise DataError(f"{path}: damaged zip file ({error}); download it again") from None
    except RuntimeError as error:
        raise DataError(f"{path}: cannot be unpacked ({error}); unpack it yourself") from None
    except Exception as error:
        # Python raises many kinds of errors for a damaged zip.
        raise DataError(f"{path}: damaged zip file ({error}); download it again") from None
    if not content.strip():
        raise DataError(f"{path}: {names[0]} in it is empty")
    return content, Path(names[0]).name


def read_raw(path: Path) -> bytes:
    """Read the bytes of a file as they are.

    Raises:
        DataError: The file is missing, a folder, unreadable or larger than the free memory.
    """
    check_readable(path)
    try:
        size = path.stat().st_size
        check_memory(
            size, f"{path}: its contents", free_bytes(), "free memory is", "take fewer rows"
        )
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def check_readable(path: Path) -> None:
    """Refuse what is no file that can be read.

    Raises:
        DataError: The file is missing, a folder, a pipe, a device or unreadable.
    """
    reason = path_fault(path)
    if reason == os.strerror(errno.ENOENT):
        raise DataError(f"{path}: no such file{_similar_file(path)}")
    if reason == os.strerror(errno.EISDIR):
        raise DataError(f"{path}: is a folder; it must be a file")
    if reason:
        raise DataError(f"{path}: cannot be read ({reason})")


def _similar_file(path: Path) -> str:
    """End a message about a file that is not there: one of its folder with a similar name."""
    with suppress(OSError):
        for name in get_close_matches(path.name, os.listdir(path.parent), 1, _SIMILAR):
            return f'; did you mean "{path.with_name(name)}"?'
    return ""


def unpack(content: bytes, path: Path) -> bytes:
    """Unpack a gzip, recognised by its first two bytes; return other bytes as they are.

    Raises:
        DataError: A damaged gzip, a file named ``.gz`` that is none, or an empty file.
    """
    if content.startswith(_GZIP):
        try:
            with gzip.open(io.BytesIO(content)) as packed:
                content = _read_within_memory(packed, path)
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(f"{path}: damaged gzip file ({error}); download it again") from None
    elif path.suffix == ".gz" and content:
        raise DataError(f"{path}: named .gz but not a gzip file; download it again or rename it")
    if not content.strip():
        raise DataError(f"{path}: the file is empty")
    return content


def check_archive_size(content: bytes, path: Path) -> None:
    """Refuse a zip, such as an NPZ file or a workbook, whose files take too much memory.

    Raises:
        DataError: They take more than half of the memory that is free.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except Exception:
        # Its reader says what is wrong with it.
        return
    check_unpacked_size(size, path)


def _read_within_memory(packed: IO[bytes] | gzip.GzipFile, path: Path) -> bytes:
    """Read to the end, but no more than half of the memory that is free."""
    content = io.BytesIO()
    while part := packed.read(_PART_BYTES):
        content.write(part)
        check_unpacked_size(content.tell(), path)
    return content.getvalue()


def check_unpacked_size(size: int, path: Path) -> None:
    """Refuse contents of so many bytes, of which some may be counted only.

    Raises:
        DataError: They take more than half of the memory that is free.
    """
    what = f"{path}: its unpacked contents, at least so far,"
    check_memory(size, what, free_bytes() // 2, "half of the free memory is", "unpack less of it")


def decode(content: bytes, path: Path) -> str:
    """Decode a file's bytes as UTF-8, with or without a byte order mark.

    Raises:
        DataError: The bytes are not UTF-8 or hold a NUL.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: not UTF-8 text; save the file as UTF-8") from None
    if "\x00" in text:
        raise DataError(f"{path}: not text (it holds NUL bytes); save it as UTF-8 text")
    return text


# Without "None", which is a category in many files.
MISSING = ("", "?", "NA", "na", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>")


def nearest_floats() -> dict[str, Any]:
    """Options of ``pandas.read_csv`` with which each number becomes the float64 nearest to it.

    pandas 3.1 needs none, and warns of this one; earlier versions read a third of all numbers a
    little differently.
    """
    import pandas as pd

    version = tuple(map(int, pd.__version__.split(".")[:2]))
    return {} if version >= (3, 1) else {"float_precision": "round_trip"}


def read_table(
    text: str,
    path: Path,
    *,
    separator: str,
    names: Sequence[str],
    skip: int = 0,
    as_text: Iterable[str | None] = (),
    missing: Sequence[str] = MISSING,
) -> pd.DataFrame:
    """Read delimited text into a data frame.

    Args:
        text: The content of a file.
        path: The file, for error messages.
        separator: One character.
        names: One name for each column.
        skip: Number of lines before the first row.
        as_text: Columns to read as text, whatever they hold.
        missing: Cells that stand for a missing value.

    Returns:
        One row for each line, with columns ``names``: numbers, truth values or text, NaN where
        missing.

    Raises:
        DataError: No rows, a line with more or fewer cells, quotes that never close.
    """
    import pandas as pd

    _refuse_ragged(text, separator, len(names), skip, path)
    text_columns = [column for column, name in enumerate(names) if name in set(as_text)]
    dtypes: dict[int, type[str]] = dict.fromkeys(text_columns, str)
    try:
        frame: pd.DataFrame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            names=list(range(len(names))),
            skiprows=skip,
            index_col=False,
            dtype=dtypes,
            na_values=list(missing),
            keep_default_na=False,
            skipinitialspace=True,
            low_memory=False,
            **nearest_floats(),
        )
    except pd.errors.EmptyDataError:
        raise DataError(f"{path}: the file has no rows") from None
    except (pd.errors.ParserError, ValueError) as error:
        raise DataError(f"{path}: not a table ({' '.join(str(error).split())})") from None
    if frame.empty:
        raise DataError(f"{path}: the file has no rows")
    return frame.set_axis(list(names), axis=1)


def first_cells(text: str, separator: str, path: Path) -> list[str]:
    """Read the cells of the first line, without outer or repeated spaces.

    Raises:
        DataError: The line cannot be read.
    """
    try:
        cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    except csv.Error as error:
        raise DataError(f"{path}, line 1: cannot be read ({error})") from None
    return [" ".join(cell.split()) for cell in cells]


def _refuse_ragged(text: str, separator: str, columns: int, skip: int, path: Path) -> None:
    """Refuse a line of another number of cells; pandas would fill a short one silently."""
    line, cell_counts = 0, _cells_by_line(text, separator)
    try:
        for line, cells in enumerate(cell_counts, start=1):
            if line > skip and cells not in (0, columns):
                raise DataError(f"{path}, line {line}: {cells} cells instead of {columns}")
    except csv.Error as error:
        raise DataError(f"{path}, line {line + 1}: cannot be read ({error})") from None


def _cells_by_line(text: str, separator: str) -> Iterator[int]:
    """Yield the number of cells of each line, 0 for a blank one."""
    if '"' in text:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        return (len(row) for row in rows)
    # Without quotes it is enough to count separators, which is many times faster.
    lines = io.StringIO(text, newline=None)
    return (line.count(separator) + 1 if line.strip() else 0 for line in lines)
