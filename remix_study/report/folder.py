"""The folder of a report: what may be replaced, and how it is written whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from remix_study.errors import UsageError

MANIFEST = "manifest.json"
MARK = "remix_study report"
"""What the manifest of a report says under ``made_by``."""


def check_folder(output: Path) -> None:
    """Refuse a folder that :func:`publish` would refuse; to be called before hours of training.

    Raises:
        UsageError: The folder holds files that no report wrote, is a file, or cannot be written.
    """
    try:
        _report_files(output)
        folder = output.absolute().parent
        while not folder.exists():
            folder = folder.parent
        for place in (folder, output) if output.exists() else (folder,):
            tempfile.TemporaryDirectory(dir=place, prefix=f".{output.name}-").cleanup()
    except OSError as error:
        raise _cannot_write(output, error) from error


def publish(output: Path, write: Callable[[Path], None]) -> Path:
    """Let a folder be written whole or not at all; with a manifest that names its files.

    Args:
        output: the folder that is wanted.
        write: writes `index.html` and all else into an empty folder.
    """
    old = _report_files(output)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=output.parent, prefix=f".{output.name}-", ignore_cleanup_errors=True
        ) as scratch:
            folder = Path(scratch)
            write(folder)
            _replace(output, folder, old)
    except OSError as error:
        raise _cannot_write(output, error) from error
    return output / "index.html"


def _cannot_write(output: Path, error: OSError) -> UsageError:
    return UsageError(f"{output}: cannot write the report ({error.strerror})")


def _report_files(output: Path) -> list[Path]:
    """The files of a report that is there already, by its manifest; hidden files do not count."""
    if not output.exists():
        return []
    if not output.is_dir():
        raise UsageError(f"{output} is a file; name a folder for the report")
    there = {
        path.relative_to(output)
        for path in output.rglob("*")
        if not path.is_dir() and not path.name.startswith(".")
    }
    if not there:
        return []
    known: set[Path] = set()
    try:
        manifest = json.loads((output / MANIFEST).read_text(encoding="utf-8"))
        if manifest["made_by"] == MARK:
            known = {Path(MANIFEST), *(Path(name) for name in manifest["files"])}
    except (OSError, ValueError, KeyError, TypeError):
        known = set()
    strange = sorted(there - known)
    if strange:
        raise UsageError(
            f"{output} holds files that no report wrote ({strange[0]}); name another folder"
        )
    return sorted(there)


def _replace(output: Path, folder: Path, old: Sequence[Path]) -> None:
    output.mkdir(exist_ok=True)
    for name in old:
        (output / name).unlink()
    for path in sorted(folder.rglob("*")):
        target = output / path.relative_to(folder)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            shutil.move(path, target)
