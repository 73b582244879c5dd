"""Which parser reads a file, by the ending of its name; several files become one table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from remix_study.data.arff import is_arff, parse_arff
from remix_study.data.file_contents import read_member
from remix_study.data.raw_table import RawTable, join_tables
from remix_study.data.text_table import parse_text_table
from remix_study.data.typed_tables import parse_excel, parse_feather, parse_npz, parse_parquet
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

Parser = Callable[[bytes, Path, TableFormat, Sequence[str | int]], RawTable]
"""Parses unpacked bytes; the columns named last keep their cells as they are written."""

_TEXT = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat", ".asc", ".psv")
PARSERS: dict[str, Parser] = {
    **dict.fromkeys(_TEXT, parse_text_table),
    ".arff": parse_arff,
    **dict.fromkeys((".parquet", ".pq"), parse_parquet),
    **dict.fromkeys((".feather", ".arrow"), parse_feather),
    **dict.fromkeys((".xlsx", ".xlsm"), parse_excel),
    ".npz": parse_npz,
}
"""The parser of each ending of a file's name; ``.gz`` or ``.zip`` may follow it."""

_OTHER_FORMATS = {
    **dict.fromkeys((".xls", ".xlsb", ".ods"), "save it as .xlsx"),
    **dict.fromkeys(
        (".bz2", ".xz", ".zst", ".7z", ".rar"), "unpack it, or pack it as .gz or .zip"
    ),
    **dict.fromkeys(
        (".json", ".jsonl", ".pkl", ".sav", ".dta", ".rds", ".h5"), "save it as .csv or .parquet"
    ),
}
"""What to do about a file of another format that users have."""

UNUSED_BY_TYPED = ("separator", "quote", "encoding", "header")
"""Keys of a format that say nothing about a table whose columns have names and types."""

_UNUSED: dict[Parser, tuple[str, ...]] = {
    **dict.fromkeys((parse_parquet, parse_feather, parse_npz), UNUSED_BY_TYPED),
    parse_excel: ("separator", "quote", "encoding"),
    parse_arff: ("separator", "quote", "header"),
}
_PLAIN_FORMAT = TableFormat()


def is_text(path: Path) -> bool:
    """Whether a file is separated text, by the ending of its name."""
    return PARSERS.get(_ending(path)) is parse_text_table


def fitting_format(path: Path, table_format: TableFormat) -> TableFormat:
    """A format without the keys that say nothing about a file."""
    unused = _UNUSED.get(PARSERS.get(_ending(path), parse_text_table), ())
    return msgspec.structs.replace(
        table_format, **{key: getattr(_PLAIN_FORMAT, key) for key in unused}
    )


def _ending(path: Path) -> str:
    is_packed = path.suffix.lower() in (".gz", ".zip")
    return Path(path.stem if is_packed else path.name).suffix.lower()


def read_tables(
    paths: Sequence[Path], table_format: TableFormat, verbatim: Sequence[str | int]
) -> RawTable:
    """Read files, each unpacked and parsed by its format, and join them.

    Args:
        paths: One file, or several of the same columns.
        table_format: How they are written.
        verbatim: Columns, by name or number, whose cells stay as they are written.

    Raises:
        DataError: A file cannot be read or parsed, its columns differ from the first one's, or
            a key of the format says nothing about such a file.
    """
    tables = []
    for path in paths:
        content, name = read_member(path)
        ending = Path(name).suffix.lower()
        parse = PARSERS.get(ending)
        if parse is None and not table_format.separator:
            if ending in _OTHER_FORMATS:
                raise DataError(f"{path}: {ending} files are not read; {_OTHER_FORMATS[ending]}")
            raise DataError(
                f"{path}: a table's name must end in {', '.join(PARSERS)}, with or without .gz or "
                ".zip; write separator for a text of another ending"
            )
        if parse is None or (ending == ".dat" and not is_arff(content)):
            parse = parse_text_table
        elif ending == ".dat":
            parse = parse_arff
        refuse_unused_keys(str(path), table_format, _UNUSED.get(parse, ()))
        tables.append(parse(content, path, table_format, verbatim))
    sha256 = hashlib.sha256("".join(table.sha256 for table in tables).encode()).hexdigest()
    return join_tables(tables, sha256)


def read_test_table(
    table: RawTable, path: Path, table_format: TableFormat, verbatim: Sequence[str | int]
) -> RawTable:
    """Put the rows of a test file below those of a table, by the names of their columns.

    Columns that are text in the table are read as text; the other arguments and the errors are
    those of :func:`read_tables`.
    """
    test = read_tables([path], table_format, [*table.present(verbatim), *table.texts])
    return join_tables(
        [table, test], hashlib.sha256(f"{table.sha256} {test.sha256}".encode()).hexdigest()
    )


def refuse_unused_keys(source: str, table_format: TableFormat, keys: Sequence[str]) -> None:
    """Refuse keys of a format that would change nothing of what is read.

    Raises:
        DataError: One of ``keys`` is not at its default.
    """
    for key in keys:
        if getattr(table_format, key) != getattr(_PLAIN_FORMAT, key):
            raise DataError(f"{source}: {key} says nothing about such a table; leave it out")
