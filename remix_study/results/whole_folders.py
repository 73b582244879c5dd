"""Folders that are written as a whole or not at all, whenever the process is killed.

The new folder is written beside the place that it is for, in a hidden one, and takes that place in
one step. Hidden folders that killed processes left are removed by the next one.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Of Linux' renameat2: two names change places in one step.
_EXCHANGE, _HERE = 2, -100
# What systems and file systems answer that cannot do that.
_CANNOT = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
_NEW, _OLD = "new", "old"


@contextmanager
def folder_beside(output: Path) -> Iterator[Path]:
    """An empty folder to write what is to become ``output``; removed in the end.

    Raises:
        OSError: The folder of ``output`` cannot be made or written.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{output.name}-"
    # A folder counts as left behind where nobody locks it: none may be seen before it is locked.
    with locked(output.parent):
        _remove_left_behind(output, prefix)
        scratch = Path(tempfile.mkdtemp(dir=output.parent, prefix=prefix))
        lock = os.open(scratch, os.O_RDONLY)
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        (scratch / _NEW).mkdir()
        yield scratch / _NEW
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(lock)


def put_in_place(new: Path, output: Path) -> None:
    """Give a folder of :func:`folder_beside` its place; what was there is removed with the rest.

    Raises:
        OSError: It cannot be done; everything is as it was.
    """
    # Whoever reads the folder under this lock sees one of both.
    with locked(output.parent):
        try:
            # Where nothing is there, or an empty folder.
            os.rename(new, output)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            shutil.copymode(output, new)
            _exchange(new, output)


def _exchange(new: Path, output: Path) -> None:
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    number = errno.ENOSYS
    if rename is not None:
        if rename(_HERE, os.fsencode(new), _HERE, os.fsencode(output), _EXCHANGE) == 0:
            return
        number = ctypes.get_errno()
    if number not in _CANNOT:
        raise OSError(number, os.strerror(number))
    # A process that is killed between these two leaves the old one for the next to put back.
    os.rename(output, new.with_name(_OLD))
    os.rename(new, output)


def _remove_left_behind(output: Path, prefix: str) -> None:
    for scratch in output.parent.glob(f"{prefix}*"):
        with suppress(OSError), locked(scratch, fcntl.LOCK_EX | fcntl.LOCK_NB):
            if not output.exists() and (scratch / _OLD).exists():
                os.rename(scratch / _OLD, output)
            shutil.rmtree(scratch)


@contextmanager
def locked(folder: Path, operation: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Keep others that lock the folder waiting; on a file system without locks, nobody.

    Raises:
        OSError: The folder cannot be opened, or is locked and ``operation`` does not wait.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, operation)
        except OSError:
            # Of a file system without locks nothing is known.
            if operation & fcntl.LOCK_NB:
                raise
        yield
    finally:
        os.close(descriptor)
