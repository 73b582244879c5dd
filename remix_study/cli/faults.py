"""What an unexpected error of a command says: of a user's path, of the machine, or of a defect."""

from __future__ import annotations

import argparse
import errno
import os
import re
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from remix_study.data.cache import cache_folder
from remix_study.errors import RemixStudyError, StorageError, mask_passwords, system_fault
from remix_study.study.database_errors import parse_url

# The machine's state, whatever file it was that met it.
_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_QUOTED = re.compile(r"""["']([^"'\n]+)["']""")


def explain(error: BaseException, options: argparse.Namespace) -> RemixStudyError | None:
    """What is wrong with a user's path, the machine or the database; None for another fault."""
    if not isinstance(error, Exception):
        return None
    if reason := system_fault(error):
        name = getattr(error, "filename", None)
        # What is no OSError is about a name that cannot be a path.
        number = getattr(error, "errno", None)
        if not isinstance(error, OSError) or number in _MACHINE or _is_of_user(name, options):
            return RemixStudyError(f"{name}: {reason}" if name else reason)
        return None
    damage = _damage(options)
    return StorageError(damage) if damage else None


def report_defect(error: BaseException) -> str:
    """Write the traceback of an error into a file; returns the line that names it.

    Where no file can be written, the line is followed by the traceback.
    """
    text = mask_passwords("".join(traceback.format_exception(error)))
    what = " ".join(mask_passwords(f"{type(error).__name__}: {error}").split())
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="remix-study-", suffix=".txt", delete=False, encoding="utf-8",
            errors="backslashreplace",
        ) as file:  # fmt: skip
            file.write(text)
    except OSError:
        return f"internal error ({what}); please report it\n{text.rstrip()}"
    return f"internal error ({what}); please report it with the traceback in {file.name}"


def _is_of_user(name: object, options: argparse.Namespace) -> bool:
    """Whether a path is one that the user gave, lies in it, or is a folder that it needs."""
    if not isinstance(name, str | bytes):
        return False
    path = Path(os.path.abspath(os.fsdecode(name)))
    return any(
        path.is_relative_to(user_path) or user_path.is_relative_to(path)
        for user_path in map(Path, map(os.path.abspath, _user_paths(options)))
    )


def _user_paths(options: argparse.Namespace) -> Iterator[str | Path]:
    """Whatever may be a path of the user's: words of the command, its study file's, folders."""
    if (folder := cache_folder()) is not None:
        yield folder
    for value in vars(options).values():
        for word in value if isinstance(value, list | tuple) else [value]:
            if word and isinstance(word, str | Path):
                yield word
                if str(word).endswith(".toml"):
                    with suppress(OSError, ValueError):
                        yield from _QUOTED.findall(Path(word).read_text(encoding="utf-8"))
    with suppress(StorageError, AttributeError):
        if database := parse_url(options.storage).database:
            yield database


def _damage(options: argparse.Namespace) -> str:
    """What is damaged in the database of a command that met something unexpected, in a line."""
    from remix_study.study.doctor import find_damage

    try:
        return find_damage(options.storage)
    except Exception:
        # Another error on the way would hide the first.
        return ""
