"""The few mistakes a user can make, each with the exit code the command line answers with."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

DONE = 0
SOME_POINTS_FAILED = 1
BAD_INPUT = 2
BAD_DATABASE = 3


# From the user's name to the last @ before a space: a password may hold an @ itself.
_PASSWORD = re.compile(r"""(\w:/{1,2}[^\s:/@"]*:)[^\s"]*@""")
_SECRET_KEY = re.compile(r"""([?&]\w*(?:pass|pwd)\w*=)[^\s&"]*""", re.IGNORECASE)


def masked(text: str) -> str:
    """The text without the passwords of the URLs in it."""
    return _SECRET_KEY.sub(r"\1***", _PASSWORD.sub(r"\1***@", text))


class RemixStudyError(Exception):
    """Something the user can put right; its message is one line and says how."""

    exit_code = BAD_INPUT

    def __init__(self, message: str = "") -> None:
        """Put what others said, such as a driver or a user's own file, into one line too."""
        super().__init__(masked(" ".join(line.strip() for line in message.splitlines())))


class StudyFileError(RemixStudyError):
    """The study file: not TOML, an unknown key, a wrong type, a value out of range."""


class DataError(RemixStudyError):
    """The data: a missing file or column, a class with too few rows, text where numbers belong."""


class UsageError(RemixStudyError):
    """The arguments of a command or of a public function."""


class StorageError(RemixStudyError):
    """The database: missing, not one, locked, full, or begun with another study file."""

    exit_code = BAD_DATABASE


class WorkersDied(RemixStudyError):
    """Worker processes died before they could begin anything."""

    exit_code = SOME_POINTS_FAILED


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


def join_names(names: Iterable[str], limit: int = 40) -> str:
    """Join names with commas for a message; those beyond ``limit`` become ``and 5 more``."""
    names = list(names)
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
