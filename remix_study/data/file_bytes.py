"""The bytes of a file, unpacked where it is a gzip, or one line that says why not."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from remix_study.errors import DataError

_GZIP = b"\x1f\x8b"


def read_content(path: Path) -> bytes:
    """The bytes of a file, unpacked where it is a gzip.

    Raises:
        DataError: The file is missing, a folder, unreadable, empty or a damaged gzip.
    """
    return unpack(read_raw(path), path)


def read_raw(path: Path) -> bytes:
    """The bytes of a file as they are.

    Raises:
        DataError: The file is missing, a folder or unreadable.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except OSError as error:
        # Windows answers "permission denied" when asked to read a folder.
        if path.is_dir():
            raise DataError(f"{path}: this is a folder; a file is needed") from None
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def unpack(content: bytes, path: Path) -> bytes:
    """Unpack a gzip, known by its first two bytes; other bytes stay as they are.

    Raises:
        DataError: A damaged gzip, a file named ``.gz`` that is none, or nothing inside.
    """
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(f"{path}: damaged gzip file ({error}); fetch it again") from None
    elif path.suffix == ".gz" and content:
        raise DataError(f"{path}: named .gz but not a gzip file; fetch it again or rename it")
    if not content.strip():
        raise DataError(f"{path}: the file is empty")
    return content


def decode(content: bytes, path: Path) -> str:
    """Text of a file's bytes, UTF-8 with or without a byte order mark.

    Raises:
        DataError: The bytes are not UTF-8 or hold a NUL.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}: line {line} is not UTF-8 text; save it as UTF-8") from None
    if "\x00" in text:
        raise DataError(f"{path}: holds NUL bytes, so it is no text; save it as UTF-8 text")
    return text
