"""Decode the text of a table by the encoding that a key or a byte order mark says."""

from __future__ import annotations

import codecs
from pathlib import Path

from remix_study.errors import DataError, did_you_mean

_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_BINARY = {
    b"PK\x03\x04": "a zip or an Excel file; name it .zip or .xlsx",
    b"\xd0\xcf\x11\xe0": "an Excel file of the old format; save it as .xlsx",
}
# Offered where a name is misspelt; any that Python knows is taken.
_KNOWN = ["utf-8", "utf-16", "cp1252", "latin-1", "cp1250", "cp1251", "gb18030", "shift_jis"]


def as_utf8(content: bytes, path: Path, encoding: str) -> tuple[bytes, list[str]]:
    """Decode a text into UTF-8 without a byte order mark.

    Args:
        content: The bytes of a file.
        path: The file, for messages.
        encoding: Its encoding, or "" for UTF-8 or what a byte order mark says.

    Returns:
        The text, whose lines end in line feeds or carriage returns and line feeds, and a note if
        a byte order mark alone said its encoding.

    Raises:
        DataError: An unknown encoding, a text of another one, NUL characters, or another format.
    """
    if what := next((what for mark, what in _BINARY.items() if content.startswith(mark)), ""):
        raise DataError(f"{path}: no text, but {what}")
    marked = next((e for mark, e in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), "")
    notes = []
    if not encoding and marked == "utf-16":
        notes.append(f"{path.name}: the text is UTF-16, as its byte order mark says")
    unknown = f'{path}: encoding "{encoding}" is unknown{did_you_mean(encoding, _KNOWN)}'
    try:
        codec = codecs.lookup(encoding or marked or "utf-8").name
    except LookupError:
        raise DataError(unknown) from None
    if codec == "utf-8" and marked == "utf-8-sig":
        codec = marked
    # ASCII is UTF-8 already; not to decode it saves its size in memory.
    if not (codec == "utf-8" and content.isascii()):
        try:
            decoded = content.decode(codec)
        except LookupError:
            # Such as "hex", which is no encoding of texts.
            raise DataError(unknown) from None
        except UnicodeError as error:
            line = content.count(b"\n", 0, getattr(error, "start", 0)) + 1
            likely = "utf-16" if b"\x00" in content else "cp1252"
            raise DataError(
                f"{path}, line {line}: not {codec.upper().removesuffix('-SIG')} text; save the "
                f'file as UTF-8, or write its encoding, such as encoding = "{likely}"'
            ) from None
        content = decoded.encode() if codec != "utf-8" else content
    if b"\x00" in content:
        raise DataError(
            f"{path}: not text (it holds NUL bytes); save it as UTF-8 text, or write "
            'encoding = "utf-16" if it is that'
        )
    if content.count(b"\r") != content.count(b"\r\n"):
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content, notes
