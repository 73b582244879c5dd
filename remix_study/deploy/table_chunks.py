"""Read a table in parts, so that a file of any length takes bounded memory.

Separated text is cut at ends of lines that no quote holds open; each part is parsed as the studies
parse a file, with the header before it and blank lines in place of the rows of earlier parts, so
that messages have the file's own line numbers. Other formats are read as a whole.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, cast

import msgspec

from remix_study.data.raw_table import RawTable
from remix_study.data.readers import fitting_format, is_text, read_tables
from remix_study.data.separators import detect_separator
from remix_study.data.text_encoding import as_utf8
from remix_study.data.text_records import STATED, quote_of
from remix_study.data.text_table import parse_text_table
from remix_study.errors import DataError
from remix_study.studyfile.table_format import TableFormat

CHUNK_BYTES = 1 << 23
# Line ends before the last one that are tried; a quote open for longer than that is no quote.
_MOST_LINES = 10_000
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_chunks(
    path: Path, table_format: TableFormat, verbatim: Sequence[str], size: int = CHUNK_BYTES
) -> Iterator[RawTable]:
    """Yield the parts of a table.

    Args:
        path: The file.
        table_format: How it is written; keys that say nothing about such a file are left out.
        verbatim: Columns whose cells stay as they are written.
        size: Bytes of a part of a text.

    Raises:
        DataError: The file cannot be read or parsed.
    """
    table_format = fitting_format(path, table_format)
    if not _is_cut(path, table_format, size):
        yield read_tables([path], table_format, list(verbatim))
        return
    header, n_lines = b"", 0
    with _opened(path) as stream:
        for part in _parts(stream, quote_of(table_format).encode(), size):
            if n_lines:
                content = header + b"\n" * (n_lines - header.count(b"\n")) + part
            else:
                content = part
                header = _header(part) if table_format.header else b""
                text, _ = as_utf8(part, path, table_format.encoding)
                separator, _ = detect_separator(text, path, table_format)
                table_format = msgspec.structs.replace(table_format, separator=separator)
            n_lines += part.count(b"\n")
            if part.strip():
                yield parse_text_table(content, path, table_format, verbatim)


def _is_cut(path: Path, table_format: TableFormat, size: int) -> bool:
    """Whether a file is a text of one byte a sign or of UTF-8 that is longer than a part."""
    if not path.is_file() or not is_text(path) or path.suffix.lower() == ".zip":
        return False
    with path.open("rb") as stream:
        start = stream.read(2)
    if path.suffix.lower() == ".gz":
        return start == b"\x1f\x8b"
    line = b"a\n".decode(table_format.encoding or "utf-8", "replace")
    is_wide = start in _WIDE or line != "a\n"
    return not is_wide and path.stat().st_size > size


def _opened(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return cast("IO[bytes]", gzip.open(path))
    return path.open("rb")


def _parts(stream: IO[bytes], quote: bytes, size: int) -> Iterator[bytes]:
    """Cut a text at ends of lines that are outside quotes."""
    unsplit = b""
    while block := _read(stream, size):
        unsplit += block
        if end := _last_end(unsplit, quote):
            yield unsplit[:end]
            unsplit = unsplit[end:]
    if unsplit:
        yield unsplit


def _read(stream: IO[bytes], size: int) -> bytes:
    try:
        return stream.read(size)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{stream.name}: cannot be read ({error}); bring the file again") from None


def _last_end(text: bytes, quote: bytes) -> int:
    """The position after the last line end with no quote open before it; 0 without one."""
    end = text.rfind(b"\n") + 1
    if not quote or not end:
        return end
    is_open = text.count(quote, 0, end) % 2
    for _ in range(_MOST_LINES):
        if not is_open or not end:
            return end
        earlier = text.rfind(b"\n", 0, end - 1) + 1
        is_open ^= text.count(quote, earlier, end) % 2
        end = earlier
    return 0


def _header(text: bytes) -> bytes:
    """The first lines of a text up to the one that names the columns."""
    end, stated = 0, STATED.match(text)
    if stated:
        end = stated.end()
    while True:
        start, end = end, text.find(b"\n", end) + 1
        if not end or text[start:end].strip():
            return text[:end] if end else text
