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


def known(word: str, words: Iterable[str]) -> str:
    """How a message about an unknown word ends: with the word that was meant, or all there are.

    Args:
        word: What the user wrote.
        words: What could have been written.

    Returns:
        ``; did you mean "epochs"?``, or ``; known: ...``.
    """
    words = list(words)
    close = difflib.get_close_matches(word, words, 1)
    return f'; did you mean "{close[0]}"?' if close else f"; known: {', '.join(words) or 'none'}"
