"""Read a file's bytes, unpack gzip and decode UTF-8, with one line about what is wrong."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from remix_study.errors import DataError

_GZIP = b"\x1f\x8b"


def read_unpacked(path: Path) -> bytes:
    """Read the bytes of a file, unpacked where it is a gzip.

    Raises:
        DataError: The file is missing, a folder, unreadable, empty or a damaged gzip.
    """
    return unpack(read_raw(path), path)


def read_raw(path: Path) -> bytes:
    """Read the bytes of a file as they are.

    Raises:
        DataError: The file is missing, a folder or unreadable.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        # On Windows, reading a folder fails as "permission denied".
        if path.is_dir():
            raise DataError(f"{path}: is a folder; it must be a file") from None
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def unpack(content: bytes, path: Path) -> bytes:
    """Unpack a gzip, recognised by its first two bytes; return other bytes as they are.

    Args:
        content: The bytes of a file.
        path: The file, for error messages.

    Raises:
        DataError: A damaged gzip, a file named ``.gz`` that is none, or an empty file.
    """
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(f"{path}: damaged gzip file ({error}); download it again") from None
    elif path.suffix == ".gz" and content:
        raise DataError(f"{path}: named .gz but not a gzip file; download it again or rename it")
    if not content.strip():
        raise DataError(f"{path}: the file is empty")
    return content


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
