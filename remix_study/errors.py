"""Errors that a user can put right, each with the exit code of the command line."""

from __future__ import annotations

import difflib
import errno
import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

DONE = 0
SOME_CONFIGURATIONS_FAILED = 1
BAD_INPUT = 2
BAD_DATABASE = 3
DOWNLOAD_FAILED = 4
INTERNAL_ERROR = 70

# From the user's name to the last @ before a space: a password may hold an @ itself.
_PASSWORD = re.compile(r"""(\w:/{1,2}[^\s:/@"]*:)[^\s"]*@""")
_SECRET_KEY = re.compile(r"""([?&]\w*(?:pass|pwd)\w*=)[^\s&"]*""", re.IGNORECASE)


_LONGEST = 2000
"""Characters of a message."""


def mask_passwords(text: str) -> str:
    """Replace passwords of URLs in a text by three asterisks."""
    return _SECRET_KEY.sub(r"\1***", _PASSWORD.sub(r"\1***@", text))


class RemixStudyError(Exception):
    """An error that the user can put right; its message is one line and says how.

    Attributes:
        exit_code: Exit code of the command line.
    """

    exit_code = BAD_INPUT

    def __init__(self, message: str = "") -> None:
        """Join the lines of a message, which may be a driver's, and mask its passwords.

        Of one that is very long, since a library quotes a damaged file, the middle is left out.
        """
        line = mask_passwords(" ".join(line.strip() for line in message.splitlines()))
        if len(line) > _LONGEST:
            line = f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"
        super().__init__(line)


class StudyFileError(RemixStudyError):
    """The study file is not TOML, or has an unknown key, a wrong type or a value out of range."""


class DataError(RemixStudyError):
    """A data file or column is missing, a class has too few rows, or a cell is no number."""


class UsageError(RemixStudyError):
    """Arguments of a command or of a public function are wrong."""


class StorageError(RemixStudyError):
    """The database is missing, damaged, locked, full, or holds another study of this name."""

    exit_code = BAD_DATABASE


class WorkersDied(RemixStudyError):
    """Worker processes died before they could begin a trial."""

    exit_code = SOME_CONFIGURATIONS_FAILED


def path_fault(path: str | Path) -> str:
    """Why a path is no file that can be read, such as ``Permission denied``; "" where it is one.

    A pipe would be waited for without end, a device read until memory is full.
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode) and not os.access(path, os.R_OK):
            return os.strerror(errno.EACCES)
    except (OSError, ValueError) as error:
        return system_fault(error)
    if stat.S_ISDIR(mode):
        return os.strerror(errno.EISDIR)
    return "" if stat.S_ISREG(mode) else "a pipe or a device, not a file"


def system_fault(error: Exception) -> str:
    """What the system says in an error about a file; "" where it is an error of another kind."""
    if isinstance(error, OSError):
        return error.strerror or ""
    if isinstance(error, ValueError) and "embedded null" in str(error):
        return "a name cannot hold a NUL"
    is_loop = isinstance(error, RuntimeError) and str(error).startswith("Symlink loop")
    return str(error) if is_loop else ""


def did_you_mean(name: str, known_names: Iterable[str]) -> str:
    """End a message about an unknown name: suggest the most similar known one, or list all.

    Args:
        name: What the user wrote.
        known_names: The names that would have been accepted.

    Returns:
        ``; did you mean "epochs"?``, or ``; known: batch_size, epochs`` if none is similar.
    """
    known_names = list(known_names)
    similar = difflib.get_close_matches(name, known_names, 1)
    if similar:
        return f'; did you mean "{similar[0]}"?'
    return f"; known: {join_names(known_names) or 'none'}"


def look_up(kind: str, name: str, known: Mapping[str, T]) -> T:
    """The value under a name.

    Args:
        kind: What the name stands for in the message, such as ``sampler``.
        name: What the user wrote.
        known: The values by name.

    Raises:
        UsageError: The name is unknown.
    """
    if name in known:
        return known[name]
    raise UsageError(f'unknown {kind} "{name}"{did_you_mean(str(name), known)}')


def join_names(names: Iterable[str], limit: int = 40) -> str:
    """Join names with commas for a message; those beyond ``limit`` become ``and 5 more``."""
    names = list(names)
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
